"""The web application: every route, and every failure as JSON."""

import logging
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from edgeinfer.errors import EdgeinferError
from edgeinfer.server.errors import INTERNAL, Problem, ProblemError, to_problem
from edgeinfer.server.guard import REQUEST_ID_KEY, Guard
from edgeinfer.server.native import native_routes
from edgeinfer.server.openai import KEEP_ALIVE_S, openai_routes
from edgeinfer.service import ServiceLike

_log = logging.getLogger(__name__)


def build_app(
    service: ServiceLike, *, version: str, keep_alive_s: float = KEEP_ALIVE_S
) -> Starlette:
    """The application that serves `service`; it owns nothing and needs no shutdown."""
    app = Starlette(
        routes=[
            *openai_routes(service, keep_alive_s=keep_alive_s),
            *native_routes(service, version),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers=dict.fromkeys(
            (ProblemError, EdgeinferError, HTTPException, Exception), _answer_failure
        ),
    )
    app.router.redirect_slashes = False
    return app


async def _answer_failure(request: Request, error: Exception) -> Response:
    """A failure as JSON; of our own faults the log gets all, the client a number."""
    match error:
        case ProblemError():
            return error.problem.response()
        case EdgeinferError():
            return to_problem(error).response()
        case HTTPException():
            return _http_problem(request, error.status_code).response(error.headers)
    request_id = request.scope.get(REQUEST_ID_KEY, "")
    _log.error("Request %s failed unexpectedly.", request_id, exc_info=error)
    # uvicorn ends the connection after such a fault; a client that is told does not use it again.
    return INTERNAL.response({"x-request-id": request_id, "connection": "close"})


def _http_problem(request: Request, status: int) -> Problem:
    """No such route, or not this method."""
    place = f"{request.method} {request.url.path[:128]}"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{place} is not possible; see the Allow header."
        return Problem(status=status, code="method_not_allowed", message=message)
    message = f"There is no {place}. The API begins at /v1, and /health tells of the service."
    return Problem(status=status, code="not_found", message=message)
