"""Runs where there is no network but lo: loads the guide, answers, and prints what came of it."""

import json
import sys
from pathlib import Path

from edgeinfer import ChatMessage, Generate, LaunchOptions, Receipt, Runtime, SamplingParams
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener

FORBIDDEN = ("llama_cpp", "huggingface_hub", "onnxruntime", "httpx", "requests", "urllib3")


def resident_bytes(process_id: int | str) -> int:
    """Memory of a process that is in RAM, 0 where that cannot be read."""
    path = Path(f"/proc/{process_id}/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    """Serve, answer once, and say how."""
    runtime = Runtime.default()
    options = LaunchOptions(context_tokens=512, slots=4)
    sampling = SamplingParams(temperature=0, max_tokens=16)
    question = Generate(messages=(ChatMessage("user", "What is edgeinfer?"),), sampling=sampling)
    with Listener() as listener, runtime.open_service(runtime.choose_model(), options) as service:
        listener.start_in_thread(build_app(service, version="0"))
        *deltas, receipt = service.stream(question)
        report = {
            "text": "".join(getattr(delta, "text", "") for delta in deltas),
            "finished": isinstance(receipt, Receipt),
            "sandbox": service.info.sandbox,
            "forbidden": sorted(set(FORBIDDEN) & set(sys.modules)),
            "service_bytes": resident_bytes("self"),
            "worker_bytes": resident_bytes(service.process_id),
        }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
