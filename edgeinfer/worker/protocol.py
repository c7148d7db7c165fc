"""What the service and its worker say to each other: typed messages over a socketpair.

A frame is a four-byte big-endian length and that many bytes of MessagePack. Everything here is a
frozen value.
"""

import socket
import struct
import uuid
from collections.abc import Iterator
from typing import Literal

import msgspec

from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.usage import TokenUsage

# Stands for a descriptor where none can be inherited: the socket comes through standard input.
SHARED_SOCKET = "shared"
MAX_FRAME_BYTES = 32 * 1024 * 1024
_LENGTH = struct.Struct(">I")

FinishReason = Literal["stop", "length", "cancelled"]


def new_request_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex


class Start(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first message: which model to load, and how."""

    model_path: str
    cpu_library: str
    variant: str
    accelerators: tuple[str, ...] = ()
    slots: int = 1
    context_tokens: int | None = None
    step_tokens: int = 256
    max_waiting: int = 64
    threads: int = 1
    gpu_layers: int = 0
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"


class Generate(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """One request: a conversation, or raw text when `messages` is empty.

    `namespace` separates tenants: KV entries are never shared across namespaces. No two requests
    under way may have the same `request_id`.
    """

    request_id: str = msgspec.field(default_factory=new_request_id)
    messages: tuple[ChatMessage, ...] = ()
    prompt: str = ""
    sampling: SamplingParams = SamplingParams()
    namespace: str = ""


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop a request wherever it is."""

    request_id: str


class Ready(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The model is loaded; its facts, and the sandbox that the worker got."""

    name: str
    quantization: str
    parameters: int
    size_bytes: int
    context_tokens: int
    trained_context_tokens: int
    slots: int
    has_chat_template: bool
    variant: str
    threads: int
    sandbox: str
    load_s: float


class Progress(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """New text of a request with its counters so far; the last one carries `finish_reason`.

    Times are seconds since the worker took the request: until it got a slot, until its first token,
    and until now.
    """

    request_id: str
    text: str
    usage: TokenUsage
    queue_s: float
    ttft_s: float
    elapsed_s: float
    finish_reason: FinishReason | None = None


class Work(msgspec.Struct, frozen=True, tag=True):
    """Tokens computed in one step, for sharing out energy: `(request_id, prefill, decode)`."""

    items: tuple[tuple[str, int, int], ...]


class Failed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An error as a value: `code` names the class of edgeinfer.errors.

    Without a `request_id` it is the worker itself that failed.
    """

    code: str
    message: str
    request_id: str | None = None
    hint: str | None = None
    details: dict[str, str | int | float | None] = {}


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The worker is alive; `busy_s` is how long the step under way has taken, 0 between steps."""

    busy_s: float


ToWorker = Start | Generate | Cancel
FromWorker = Ready | Progress | Work | Failed | Heartbeat

_encoder = msgspec.msgpack.Encoder()
to_worker_decoder = msgspec.msgpack.Decoder(ToWorker)
from_worker_decoder = msgspec.msgpack.Decoder(FromWorker)


def encode_frame(message: ToWorker | FromWorker) -> bytes:
    """Length and body, ready to be sent."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def read_frames(stream: socket.socket) -> Iterator[bytes]:
    """Bodies of the frames that arrive, until the other side closes or a frame is oversized."""
    with stream.makefile("rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            if length > MAX_FRAME_BYTES:
                return
            body = file.read(length)
            if len(body) < length:
                return
            yield body
