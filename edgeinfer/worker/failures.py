"""Errors as values on the wire, and back."""

from edgeinfer import errors
from edgeinfer.errors import (
    EdgeinferError,
    InsufficientMemoryError,
    InvalidRequestError,
    PromptTooLongError,
    QueueFullError,
)
from edgeinfer.worker.protocol import Failed

RESTART_HINT = "Send the request again; the worker restarts by itself."

_PLAIN: dict[str, type[EdgeinferError]] = {
    kind.code: kind
    for kind in (
        errors.ModelFileError,
        errors.CapacityError,
        errors.WorkerCrashedError,
        errors.WorkerHungError,
        errors.WorkerStartError,
        errors.QuarantinedError,
        errors.EngineError,
        errors.StorageError,
        errors.UsageError,
    )
}


def to_failed(error: EdgeinferError, request_id: str | None = None) -> Failed:
    """The error as a message; its figures travel in `details`."""
    return Failed(
        code=error.code,
        message=str(error),
        request_id=request_id,
        hint=error.hint,
        details=_details(error),
    )


def to_error(failed: Failed) -> EdgeinferError:
    """The error that the other side meant."""
    details = failed.details
    match failed.code:
        case PromptTooLongError.code:
            return PromptTooLongError(
                _whole(details, "n_prompt_tokens"),
                _whole(details, "n_ctx"),
                is_lower_bound=bool(details["is_lower_bound"]),
            )
        case InsufficientMemoryError.code:
            return InsufficientMemoryError(
                failed.message,
                needed_bytes=_whole(details, "needed_bytes"),
                free_bytes=_whole(details, "free_bytes"),
                hint=failed.hint,
            )
        case QueueFullError.code:
            return QueueFullError(
                failed.message, retry_after_s=float(details["retry_after_s"] or 0)
            )
        case InvalidRequestError.code:
            param = details.get("param")
            return InvalidRequestError(
                failed.message, param=None if param is None else str(param), hint=failed.hint
            )
    return _PLAIN.get(failed.code, errors.WorkerError)(failed.message, hint=failed.hint)


def _details(error: EdgeinferError) -> dict[str, str | int | float | None]:
    match error:
        case PromptTooLongError():
            return {
                "n_prompt_tokens": error.n_prompt_tokens,
                "n_ctx": error.n_ctx,
                "is_lower_bound": int(error.is_lower_bound),
            }
        case QueueFullError():
            return {"retry_after_s": error.retry_after_s}
        case InvalidRequestError():
            return {"param": error.param}
        case InsufficientMemoryError():
            return {"needed_bytes": error.needed_bytes, "free_bytes": error.free_bytes}
    return {}


def _whole(details: dict[str, str | int | float | None], name: str) -> int:
    return int(details[name] or 0)
