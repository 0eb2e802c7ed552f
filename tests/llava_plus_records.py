"""Records as LLaVA-Plus writes them: `a_record(asked("Cut out the dog.", "dog"))`."""

from typing import Any


def asked(
    question: str,
    caption: str | None,
    *,
    tool: str = "grounding_dino+sam",
    boxes: Any = ((0.1, 0.2, 0.5, 0.8),),
    phrases: Any = None,
    summary: str = "Here it is.",
    output: str | None = None,
) -> list[dict[str, Any]]:
    """The four turns of one use of a tool."""
    named = [caption] * len(boxes) if phrases is None else list(phrases)
    report = {
        "boxes": [list(box) for box in boxes],
        "logits": [0.5] * len(boxes),
        "phrases": named,
    }
    if output is None:
        output = (
            f"{tool} model outputs: {report!r}\n\nsummarize the model outputs and answer my first "
            f"answer: {question}"
        )
    parameters = {} if caption is None else {"caption": caption}
    return [
        {"from": "human", "value": question},
        {
            "from": "gpt",
            "thoughts": "I need a tool.",
            "actions": [{"API_name": tool, "API_params": parameters}],
            "value": f"I will use {tool} to help to answer the question.",
        },
        {"from": "human", "value": output},
        {"from": "gpt", "thoughts": "Thanks.", "actions": [], "value": summary},
    ]


def said(question: str, answer: str) -> list[dict[str, Any]]:
    """A question that needs no tool."""
    return [
        {"from": "human", "value": question},
        {"from": "gpt", "thoughts": "Easy.", "actions": [], "value": answer},
    ]


def a_record(*rounds: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    turns = [turn for one in rounds for turn in one]
    given = {"unique_id": "1699545382.42", "image": "a.jpg", "data_source": "coco"}
    return {**given, **fields, "conversations": turns}
