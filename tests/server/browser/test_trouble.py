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


def test_a_reply_can_be_stopped(open_page):
    page = open_page()
    begin(page, "meadow")
    page.locator("#question").fill("What is in the picture?")
    page.locator("#question").press("Enter")
    page.locator("#stop").click()
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
