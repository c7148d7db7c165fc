import socket

import pytest

from edgeinfer.worker.protocol import (
    MAX_FRAME_BYTES,
    Cancel,
    Generate,
    Start,
    ToWorker,
    encode_frame,
    new_request_id,
    read_frames,
    to_worker_decoder,
)

MESSAGES: list[ToWorker] = [
    Cancel("a"),
    Generate(request_id="a", prompt="hello"),
    Start(model_path="m", cpu_library="l", variant="x64"),
]


def frames_of(content: bytes) -> list[bytes]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(content)
        ours.shutdown(socket.SHUT_WR)
        return list(read_frames(theirs))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was(message: ToWorker) -> None:
    (frame,) = frames_of(encode_frame(message))
    assert to_worker_decoder.decode(frame) == message


def test_frames_come_in_order() -> None:
    content = b"".join(encode_frame(Cancel(name)) for name in "abc")
    assert [to_worker_decoder.decode(frame) for frame in frames_of(content)] == [
        Cancel("a"),
        Cancel("b"),
        Cancel("c"),
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0", b"\0\0\0\5abc", (MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x"],
    ids=["nothing", "half a length", "half a body", "too long"],
)
def test_a_torn_or_oversized_frame_ends_the_stream(content: bytes) -> None:
    assert frames_of(content) == []


def test_every_request_has_an_id_of_its_own() -> None:
    assert len({new_request_id(), Generate().request_id, Generate().request_id}) == 3
