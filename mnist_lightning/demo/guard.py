"""ASGI middleware that refuses requests of other web sites and adds security headers."""

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
    # A cached script could be older than the server.
    "Cache-Control": "no-store",
}


class Guard:
    """Checks ``Host`` and ``Origin`` of each request, and adds security headers to each answer.

    Any web site can make a browser send requests to this server. The ``Origin`` header reveals
    them, unless the site has pointed its own name at this machine (DNS rebinding); then the
    ``Host`` header does. Allowed hosts are IP addresses, ``localhost`` and the name that the server
    listens on.

    Args:
        app: The application to protect.
        host: The name or address that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app = app
        self.host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it to the application."""
        if scope["type"] != "http":
            # Start and end of the server; web sockets are not supported.
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
            return "use the address of this server or localhost"
        origin = urlsplit(headers.get("origin", f"//{host}")).netloc
        site = headers.get("sec-fetch-site", "none")
        if origin.lower() != host.lower() or site not in ("same-origin", "none"):
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
