"""The picture of the README: the same questions before and after, masks by the models on board.

    python -m examples.teach_the_tag.picture --run runs/teach/run

Run it from the root of the repository, for the sake of the training lab.
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

import segue
from examples.teach_the_tag import scenes
from lab.chat.evaluate import things_of
from lab.scenes.vocabulary import nouns
from segue.draw.lettering import font_for
from segue.values.message import Sampling

HERE = Path(__file__).parent
SIDE, MARGIN, LINE = 288, 12, 22


def main() -> None:
    """Read the command line, ask, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=HERE / "base")
    parser.add_argument("--run", type=Path, default=Path("runs/teach/run"))
    parser.add_argument("--out", type=Path, default=HERE / "before_after.png")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    sides = [segue.load("embedded", chat=str(options.base), device="cpu")]
    sides.append(segue.load("embedded", chat=f"{options.base}+{options.run}", device="cpu"))
    rows = [_row(sides, scene) for scene in scenes.scenes(3, options.seed)]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    sheet.save(options.out)
    print(f"wrote {options.out}")


def _row(sides: list[segue.Assistant], scene: scenes.Scene) -> Image.Image:
    """One scene, asked for a mask of its first thing, by each model."""
    name = nouns()[things_of(scene)[0].noun].english
    question = f"Can you segement the {name} in this image?"
    row = Image.new("RGB", (2 * (SIDE + MARGIN) + MARGIN, SIDE + 3 * LINE + MARGIN), "white")
    pen = ImageDraw.Draw(row)
    for column, assistant in enumerate(sides):
        conversation = assistant.open(segue.Image(scene.image))
        answer = conversation.ask(question, Sampling(temperature=0, max_new_tokens=48))
        left = MARGIN + column * (SIDE + MARGIN)
        row.paste(answer.draw().convert("RGB").resize((SIDE, SIDE)), (left, MARGIN))
        text = f"{('before', 'after')[column]}: {answer.raw}"
        place = (left, SIDE + MARGIN + 3 + LINE)
        pen.text(place, text[:44], fill="black", font=font_for(text, 13))
    place = (MARGIN, SIDE + MARGIN + 3)
    pen.text(place, question, fill="black", font=font_for(question, 13))
    return row


if __name__ == "__main__":
    main()
