"""`scratchnet playground`: serves the page on this machine and opens it."""

from __future__ import annotations

import json
import socket
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

from scratchnet.backends.errors import InputError
from scratchnet.demos.playground import SUMMARY
from scratchnet.demos.playground.address import Address
from scratchnet.demos.results import write
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, parse, resolve
from scratchnet.extras import require_installed

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet playground`."""

    without = ALL_BUT_JSON
    port: int = option(8765, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    host: str = option("127.0.0.1", "Address to listen on: others than this machine need --open.")
    open: bool = option(False, "Let other machines that know the URL use the page.")
    browser: bool = option(True, "Print the URL, and open no browser.")


def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C; the exit status."""
    if {"-h", "--help"} & set(arguments):
        from scratchnet.demos.screen import Screen

        Screen().help("playground", Settings, SUMMARY)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    for module in ("starlette", "websockets", "uvicorn"):
        require_installed(module, module, "playground", "the playground")
    if settings.host not in LOOPBACK and not settings.open:
        raise InputError(
            f"--host {settings.host}: must be one of {', '.join(LOOPBACK)}, or come with --open, "
            "which lets other machines use the page"
        )
    with listening(settings.host, settings.port) as listener:
        address = Address(settings.host, listener.getsockname()[1])
        try:
            announce(address, settings)
            serve(address, listener)
        except KeyboardInterrupt:
            pass
    return 0


def announce(address: Address, settings: Settings) -> None:
    """Print the URL, and open it. What connects before the server runs waits for it."""
    if settings.host not in LOOPBACK:
        warnings.warn(
            f"--host {settings.host}: whoever knows the URL can use this machine's processor",
            stacklevel=2,
        )
    shown = json.dumps({"url": address.url}) if settings.json else f"{address.url}\nCtrl-C ends it."
    write(sys.stdout, f"{shown}\n")
    if settings.browser:
        import webbrowser

        # Some browsers return only when they are closed.
        Thread(target=webbrowser.open, args=[address.local_url], daemon=True).start()


def serve(address: Address, listener: socket.socket) -> None:
    """Answer what connects, until Ctrl-C. Imported meanwhile: a browser takes as long to start."""
    import uvicorn
    from threadpoolctl import threadpool_limits

    from scratchnet.demos.playground.server import Playground

    threadpool_limits(1, "blas")  # the bits of exported code are those of one thread
    warnings.simplefilter("ignore")  # the page is told what a training warns of
    uvicorn.Server(configured(Playground(address).app())).run(sockets=[listener])


def configured(app: Any) -> Any:
    """uvicorn's settings: bounded messages, and an end that waits for no tab."""
    from uvicorn import Config

    from scratchnet.demos.playground.protocol import MESSAGE_BYTES

    return Config(
        app,
        log_level="critical",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=0,
        server_header=False,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `InputError` where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
        # Inherited by its connections: else what follows a first small packet, such as a file after
        # its headers, waits for the other side's acknowledgement, about 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"--host {host} --port {port}: {reason}; must be a free port of this machine, such as "
            "--port 0"
        ) from None
