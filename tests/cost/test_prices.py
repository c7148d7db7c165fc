from datetime import date
from decimal import Decimal

import pytest

from edgeinfer.cost.hosted import HOSTED, default_like_for_like, explain_likeness
from edgeinfer.cost.prices import DEFAULT_FRONTIER, CloudPrice, PriceTier, load_prices
from edgeinfer.errors import UsageError
from edgeinfer.usage import TokenUsage

MILLION = 1_000_000


@pytest.fixture(scope="module")
def table():
    return load_prices()


@pytest.fixture
def tiered():
    above = PriceTier(100, Decimal(5), Decimal(1), Decimal(10))
    checked = date(2026, 11, 20)
    return CloudPrice("p", "m", Decimal(1), None, Decimal(2), checked, "a table", (above,))


def test_every_price_has_a_source_and_a_date(table):
    assert all(price.source and price.as_of >= date(2026, 1, 1) for price in table.prices)


def test_every_price_is_above_zero_and_reuse_is_never_dearer(table):
    for price in table.prices:
        assert min(price.input_usd_per_mtok, price.output_usd_per_mtok) > 0
        assert (price.cached_usd_per_mtok or 0) <= price.input_usd_per_mtok


def test_no_price_is_listed_twice(table):
    ids = [price.price_id for price in table.prices]
    assert len(ids) == len(set(ids)) >= 40


@pytest.mark.parametrize(
    ("price_id", "usd"),
    [
        ("anthropic/claude-opus-5-5", "24"),
        ("anthropic/claude-haiku-5-5", "0.6"),
        ("openai/gpt-6-luna", "0.6"),
        ("openrouter/qwen/qwen3-8b", "0.173"),
        ("aws/meta.llama3-2-1b-instruct-v1:0", "0.2"),
    ],
)
def test_a_million_tokens_in_and_out_cost_the_list_price(table, price_id, usd):
    usage = TokenUsage(prompt_tokens=MILLION, completion_tokens=MILLION)
    assert table.find(price_id).charge(usage, requests=1000) == Decimal(usd)


def test_reused_prompt_tokens_are_charged_as_such(table):
    usage = TokenUsage(prompt_tokens=10_000, cached_tokens=8_000, completion_tokens=100)
    charge = table.find(DEFAULT_FRONTIER).charge(usage)
    assert charge == Decimal("0.0116")  # 2,000 x $4 + 8,000 x $0.20 + 100 x $20 a million


def test_without_a_price_for_reuse_the_prompt_is_charged_in_full(tiered):
    usage = TokenUsage(prompt_tokens=100, cached_tokens=90)
    assert tiered.charge(usage) == Decimal(100) / MILLION


def test_a_long_prompt_makes_the_whole_request_dearer(tiered):
    usage = TokenUsage(prompt_tokens=101, completion_tokens=10)
    assert tiered.charge(usage) == Decimal(605) / MILLION


def test_many_short_prompts_do_not_reach_the_tier_of_a_long_one(tiered):
    usage = TokenUsage(prompt_tokens=200, completion_tokens=10)
    assert tiered.charge(usage, requests=2) == Decimal(220) / MILLION


@pytest.mark.parametrize(
    ("asked", "suggestion"),
    [
        ("claude-opus", "anthropic/claude-opus-5-5"),
        ("anthropic/claude-opus-5.5", "anthropic/claude-opus-5-5"),
        ("qwen3-8b", "openrouter/qwen/qwen3-8b"),
    ],
)
def test_an_unknown_price_is_answered_with_similar_ones(table, asked, suggestion):
    with pytest.raises(UsageError, match="No cloud price") as caught:
        table.find(asked)
    assert suggestion in caught.value.hint


def test_a_hopeless_name_is_answered_with_the_form_of_a_name(table):
    with pytest.raises(UsageError) as caught:
        table.find("§")
    assert caught.value.hint == "Name it as provider/model."


def test_a_price_is_found_whatever_its_case(table):
    assert table.find(" Anthropic/Claude-Opus-5-5 ").price_id == DEFAULT_FRONTIER


@pytest.mark.parametrize(("today", "stale"), [((2027, 2, 18), False), ((2027, 2, 19), True)])
def test_a_price_is_stale_after_ninety_days(table, today, stale):
    assert table.find(DEFAULT_FRONTIER).is_stale(date(*today)) is stale
    assert table.is_stale(date(*today)) is stale


@pytest.mark.parametrize("hosted", HOSTED, ids=lambda hosted: hosted.price_id)
def test_every_hosted_model_has_a_price(table, hosted):
    assert table.find(hosted.price_id).price_id == hosted.price_id


@pytest.mark.parametrize(
    ("parameters", "price_id"),
    [
        (4_000_000, "aws/meta.llama3-2-1b-instruct-v1:0"),
        (1_720_000_000, "openrouter/liquid/lfm-3-1.7b"),
        (4_020_000_000, "openrouter/microsoft/phi-4-mini-instruct"),
        (8_190_000_000, "openrouter/qwen/qwen3-8b"),
        (9_000_000_000_000, "groq/openai/gpt-oss-120b"),
    ],
)
def test_like_for_like_is_the_hosted_model_nearest_in_size(parameters, price_id):
    assert default_like_for_like(parameters) == price_id


def test_a_hosted_model_of_the_same_size_needs_no_word():
    assert explain_likeness(8_000_000_000, "openrouter/qwen/qwen3-8b") is None


def test_a_tiny_local_model_is_said_to_have_no_equal():
    clause = explain_likeness(4_000_000, "aws/meta.llama3-2-1b-instruct-v1:0")
    assert "no hosted model is as small as 4 million parameters" in clause


def test_a_model_of_another_size_is_said_to_be_one():
    clause = explain_likeness(30_000_000_000, "openrouter/qwen/qwen3-8b")
    assert clause == "it has 8.19 billion parameters, the local model 30 billion"


def test_a_model_of_unknown_size_is_compared_without_a_word():
    assert explain_likeness(4_000_000, DEFAULT_FRONTIER) is None
