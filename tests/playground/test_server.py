"""The playground's server: who may connect, what is served, and that tabs are independent."""

import http.client
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import Client, serving, wait_for

for module in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(module, reason="needs the extra 'playground'")


@pytest.fixture(scope="module")
def playground() -> Iterator[Any]:
    with serving() as playground:
        yield playground


def get(playground: Any, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", playground.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_the_page_needs_its_token_and_its_host(playground: Any) -> None:
    page = f"/?token={playground.token}"
    own = f"127.0.0.1:{playground.port}"
    assert get(playground, page)[0] == 200
    assert get(playground, page, Host=f"localhost:{playground.port}")[0] == 200
    assert get(playground, page, Host=own, Origin=f"http://{own}")[0] == 200
    assert get(playground, "/")[0] == 403
    assert get(playground, "/?token=")[0] == 403
    assert get(playground, f"{page}x")[0] == 403
    for host in ("evil.example", f"evil.example:{playground.port}", "127.0.0.1", f"{own}0"):
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

    token = "wrong" if wrong == "token" else playground.token
    host = "evil.example" if wrong == "host" else "127.0.0.1"
    origin: Any = "http://evil.example" if wrong == "origin" else None
    there = socket.create_connection(("127.0.0.1", playground.port))
    with pytest.raises(InvalidStatus) as refused:
        address = f"ws://{host}:{playground.port}/ws?token={token}"
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
        (session,) = playground.sessions
    wait_for(lambda: not playground.sessions and not session.is_alive)
