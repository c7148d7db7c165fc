"""Errors as HTTP answers: one table from edgeinfer.errors to status, type and retry headers."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from starlette.responses import Response

from edgeinfer.errors import (
    CapacityError,
    EdgeinferError,
    InsufficientMemoryError,
    InvalidRequestError,
    PromptTooLongError,
    QuarantinedError,
    QueueFullError,
    UnknownModelError,
    UsageError,
    WorkerError,
    WorkerStartError,
)

ProblemType = Literal["invalid_request_error", "rate_limit_error", "server_error"]

# OpenAI's client gives up at once when it is told to wait longer (openai 3.52, read 2026-11).
MAX_RETRY_AFTER_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a client is told. `retry_after_s` None: the same request cannot succeed later."""

    status: int
    code: str
    message: str
    type: ProblemType = "invalid_request_error"
    param: str | None = None
    figures: Mapping[str, int] = field(default_factory=dict)
    retry_after_s: float | None = None

    @property
    def body(self) -> bytes:
        """JSON as OpenAI's clients read it, in a response as well as in an event."""
        error = {"message": self.message, "type": self.type, "code": self.code, "param": self.param}
        return msgspec.json.encode({"error": {**error, **self.figures}})

    @property
    def headers(self) -> dict[str, str]:
        """Whether and when to try again; without them clients repeat every 5xx at once."""
        if self.retry_after_s is None:
            return {"x-should-retry": "false"}
        return {"retry-after": str(min(MAX_RETRY_AFTER_S, math.ceil(self.retry_after_s)))}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The whole answer."""
        return Response(
            self.body,
            self.status,
            headers={**self.headers, **(headers or {})},
            media_type="application/json",
        )


class ProblemError(Exception):
    """Ends the handling of a request with `problem`; never leaves the server."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class ClientGoneError(Exception):
    """The client closed its connection, so nobody waits for an answer."""


SHUTDOWN = Problem(
    status=503,
    code="server_shutdown",
    message="The server is shutting down.",
    type="server_error",
    retry_after_s=5,
)
CANCELLED = Problem(
    status=503,
    code="cancelled",
    message="The request was cancelled on the server.",
    type="server_error",
)
INTERNAL = Problem(
    status=500,
    code="internal_error",
    message="The server failed on this request. Its own log says why.",
    type="server_error",
)


@dataclass(frozen=True, slots=True)
class _Row:
    kind: type[EdgeinferError]
    status: int
    type: ProblemType
    retry_after_s: float | None = None


# The first row that fits holds. A request that killed its worker may come again: it then runs
# alone, and is refused for good if it does it twice.
_ROWS = (
    _Row(UnknownModelError, 404, "invalid_request_error"),
    _Row(UsageError, 400, "invalid_request_error"),
    _Row(PromptTooLongError, 400, "invalid_request_error"),
    _Row(QuarantinedError, 400, "invalid_request_error"),
    _Row(InsufficientMemoryError, 507, "server_error"),
    _Row(QueueFullError, 429, "rate_limit_error", 1),
    _Row(CapacityError, 503, "server_error"),
    _Row(WorkerStartError, 503, "server_error"),
    _Row(WorkerError, 502, "server_error", 1),
    _Row(EdgeinferError, 500, "server_error"),
)


def invalid(
    message: str, *, code: str = "invalid_request", param: str | None = None
) -> ProblemError:
    """The client's mistake, answered with 400."""
    return ProblemError(Problem(status=400, code=code, message=message, param=param))


def to_problem(error: EdgeinferError) -> Problem:
    """What a client is told of an error: never a path or an address of this machine."""
    row = next(row for row in _ROWS if isinstance(error, row.kind))
    sentence = f"{error} {error.hint}" if error.hint else str(error)
    return Problem(
        status=row.status,
        code=error.code,
        message=redact(sentence),
        type=row.type,
        param=_param(error),
        figures=_figures(error),
        retry_after_s=error.retry_after_s
        if isinstance(error, QueueFullError)
        else row.retry_after_s,
    )


_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
_PATH = re.compile(r"(?:(?<![\w.<])~?/|\b[A-Za-z]:\\)[^\s'\"`,;:()<>]+(?<![.])")


def redact(sentence: str) -> str:
    """The sentence without file paths and memory addresses."""
    return _PATH.sub("<path>", _ADDRESS.sub("<address>", sentence))


def _param(error: EdgeinferError) -> str | None:
    match error:
        case InvalidRequestError():
            return error.param
        case PromptTooLongError():
            return "messages"
        case UnknownModelError():
            return "model"
    return None


def _figures(error: EdgeinferError) -> dict[str, int]:
    match error:
        case PromptTooLongError():
            return {"n_prompt_tokens": error.n_prompt_tokens, "n_ctx": error.n_ctx}
        case InsufficientMemoryError():
            return {"needed_bytes": error.needed_bytes, "free_bytes": error.free_bytes}
    return {}
