"""What page and server say to each other, held back and let through by a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browsing import context, ready, rests, wait_for
from serving import opened

from scratchnet.demos.playground.protocol import frame


class Line:
    """The connection of a page. From the first message of a kind in `holds` on all is held back."""

    def __init__(self) -> None:
        self.route: Any = None
        self.holds: set[str] = set()
        self.held: list[str | bytes] = []
        self.asked: list[Any] = []
        """What the page said."""
        self._picture, self._marks = b"", 0

    def opened(self, route: Any) -> None:
        self.route = route
        server = route.connect_to_server()

        def ask(message: str) -> None:
            self.asked.append(json.loads(message))
            server.send(message)

        route.on_message(ask)
        server.on_message(self.hear)

    def hear(self, message: str | bytes) -> None:
        if self.held or kind(message) in self.holds:
            self.held.append(message)
        else:
            self.send(message)

    def send(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._picture = message
        self.route.send(message)

    def waits(self, page: Any, count: int = 1) -> None:
        """Wait until so many messages of the kinds in `holds` are held back."""

        def found() -> int:
            page.wait_for_timeout(20)  # lets what comes in be heard
            return sum(kind(each) in self.holds for each in self.held)

        wait_for(lambda: found() >= count)

    def next(self) -> None:
        """Let through the first message that is held back, and what came before the next one."""
        end = next((i for i in range(1, len(self.held)) if kind(self.held[i]) in self.holds), None)
        passed, self.held = self.held[:end], self.held[end:] if end else []
        for each in passed:
            self.send(each)

    def let_go(self) -> None:
        """Hold nothing back any more."""
        self.holds = set()
        for each in self.held:
            self.send(each)
        self.held = []

    def say(self, say: str, **message: Any) -> None:
        """Tell the page something that the server did not say."""
        self.route.send(json.dumps({"say": say, **message}))

    def picture(self, **changes: Any) -> None:
        """The last picture once more, with another header."""
        header, arrays = opened(self._picture)
        given = {key: value for key, value in header.items() if key != "arrays"}
        self.route.send(frame({**given, **changes}, arrays))

    def heard(self, page: Any) -> None:
        """Wait until the page has heard all that was let through."""
        self._marks += 1
        sentence = f"there is no neuron {self._marks}"
        self.say("error", of="hover", sentence=sentence)
        wait_for(lambda: page.text_content("#notice") == sentence)


def kind(message: str | bytes) -> str:
    return str(opened(message)[0]["say"])


@contextmanager
def lined(browser: Any, address: str) -> Iterator[tuple[Any, Line]]:
    """A page that shows its first picture, and its line."""
    line, said = Line(), []
    alone = context(browser, viewport={"width": 1400, "height": 1000})
    page = alone.new_page()
    page.on("pageerror", lambda error: said.append(error.stack))
    page.route_web_socket("**/ws*", line.opened)
    try:
        page.goto(address)
        ready(page)
        rests(page)
        yield page, line
    finally:
        alone.close()
    assert said == [], said
