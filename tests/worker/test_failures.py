import pytest

from edgeinfer import errors
from edgeinfer.errors import (
    EdgeinferError,
    InsufficientMemoryError,
    InvalidRequestError,
    PromptTooLongError,
    QueueFullError,
)
from edgeinfer.worker.failures import to_error, to_failed
from edgeinfer.worker.protocol import Failed, from_worker_decoder

FAILURES = [
    errors.ModelFileError("The file is damaged.", hint="Copy it again."),
    errors.CapacityError("Too much."),
    errors.WorkerCrashedError("It ended.", hint="Again."),
    errors.WorkerHungError("It hung."),
    errors.WorkerStartError("It did not start."),
    errors.QuarantinedError("Not again."),
    errors.EngineError("It refused."),
    errors.StorageError("The disk is full."),
    errors.UsageError("Wrong."),
    PromptTooLongError(700, 512),
    InsufficientMemoryError("Too large.", needed_bytes=9, free_bytes=4, hint="Less."),
    QueueFullError("Full.", retry_after_s=2.5),
    InvalidRequestError("Wrong.", param="messages", hint="Correct it."),
    InvalidRequestError("Wrong."),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_what_it_was(error: EdgeinferError) -> None:
    back = to_error(to_failed(error, "a"))
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_an_unknown_code_is_still_a_worker_error() -> None:
    assert type(to_error(Failed(code="new", message="What?"))) is errors.WorkerError


def test_garbage_is_no_message() -> None:
    with pytest.raises(ValueError, match="MessagePack"):
        from_worker_decoder.decode(b"\xc1")
