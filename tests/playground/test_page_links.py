"""The page's links, its tabs, and connections that are lost."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import Any

import pytest
from browsing import (
    HOLD_UNPACKING,
    decoded,
    encoded,
    follow,
    held,
    let_unpack,
    pixels,
    plays,
    ready,
    rests,
    state,
    step,
    tab,
    train,
    wait_for,
)
from serving import serving

LOST = ""
"""Any error: the browser itself reports connections that are lost."""


def test_a_link_opens_the_same_state_and_trains_to_the_same_picture(
    browser: Any, playground: Any, page: Any
) -> None:
    page.select_option("#data-kind", "moons")
    page.select_option("#network-activation", "leaky_relu")
    page.fill("#training-seed", "7")
    page.press("#training-seed", "Enter")
    page.click("#show-test")
    rests(page)
    assert state(page)["training"]["seed"] == 7 and not held(page)["view"]["test"]
    page.click("#share")
    page.wait_for_function("() => document.querySelector('#share-link').value.includes('#s=')")
    link = page.input_value("#share-link")
    page.keyboard.press("Escape")
    assert decoded(link) == held(page)
    with tab(browser, link) as other:
        rests(other)
        assert other.input_value("#training-seed") == "7"
        assert held(other) == held(page)
        for each in (page, other):
            for number in range(3):
                each.click("#step")
                wait_for(lambda each=each, number=number: step(each) == number + 1)
        wait_for(lambda: pixels(page) == pixels(other))
    page.select_option("#data-kind", "circles")
    wait_for(lambda: state(page)["data"]["kind"] == "circles")
    page.click("#share")
    page.fill("#open-link", "not a link")
    page.click("#open-button")
    page.locator("#open-error").wait_for()
    page.fill("#open-link", link)
    page.click("#open-button")
    wait_for(lambda: held(page) == decoded(link))


def test_a_link_that_is_put_into_the_address_while_a_state_is_kept_is_opened(page: Any) -> None:
    """The page packs its state before it puts it there: a link can come in between."""
    link = held(page)
    link["state"]["network"]["layers"] = [3]
    page.evaluate(
        """link => {
          const kept = location.href;
          location.hash = link;
          history.replaceState(null, "", kept);
        }""",
        encoded(link),
    )
    wait_for(lambda: held(page) == link)
    assert page.text_content("#layer-count") == "1 hidden layer"


def test_of_two_links_the_one_that_was_opened_last_is_shown(page: Any) -> None:
    """The first one is unpacked last."""
    first, last = held(page), held(page)
    first["state"]["network"]["layers"], last["state"]["network"]["layers"] = [2, 2], [3]
    page.evaluate(HOLD_UNPACKING)
    page.evaluate("link => { location.hash = link; }", encoded(first))
    follow(page, last)
    let_unpack(page)
    page.click("#step")  # which is answered after whatever the first link asks for
    wait_for(lambda: step(page) == 1)
    rests(page)
    assert held(page) == last


@pytest.mark.parametrize(
    "link",
    [
        "#s=AAAA",
        "#s=%F0%9F",
        "#" + encoded(5),
        "#" + encoded({"state": [1]}),
        "#" + encoded({"state": {"data": {"kind": "<b>spirals</b>"}}, "view": 3}),
        "#" + encoded({"state": {"data": {"kind": "table", "table": "gone", "label": "a"}}}),
        "#" + encoded({"state": {"data": {"kind": "formula", "formula": "__import__('os')"}}}),
    ],
)
def test_a_link_that_holds_nonsense_gets_a_sentence(
    browser: Any, playground: Any, link: str
) -> None:
    with tab(browser, playground.address.url + link) as page:
        wait_for(lambda: len(page.text_content("#notice")) > 20 or page.is_visible(".error"))
        kind = "table" if "drop that file" in page.text_content("#notice") else "spirals"
        wait_for(lambda: state(page)["data"]["kind"] == kind)
        train(page, 5)
        page.click("#take")
        with page.expect_download() as download:
            page.click("[data-export=svg]")
        drawing = download.value.path().read_text()
        assert drawing.count("<path") > 400  # one for each point of the default state


def test_a_reload_keeps_what_the_link_of_a_missing_table_wants(
    browser: Any, playground: Any
) -> None:
    data = {"kind": "table", "table": "gone", "columns": ["a", "b"], "label": "c"}
    wanted = {"data": data, "network": {"layers": [3, 5]}}
    link = encoded({"state": wanted, "file": "mine.csv"})
    with tab(browser, f"{playground.address.url}#{link}") as page:
        for _ in range(2):
            wait_for(lambda: "“mine.csv”" in page.text_content("#notice"))
            assert "columns a and b, and c" in page.text_content("#notice")
            wait_for(lambda: state(page)["network"]["layers"] == [3, 5])
            page.reload()
            ready(page)


def test_what_is_paused_after_a_refusal_does_not_play_on(page: Any) -> None:
    page.select_option("#data-kind", "formula")
    wait_for(lambda: state(page)["data"]["kind"] == "formula")
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 1")
    page.fill("#data-formula", "y >")
    page.press("#data-formula", "Enter")
    page.locator("#data-formula-error").wait_for()
    page.click("#play")
    page.fill("#data-formula", "x > y")
    page.press("#data-formula", "Enter")
    rests(page)
    assert state(page)["data"]["formula"] == "x > y"
    assert not plays(page)


def test_two_tabs_train_at_once_and_each_its_own(browser: Any, playground: Any, page: Any) -> None:
    with tab(browser, playground.address.url) as other:
        other.select_option("#data-kind", "xor")
        wait_for(lambda: state(other)["data"]["kind"] == "xor")
        for each in (page, other):
            each.click("#play")
        for each in (page, other):
            each.wait_for_function("() => +document.body.dataset.step >= 50")
        assert state(page)["data"]["kind"] == "spirals"


def test_a_reload_while_it_trains_keeps_the_state(page: Any) -> None:
    page.select_option("#data-kind", "circles")
    wait_for(lambda: state(page)["data"]["kind"] == "circles")
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 10")
    page.reload()
    ready(page)
    wait_for(lambda: page.input_value("#data-kind") == "circles")
    assert state(page)["data"]["kind"] == "circles"
    train(page, 20)


def test_a_server_that_ends_and_comes_back_is_found_again(browser: Any) -> None:
    with ExitStack() as server:
        first = server.enter_context(serving())
        with tab(browser, first.address.url, errors=LOST) as page:
            page.select_option("#data-kind", "moons")
            wait_for(lambda: state(page)["data"]["kind"] == "moons")
            page.click("#play")
            page.wait_for_function("() => +document.body.dataset.step >= 5")
            server.close()
            page.locator("#banner").wait_for()
            assert "does not answer" in page.text_content("#banner")
            before = page.evaluate("() => document.body.dataset.picture")
            second = server.enter_context(serving(first.address.port, token=first.address.token))
            page.wait_for_function("() => document.body.dataset.connected === 'yes'")
            page.locator("#banner").wait_for(state="hidden")
            wait_for(lambda: len(second.sessions) == 1)
            assert state(page)["data"]["kind"] == "moons"
            # The new server counts its pictures from 1, of which those of step 0 come first.
            page.wait_for_function(f"() => document.body.dataset.picture !== '{before}'")
            page.wait_for_function("() => +document.body.dataset.step >= 1")  # it plays on


def test_what_is_trained_when_the_connection_is_lost_is_cancelled(
    browser: Any, go_on: threading.Event
) -> None:
    with ExitStack() as server:
        first = server.enter_context(serving())
        with tab(browser, first.address.url, errors=LOST) as page:
            page.click("#ten-seeds")
            server.close()
            server.enter_context(serving(first.address.port, token=first.address.token))
            wait_for(lambda: page.text_content("#seeds-text") == "Cancelled.")
            assert page.text_content("#ten-seeds") == "Ten seeds"


def test_a_killed_command_is_reported_and_a_new_token_too(browser: Any) -> None:
    with ExitStack() as server:
        process, url = server.enter_context(command(0))
        with tab(browser, url, errors=LOST) as page:
            process.send_signal(signal.SIGKILL)
            page.locator("#banner").wait_for()
            server.close()
            port = int(url.split(":")[2].partition("/")[0])
            server.enter_context(command(port))
            page.wait_for_function(
                "() => document.querySelector('#banner').textContent.includes('token')"
            )


class command:
    """`scratchnet playground` as a process of its own, and the address that it prints."""

    def __init__(self, port: int) -> None:
        self.arguments = ["playground", "--no-browser", "--port", str(port)]

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scratchnet", *self.arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if "http://" in line)
        return self.process, line[line.index("http://") :].strip()

    def __exit__(self, *error: Any) -> None:
        self.process.kill()
        self.process.communicate()
