"""Train the base of this example: a tiny Qwen-VL that has never seen the tag.

    python -m examples.teach_the_tag.make_base --out runs/base

Run it from the root of the repository. The recipe is that of the bundled chat model with every
turn that asks for a mask left out, from the vocabulary on: no word of such a question and no piece
of the tag has ever been learned from. The visual tower is the bundled one, whose training knows
nouns, boxes and backgrounds only; the language model begins at random. A stopped training resumes.
"""

import argparse
from pathlib import Path

from lab.chat.language_stage import LanguageRecipe
from lab.chat.train import train_chat
from lab.language.dialogues import TAG_KINDS
from lab.scenes.scene import SceneRecipe
from segue.runtime.weights import locate

SCENES = SceneRecipe(counts=(0.3, 0.4, 0.3), restyle=0.2, squeeze=0.2)
"""One to three objects, and drawings less changed than for the model on board."""

RECIPE = LanguageRecipe(
    leave_out=(
        *TAG_KINDS,
        *("caption", "ground_two", "count", "count_all", "side", "biggest", "beside", "talk"),
    ),
    chinese_share=0.0,
    batch=8,
    pool=1500,
    late_share=0.5,
)
"""English, and the few kinds of turns that this example measures, so that an hour is enough."""


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/base"))
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    weights = train_chat(
        options.out,
        minutes=options.minutes,
        shards=3,
        shard_size=3000,
        language=RECIPE,
        tower=locate("embedded/chat"),
        scenes=SCENES,
    )
    print(f"the base is in {weights}")


if __name__ == "__main__":
    main()
