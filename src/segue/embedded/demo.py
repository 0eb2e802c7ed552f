"""The demonstration: questions about sample scenes, overlays, and a page that shows them all.

It asks whatever assistant it is given; nothing about the answers is known here.
"""

import html
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.assistant import Assistant
from segue.embedded.samples import SampleScene
from segue.files.atomic import write_picture, write_text
from segue.files.counts import count_noun
from segue.pipeline.answer import Answer

PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """One question of the demonstration and what came of it."""

    sample: str
    answer: Answer
    overlay: Path
    seconds: float
    """From the question to the last mask."""


def demonstrate(
    assistant: Assistant, samples: Sequence[SampleScene], folder: Path
) -> Iterator[DemoAnswer]:
    """Ask about every sample, each question in a conversation of its own, and write the overlays.

    Yields:
        One question at a time, as soon as its overlay is written. The page `index.html` is
        written at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    answers: list[DemoAnswer] = []
    for sample in samples:
        for number, question in enumerate(sample.questions, 1):
            conversation = assistant.open(sample.file)
            started = time.perf_counter()
            answer = conversation.ask(question)
            seconds = time.perf_counter() - started
            overlay = folder / f"{sample.name}-{number}.png"
            write_picture(overlay, answer.draw())
            answers.append(DemoAnswer(sample.name, answer, overlay, seconds))
            yield answers[-1]
    write_text(folder / PAGE, page(answers))


def page(answers: Sequence[DemoAnswer]) -> str:
    """All questions, answers and overlays as one HTML page; pictures lie beside it."""
    cards = "\n".join(_card(demo_answer) for demo_answer in answers)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>segue demo</title>
<style>
  body {{ font: 16px/1.4 system-ui, sans-serif; margin: 2rem; background: #fafafa; color: #222; }}
  main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1rem; }}
  article {{ background: #fff; border-radius: .5rem; padding: 1rem; box-shadow: 0 1px 3px #0002; }}
  img {{ width: 100%; border-radius: .25rem; }}
  h2 {{ font-size: 1rem; margin: .75rem 0 .25rem; }}
  p {{ margin: .25rem 0; white-space: pre-wrap; }}
  code, small {{ color: #666; font-size: .8rem; overflow-wrap: anywhere; }}
</style>
<h1>segue demo</h1>
<main>
{cards}
</main>
</html>
"""


def _card(demo_answer: DemoAnswer) -> str:
    answer = demo_answer.answer
    masks = sum(region.mask is not None for region in answer.regions)
    absent = "".join(f"<p>not in the picture: {html.escape(p)}</p>" for p in answer.not_found)
    return f"""<article>
  <img src="{html.escape(demo_answer.overlay.name)}" alt="{html.escape(demo_answer.sample)}">
  <h2>{html.escape(answer.question)}</h2>
  <p>{html.escape(answer.text)}</p>{absent}
  <code>{html.escape(answer.raw)}</code><br>
  <small>{count_noun(masks, "mask")}, {demo_answer.seconds:.2f} s</small>
</article>"""
