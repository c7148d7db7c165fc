from decimal import Decimal

import pytest

from edgeinfer.cost.hosted import default_like_for_like
from edgeinfer.cost.model import CostModel, HardwarePrice
from edgeinfer.cost.prices import DEFAULT_FRONTIER, load_prices
from edgeinfer.cost.tariffs import load_tariffs
from edgeinfer.errors import UsageError
from edgeinfer.usage import TokenUsage

TARIFFS = load_tariffs()
PRICES = load_prices()
FRONTIER = PRICES.find(DEFAULT_FRONTIER)
SMALL = PRICES.find("openrouter/qwen/qwen3-8b")
ANSWER = TokenUsage(prompt_tokens=1_000, completion_tokens=500)
KWH = 3_600_000.0


def model_in(country="FR", like_for_like=SMALL, **further):
    return CostModel(TARIFFS.find(country), like_for_like, FRONTIER, **further)


@pytest.mark.parametrize(
    ("country", "kwh", "usd"),
    [
        ("DZ", 100, "4.00"),  # 100 kWh x $0.04
        ("FR", 100, "28.00"),  # 100 kWh x $0.28
        ("USA", 2.5, "0.45"),  # 2.5 kWh x $0.18
    ],
)
def test_electricity_costs_energy_times_tariff(country, kwh, usd):
    assert model_in(country).compare(ANSWER, kwh * KWH).local_usd == Decimal(usd)


def test_a_month_of_answers_in_france_costs_what_a_hand_calculates():
    usage = TokenUsage(20_000_000, 5_000_000, 10_000_000)
    comparison = model_in().compare(usage, 25_000_000.0, requests=20_000)
    cents = [item.usd.quantize(Decimal("0.01")) for item in comparison.clouds]
    assert comparison.local_usd.quantize(Decimal("0.01")) == Decimal("1.94")
    # 20 x 0.035 + 10 x 0.138 without a price for reuse; 15 x 4 + 5 x 0.20 + 10 x 20
    assert cents == [Decimal("2.08"), Decimal("261.00")]


def test_the_local_machine_can_be_cheaper():
    comparison = model_in().compare(ANSWER, 500.0)
    assert comparison.cheaper == "local"
    assert comparison.sentence == (
        "Local is cheaper: $0.000039 of electricity here, $0.00010 at openrouter/qwen/qwen3-8b."
    )


def test_the_cloud_is_said_to_be_cheaper_when_it_is():
    comparison = model_in().compare(ANSWER, 5_000.0)
    assert comparison.cheaper == "cloud"
    assert comparison.sentence == (
        "The cloud is cheaper: openrouter/qwen/qwen3-8b charges $0.00010 for these tokens,"
        " electricity costs $0.00039 here."
    )


def test_a_modelled_range_around_the_cloud_price_decides_nothing():
    comparison = model_in().compare(ANSWER, 1_300.0, joules_range=(500.0, 5_000.0))
    assert comparison.cheaper == "unknown"
    assert comparison.sentence.startswith("Too close to call")


def test_a_modelled_range_is_said_to_be_one():
    comparison = model_in().compare(ANSWER, 300.0, joules_range=(100.0, 500.0))
    assert comparison.cheaper == "local"
    assert "Energy is modelled, not measured: $0.0000078 to $0.000039 here." in (
        comparison.assumptions
    )


@pytest.mark.parametrize(
    ("country", "usage", "joules", "sentence"),
    [
        ("FR", ANSWER, None, "The energy used is not known"),
        ("SN", ANSWER, 100.0, "No electricity price is listed for Senegal"),
        ("FR", TokenUsage(), 100.0, "No tokens yet"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_decided(country, usage, joules, sentence):
    comparison = model_in(country).compare(usage, joules)
    assert comparison.cheaper == "unknown"
    assert comparison.sentence.startswith(sentence)


def test_an_unknown_tariff_is_no_cost_of_zero():
    comparison = model_in("SN").compare(ANSWER, 100.0)
    assert comparison.local_usd is None
    assert "not known" in comparison.local_basis
    assert any("Senegal" in line for line in comparison.assumptions)


def test_carbon_is_energy_times_the_grid():
    assert model_in("FR").compare(ANSWER, KWH).local_gco2 == Decimal("56.039")


def test_without_a_like_for_like_model_the_frontier_decides():
    comparison = model_in(like_for_like=None).compare(ANSWER, 5_000.0)
    assert [item.label for item in comparison.clouds] == [DEFAULT_FRONTIER]
    assert comparison.cheaper == "local"


def test_the_line_of_a_stand_in_says_that_it_is_one():
    stand_in = PRICES.find(default_like_for_like(4_000_000))
    comparison = model_in(like_for_like=stand_in, parameters=4_000_000).compare(ANSWER, 1.0)
    assert "no hosted model is as small as 4 million" in comparison.clouds[0].basis


def test_every_cloud_line_carries_the_date_of_its_price():
    comparison = model_in(parameters=8_190_000_000).compare(ANSWER, 1.0)
    assert all("as of 2026-11-20" in item.basis for item in comparison.clouds)


def test_the_machine_is_counted_when_its_price_is_given():
    machine = HardwarePrice(Decimal(1461), Decimal(4), 1_000, share=Decimal("0.5"))
    comparison = model_in(hardware=machine).compare(ANSWER, KWH)
    # half of $1,461 over 1,461 days of 1,000 tokens is $0.0005 a token
    assert comparison.local_usd == Decimal("0.28") + 1_500 * Decimal("0.0005")
    assert "electricity and machine" in comparison.sentence


def test_a_machine_without_a_lifetime_is_refused():
    with pytest.raises(UsageError, match="lifetime"):
        HardwarePrice(Decimal(1000), Decimal(0), 1_000)


@pytest.mark.parametrize(
    ("tariff", "basis"),
    [
        (TARIFFS.default, "electricity, $0.165/kWh (assumed: world average)"),
        (TARIFFS.find("DZ"), "electricity, $0.04/kWh (Algeria)"),
        (TARIFFS.find("DZ").with_price("0.05"), "electricity, $0.05/kWh (your own price)"),
    ],
)
def test_the_origin_of_the_tariff_is_said(tariff, basis):
    comparison = CostModel(tariff, SMALL, FRONTIER).compare(ANSWER, 1.0)
    assert comparison.local_basis == basis


def test_a_missing_price_for_reused_tokens_is_said():
    usage = TokenUsage(1_000, 900, 100)
    comparison = model_in().compare(usage, 1.0)
    assert any("charged in full" in line for line in comparison.assumptions)


def test_a_note_on_a_price_is_passed_on():
    peak = PRICES.find("deepseek/deepseek-flash")
    comparison = model_in(like_for_like=peak).compare(ANSWER, 1.0)
    assert any("off-peak" in line for line in comparison.assumptions)
