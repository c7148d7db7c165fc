"""Answers on the wire: chat completions whole and in chunks, each with its receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from edgeinfer.metrics import EnergyUse, RequestMetrics
from edgeinfer.service import Receipt
from edgeinfer.usage import TokenUsage

Json = Mapping[str, object]


def json_response(value: object) -> Response:
    """Any value as JSON; money stands as text, so that no digit is lost."""
    return Response(msgspec.json.encode(value), media_type="application/json")


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What all parts of one answer have in common."""

    request_id: str
    model: str
    created_s: int
    ignored_fields: Sequence[str] = ()

    def whole(self, text: str, receipt: Receipt) -> Response:
        """The answer in one piece."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = self._choice({"message": message}, receipt.metrics.finish_reason)
        return json_response(
            {**self._head("chat.completion"), "choices": [choice], **self._account(receipt)}
        )

    def role_chunk(self) -> bytes:
        """The first chunk: the only one with a role, which clients would add up."""
        return self._chunk({"role": "assistant", "content": ""})

    def text_chunk(self, text: str) -> bytes:
        """New text."""
        return self._chunk({"content": text})

    def last_chunks(self, receipt: Receipt, *, include_usage: bool) -> list[bytes]:
        """The finish reason, and the usage if asked for; the last chunk has the receipt."""
        finish = receipt.metrics.finish_reason
        if not include_usage:
            return [self._chunk({}, finish, {"edgeinfer": self._receipt(receipt)})]
        head = self._head("chat.completion.chunk")
        usage = msgspec.json.encode({**head, "choices": [], **self._account(receipt)})
        return [self._chunk({}, finish), usage]

    def _chunk(
        self, delta: Json, finish_reason: str | None = None, extra: Json | None = None
    ) -> bytes:
        choice = self._choice({"delta": delta}, finish_reason)
        head = self._head("chat.completion.chunk")
        return msgspec.json.encode({**head, "choices": [choice], **(extra or {})})

    def _head(self, kind: str) -> Json:
        return {
            "id": f"chatcmpl-{self.request_id}",
            "object": kind,
            "created": self.created_s,
            "model": self.model,
        }

    def _choice(self, content: Json, finish_reason: str | None) -> Json:
        return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}

    def _account(self, receipt: Receipt) -> Json:
        return {"usage": usage_json(receipt.metrics.usage), "edgeinfer": self._receipt(receipt)}

    def _receipt(self, receipt: Receipt) -> Json:
        return {**receipt_json(receipt), "ignored_fields": self.ignored_fields}


def usage_json(usage: TokenUsage) -> Json:
    """Token counts under OpenAI's names."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def receipt_json(receipt: Receipt) -> Json:
    """What an answer took, and what it would have cost elsewhere; null is "not known"."""
    metrics = receipt.metrics
    return {
        "model": metrics.model,
        "quantization": metrics.quantization,
        "queue_s": metrics.queue_s,
        "ttft_s": metrics.ttft_s,
        "prefill_s": metrics.prefill_s,
        "decode_s": metrics.decode_s,
        "prefill_tokens_per_s": metrics.prefill_tokens_per_s,
        "decode_tokens_per_s": metrics.decode_tokens_per_s,
        "energy": _energy_json(metrics.energy, metrics),
        "costs": metrics.costs,
        "verdict": receipt.verdict,
        "assumptions": receipt.assumptions,
    }


def _energy_json(energy: EnergyUse | None, metrics: RequestMetrics) -> Json | None:
    if energy is None:
        return None
    return {
        "joules": energy.joules,
        "j_per_token": energy.per_token(metrics.usage.completion_tokens),
        "low_joules": energy.low_joules,
        "high_joules": energy.high_joules,
        "source": energy.source,
        "coverage": energy.coverage,
        "meter": energy.meter,
    }
