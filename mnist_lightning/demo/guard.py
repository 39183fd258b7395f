"""Who may talk to the server: the page itself, and programs on purpose; no other web site."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The page is small and local; an old copy of its script would only confuse.
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware that refuses foreign requests and adds the security headers to all answers.

    A web site can make a browser send requests here. Its ``Origin`` gives it away, unless it has
    pointed its own name at this machine (DNS rebinding); then the ``Host`` does: only addresses,
    ``localhost`` and the name that the server was told to listen on are answered.

    Args:
        app: What is guarded.
        host: The name or address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or let the application answer."""
        if scope["type"] != "http":
            # The server's own start and end; web sockets are not offered.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        guarded = _with_headers(send)
        reason = self._refusal(Headers(scope=scope))
        if reason is None:
            await self.app(scope, receive, guarded)
        else:
            await JSONResponse({"error": reason}, status_code=403)(scope, receive, guarded)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return "this server answers to its address and to localhost only"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "another web site may not use this server"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "another web site may not use this server"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in ("localhost", self.host):
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(SECURITY_HEADERS)
        await send(message)

    return guarded
