"""`segue demo`: the reference questions about the sample scenes, with overlays to look at."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups


@expand_option_groups
def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write the pictures.")
    ] = Path("demo-out"),
    opens_page: Annotated[
        bool, typer.Option("--open", help="Open the page of results in a browser.")
    ] = False,
    *,
    models: options.BareModelOptions,
    json_target: options.JsonOption = None,
) -> None:
    """Ask the reference questions about the sample scenes, and draw the masks of the answers."""
    import time

    from rich.table import Table

    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, printable, show_status
    from segue.embedded.demo import PAGE, demonstrate
    from segue.embedded.samples import samples

    console = make_console(quiet=json_target == "-")
    answers = []
    start_s = time.perf_counter()
    with show_status(console, "loading the models"):
        assistant = models.load()
    load_s = time.perf_counter() - start_s
    table = Table("picture", "question", "answer", "masks", "seconds", box=None, pad_edge=False)
    with show_status(console, "asking"):
        for result in demonstrate(assistant, samples(), folder):
            answer = result.answer
            facts = {"overlay": str(result.overlay), "seconds": round(result.seconds, 3)}
            answers.append({**answer.to_json(), **facts})
            mask_count = sum(region.mask is not None for region in answer.regions)
            answer_text = printable(" ".join(answer.text.split()))
            table.add_row(
                result.overlay.name,
                answer.question,
                answer_text,
                str(mask_count),
                f"{result.seconds:.2f}",
            )
    console.print(table)
    console.print(f"loading {load_s:.1f} s, total {time.perf_counter() - start_s:.1f} s")
    page = (folder / PAGE).resolve()
    console.print(f"pictures: {page}", soft_wrap=True)
    write_json({"answers": answers, "page": str(page)}, json_target)
    if opens_page and not _open_in_browser(page):
        console.print("No browser was found here. Open that page in one yourself.", style="dim")


def _open_in_browser(page: Path) -> bool:
    """Show a file in the user's browser, that of $BROWSER first; False: there is none."""
    import webbrowser

    return webbrowser.open(page.as_uri())
