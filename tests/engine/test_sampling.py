import math

import pytest

from edgeinfer.engine.sampling import SamplingParams
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
