"""What `ask` costs beyond the model calls it makes."""

import statistics
import time

import segue
from segue.assistant import Assistant
from segue.embedded.samples import samples
from segue.values.message import Sampling

ROUNDS = 15


class Clock:
    """Adds up the time spent inside the models."""

    def __init__(self) -> None:
        self.total = 0.0

    def timed(self, run):
        """Wrap a function."""

        def timed(*arguments, **options):
            start = time.perf_counter()
            try:
                return run(*arguments, **options)
            finally:
                self.total += time.perf_counter() - start

        return timed

    def timed_stream(self, stream):
        """Wrap a function that returns a generator."""

        def timed(*arguments):
            pieces = stream(*arguments)
            while True:
                start = time.perf_counter()
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    return end.value
                finally:
                    self.total += time.perf_counter() - start
                yield piece

        return timed


class Chat:
    """A chat model under the clock."""

    def __init__(self, chat, clock: Clock) -> None:
        self.name, self.dialect, self.stream = (
            chat.name,
            chat.dialect,
            clock.timed_stream(chat.stream),
        )


class View:
    """A view under the clock."""

    def __init__(self, view, clock: Clock) -> None:
        self.size_bytes, self.mask = view.size_bytes, clock.timed(view.mask)


class Segmenter:
    """A segmenter under the clock; its views are too."""

    def __init__(self, segmenter, clock: Clock) -> None:
        self.name, self._look, self._clock = segmenter.name, segmenter.look, clock

    def look(self, image):
        """Encode, timed."""
        return View(self._clock.timed(self._look)(image), self._clock)


def main() -> None:
    """Print the share."""
    clock = Clock()
    loaded = segue.load("embedded", detect=None)
    assistant = Assistant(Chat(loaded.chat, clock), None, Segmenter(loaded.segmenter, clock))
    shares = []
    for _ in range(ROUNDS + 1):
        conversation = assistant.open(samples()[0].image)
        clock.total, start = 0.0, time.perf_counter()
        conversation.ask("框出图片中飞机的位置", Sampling(temperature=0))
        shares.append((time.perf_counter() - start) / clock.total - 1)
    print(f"overhead of ask over its model calls: {100 * statistics.median(shares[1:]):.1f} %")
