"""segue's side."""

from benchmarks.peers.task import Task, measure


class WithSegue:
    """The library as the quickstart shows it."""

    def __init__(self, task: Task) -> None:
        """Load the models."""
        import segue

        self.assistant = segue.load(chat=None, detect=task.detector, segment=task.segmenter)

    def find(self, file: str, phrase: str) -> int:
        """Make a mask for each thing that the phrase names; give their number."""
        return len(self.assistant.segment(file, phrase))

    def click(self, file: str, x: int, y: int) -> None:
        """Make the mask of what lies at a pixel."""
        self.assistant.segment(file, points=[(x, y)])


if __name__ == "__main__":
    measure(WithSegue, (WithSegue.__init__, WithSegue.find, WithSegue.click))
