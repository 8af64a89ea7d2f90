"""The playground's server: who may connect, what is served, and that tabs are independent."""

import gc
import http.client
import json
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import Client, serving, wait_for

for module in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(module, reason="needs the extra 'playground'")

from scratchnet.demos.playground import protocol, server  # noqa: E402
from scratchnet.demos.playground.address import Address  # noqa: E402
from scratchnet.demos.playground.session import Session  # noqa: E402


@pytest.fixture(scope="module")
def playground() -> Iterator[Any]:
    with serving() as playground:
        yield playground


def get(playground: Any, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", playground.address.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_the_page_needs_its_token_and_its_host(playground: Any) -> None:
    page = f"/?token={playground.address.token}"
    own = f"127.0.0.1:{playground.address.port}"
    assert get(playground, page)[0] == 200
    assert get(playground, page, Host=f"localhost:{playground.address.port}")[0] == 200
    assert get(playground, page, Host=own, Origin=f"http://{own}")[0] == 200
    assert get(playground, "/")[0] == 403
    assert get(playground, "/?token=")[0] == 403
    assert get(playground, f"{page}x")[0] == 403
    for host in ("evil.example", f"evil.example:{playground.address.port}", "127.0.0.1", f"{own}0"):
        assert get(playground, page, Host=host)[0] == 403
    for origin in ("http://evil.example", "null", f"https://{own}", "http://127.0.0.1:1"):
        assert get(playground, page, Origin=origin)[0] == 403


@pytest.mark.parametrize(
    "path",
    ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "/etc/passwd", "nothing.js", "", "."],
)
def test_no_path_reaches_another_file(playground: Any, path: str) -> None:
    status, body = get(playground, f"/page/{path}")
    assert status == 404
    assert "import" not in body


@pytest.mark.parametrize("wrong", ["token", "origin", "host"])
def test_a_stranger_gets_no_websocket(playground: Any, wrong: str) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    token = "wrong" if wrong == "token" else playground.address.token
    host = "evil.example" if wrong == "host" else "127.0.0.1"
    origin: Any = "http://evil.example" if wrong == "origin" else None
    there = socket.create_connection(("127.0.0.1", playground.address.port))
    with pytest.raises(InvalidStatus) as refused:
        address = f"ws://{host}:{playground.address.port}/ws?token={token}"
        with connect(address, origin=origin, sock=there):
            pass
    assert refused.value.response.status_code == 403


def test_limits_come_first_and_the_spirals_are_drawn(playground: Any) -> None:
    with Client(playground) as tab:
        header, _ = tab.read()
        assert header["say"] == "limits"
        state, _ = tab.until("state")
        header, arrays = tab.until("picture")
        assert header["step"] == 0
        assert arrays["points"].shape == (len(arrays["labels"]), 2)
        widths = state["layers"]
        assert len(arrays["neurons"]) == sum(widths[1:])
        assert len(arrays["weights"]) == state["parameters"]


def test_two_tabs_train_on_their_own(playground: Any) -> None:
    with Client(playground) as one, Client(playground) as other:
        one.until("picture")
        first = other.until("picture")[1]["weights"]
        one.do("play")
        while one.until("picture")[0]["step"] == 0:
            pass
        other.do("show", size=20)
        header, arrays = other.until("picture")
        assert header["step"] == 0 and not header["playing"]
        np.testing.assert_array_equal(arrays["weights"], first)


def test_the_work_ends_with_the_tab(playground: Any) -> None:
    wait_for(lambda: not playground.sessions)
    with Client(playground) as tab:
        tab.until("picture")
        tab.do("play")
        tab.until("picture", playing=True)
        left, thread = [(weakref.ref(each), each._thread) for each in playground.sessions][0]
        gc.disable()
    try:
        wait_for(lambda: not playground.sessions and not thread.is_alive())
        wait_for(lambda: left() is None)
    finally:
        gc.enable()


def post(playground: Any, content: bytes, path: str = "", **headers: str) -> tuple[int, Any, str]:
    connection = http.client.HTTPConnection("127.0.0.1", playground.address.port, timeout=60)
    connection.request(
        "POST", path or f"/table?token={playground.address.token}&name=t.csv", content, headers
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    kind = answer.headers["Content-Type"]
    return answer.status, json.loads(body) if "json" in kind else body, kind


def test_a_table_is_sent_and_trained_on(playground: Any) -> None:
    rows = "".join(f"{i},{i % 7},{'<b>x</b>' if i % 2 else 'y'}\n" for i in range(30))
    status, answer, kind = post(playground, ("a,<script>,kind\n" + rows).encode())
    assert status == 200 and kind == "application/json"
    assert [each["name"] for each in answer["columns"]] == ["a", "<script>", "kind"]
    with Client(playground) as tab:
        tab.do("set", state={"data": {"kind": "table", "table": answer["table"]}})
        tab.until("state")
        assert tab.until("state")[0]["classes"] == ["<b>x</b>", "y"]


def test_no_table_is_a_sentence_with_its_status(playground: Any) -> None:
    status, answer, _ = post(playground, b"<html><body>a table</body></html>")
    assert status == 400 and "must be" in answer["error"]
    status, answer, _ = post(playground, b"a,b\n" + b"1,2\n" * 25_000_000)
    assert status == 413 and "20 MB" in answer["error"]
    assert post(playground, b"a,b\n1,2\n", "/table?token=wrong")[0] == 403
    assert post(playground, b"a,b\n1,2\n", Origin="http://evil.example")[0] == 403


def test_a_large_message_ends_its_tab_alone(playground: Any) -> None:
    from websockets.exceptions import ConnectionClosed

    # The beginning of a text frame, masked with zeros, that says how long it will be. Were the rest
    # still on its way while the server closes, the system might reset the connection.
    begun = b"\x81\xff" + (protocol.MESSAGE_BYTES + 1).to_bytes(8, "big") + bytes(4) + b"x"
    with Client(playground) as one, Client(playground) as other:
        one.connection.socket.sendall(begun)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                one.read()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
        other.do("step")
        other.until("picture", step=1)


def test_the_allowance_is_so_many_in_a_second() -> None:
    allowance = server.Allowance(50, now=7.0)
    assert [allowance.takes(7.0) for _ in range(60)] == [True] * 50 + [False] * 10
    assert [allowance.takes(7.125) for _ in range(7)] == [True] * 6 + [False]
    assert [allowance.takes(900.0) for _ in range(51)] == [True] * 50 + [False]


def test_a_message_too_many_is_left_out_with_a_sentence(
    playground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(playground) as tab:
        while isinstance(tab.connection.recv(timeout=60), str):
            pass
        with monkeypatch.context() as patched:
            patched.setattr(server.Allowance, "takes", lambda *_: False)
            tab.do("step")
            error, _ = tab.until("error")
            assert "50 messages in a second" in error["sentence"]
        tab.do("show", size=20)
        header, arrays = tab.until("picture")
        assert header["step"] == 0 and arrays["prediction"].shape == (20, 20)


def test_a_mistake_in_the_program_ends_its_tab_alone(
    playground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from websockets.exceptions import ConnectionClosed

    def fails(session: Session, **_: object) -> None:
        raise ZeroDivisionError

    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    with Client(playground) as one, Client(playground) as other:
        one.until("picture")
        monkeypatch.setattr(Session, "do_backprop", fails)
        one.do("backprop")
        with pytest.raises(ConnectionClosed):
            while True:
                one.read()
        wait_for(lambda: bool(reported))
        assert reported[0].exc_type is ZeroDivisionError
        other.do("step")
        other.until("picture", step=1)


def test_a_tab_that_asks_and_does_not_read_is_closed(
    playground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_UNSENT", 200_000)
    wait_for(lambda: not playground.sessions)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", playground.address.port))
    options = {"sock": narrow, "max_queue": 1, "close_timeout": 0.1, "ping_interval": None}
    with Client(playground, **options) as tab, Client(playground) as other:
        wait_for(lambda: len(playground.sessions) == 2)
        tab.do("set", state={"network": {"layers": [64] * 8}})
        for _ in range(12):
            tab.do("backprop")
        wait_for(lambda: len(playground.sessions) == 1)
        other.do("step")
        other.until("picture", step=1)


def test_too_many_tabs_are_told_so(playground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_TABS", 1)
    wait_for(lambda: not playground.sessions)
    with Client(playground) as one, Client(playground) as other:
        one.until("picture")
        error, _ = other.until("error")
        assert "tabs are open" in error["sentence"]
    wait_for(lambda: not playground.sessions)


def test_a_host_of_all_addresses_takes_numbers_and_its_own_name() -> None:
    everywhere = Address("0.0.0.0", 80)
    for name in ("192.168.1.7", "[fe80::1]", "localhost", socket.gethostname()):
        assert everywhere.is_named(f"{name}:80")
    assert everywhere.is_named("192.168.1.7")
    assert not everywhere.is_named("evil.example:80") and not everywhere.is_named("10.0.0.1:81")
