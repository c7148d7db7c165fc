"""Every error that edgeinfer raises on purpose.

    EdgeinferError                  exit  what the caller can do
    ├─ UsageError                    2    correct the call
    │  ├─ UnknownModelError               pick one of the suggestions
    │  └─ InvalidRequestError             correct the named field
    ├─ ModelFileError                3    replace the file
    ├─ CapacityError                 4    ask for less, or later
    │  ├─ PromptTooLongError              shorten the prompt or raise the context
    │  ├─ InsufficientMemoryError         choose a smaller model
    │  └─ QueueFullError                  come back after retry_after_s
    ├─ WorkerError                   5    try again; the worker restarts by itself
    │  ├─ WorkerCrashedError
    │  ├─ WorkerHungError
    │  ├─ WorkerStartError
    │  └─ QuarantinedError                change the request: it killed the worker twice
    ├─ EngineError                   6    repair the installation (edgeinfer doctor)
    └─ StorageError                  7    free space, or grant the permission

A message is one sentence a person understands; the hint says what to do about it.
"""

from typing import ClassVar


class EdgeinferError(Exception):
    """Base of all errors meant for a person: `str()` is the sentence, `hint` the remedy or None."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(EdgeinferError):
    """The call itself is wrong."""

    exit_code = 2
    code = "usage"


class UnknownModelError(UsageError):
    """No stored model, catalogue id or file has this name."""

    code = "model_not_found"


class InvalidRequestError(UsageError):
    """A field of a request is outside its range; `param` names it."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.param = param


class ModelFileError(EdgeinferError):
    """A model file is damaged, truncated, unsupported or no GGUF at all."""

    exit_code = 3
    code = "model_file"


class CapacityError(EdgeinferError):
    """More was asked for than there is."""

    exit_code = 4
    code = "capacity"


class PromptTooLongError(CapacityError):
    """The prompt does not fit the context; both figures are tokens.

    `is_lower_bound` tells that the prompt was too long to be counted, and has more tokens still.
    """

    code = "context_length_exceeded"

    def __init__(self, n_prompt_tokens: int, n_ctx: int, *, is_lower_bound: bool = False) -> None:
        least = "at least " if is_lower_bound else ""
        super().__init__(
            f"The prompt has {least}{n_prompt_tokens:,} tokens, but the context holds {n_ctx:,}"
            " including at least one token of the answer.",
            hint="Shorten the prompt, or raise the context with --context.",
        )
        self.n_prompt_tokens = n_prompt_tokens
        self.is_lower_bound = is_lower_bound
        self.n_ctx = n_ctx


class InsufficientMemoryError(CapacityError):
    """The model does not fit into the memory that is free now."""

    code = "insufficient_memory"

    def __init__(
        self, message: str, *, needed_bytes: int, free_bytes: int, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class QueueFullError(CapacityError):
    """All slots are busy and the waiting line is full; try again after `retry_after_s` seconds."""

    code = "queue_full"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, hint=f"Try again in {retry_after_s:.0f} s.")
        self.retry_after_s = retry_after_s


class WorkerError(EdgeinferError):
    """The process that runs the model failed."""

    exit_code = 5
    code = "worker"


class WorkerCrashedError(WorkerError):
    """The worker process ended while it held the request."""

    code = "worker_crashed"


class WorkerHungError(WorkerError):
    """The worker process stopped making progress and was ended."""

    code = "worker_hung"


class WorkerStartError(WorkerError):
    """The worker process could not load its model."""

    code = "worker_start"


class QuarantinedError(WorkerError):
    """This very request ended the worker twice and is not run again."""

    code = "quarantined"


class EngineError(EdgeinferError):
    """The native library is missing, or none of its variants works on this CPU."""

    exit_code = 6
    code = "engine"


class StorageError(EdgeinferError):
    """The disk is full, or a folder cannot be read or written."""

    exit_code = 7
    code = "storage"
