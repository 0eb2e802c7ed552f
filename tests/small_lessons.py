"""A few conversations about drawn gradients, to learn from."""

import json
from pathlib import Path

from builders import an_image

WORDS = ("dog", "tram", "red car", "cup")


def write_conversations(folder: Path, count: int, name: str = "train.json") -> Path:
    """`count` conversations in Qwen-VL's JSON: requests for masks, and every third for words."""
    records = []
    for number in range(count):
        picture = folder / f"{number}.png"
        an_image(seed=number).to_pil().save(picture)
        word = WORDS[number % len(WORDS)]
        asked, said = f"Segment the {word}.", f"<gsam>{word}</gsam>"
        if number % 3 == 2:
            asked, said = f"What is this? {number}", f"A {word}."
        turns = [
            {"from": "user", "value": f"Picture 1: <img>{picture}</img>\n{asked}"},
            {"from": "assistant", "value": said},
        ]
        records.append({"id": f"r{number}", "conversations": turns})
    path = folder / name
    path.write_text(json.dumps(records), encoding="utf-8")
    return path
