"""OpenAI's chat completions, with regions."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from segue.server.completion import CompletionWriter, QuestionTurn
from segue.server.http.completion_models import CompletionResponse
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.jobs import ClientDisconnected, job_events
from segue.server.http.request_models import ChatMessage, CompletionRequest
from segue.server.http.response_models import JsonRoute
from segue.server.http.sse import EVENT_STREAM, ServerSentEvent, event_stream_response, to_sse
from segue.server.routes.about import check_model

router = APIRouter(prefix="/v1", tags=["completions"], route_class=JsonRoute)


@router.post(
    "/chat/completions",
    response_model=CompletionResponse,
    responses={
        200: {
            "content": {
                EVENT_STREAM: {
                    "schema": {"type": "string"},
                    "example": 'data: {"object": "chat.completion.chunk", …}\n\ndata: [DONE]\n\n',
                }
            }
        }
    },
)
async def create_completion(
    body: CompletionRequest, request: Request, services: ServicesDep, owner: Owner
) -> CompletionResponse | Response:
    """Answer the last message; with `stream`, as server-sent events."""
    model_name = check_model(services, body.model)
    services.worker.check_room()
    system, turns = _split_turns(body.messages)
    await _load_turn_pictures(request, services, owner, turns)
    n_tokens = body.max_completion_tokens or body.max_tokens
    sampling = body.sampling(services.settings.max_new_tokens, n_tokens)
    writer = CompletionWriter(
        body, model_name, services.worker.assistant, services.metrics.count_answer
    )
    job = services.worker.submit(lambda: writer.answer_events(system, turns, sampling))
    events = job_events(job, request, services.settings.deadline_s)
    if body.stream:
        end = ServerSentEvent("[DONE]")
        return event_stream_response(to_sse(events, writer.chunks, named=False, final_event=end))
    try:
        async for event in events:
            writer.add(event)
    except ClientDisconnected:
        return Response(status_code=499)
    return writer.completion()


def _split_turns(messages: Sequence[ChatMessage]) -> tuple[str | None, list[QuestionTurn]]:
    """Return the system message and the turns; messages of one side in a row are joined."""
    systems: list[str] = []
    turns: list[QuestionTurn] = []
    for message in messages:
        if message.role in ("system", "developer"):
            systems.append(message.text)
        elif message.role == "assistant":
            turns = turns or [QuestionTurn()]
            turns[-1].replies.append(message)
        else:
            if not turns or turns[-1].replies:
                turns.append(QuestionTurn())
            turns[-1].texts.append(message.text)
            turns[-1].urls += message.images
    last = turns[-1] if turns else None
    if last is None or last.replies or not last.question.strip():
        raise ApiError(
            400, "invalid_value", "The last message must be the user's, and must ask something.",
            param="messages",
        )  # fmt: skip
    return "\n".join(systems) if systems else None, turns


async def _load_turn_pictures(
    request: Request, services: Services, owner: str, turns: Sequence[QuestionTurn]
) -> None:
    """Load the pictures of all turns.

    Raises:
        ApiError: 400, there are too many, or one cannot be read.
    """
    n_images, max_images = sum(len(turn.urls) for turn in turns), services.settings.max_images
    if n_images > max_images:
        raise ApiError(
            400,
            "invalid_value",
            f"A request may show {max_images} pictures, got {n_images}.",
            param="messages",
        )
    sources = [(url, "") for turn in turns for url in turn.urls]
    images = iter(await services.load_pictures(request, owner, sources))
    for turn in turns:
        turn.images = [next(images) for _ in turn.urls]
