"""OpenAI's routes: chat completions and the list of models."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edgeinfer.errors import EdgeinferError
from edgeinfer.server.chat_request import ChatRequest, parse_chat
from edgeinfer.server.errors import (
    CANCELLED,
    SHUTDOWN,
    ClientGoneError,
    Problem,
    ProblemError,
    to_problem,
)
from edgeinfer.server.guard import REQUEST_ID_KEY
from edgeinfer.server.inbox import Inbox, News, open_inbox
from edgeinfer.server.limits import read_json
from edgeinfer.server.replies import ChatReply, Json, json_response
from edgeinfer.server.sse import EventStream
from edgeinfer.service import Receipt, ServiceInfo, ServiceLike
from edgeinfer.worker.protocol import Generate

KEEP_ALIVE_S = 10.0

# Well-known routes that are not served, so that a client reads why instead of a bare 404.
_NOT_SERVED = (
    "/v1/audio/{rest:path}",
    "/v1/batches",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/files",
    "/v1/images/{rest:path}",
    "/v1/moderations",
    "/v1/responses",
)


def openai_routes(service: ServiceLike, *, keep_alive_s: float = KEEP_ALIVE_S) -> list[Route]:
    """Everything below `/v1`."""

    async def list_models(_request: Request) -> Response:
        return json_response({"object": "list", "data": [_model_json(service.info)]})

    async def show_model(request: Request) -> Response:
        check_model(request.path_params["model_id"], service.info)
        return json_response(_model_json(service.info))

    return [
        Route("/v1/chat/completions", ChatCompletions(service, keep_alive_s), methods=["POST"]),
        Route("/v1/models", list_models),
        Route("/v1/models/{model_id:path}", show_model),
        *(Route(path, _not_served, methods=["GET", "POST"]) for path in _NOT_SERVED),
    ]


class ChatCompletions:
    """The endpoint: one request in, one answer or one stream of events out."""

    def __init__(self, service: ServiceLike, keep_alive_s: float) -> None:
        self._service = service
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a client that leaves ends its request wherever it is."""
        try:
            await self._answer(scope, receive, send)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            # The server stops, and the client deserves a word instead of a cut connection.
            raise ProblemError(SHUTDOWN) from None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = self._service.info
        document = await read_json(scope, receive)
        chat = parse_chat(document, context_tokens=info.context_tokens)
        check_model(chat.model, info)
        generate = Generate(
            request_id=scope[REQUEST_ID_KEY], messages=chat.messages, sampling=chat.sampling
        )
        reply = ChatReply(generate.request_id, info.model_id, int(time.time()), chat.ignored_fields)
        async with open_inbox(self._service, generate, receive) as inbox:
            if chat.stream:
                await self._stream(inbox, chat, reply, send)
            else:
                response = await _whole(inbox, reply)
                await response(scope, receive, send)

    async def _stream(self, inbox: Inbox, chat: ChatRequest, reply: ChatReply, send: Send) -> None:
        """Write events as news comes; an error that comes at once still becomes a status."""
        news = await inbox.next(self._keep_alive_s)
        if problem := _problem(news):
            raise ProblemError(problem)
        stream = EventStream(send)
        await stream.start()
        try:
            await stream.event(reply.role_chunk())
            receipt = await self._relay(inbox, news, reply, stream)
        except ProblemError as error:
            await stream.event(error.problem.body)
        except asyncio.CancelledError:
            await stream.event(SHUTDOWN.body)
        else:
            for chunk in reply.last_chunks(receipt, include_usage=chat.include_usage):
                await stream.event(chunk)
            await stream.event(b"[DONE]")
        await stream.end()

    async def _relay(
        self, inbox: Inbox, news: News, reply: ChatReply, stream: EventStream
    ) -> Receipt:
        """Pass text on until the end; raises ProblemError for a bad one."""
        while True:
            if news.text:
                await stream.event(reply.text_chunk(news.text))
            elif not news.end:
                await stream.comment(b"keep-alive")
            if problem := _problem(news):
                raise ProblemError(problem)
            if isinstance(news.end, Receipt):
                return news.end
            news = await inbox.next(self._keep_alive_s)


def check_model(name: str | None, info: ServiceInfo) -> None:
    """Raise ProblemError unless `name` means the model that is served."""
    if name is None or name in {info.model_id, info.name, "edgeinfer", "default"}:
        return
    raise ProblemError(
        Problem(
            status=404,
            code="model_not_found",
            message=f"The model {name[:128]!r} is not served here."
            f" This server has {info.model_id!r}, which also answers to 'default'.",
            param="model",
        )
    )


async def _whole(inbox: Inbox, reply: ChatReply) -> Response:
    """The complete answer."""
    pieces = []
    while True:
        news = await inbox.next()
        pieces.append(news.text)
        if problem := _problem(news):
            raise ProblemError(problem)
        if isinstance(news.end, Receipt):
            return reply.whole("".join(pieces), news.end)


def _problem(news: News) -> Problem | None:
    """Why the answer will never be complete; None while it may."""
    if isinstance(news.end, EdgeinferError):
        return to_problem(news.end)
    if isinstance(news.end, Receipt) and news.end.metrics.finish_reason == "cancelled":
        return CANCELLED
    return None


def _model_json(info: ServiceInfo) -> Json:
    return {
        "id": info.model_id,
        "object": "model",
        "created": info.created_s,
        "owned_by": "edgeinfer",
        "context_length": info.context_tokens,
        "quantization": info.quantization,
    }


async def _not_served(request: Request) -> Response:
    return Problem(
        status=501,
        code="not_implemented",
        message=f"{request.url.path} is not implemented. Use /v1/chat/completions.",
    ).response()
