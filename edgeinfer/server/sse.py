"""Server-sent events: a response that is written piece by piece."""

from starlette.types import Send

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Proxies in front hold events back without it.
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """A response of events; `send` waits while the client does not read."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self) -> None:
        """Send the status and the headers."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def event(self, data: bytes) -> None:
        """Send one event; `data` is one line."""
        await self._write(b"data: " + data + b"\n\n")

    async def comment(self, text: bytes) -> None:
        """Send what clients skip, to show that the connection lives."""
        await self._write(b": " + text + b"\n\n")

    async def end(self) -> None:
        """Complete the response."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
