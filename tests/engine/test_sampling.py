import math

import pytest

from edgeinfer.engine.sampling import SamplingParams, Shaping
from edgeinfer.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", math.nan),
        ("temperature", -0.1),
        ("top_p", math.inf),
        ("top_p", 1.5),
        ("min_p", -1.0),
        ("top_k", -1),
        ("max_tokens", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("frequency_penalty", 2.1),
        ("repeat_penalty", 0.0),
        ("stop", ("",)),
        ("stop", ("x" * 257,)),
        ("stop", ("x",) * 17),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SamplingParams(**{field: value})  # type: ignore[arg-type]
    assert caught.value.param == field


def test_the_defaults_are_in_range() -> None:
    assert SamplingParams().max_tokens is None


def test_what_a_request_leaves_open_is_what_the_model_recommends() -> None:
    own = Shaping.recommended({"temperature": 0.3, "top_k": 7})
    wanted = own.wanted(SamplingParams(top_k=0))
    assert (wanted.temperature, wanted.top_k, wanted.top_p) == (0.3, 0, Shaping().top_p)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 5.5])
def test_a_recommendation_out_of_range_is_ignored(value: float) -> None:
    assert Shaping.recommended({"temperature": value}) == Shaping()
