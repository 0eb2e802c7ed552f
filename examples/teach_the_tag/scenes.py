"""Drawn scenes with LLaVA-Plus records about them, and what the models are measured on.

A record is what LLaVA-Plus would hold of a scene: a request to segment that calls
`grounding_dino+sam`, one to find something that calls `grounding_dino`, or a question that needs
no tool. Every eighth noun is kept for measuring: no request for a mask that is taught names it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lab.chat.evaluate import things_of
from lab.language.dialogues import Narrator
from lab.language.phrasing import fill, none_of, vary
from lab.language.questions import ENGLISH
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import shipped_bank
from lab.scenes.vocabulary import nouns

RECIPE = SceneRecipe(counts=(0.3, 0.4, 0.3), restyle=0.0, squeeze=0.0)
NEW = frozenset(range(0, len(nouns()), 8))
"""Nouns that are never asked for with the tag while teaching."""


def scenes(count: int, seed: int) -> list[Scene]:
    """Scenes of one to three objects, the same for the same seed."""
    rng, bank = np.random.default_rng(seed), shipped_bank()
    return [render(rng, bank, RECIPE) for _ in range(count)]


def write_records(folder: Path, count: int, seed: int = 1) -> Path:
    """Draw `count` scenes and write up to six records about each: `records.json`."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    rng, records = np.random.default_rng(seed), []
    for number, scene in enumerate(scenes(count, seed)):
        name = f"{number:012d}.png"
        Image.fromarray(scene.image).save(pictures / name)
        narrator = Narrator(things_of(scene), scene.background, rng)
        writers = [_mask, _mask, _masks, _plain_record, (_box, _absent, _plain_record)[number % 3]]
        for place, make in enumerate(writers):
            turns = make(narrator, rng)
            if turns:
                record = {"unique_id": f"{number}.{place}", "image": name, "data_source": "coco"}
                records.append({**record, "conversations": turns})
    path = folder / "records.json"
    path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    return path


def _teachable_nouns(narrator: Narrator, rng: np.random.Generator) -> list[int]:
    """Nouns of the scene that may be taught with the tag, in any order."""
    return [int(noun) for noun in rng.permutation(list(narrator.groups)) if noun not in NEW]


def _mask(narrator: Narrator, rng: np.random.Generator) -> list[dict[str, Any]]:
    noun_list = _teachable_nouns(narrator, rng)[:1]
    if not noun_list:
        return []
    name = nouns()[noun_list[0]].english
    question = fill(vary(str(rng.choice(ENGLISH["segment"])), rng), name)
    return _tool("grounding_dino+sam", question, name, narrator, noun_list, "Here it is.")


def _masks(narrator: Narrator, rng: np.random.Generator) -> list[dict[str, Any]]:
    noun_list = _teachable_nouns(narrator, rng)[:2]
    if len(noun_list) < 2:
        return []
    first, second = (nouns()[noun].english for noun in noun_list)
    question = fill(str(rng.choice(ENGLISH["segment_two"])), first, second)
    caption = f"{first} . {second}"
    return _tool("grounding_dino+sam", question, caption, narrator, noun_list, "Here they are.")


def _box(narrator: Narrator, rng: np.random.Generator) -> list[dict[str, Any]]:
    turn = narrator.ask("ground", False, narrator.present())
    assert turn is not None
    name = nouns()[turn.noun].english
    return _tool("grounding_dino", turn.question, name, narrator, [turn.noun], "There.")


def _absent(narrator: Narrator, rng: np.random.Generator) -> list[dict[str, Any]]:
    turn = narrator.ask("ground", False, narrator.absent())
    assert turn is not None
    name = nouns()[turn.noun].english
    answer = none_of(turn.noun, False)
    return _tool("grounding_dino", turn.question, name, narrator, [turn.noun], answer)


def _plain_record(narrator: Narrator, rng: np.random.Generator) -> list[dict[str, Any]]:
    kind = str(rng.choice(["describe", "describe", "exist", "where", "background"]))
    turn = narrator.ask(kind, False)
    if turn is None:
        return []
    return [
        {"from": "human", "value": f"<image>\n{turn.question}"},
        {"from": "gpt", "thoughts": "", "actions": [], "value": turn.answer},
    ]


def _tool(
    tool: str, question: str, caption: str, narrator: Narrator, noun_list: list[int], answer: str
) -> list[dict[str, Any]]:
    """Return the four turns of one use of a tool."""
    objects = [(noun, thing) for noun in noun_list for thing in narrator.groups.get(noun, ())]
    report = {
        "boxes": [[round(value / 1000, 3) for value in thing.box] for _, thing in objects],
        "logits": [0.5] * len(objects),
        "phrases": [nouns()[noun].english for noun, _ in objects],
    }
    report_text = (
        f"{tool} model outputs: {report!r}\n\nsummarize the model outputs and answer my first"
    )
    return [
        {"from": "human", "value": f"<image>\n{question}"},
        {
            "from": "gpt",
            "thoughts": "I need a tool.",
            "actions": [{"API_name": tool, "API_params": {"caption": caption}}],
            "value": f"I will use {tool} to help to answer the question. Please wait for a moment.",
        },
        {"from": "human", "value": f"{report_text} answer: {question}"},
        {"from": "gpt", "thoughts": "Thanks.", "actions": [], "value": answer},
    ]


def write_questions(folder: Path, count: int, seed: int = 2) -> Path:
    """Draw `count` new scenes and write what is asked about them: `questions.jsonl`.

    Of each: a mask of something seen; of every second, of a noun that was not taught. Two questions
    for words. For `segue evaluate tags`.
    """
    pictures = folder / "new"
    pictures.mkdir(parents=True, exist_ok=True)
    rng, lines = np.random.default_rng(seed), []
    for number, scene in enumerate(scenes(count, seed)):
        path = pictures / f"{number:03d}.png"
        Image.fromarray(scene.image).save(path)
        narrator = Narrator(things_of(scene), scene.background, rng)
        question = [("tag", _visible_name(narrator, rng))]
        if number % 2:
            question.append(("tag", nouns()[int(rng.choice(sorted(NEW)))].english))
        for place, (expect, name) in enumerate(question):
            text = fill(str(rng.choice(ENGLISH["segment"])), name)
            kind = "taught" if place == 0 else "new"
            about = {"question": text, "expect": expect, "phrases": [name]}
            lines.append({"id": f"{number}/{kind}", "image": str(path.resolve()), **about})
        for kind in rng.permutation(["describe", "exist", "where", "background"])[:2]:
            turn = narrator.ask(str(kind), False)
            if turn is not None:
                about = {"question": turn.question, "expect": "plain"}
                lines.append({"id": f"{number}/{kind}", "image": str(path.resolve()), **about})
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def _visible_name(narrator: Narrator, rng: np.random.Generator) -> str:
    noun_list = _teachable_nouns(narrator, rng) or [int(noun) for noun in narrator.groups]
    return nouns()[noun_list[0]].english
