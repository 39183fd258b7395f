"""The web application of the demo: the page, the examples, and the predictions for a picture."""

import asyncio
import logging
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from mnist_lightning.demo.guard import Guard
from mnist_lightning.demo.reading import SIDES, NoPictureError

log = logging.getLogger(__name__)

Read = Callable[[bytes], dict[str, Any]]

#: Bytes of the largest picture; a longer body is refused.
MAX_BODY = max(SIDES)
PICTURE_TYPE = "application/octet-stream"


def make_app(read: Read, examples: dict[str, Any], host: str = "localhost") -> ASGIApp:
    """Build the application.

    Args:
        read: From the body of a request to the answer; raises ``NoPictureError``.
        examples: The result of ``example_strip``.
        host: The name or address that the server listens on.
    """
    # The models compete for the same cores: two pictures at once would delay both.
    one_at_a_time = asyncio.Lock()

    async def predict(request: Request) -> Response:
        body = await _picture_body(request)
        async with one_at_a_time:
            try:
                return JSONResponse(await run_in_threadpool(read, body))
            except NoPictureError as error:
                raise HTTPException(400, str(error)) from error

    # The registry of Windows may name another type, which browsers refuse to execute.
    mimetypes.add_type("text/javascript", ".js")
    application = Starlette(
        routes=[
            Route("/examples", lambda request: JSONResponse(examples), methods=["GET"]),
            Route("/predict", predict, methods=["POST"]),
            Mount("/", StaticFiles(directory=Path(__file__).with_name("static"), html=True)),
        ],
        exception_handlers={HTTPException: _refuse, 500: _fail},
    )
    # Not among Starlette's middleware: the answers of its error handler need the headers as well.
    return Guard(application, host)


async def _picture_body(request: Request) -> bytes:
    if request.headers.get("content-type") != PICTURE_TYPE:
        raise HTTPException(415, f"expected a body of type {PICTURE_TYPE}")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise HTTPException(413, f"a picture has at most {MAX_BODY} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended before the picture") from None
    return bytes(body)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # Do not read the rest of a refused body.
    headers = {**(error.headers or {}), "Connection": "close"}
    return JSONResponse({"error": error.detail}, error.status_code, headers=headers)


async def _fail(request: Request, error: Exception) -> Response:
    log.error("The demo failed to answer %s", request.url.path, exc_info=error)
    return JSONResponse({"error": "the server could not read this picture"}, 500)
