"""Who may ask: programs on this machine, and no web page from elsewhere."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeinfer.server.errors import Problem
from edgeinfer.service import new_request_id

REQUEST_ID_KEY = "edgeinfer.request_id"

_LOOPBACK = r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?"
_HOST = re.compile(_LOOPBACK, re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://{_LOOPBACK}", re.IGNORECASE)

_WRONG_HOST = Problem(
    status=421,
    code="wrong_host",
    message="This server answers only to localhost, 127.0.0.1 and [::1]."
    " Use one of these names in the URL.",
)
_WRONG_ORIGIN = Problem(
    status=403,
    code="wrong_origin",
    message="A web page from another place may not use this server.",
)


class Guard:
    """Middleware: numbers every request; refuses foreign origins, and names for DNS rebinding.

    No CORS header is ever sent, so no page can read an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer that it is refused."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID_KEY] = request_id = new_request_id()

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        refused = refuse_foreign(Headers(scope=scope))
        app: ASGIApp = refused.response() if refused else self._app
        await app(scope, receive, send_numbered)


def refuse_foreign(headers: Headers) -> Problem | None:
    """Why a request with these headers is refused; None if it is not."""
    if not _HOST.fullmatch(headers.get("host", "")):
        return _WRONG_HOST
    origin = headers.get("origin")
    if origin is not None and not _ORIGIN.fullmatch(origin):
        return _WRONG_ORIGIN
    return None
