"""Replies to many questions at once are the replies to each by itself."""

import torch

from lab.chat.replies import Query, generate_replies
from segue.embedded.samples import sample
from segue.models.qwen_vl import load
from segue.runtime.weights import locate
from segue.values.image import Image
from segue.values.message import Message


def test_replies_to_many_questions_are_those_to_each_alone() -> None:
    model, processor = load(locate("embedded/chat"), dtype="float32", device="cpu")
    images = [sample(name).image.array for name in ("meadow", "airport")]
    queries = [
        Query(0, "What is in the picture?", expected="The picture shows a dog and a sheep."),
        Query(1, "分割飞机"),
        Query(0, "Segment it.", ("Frame the dog.", "<ref>dog</ref><box>(1,2),(3,4)</box>")),
        Query(1, "Frame the airplane.", ("What is this?", "A dog."), earlier_image=0),
    ]
    replies = generate_replies(model, processor, images, queries, batch=2)
    for query, answer in zip(queries, replies, strict=True):
        messages = [Message("user", query.text, (Image(images[query.picture]),))]
        if query.previous_turn is not None:
            first, reply = query.previous_turn
            query_images = [
                Image(images[n]) for n in (query.earlier_image, query.picture) if n is not None
            ]
            messages = [Message("user", first, (query_images[0],)), Message("assistant", reply)]
            messages.append(Message("user", query.text, tuple(query_images[1:])))
        end = processor.tokenizer.turn_end_id
        batch = processor.batch([processor.chat(messages)])
        generated = model.generate(
            **batch, max_new_tokens=160, do_sample=False, eos_token_id=end, pad_token_id=end
        )
        alone = generated[0, batch["input_ids"].shape[1] :].tolist()
        assert answer == processor.tokenizer.decode(alone, keep="grounding")
        assert answer
    assert generate_replies(model, processor, images, []) == []
    assert torch.is_grad_enabled()
