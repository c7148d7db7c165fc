"""How the next token is chosen from the logits."""

import math
from collections.abc import Mapping

import msgspec

from edgeinfer.errors import InvalidRequestError

MAX_STOPS = 16
MAX_STOP_BYTES = 256


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """Every knob of a request's sampling; they work inside llama.cpp in the order of the fields.

    None in `top_k`, `top_p`, `min_p` and `temperature` is what the model's file recommends, or else
    a usual value. `temperature` 0 is greedy. `max_tokens` None means until the context is full.
    `seed` None draws one. `top_k` 0 is off. The ranges are in the table below; a value outside
    raises InvalidRequestError.
    """

    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalty_last_n: int = 64
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            _check_range(name, getattr(self, name), low, high)
        _check_stops(self.stop)


class Shaping(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs that a model's file may recommend; the defaults are llama.cpp's."""

    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    temperature: float = 0.8

    @classmethod
    def recommended(cls, values: Mapping[str, float]) -> "Shaping":
        """What a file recommends; a value outside its range is ignored."""
        ranges = {name: (low, high) for name, low, high in _RANGES}
        sound = {
            name: value
            for name, value in values.items()
            if math.isfinite(value) and ranges[name][0] <= value <= ranges[name][1]
        }
        return msgspec.convert(sound, cls, strict=False)

    def wanted(self, sampling: SamplingParams) -> "Shaping":
        """The same with what a request asks for."""
        asked = {name: getattr(sampling, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            self, **{name: value for name, value in asked.items() if value is not None}
        )


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("repeat_penalty", 0.01, 2.0),
    ("frequency_penalty", -2.0, 2.0),
    ("presence_penalty", -2.0, 2.0),
    ("penalty_last_n", 0, 8192),
    ("top_k", 0, 1_000_000),
    ("top_p", 0.0, 1.0),
    ("min_p", 0.0, 1.0),
    ("temperature", 0.0, 5.0),
    ("seed", 0, 2**32 - 2),
    ("max_tokens", 1, 2**31 - 1),
)


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is None:
        return
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidRequestError(
            f"{name} is {value}, but must lie between {low} and {high}.", param=name
        )


def _check_stops(stops: tuple[str, ...]) -> None:
    if len(stops) > MAX_STOPS:
        raise InvalidRequestError(
            f"There are {len(stops)} stop strings; at most {MAX_STOPS} are taken.", param="stop"
        )
    for stop in stops:
        if not 1 <= len(stop.encode()) <= MAX_STOP_BYTES:
            raise InvalidRequestError(
                f"A stop string must have 1 to {MAX_STOP_BYTES} bytes.", param="stop"
            )
