"""A real Chromium for the tests of the page, and what they read from the page."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_MS = 60_000
DELAYS = os.environ.get("PLAYGROUND_DELAYS")
"""A whole number, or nothing: the seed of delays in page and server, to look for races."""
_contexts = itertools.count()
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without windows. The test is skipped where there is none."""
    module = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with module.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Any, **settings: Any) -> Any:
    """A window of its own for pages, with delays where they are asked for."""
    held = browser.new_context(**settings)
    held.set_default_timeout(PATIENCE_MS)
    if DELAYS is not None:
        script = Path(__file__).with_name("delays.js").read_text()
        held.add_init_script(f"{script}\ndelays({1_000_003 * int(DELAYS) + next(_contexts)});")
    return held


@contextmanager
def tab(browser: Any, address: str, errors: str | None = None, **settings: Any) -> Iterator[Any]:
    """A page that shows its first picture. Its console may have no error but those `errors`."""
    held = context(browser, **{"viewport": {"width": 1400, "height": 1000}, **settings})
    page = held.new_page()
    said: list[str] = []
    page.on("console", lambda entry: said.append(entry.text) if entry.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(address)
        ready(page)
        yield page
    finally:
        held.close()  # of a test that failed too: its tab would train on beside the next ones
    assert [each for each in said if errors is None or errors not in each] == []


def ready(page: Any) -> None:
    """Wait for the first picture of a connected page, and for its state in the address."""
    page.wait_for_function(
        "() => { const { connected, picture, kept } = document.body.dataset;"
        " return connected === 'yes' && picture >= 1 && kept >= 1; }"
    )


def held(page: Any) -> Any:
    """What the address of the page holds: the state that the server took over, and the view."""
    return decoded(page.evaluate("() => location.hash"))


def decoded(fragment: str) -> Any:
    _, _, text = fragment.partition("s=")
    if not text:
        return None
    packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return json.loads(zlib.decompress(packed, -zlib.MAX_WBITS))


def encoded(content: Any) -> str:
    """The part of an address that holds this."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packing.compress(json.dumps(content).encode()) + packing.flush()
    return "s=" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def state(page: Any) -> Any:
    return held(page)["state"]


def step(page: Any) -> int:
    """The step of the picture that is drawn; -1 until the first one of a new state is."""
    return int(page.evaluate("() => document.body.dataset.step ?? -1"))


def rests(page: Any) -> None:
    """Wait until nothing plays and all that was asked for is answered, drawn and in the address."""
    page.wait_for_function("() => document.body.dataset.rests === 'yes'")


def plays(page: Any) -> bool:
    """Whether the button that plays and pauses offers to pause."""
    return bool(page.text_content("#play .word") == "Pause")


def follow(page: Any, content: Any) -> None:
    """Open a link that holds this, and wait until the page shows it."""
    before = int(page.evaluate("() => document.body.dataset.opened ?? 0"))
    # The number makes another address of it, even where it is what the page shows.
    page.evaluate("link => { location.hash = link; }", f"{encoded(content)}&{before}")
    page.wait_for_function(f"() => document.body.dataset.opened > {before}")
    rests(page)


def train(page: Any, steps: int) -> None:
    """Play until so many steps were made, as fast as it goes, then pause."""
    rests(page)
    page.select_option("#speed", "")
    page.click("#play")
    page.wait_for_function(f"() => +document.body.dataset.step >= {steps}")
    pause(page)


def pause(page: Any) -> None:
    """Pause, and wait for the picture of the network as it is then: no other one follows."""
    page.click("#play")
    rests(page)


def pixels(page: Any, canvas: str = "#plane") -> str:
    """What a canvas shows."""
    return str(page.evaluate(f"() => document.querySelector('{canvas}').toDataURL()"))


HOLD_UNPACKING = """() => {
  const { arrayBuffer } = Response.prototype;
  Response.prototype.arrayBuffer = async function () {
    Response.prototype.arrayBuffer = arrayBuffer;
    const bytes = await arrayBuffer.call(this);
    await new Promise(done => { window.letGo = done; });
    setTimeout(() => { window.unpacked = true; });
    return bytes;
  };
}"""
"""Holds back what is packed or unpacked next, until `let_unpack`."""


def unpacks(page: Any) -> None:
    """Wait until something is held back."""
    page.wait_for_function("() => window.letGo")


def let_unpack(page: Any) -> None:
    """Let through what is held back, and wait until the page has gone on with it."""
    unpacks(page)
    page.evaluate("() => window.letGo()")
    page.wait_for_function("() => window.unpacked")


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE_MS / 1000) -> None:
    """Until the condition holds; it must, so the time is only a guard against a hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
