"""Routes of edgeinfer's own: is it alive, can it answer, and how is it doing?"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgeinfer.metrics import ServiceState
from edgeinfer.server.errors import Problem
from edgeinfer.server.replies import json_response
from edgeinfer.service import ServiceLike

_LOADING_RETRY_S = 2.0


def native_routes(service: ServiceLike, version: str) -> list[Route]:
    """`/health`, `/ready` and `/edgeinfer/v1/snapshot`."""

    async def health(_request: Request) -> Response:
        state = service.snapshot().state
        return json_response({"status": "ok", "worker": state, "version": version})

    async def ready(_request: Request) -> Response:
        state = service.snapshot().state
        if state == "ready":
            return json_response({"status": "ready", "model": service.info.model_id})
        return not_ready(state).response()

    async def snapshot(_request: Request) -> Response:
        return json_response(service.snapshot())

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/edgeinfer/v1/snapshot", snapshot),
    ]


def not_ready(state: ServiceState) -> Problem:
    """Why no request can be answered now."""
    failed = state == "failed"
    return Problem(
        status=503,
        code="model_failed" if failed else "model_loading",
        message="The model could not be loaded." if failed else "The model is being loaded.",
        type="server_error",
        retry_after_s=None if failed else _LOADING_RETRY_S,
    )
