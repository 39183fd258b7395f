"""Loopback servers that misbehave, each with what a user must read about it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Respond = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; ``server.files`` has the right content by path."""

    server: "Server"

    def do_HEAD(self) -> None:
        self.send(b"", Content_Length=len(self.content))

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.respond(self)

    @property
    def content(self) -> bytes:
        return self.server.files.get(self.path, b"")

    def send(self, body: bytes, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of the tests clean."""


class Server(ThreadingHTTPServer):
    """A server whose response to GET can be changed while it runs; ``asked`` has the paths."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.files: dict[str, bytes] = {}
        self.respond: Respond = right
        self.asked: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients are expected to hang up."""


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs as long as the context."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def right(request: Request) -> None:
    request.send(request.content, Content_Length=len(request.content))


def missing(request: Request) -> None:
    request.send(b"", 404)


def wrong_bytes(request: Request) -> None:
    request.send(request.content[::-1], Content_Length=len(request.content))


def half(request: Request) -> None:
    size = len(request.content)
    request.send(request.content[: size // 2], Content_Length=size)


def trickling(request: Request) -> None:
    """Send a byte now and then, so that no wait for the socket takes long."""
    request.send(b"", Content_Length=len(request.content))
    for _ in range(1000):  # ends with an error when the client hangs up
        request.wfile.write(b".")
        time.sleep(0.02)


def endless(request: Request) -> None:
    request.send(b"")
    while True:
        request.wfile.write(bytes(1 << 16))


def redirecting(to: str) -> Respond:
    return lambda request: request.send(b"", 302, Location=to.replace("PATH", request.path))


#: By name: the response, and a pattern of what the message says.
FAULTS: dict[str, tuple[Respond, str]] = {
    "silent": (lambda request: time.sleep(1), "silent or too slow|timed out"),
    "trickling": (trickling, "silent or too slow|timed out"),
    "half": (half, "IncompleteRead"),
    "endless": (endless, "more than the expected"),
    "wrong bytes": (wrong_bytes, "wrong SHA-256"),
    "wrong length": (lambda one: one.send(one.content, Content_Length="9" * 15), "IncompleteRead"),
    "web page": (lambda one: one.send(b"<html>Log in to the network</html>"), "a web page instead"),
    "redirects for ever": (redirecting("PATHx"), "30 redirects"),
    "redirects to a local file": (redirecting("file:///etc/hostname"), "file:///etc/hostname"),
    "missing": (missing, "404"),
    # Reasons that would clear and fill the terminal.
    "rude": (
        lambda one: one.wfile.write(b"HTTP/1.1 500 \x1b[2J" + b"no " * 5_000 + b"\n\n"),
        "500",
    ),
    "not HTTP": (lambda one: one.wfile.write(b"220 \x1b[2J mail server ready\r\n"), "220"),
    "hangs up": (lambda one: None, "without response"),
}
