"""The command: what it says, which arguments it refuses, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from networks import refused

from scratchnet.demos.command_line import main
from scratchnet.demos.playground.address import Address
from scratchnet.demos.playground.command import listening
from scratchnet.demos.playground.command import main as command


def needs_the_extra() -> None:
    for module in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(module, reason="needs the extra 'playground'")


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own."""
    words = [sys.executable, "-m", "scratchnet", "playground", "--no-browser", *arguments]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_ends_at_once(number: signal.Signals) -> None:
    needs_the_extra()
    from serving import Client

    with started("--port", "0", "--json") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        parts = urlsplit(url)
        address = Address("127.0.0.1", parts.port or 0, parse_qs(parts.query)["token"][0])
        with Client(SimpleNamespace(address=address)) as tab:
            tab.until("picture")
            tab.do("play")
            tab.until("picture", playing=True)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == err == ""


def test_a_browser_is_opened_before_what_takes_long_is_imported() -> None:
    needs_the_extra()
    program = """
import sys
from scratchnet.demos.command_line import main
from scratchnet.demos.playground import command

slow = {"starlette", "uvicorn", "websockets", "rich", "asyncio", "scratchnet.demos.experiment"}

def announce(address, settings):
    print(address.url, slow & set(sys.modules))
    raise KeyboardInterrupt

command.announce = announce
main(["playground", "--port", "0"])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    url, _, imported = run.stdout.strip().partition(" ")
    assert url.startswith("http://127.0.0.1:") and imported == "set()", run.stderr


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    needs_the_extra()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["playground", "--no-browser", "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"--port {port}" in err and err.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_other_machines_only_when_asked(host: str) -> None:
    needs_the_extra()
    with refused(f"--host {host}", "--open"):
        command(["--no-browser", "--host", host])


def test_other_machines_when_asked_and_warned_of() -> None:
    needs_the_extra()
    with started("--host", "0.0.0.0", "--open", "--port", "0", "--json") as process:
        assert process.stdout is not None and process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        assert urlsplit(url).hostname == socket.gethostname().lower()
        assert "whoever knows the URL" in process.stderr.readline()


def test_a_host_that_is_not_here_is_one_line() -> None:
    needs_the_extra()
    for host in ("192.0.2.1", "no.such.host.invalid", "not a host"):
        with refused("must be"):
            command(["--no-browser", "--host", host, "--open", "--port", "0"])


def test_a_port_out_of_range() -> None:
    with refused("--port 70000", "must be"):
        command(["--port", "70000"])


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    with refused("pip install -e '.[playground]'"):
        command(["--no-browser"])


def test_small_packets_are_sent_at_once() -> None:
    """Else a file after its headers, or a picture, waits for an acknowledgement."""
    with listening("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
