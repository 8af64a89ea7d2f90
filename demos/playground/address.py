"""Where the page is: its URL, and which hosts a request may name. Quickly imported."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Address:
    """The host and the port that the server listens on, and the token of its page."""

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def url(self) -> str:
        """The page's URL, for other machines too where they may use it."""
        return self._under(socket.gethostname() if self.is_everywhere else self.host)

    @property
    def local_url(self) -> str:
        """The page's URL on this machine."""
        return self._under("localhost" if self.is_everywhere else self.host)

    def _under(self, host: str) -> str:
        """The page's URL under a name of this machine."""
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/?token={self.token}"

    @property
    def is_everywhere(self) -> bool:
        """Whether the server listens on all addresses of this machine."""
        return self.host in ("0.0.0.0", "::")

    def is_named(self, host: str) -> bool:
        """Whether the Host header names this server: its own address or name, with its port."""
        if self.port == 80 and not host.endswith(":80"):
            host += ":80"  # which browsers leave out
        name, _, port = host.lower().rpartition(":")
        if port != str(self.port):
            return False
        if name in (self.host, f"[{self.host}]"):
            return True
        try:
            own = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        if own.is_loopback:
            return name in ("localhost", "127.0.0.1", "[::1]")
        if not self.is_everywhere:
            return False
        # It listens on all addresses: a number, which no foreign name can stand for, or its name.
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name in ("localhost", socket.gethostname().lower())
        return True
