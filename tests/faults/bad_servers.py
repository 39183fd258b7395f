"""Servers on the loopback as they should not be. Each row: what it does, what a user must read."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SILENT_SECONDS = 1.5
Respond = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; ``server.files`` holds the sound content by path."""

    server: "Server"

    def do_HEAD(self) -> None:
        """Answer the question whether the server is there."""
        self.send_headers(200, Content_Length=len(self.content))

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.start))
        self.server.respond(self)

    @property
    def content(self) -> bytes:
        return self.server.files.get(self.path, b"")

    @property
    def start(self) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(asked[1]) if asked else 0

    def send_headers(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    """A server whose behaviour can be changed while it runs.

    Attributes:
        url: Its address, with a slash at the end.
        files: The sound content by path.
        respond: What it does with a GET request.
        asked: Path and first byte of each GET request, in order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.files: dict[str, bytes] = {}
        self.respond: Respond = sound
        self.asked: list[tuple[str, int]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


@contextmanager
def running() -> Iterator[Server]:
    """A server that is there as long as the context lasts."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sound(request: Request) -> None:
    rest = request.content[request.start :]
    last = len(request.content) - 1
    place = {"Content_Range": f"bytes {request.start}-{last}/{last + 1}"} if request.start else {}
    request.send_headers(206 if place else 200, Content_Length=len(rest), **place)
    request.wfile.write(rest)


def silent(request: Request) -> None:
    time.sleep(SILENT_SECONDS)


def silent_after_headers(request: Request) -> None:
    request.send_headers(200, Content_Length=len(request.content))
    time.sleep(SILENT_SECONDS)


def dropping(request: Request) -> None:
    """Send half of the file on the first connection, and nothing on the next."""
    size = len(request.content)
    if request.start:
        place = f"bytes {request.start}-{size - 1}/{size}"
        request.send_headers(206, Content_Length=size - request.start, Content_Range=place)
    else:
        request.send_headers(200, Content_Length=size)
        request.wfile.write(request.content[: size // 2])


def wrong_bytes(request: Request) -> None:
    request.send_headers(200, Content_Length=len(request.content))
    request.wfile.write(request.content[::-1])


def web_page(request: Request) -> None:
    request.send_headers(200, Content_Type="text/html")
    request.wfile.write(b"<html>Log in to the network</html>")


def page_as_file(request: Request) -> None:
    request.send_headers(200, Content_Type="application/octet-stream")
    request.wfile.write(b"<html>Log in to the network</html>")


def circular(request: Request) -> None:
    request.send_headers(302, Location=request.path)


def endless(request: Request) -> None:
    request.send_headers(302, Location=request.path + "x")


def to_a_local_file(request: Request) -> None:
    request.send_headers(302, Location="file:///etc/hostname")


def missing(request: Request) -> None:
    request.send_headers(404)


def rude(request: Request) -> None:
    """Refuse with a reason that would clear the terminal and fill it."""
    request.wfile.write(b"HTTP/1.1 500 \x1b[2J\x07" + b"no " * 5_000 + b"\r\n\r\n")


def no_http(request: Request) -> None:
    request.wfile.write(b"220 \x1b[2J mail server ready\r\n")


FAULTS: dict[str, tuple[Respond, str]] = {
    "silent": (silent, "in time|too slow"),
    "silent after the headers": (silent_after_headers, "in time|too slow"),
    "drops mid-file": (dropping, r"broke off after [\d,]+ of|IncompleteRead"),
    "wrong bytes": (wrong_bytes, r"wrong SHA-256"),
    "web page": (web_page, "a web page instead"),
    "web page as a file": (page_as_file, "wrong SHA-256"),
    "redirects to itself": (circular, "HTTP 302"),
    "redirects for ever": (endless, "HTTP 302"),
    "redirects to a local file": (to_a_local_file, "HTTP 302"),
    "missing": (missing, "HTTP 404"),
    "rude": (rude, "HTTP 500"),
    "no HTTP": (no_http, "220"),
}
