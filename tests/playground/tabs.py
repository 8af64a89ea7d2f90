"""A session of the playground without a server: its answers are read after each message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from serving import opened

from scratchnet.demos.playground.session import Session
from scratchnet.demos.playground.state import state_from
from scratchnet.demos.playground.tables import Tables


class Tab:
    """A session whose work is done in the thread of the test."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.said: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.tables = Tables()
        self.session = Session(lambda frame: self.said.append(opened(frame)), self.tables)
        self.session.begin(state_from(state or {}))

    def do(self, what: str, /, **message: Any) -> list[Mapping[str, Any]]:
        """Send a message; the headers of what is said to it."""
        return self.send(json.dumps({"do": what, **message}))

    def send(self, text: str | bytes) -> list[Mapping[str, Any]]:
        before = len(self.said)
        self.session.answer(text)
        while self.session._is_in_epoch():
            self.session._turn()
        return [header for header, _ in self.said[before:]]

    def only(self, what: str, /, **message: Any) -> Mapping[str, Any]:
        """The only answer to a message."""
        (header,) = self.do(what, **message)
        return header

    def picture(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A new picture."""
        self.session.picture()
        return self.said[-1]

    def last(self, say: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The last message of this kind."""
        return next(each for each in reversed(self.said) if each[0]["say"] == say)

    def work(self, until: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Let it work until it says this."""
        before = len(self.said)
        while True:
            self.session._turn()
            for each in self.said[before:]:
                if each[0]["say"] == until:
                    return each
            before = len(self.said)
