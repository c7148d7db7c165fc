"""A worker whose model is a script: `python scripted_child.py MODE FD`, and MODE goes wrong."""

import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

from edgeinfer.engine.runner import ModelRunner
from edgeinfer.engine.sequence import Batch, StepOutput
from edgeinfer.errors import EngineError, ModelFileError
from edgeinfer.testing import ScriptedRunner
from edgeinfer.worker import child
from edgeinfer.worker.loop import Outbox
from edgeinfer.worker.protocol import Heartbeat, Ready, Start, read_frames

CONTEXT_TOKENS = 4096
STEP_S = 0.005

READY = Ready(
    name="scripted",
    quantization="none",
    parameters=0,
    size_bytes=0,
    context_tokens=CONTEXT_TOKENS,
    trained_context_tokens=CONTEXT_TOKENS,
    slots=2,
    has_chat_template=False,
    variant="none",
    threads=1,
    sandbox="none",
    load_s=0.0,
)


class Runner(ScriptedRunner):
    """Says what it is told, slowly; "raise", "refuse" and "die" do as they say."""

    def run(self, batch: Batch) -> StepOutput:
        """One step, after a while."""
        prompts = [bytes(admission.prompt_tokens) for admission in batch.admissions]
        if b"raise" in prompts:
            raise ZeroDivisionError("boom")
        if b"refuse" in prompts:
            raise EngineError("The native library refused a step.")
        if b"die" in prompts:
            os.abort()
        time.sleep(STEP_S)
        return super().run(batch)


def open_runner(start: Start) -> ModelRunner:
    runner = Runner(slots=start.slots, context_tokens=CONTEXT_TOKENS)
    runner.facts = replace(runner.facts, name=start.model_path)
    return runner


def refuse_file(_start: Start) -> ModelRunner:
    raise ModelFileError("The file is damaged.", hint="Copy it again.")


def wait_for_file(start: Start) -> ModelRunner:
    if not Path(start.model_path).exists():
        raise ModelFileError("The file is damaged.")
    return open_runner(start)


def load_forever(_start: Start) -> ModelRunner:
    time.sleep(3600)
    raise SystemExit


def fall_over(_start: Start) -> ModelRunner:
    raise ZeroDivisionError("boom")


def never_read(stream: socket.socket) -> None:
    """Alive by its heartbeat, deaf to everything that is sent."""
    Outbox(stream).send(READY)
    while True:
        Outbox(stream).send(Heartbeat(0.0))
        time.sleep(0.1)


def speak_nonsense(stream: socket.socket) -> None:
    frames = read_frames(stream)
    next(frames)
    Outbox(stream).send(READY)
    next(frames)
    stream.sendall(b"\0\0\0\1\xc1")
    time.sleep(3600)


LOADERS = {
    "serve": open_runner,
    "refuse": refuse_file,
    "wait": wait_for_file,
    "load": load_forever,
    "fall": fall_over,
}
STRANGERS = {"deaf": never_read, "nonsense": speak_nonsense}

if __name__ == "__main__":
    mode, descriptor = sys.argv[1], int(sys.argv[2])
    if mode in LOADERS:
        child.main(socket.socket(fileno=descriptor), open_runner=LOADERS[mode])
    else:
        STRANGERS[mode](socket.socket(fileno=descriptor))
