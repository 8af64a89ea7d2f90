"""What the page makes of answers that come late, or to something else than is awaited."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from browsing import plays, ready, rests, state, step, tab, wait_for
from lines import Line


def test_an_error_of_something_else_answers_no_state(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"state"}
    for seed in ("5", "6"):
        page.fill("#training-seed", seed)
        page.press("#training-seed", "Enter")
    server.waits(page, 2)
    server.say("error", of="hover", sentence="there is no such neuron")
    server.next()
    wait_for(lambda: page.text_content("#notice") == "there is no such neuron")
    assert page.input_value("#training-seed") == "6"
    server.let_go()
    wait_for(lambda: state(page)["training"]["seed"] == 6)


@pytest.mark.parametrize("kind", ["drawn", "table"])
def test_a_late_state_does_not_take_back_what_still_lacks_its_points(
    line: tuple[Any, Line], kind: str
) -> None:
    page, server = line
    server.holds = {"state"}
    page.fill("#training-seed", "5")
    page.press("#training-seed", "Enter")
    server.waits(page)
    page.select_option("#data-kind", kind)
    missing = page.text_content("#notice")
    server.let_go()
    server.say("error", of="hover", field="training.seed", sentence="it was handed on")
    page.locator("#training-seed-error").wait_for()
    assert page.input_value("#data-kind") == kind
    assert page.text_content("#notice") == missing


def button_of_the_ticket(page: Any) -> Any:
    """The lesson's button that trains the ticket, once it may be pressed."""
    page.select_option("#lesson", "ticket")
    page.locator("input[name=prediction]").first.check()
    page.select_option("#speed", "")
    page.click("button:has-text('1. Train all weights')")
    ticket = page.locator("button:has-text('3. Train the ticket')")
    wait_for(ticket.is_enabled)
    return ticket


def test_a_ticket_is_played_once_it_is_there(line: tuple[Any, Line]) -> None:
    page, server = line
    ticket = button_of_the_ticket(page)
    server.holds = {"state"}
    ticket.click()
    server.waits(page)
    # The answer to an earlier message.
    server.route.send(json.dumps({**json.loads(server.held[0]), "id": None, "ticket": False}))
    server.heard(page)
    assert not plays(page)
    page.select_option("#speed", "1")  # its end is far
    server.let_go()
    wait_for(lambda: plays(page))
    wait_for(lambda: 0 < step(page) < 600)


def test_a_ticket_that_was_left_out_is_asked_for_again(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scratchnet.demos.playground.session import Session

    asked: list[Any] = []
    put = Session.put

    def busy_for_the_first(session: Any, message: Any) -> bool:
        said = json.loads(message) if message else {}
        if said.get("do") in ("set", "ticket"):
            asked.append(said)
        return (said.get("do") != "ticket" or len(asked) > 1) and put(session, message)

    ticket = button_of_the_ticket(page)
    monkeypatch.setattr(Session, "put", busy_for_the_first)
    ticket.click()
    wait_for(lambda: "only some weights" in page.text_content("#notice").lower())
    first, second = asked
    assert second["id"] > first["id"]
    assert second == {"do": "ticket", "share": 0.8, "mask": "smallest", "id": second["id"]}
    wait_for(lambda: "3. Train the ticket: " in page.text_content("#lesson-card .told"))


def test_what_was_cancelled_ends_nothing_that_runs(
    line: tuple[Any, Line], go_on: threading.Event
) -> None:
    page, server = line
    for _ in range(3):  # started, cancelled, started
        page.click("#ten-seeds")
    server.say("progress", of="ten_seeds", id=1, done=7, steps=9)
    server.say("error", of="ten_seeds", id=1, sentence="that one had no memory")
    server.say("error", of="hover", sentence="there is no such neuron")
    wait_for(lambda: page.text_content("#notice") == "there is no such neuron")
    said = page.text_content("#seeds-text")
    assert "7 of 9" not in said and "memory" not in said
    go_on.set()
    wait_for(lambda: "reach 95 %" in page.text_content("#seeds-text"))


def test_the_play_button_shows_what_the_server_does(page: Any, go_on: threading.Event) -> None:
    """The server stops by itself so soon that hardly a picture comes while it plays."""
    page.select_option("#speed", "1")
    page.click("#play")
    page.click("#ten-seeds")
    wait_for(lambda: not plays(page))
    rests(page)
    before = step(page)
    page.click("#play")  # it plays, and pauses nothing
    wait_for(lambda: step(page) > before)
    assert plays(page)


def test_a_change_while_it_trains_does_not_show_it_paused(page: Any) -> None:
    """The first picture of the new state is drawn before the server has heard of playing on."""
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 20")
    page.evaluate(
        """() => {
          const word = document.querySelector("#play .word");
          const look = () => { document.body.dataset.shown += " " + word.textContent; };
          document.body.dataset.shown = word.textContent;
          new MutationObserver(look).observe(word, { childList: true });
        }"""
    )
    page.fill("#training-seed", "5")
    page.press("#training-seed", "Enter")
    wait_for(lambda: state(page)["training"]["seed"] == 5)
    before = int(page.evaluate("() => document.body.dataset.picture"))
    page.wait_for_function(f"() => +document.body.dataset.picture >= {before + 5}")
    assert "Play" not in page.evaluate("() => document.body.dataset.shown")


def test_a_lesson_that_is_opened_while_it_trains_waits_for_the_prediction(page: Any) -> None:
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 5")
    page.select_option("#lesson", "folding")
    rests(page)
    assert step(page) == 0
    assert not plays(page)


def test_the_theme_does_not_wait_for_the_lessons(browser: Any, playground: Any) -> None:
    held: list[Any] = []
    with tab(browser, playground.address.url) as page:
        page.click("#theme")
        page.route("**/lessons.json", lambda route: held.append(route))
        page.reload()
        ready(page)
        wait_for(lambda: page.wait_for_timeout(20) or held)
        assert page.get_attribute("html", "data-theme") == "light"
        assert page.locator("#lesson option").count() == 1
        held[0].continue_()
        wait_for(lambda: page.locator("#lesson option").count() > 1)
