"""The page about usability has the tasks, commands and counts of the program that measures them."""

from pathlib import Path

import pytest

from benchmarks.usability import TASKS, Effort, Task

PAGE = (Path(__file__).parents[1] / "docs" / "usability.md").read_text("utf-8")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_page_has_each_task_with_its_commands_and_their_length(task: Task):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {task.name} | "))
    effort = Effort(keys=sum(len(command) + 1 for command in task.commands))
    numbers = f"{len(task.commands)}, {effort.keys} | {effort.by_hand_s:.0f} s"
    assert numbers in row
    for command in task.commands:
        assert f"\n{command}\n" in PAGE


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_page_has_what_was_counted_of_alternatives(task: Task):
    for other in task.alternatives:
        assert f"| {other.tool} | {other.lines}, {other.characters} | " in PAGE
        assert other.source in PAGE


def test_pointing_and_keys_take_the_times_of_the_model():
    assert Effort(clicks=2, keys=10).by_hand_s == pytest.approx(2 * 1.3 + 10 * 0.28)
