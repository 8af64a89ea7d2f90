"""A server of the playground for the tests, and a client that speaks as the page does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from scratchnet.demos.playground.address import Address
from scratchnet.demos.playground.command import listening


@contextmanager
def serving(port: int = 0, **token: str) -> Iterator[Any]:
    """A `Playground` that is served, on a free port and with a new token where none is given."""
    import uvicorn

    from scratchnet.demos.playground.command import configured
    from scratchnet.demos.playground.server import Playground

    # One thread of BLAS, as the command has it: exported code makes the bits of one.
    with listening("127.0.0.1", port) as listener, threadpool_limits(1, "blas"):
        playground = Playground(Address("127.0.0.1", listener.getsockname()[1], **token))
        server = uvicorn.Server(configured(playground.app()))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield playground
        finally:
            server.should_exit = True
            thread.join(10)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Until the condition holds; it must, so the time is only a guard against a hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


class Client:
    """A tab: says what the page says, and reads what the server says."""

    def __init__(self, playground: Any, **other: Any) -> None:
        from websockets.sync.client import connect

        address = f"ws://127.0.0.1:{playground.address.port}/ws?token={playground.address.token}"
        self._connecting = connect(address, max_size=None, **other)

    def __enter__(self) -> Client:
        self.connection = self._connecting.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connecting.__exit__(*error)

    def do(self, what: str, /, **message: Any) -> None:
        self.connection.send(json.dumps({"do": what, **message}))

    def read(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The next message; of a picture its header and its arrays. Pictures count as seen."""
        received = self.connection.recv(timeout=60)
        header, arrays = opened(received)
        if header["say"] == "picture":
            self.do("seen", picture=header["n"])
        return header, arrays

    def until(self, say: str, **wanted: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The next message of that kind whose entries are as wanted."""
        while True:
            header, arrays = self.read()
            if header["say"] == say and all(header[key] == wanted[key] for key in wanted):
                return header, arrays


def opened(frame: str | bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A message of the server, as the page reads it."""
    if isinstance(frame, str):
        return json.loads(frame), {}
    size = int.from_bytes(frame[:4], "little")
    header = json.loads(frame[4 : 4 + size])
    arrays = {}
    for each in header["arrays"]:
        assert each["offset"] % 8 == 0
        count = int(np.prod(each["shape"]))
        found = np.frombuffer(frame, each["dtype"], count, each["offset"])
        arrays[each["name"]] = found.reshape(each["shape"])
    return header, arrays
