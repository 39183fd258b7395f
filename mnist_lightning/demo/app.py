"""The application: one page, its two files, the examples, and the question what a picture is."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mnist_lightning.demo.guard import Guard
from mnist_lightning.demo.reading import SIDES, NoPictureError

Read = Callable[[bytes], dict[str, Any]]

#: No picture is larger, so no more of a body is ever read.
MAX_BODY = max(SIDES)
BODY_SECONDS = 5.0
#: Pictures being read or waiting for it. The page asks for one at a time.
MAX_WAITING = 8
PICTURE_TYPE = "application/octet-stream"
STATIC = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Readings:
    """Lets one picture at a time be read, in a thread of its own, and a few wait for it.

    Models compete for the same cores: reading two pictures at once would make both late.

    Args:
        read: From the body of a request to what is answered; raises ``NoPictureError``.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")
        self._waiting = 0

    async def read(self, body: bytes) -> dict[str, Any]:
        """Wait for a picture to be read.

        Raises:
            HTTPException: 503 if too many are waiting, 400 if it is no picture.
        """
        if self._waiting >= MAX_WAITING:
            raise HTTPException(503, "too many pictures at once", headers={"Retry-After": "1"})
        self._waiting += 1
        job = self._worker.submit(self._read, body)
        # A client that goes away frees its place only when its picture is done or taken back.
        loop = asyncio.get_running_loop()
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._finish))
        try:
            return await asyncio.wrap_future(job)
        except NoPictureError as error:
            raise HTTPException(400, str(error)) from error

    def _finish(self) -> None:
        self._waiting -= 1


def make_app(read: Read, examples: dict[str, Any], host: str = "localhost") -> ASGIApp:
    """Put the application together.

    Args:
        read: From a picture's bytes to the answers; raises ``NoPictureError``.
        examples: What ``example_strip`` returns.
        host: The name or address that the server listens on.
    """
    readings = Readings(read)

    async def predict(request: Request) -> Response:
        body = await _picture_body(request)
        return JSONResponse(await readings.read(body))

    async def show_examples(request: Request) -> Response:
        return JSONResponse(examples)

    static = [Route(path, _static(*file), methods=["GET"]) for path, file in STATIC.items()]
    application = Starlette(
        routes=[
            *static,
            Route("/examples", show_examples, methods=["GET"]),
            Route("/predict", predict, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refuse, 500: _fail},
    )
    # Around all of it, and not among Starlette's middleware: errors carry the headers as well.
    return Guard(application, host)


def _static(name: str, media_type: str) -> Callable[[Request], Any]:
    content = files(__package__).joinpath("static", name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


async def _picture_body(request: Request) -> bytes:
    if request.headers.get("content-type") != PICTURE_TYPE:
        raise HTTPException(415, f"expected a body of type {PICTURE_TYPE}")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:12]) > MAX_BODY:
        raise HTTPException(413, f"a picture has at most {MAX_BODY} bytes")
    try:
        return await asyncio.wait_for(_read_body(request), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise HTTPException(408, "the picture took too long to arrive") from None
    except ClientDisconnect:
        raise HTTPException(400, "the picture did not arrive") from None


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a picture has at most {MAX_BODY} bytes")
    return bytes(body)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # What is left of a refused body must not be taken for the next request.
    headers = {**(error.headers or {}), "Connection": "close"}
    return JSONResponse({"error": error.detail}, error.status_code, headers=headers)


async def _fail(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server could not read this picture"}, 500)
