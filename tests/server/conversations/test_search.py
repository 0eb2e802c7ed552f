"""Search in conversations, without a page."""

from segue.server.conversations.search import EXCERPT_CHARACTERS, find_words
from server.conftest import OTHER_KEY, ask, begin


def found(client, words, **options):
    """Ids and excerpts."""
    answer = client.get("/v1/conversations", params={"q": words}, **options)
    return {one["id"]: one["excerpt"] for one in answer.json()["conversations"]}


def test_titles_questions_answers_and_phrases_are_searched(client):
    first, second = begin(client), begin(client)
    ask(client, first, "Wo ist das Flugzeug?")
    client.patch(f"/v1/conversations/{second}", json={"title": "Am Meer"})
    assert found(client, "flugZEUG")[first] == ""  # the first question is the title
    assert found(client, "飞机")[first] == "Here 飞机 and dog, cat."
    assert found(client, "meer")[second] == ""
    assert found(client, "meer flugzeug") == {}
    assert {first, second} <= set(found(client, " "))


def test_what_is_changed_or_deleted_is_searched_as_it_is_now(client):
    id = begin(client)
    ask(client, id, "Wo ist das Flugzeug?")
    client.patch(f"/v1/conversations/{id}", json={"title": "x"})
    assert id in found(client, "dog")
    client.post(f"/v1/conversations/{id}/undo")
    assert id not in found(client, "dog")
    client.post(f"/v1/conversations/{id}/redo")
    assert id in found(client, "dog")
    client.delete(f"/v1/conversations/{id}")
    assert id not in found(client, "dog")


def test_another_key_finds_nothing(client):
    id = begin(client)
    ask(client, id, "Wo ist das Flugzeug?")
    other = {"Authorization": f"Bearer {OTHER_KEY}"}
    assert id not in found(client, "dog", headers=other)


def test_a_long_line_is_cut_around_the_word():
    line = f"{'before ' * 30}NEEDLE{' after' * 30}"
    excerpt = find_words("needle", "", line)
    assert "NEEDLE" in excerpt
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert len(excerpt) <= EXCERPT_CHARACTERS + 2
