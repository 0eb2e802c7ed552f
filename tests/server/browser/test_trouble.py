"""What the page does when things go wrong: a killed server, a missing key, a stopped reply."""

import json
import re
import signal

from page_steps import ask, begin, expect, state, talked_about


def test_a_server_killed_in_mid_reply_loses_nothing_that_was_finished(open_page, server):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    before = state(page)

    server.process.send_signal(signal.SIGSTOP)  # so that the reply is under way when it dies
    page.locator("#question").fill("Frame the sheep in the picture.")
    page.locator("#question").press("Enter")
    page.locator("#reply").wait_for()
    server.kill()
    expect(page.locator(".notice.bad").first).to_contain_text("cannot be reached")
    expect(page.locator("#question")).to_have_value("Frame the sheep in the picture.")
    expect(page.locator(".chip")).to_have_count(1)

    server.start()
    assert state(page) == before
    ask(page, "Frame the sheep in the picture.")
    expect(page.locator(".phrase")).to_have_text(["dog", "sheep"])
    page.reload()
    expect(page.locator(".phrase")).to_have_text(["dog", "sheep"])


def test_a_reply_can_be_stopped(open_page, server):
    page = open_page()
    begin(page, "meadow")
    server.process.send_signal(signal.SIGSTOP)  # so that the reply is not over too soon
    try:
        page.locator("#question").fill("What is in the picture?")
        page.locator("#question").press("Enter")
        page.locator("#stop").click()
    finally:
        server.process.send_signal(signal.SIGCONT)
    page.locator("#reply").wait_for(state="detached")
    turns = state(page)["turns"]
    field = page.locator("#question")
    if turns:  # something was said before it stopped
        assert turns[0]["finish"] in ("cancelled", "stop")
    else:
        expect(field).to_have_value("What is in the picture?")
    expect(page.locator(".notice.bad")).to_have_count(0)
    ask(page, "Frame the dog in the picture.")
    expect(page.locator(".chip")).to_have_count(1)


def test_a_key_is_asked_for_once(open_page):
    page = open_page()
    inside = []

    def guard(route):
        if inside or route.request.url.endswith("/v1/login"):
            right = route.request.post_data == json.dumps(
                {"key": "the right key"}, separators=(",", ":")
            )
            if route.request.url.endswith("/v1/login") and not right:
                return refuse(route)
            if right:
                inside.append(True)
                return route.fulfill(status=204)
            return route.continue_()
        return refuse(route)

    def refuse(route):
        error = {"message": "No.", "code": "invalid_api_key", "type": "authentication_error"}
        body = json.dumps({"error": error})
        return route.fulfill(status=401, content_type="application/json", body=body)

    page.route("**/v1/**", guard)
    page.reload()
    dialog = page.locator("dialog")
    dialog.locator("input").fill("a wrong key")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("not right")
    dialog.locator("input").fill("the right key")
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-ready]")
    expect(dialog).to_have_count(0)
    begin(page, "meadow")
    expect(page.locator("#question")).to_be_enabled()


def test_a_conversation_that_is_gone_says_so(open_page):
    page = open_page("/#c=c_nothing")
    expect(page.locator(".notice.bad")).to_contain_text("no such conversation")
    expect(page.locator("#start")).to_be_visible()
    assert not re.search("c=", page.url)


def about_is(page, change) -> None:
    """Let the server say something else about itself."""

    def altered(route):
        said = route.fetch().json()
        change(said)
        route.fulfill(json=said)

    page.route("**/v1/about", altered)
    page.reload()
    page.wait_for_selector("html[data-ready]")


def test_a_server_without_a_chat_model_or_segmenter_offers_what_it_can(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    about_is(page, lambda said: said["models"].update(chat=None))
    expect(page.locator("#question")).to_be_disabled()
    expect(page.locator("#question")).to_have_attribute("placeholder", re.compile("No chat model"))
    expect(page.locator('button[data-tool="click"]')).to_be_enabled()
    about_is(page, lambda said: said["models"].update(segment=None))
    expect(page.locator('button[data-tool="click"]')).to_be_disabled()
    page.locator(".chip").click()
    expect(page.locator('[data-action="rename"]')).to_be_visible()
    expect(page.locator('[data-action="refine"]')).to_have_count(0)


def test_while_models_load_the_page_does_not_say_that_there_are_none(open_page):
    page = open_page()
    loading = ["still"]

    def altered(route):
        said = route.fetch().json()
        if loading:
            said["ready"] = False
            said["models"].update(chat=None)
        route.fulfill(json=said)

    page.route("**/v1/about", altered)
    page.reload()
    question = page.locator("#question")
    expect(question).to_have_attribute("placeholder", re.compile("models are being loaded"))
    expect(question).to_be_disabled()
    loading.clear()
    page.wait_for_selector("html[data-ready]")
    expect(question).to_have_attribute("placeholder", re.compile("Ask about"))


def test_an_address_is_fetched_where_the_server_allows_it(open_page):
    page = open_page()
    expect(page.locator("#start")).to_contain_text("--allow-urls")
    about_is(page, lambda said: said["limits"].update(allow_urls=True))
    page.locator("#start .address input").fill(" https://example.org/cat.png ")
    with page.expect_request(lambda request: request.url.endswith("/images")) as asked:
        page.keyboard.press("Enter")
    assert asked.value.post_data_json == {"url": "https://example.org/cat.png"}
    expect(page.locator(".notice.bad")).to_be_visible()  # this server refuses it after all


def test_a_hint_for_who_runs_the_server_is_not_for_visitors(open_page, server):
    page = open_page()
    page.context.route(
        "http://segue.example/**",
        lambda route: route.fulfill(
            response=route.fetch(url=server.url + route.request.url[len("http://segue.example") :])
        ),
    )
    page.goto("http://segue.example/")
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#start .samples li").first).to_be_visible()
    expect(page.locator("#start")).not_to_contain_text("--allow-urls")
    page.locator("#about-button").click()
    expect(page.locator("dialog")).to_contain_text("drawn scenes")
    expect(page.locator("dialog")).not_to_contain_text("--preset")


def test_a_reply_in_another_window_is_waited_for(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")

    def busy(route):
        answer = route.fetch()
        said = answer.json()
        said["busy"] = True
        route.fulfill(json=said)

    page.route("**/v1/conversations/c_*", busy)
    page.reload()
    expect(page.locator("#log")).to_contain_text("in another window")
    expect(page.locator("#ask")).to_be_disabled()
    page.unroute("**/v1/conversations/c_*")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.locator("#ask")).to_be_enabled()
