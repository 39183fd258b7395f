"""The uvicorn server of the demo, with limits for untrusted clients."""

import ipaddress
import socket

import uvicorn
from starlette.types import ASGIApp

from mnist_lightning.errors import UserError

#: uvicorn answers more connections than this with status 503.
MAX_CONNECTIONS = 64


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, before anything slow is done.

    Args:
        host: A name or address of this machine.
        port: 0 for any free one.

    Raises:
        UserError: The port is in use, or this machine does not have the host or port.
    """
    if not host:
        # The empty name means all addresses of this machine.
        raise UserError("--host needs an address of this machine, e.g. 127.0.0.1")
    if not 0 <= port <= 65535:
        raise UserError(f"--port must be 0 to 65535, not {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host} port {port} ({error.strerror or error}): "
            "choose another with --host or --port, e.g. --port 0 for a free one."
        ) from error
    # Accepted connections inherit it. asyncio sets it only on sockets of an explicit protocol;
    # without it, each answer waits 40 ms for the acknowledgement of its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only programs of this machine can reach a socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def url_of(listening: socket.socket) -> str:
    """Return the address of the page for a browser of this machine."""
    address, port = listening.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "127.0.0.1"
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Configure uvicorn; ``server.run(sockets=[listen(...)])`` serves until Ctrl-C."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",  # the implementation that bounds the length of incomplete headers
            ws="none",
            lifespan="off",
            # A request that Ctrl-C cuts off is not an error; the application logs its own.
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
    )
