"""The turns in which a tool reports."""

import pytest

from segue.convert.datasets.tool_outputs import read_tool_output, read_unknown_report

FORMS = [
    "{tool} model outputs: {dict}\n\nsummarize the model outputs and answer my first answer: Q",
    "{tool} output: {dict}\n\nAnswer my first question: <image>\nQ",
    "{tool} model outputs: {dict}\n\nPlease summarize the model outputs and answer my first "
    "question: Q",
]
REPORT = "{'boxes': [[0.1, 0.2, 0.5, 0.8]], 'logits': [0.5], 'phrases': ['dog']}"


def form(number: int, report: str = REPORT, tool: str = "grounding_dino+sam") -> str:
    return FORMS[number].replace("{tool}", tool).replace("{dict}", report)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("tool", ["grounding_dino+sam", "sam", "instruct-pix2pix"])
def test_all_three_forms_are_known(number, tool):
    output = read_tool_output(form(number, tool=tool))
    assert output is not None
    assert (output.tool, output.readable) == (tool, True)
    ((phrase, box),) = output.detections
    assert phrase == "dog"
    assert (box.xa, box.ya, box.xb, box.yb) == (0.1, 0.2, 0.5, 0.8)


@pytest.mark.parametrize(
    "words", ["Where is the dog?", "What does the sign 'output' say?", "Answer my question: why?"]
)
def test_a_question_is_no_report(words):
    assert read_tool_output(words) is None
    assert read_unknown_report(words) is None


def test_nothing_found_is_not_the_same_as_unreadable():
    empty = read_tool_output(form(0, "{'boxes': [], 'logits': [], 'phrases': []}"))
    assert empty.detections == ()
    assert empty.readable


@pytest.mark.parametrize(
    "report",
    [
        "{'boxes': [[0.1, 0.1, 0.4, 0.5]], 'phrases': ['stove'",  # cut off
        "{'boxes': [[0.1, 0.1, 0.4]], 'phrases': ['stove']}",
        "{'boxes': [[0.1, 0.1, 0.4, nan]], 'phrases': ['stove']}",
        "{'boxes': [[10, 10, 40, 50]], 'phrases': ['stove']}",  # pixels
        "{'boxes': [[0.6, 0.1, 0.4, 0.5]], 'phrases': ['stove']}",  # centre and size
        "{'boxes': [[0.1, 0.1, 0.4, 0.5]], 'phrases': []}",
        "{'boxes': 3}",
        "__import__('os').system('true')",
        "[" * 5000,
    ],
)
def test_reports_without_sense_are_unreadable_and_harmless(report):
    output = read_tool_output(form(0, report))
    assert output is not None
    assert (output.detections, output.readable) == (None, False)


def test_a_report_without_boxes_is_readable():
    output = read_tool_output(form(0, "{'message': 'The SAM has processed the image.'}"))
    assert (output.detections, output.readable) == (None, True)


def test_an_unknown_form_is_read_loosely_where_a_report_must_stand():
    output = read_unknown_report(f"Result of the tool: {REPORT}")
    assert output is None
    output = read_unknown_report(REPORT)
    assert output.detections[0][0] == "dog"
