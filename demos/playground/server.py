"""The server of the playground: the page's files, tables, and a WebSocket for each tab."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from scratchnet.backends.errors import InputError
from scratchnet.demos.playground import protocol, tables
from scratchnet.demos.playground.address import Address
from scratchnet.demos.playground.session import END, Session
from scratchnet.demos.playground.tables import Tables

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
MOST_TABS = 8
MOST_UNSENT = 1 << 25
"""Bytes, or characters, that may wait for a tab."""
SECONDS_TO_CLOSE = 1.0
MOST_LISTENED_TO = 1 << 30
"""Bytes of a file; of those beyond a table's no more than their number is kept."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1008, 1011, 1013


class Playground:
    """What the server holds: its address, the tabs and the tables."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.files = {each.name: each for each in PAGE.iterdir() if each.suffix in TYPES}
        self.sessions: set[Session] = set()
        self._reading = asyncio.Lock()
        self.tables = Tables()

    def app(self) -> Starlette:
        """The application; its end closes the sessions."""

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            """At the server's end close all sessions."""
            yield
            for session in list(self.sessions):
                session.close()

        routes = [
            Route("/", self.page),
            Route("/page/{name}", self.file),
            Route("/table", self.table, methods=["POST"]),
            WebSocketRoute("/ws", self.socket),
        ]
        return Starlette(routes=routes, lifespan=lifespan)

    def is_known(self, connection: HTTPConnection) -> bool:
        """Whether Host, and Origin where there is one, are this server's."""
        host = connection.headers.get("host", "")
        origin = connection.headers.get("origin")
        return self.address.is_named(host) and origin in (None, f"http://{host}")

    def has_token(self, connection: HTTPConnection) -> bool:
        """Whether it comes with the token; the comparison takes as long for any guess."""
        given = connection.query_params.get("token", "")
        return secrets.compare_digest(given.encode(), self.address.token.encode())

    async def page(self, request: Request) -> Response:
        """The page itself."""
        if not self.is_known(request) or not self.has_token(request):
            return refusal()
        return self._file("index.html")

    async def file(self, request: Request) -> Response:
        """One of the page's files."""
        return self._file(request.path_params["name"]) if self.is_known(request) else refusal()

    def _file(self, name: str) -> Response:
        """The answer with the page's file of that name, or 404."""
        path = self.files.get(name)
        if path is None:
            return PlainTextResponse("no such file\n", 404, HEADERS)
        headers = {**HEADERS, "Content-Type": TYPES[path.suffix]}
        return Response(path.read_bytes(), headers=headers)

    async def table(self, request: Request) -> Response:
        """Read a table that the page sends, and keep it."""
        if not self.is_known(request) or not self.has_token(request):
            return refusal()
        try:
            content = await self._content(request)
            name = request.query_params.get("name", "")
            # One at a time: a large one takes time and memory.
            async with self._reading:
                table = await run_in_threadpool(tables.read, content, name)
                described = await run_in_threadpool(table.described)
        except (InputError, MemoryError) as error:
            status = 413 if isinstance(error, TooLarge) else 400
            is_memory = isinstance(error, MemoryError)
            sentence = protocol.no_memory(error, "a smaller table") if is_memory else str(error)
            return answer({"error": sentence}, status)
        return answer({"table": self.tables.add(table), **described})

    async def _content(self, request: Request) -> bytes:
        """The body. Raises `TooLarge`, once all of it came: before, a browser hears no answer."""
        content, size = bytearray(), 0
        async for part in request.stream():
            size += len(part)
            if size <= protocol.TABLE_BYTES:
                content += part
            elif size > MOST_LISTENED_TO:
                break
        if size > protocol.TABLE_BYTES:
            most = protocol.TABLE_BYTES // 1_000_000
            raise TooLarge(f"the file is larger than {most} MB: must have {most} MB at most")
        return bytes(content)

    async def socket(self, connection: WebSocket) -> None:
        """One tab, until it goes."""
        if not self.is_known(connection) or not self.has_token(connection):
            await connection.close(POLICY_VIOLATION)  # before it is accepted: status 403
            return
        await connection.accept()
        if len(self.sessions) >= MOST_TABS:
            sentence = f"{MOST_TABS} tabs are open: must be fewer; close one and reload"
            await connection.send_text(protocol.text_frame({"say": "error", "sentence": sentence}))
            await connection.close(TRY_AGAIN_LATER)
            return
        await self._talk(connection)
        with suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
            await asyncio.wait_for(connection.close(INTERNAL_ERROR), SECONDS_TO_CLOSE)

    async def _talk(self, connection: WebSocket) -> None:
        """Let a session of its own answer the tab, until one of them ends."""
        outbox = Outbox()
        session = Session(outbox.send, self.tables)
        self.sessions.add(session)
        session.start()
        talking = [receive(connection, session), outbox.forward(connection), outbox.full.wait()]
        tasks = [asyncio.create_task(each) for each in talking]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            session.close()
            self.sessions.discard(session)
            for task in tasks:
                task.cancel()


class Outbox:
    """What a session says, in its order, until the tab has taken it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._size = 0
        self.full = asyncio.Event()
        """Whether more waits than may wait: the tab asks and does not read."""

    def send(self, message: str | bytes) -> None:
        """From the session's thread: send a message as soon as the tab takes it."""
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: str | bytes) -> None:
        """Let the message wait, unless more than `MOST_UNSENT` bytes wait: then set `full`."""
        self._size += len(message)
        if self._size > MOST_UNSENT:
            self.full.set()
        else:
            self._waiting.put_nowait(message)

    async def forward(self, connection: WebSocket) -> None:
        """Send what waits, until the session or the tab ends."""
        with suppress(RuntimeError, WebSocketDisconnect):
            while (message := await self._waiting.get()) != END:
                if isinstance(message, str):
                    await connection.send_text(message)
                else:
                    await connection.send_bytes(message)
                self._size -= len(message)


class Allowance:
    """How many messages a tab may send: so many at once, and so many in each second."""

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = self._left = per_second
        self._last = now

    def takes(self, now: float) -> bool:
        """Whether one more is allowed at this time, in seconds."""
        gained = (now - self._last) * self._per_second
        self._left, self._last = min(self._left + gained, self._per_second), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def receive(connection: WebSocket, session: Session) -> None:
    """Hand the page's messages to the session, but those that are too many."""
    allowance = Allowance(protocol.MESSAGES_PER_SECOND, time.monotonic())
    while True:
        message = await connection.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if not allowance.takes(time.monotonic()):
            session.say(
                "error",
                sentence=f"more than {protocol.MESSAGES_PER_SECOND} messages in a second: must be "
                "fewer; this one was left out",
            )
            # The next ones wait in the connection.
            await asyncio.sleep(0.1)
        elif not session.put(message.get("bytes", b"") if text is None else text):
            session.say("error", sentence="the server is busy: this message was left out")


class TooLarge(InputError):
    """A file is larger than a table may be."""


def answer(message: dict[str, Any], status: int = 200) -> Response:
    """A message as JSON, never as a page: its texts may hold HTML."""
    headers = {**HEADERS, "Content-Type": "application/json"}
    return Response(protocol.text_frame(message), status, headers)


def refusal() -> Response:
    """The answer to a request without the token, or of a foreign page."""
    return PlainTextResponse("403: this address needs its token, and its own host\n", 403, HEADERS)
