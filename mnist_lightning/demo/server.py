"""uvicorn, set up to serve one page to one person and to survive everybody else."""

import asyncio
import ipaddress
import socket
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mnist_lightning.errors import UserError

MAX_CONNECTIONS = 64
HEADER_SECONDS = 10.0


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP, which hangs up on a client that does not finish the head of its request.

    uvicorn waits for one for ever, so that a few silent connections would lock everybody out.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEADER_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Go on waiting while the head is incomplete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything slow is done.

    Args:
        host: A name or address of this machine.
        port: 0 for any free one.

    Raises:
        UserError: The port is taken, or the host or port is not this machine's.
    """
    if not host:
        # It would stand for all addresses of this machine.
        raise UserError("--host needs an address of this machine, e.g. 127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise UserError(
            f"{host} port {port} cannot be listened on ({error.strerror or error}): "
            "choose another with --host or --port, e.g. --port 0 for a free one."
        ) from error
    # Connections inherit it. asyncio sets it only where the protocol was named, and without it each
    # answer waits 40 ms for the acknowledgement of its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Tell whether only programs of this machine can reach a socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def url_of(listening: socket.socket) -> str:
    """Return the address of the page for a browser of this machine."""
    address, port = listening.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "127.0.0.1"
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Set uvicorn up; ``server.run(sockets=[listen(...)])`` serves until Ctrl-C."""
    config: dict[str, Any] = {
        "http": ImpatientProtocol,
        "ws": "none",
        "lifespan": "off",
        "log_level": "error",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "limit_concurrency": MAX_CONNECTIONS,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 2,
    }
    return uvicorn.Server(uvicorn.Config(app, **config))
