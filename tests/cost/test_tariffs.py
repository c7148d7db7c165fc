from decimal import Decimal

import pytest

from edgeinfer.cost.tariffs import load_tariffs
from edgeinfer.errors import UsageError


@pytest.fixture(scope="module")
def table():
    return load_tariffs()


def test_every_tariff_has_a_source_and_a_date(table):
    for tariff in table.tariffs:
        priced = tariff.usd_per_kwh is not None
        assert (tariff.price_source is not None) is (tariff.price_as_of is not None) is priced


def test_every_carbon_figure_has_a_source_and_a_year(table):
    for tariff in table.tariffs:
        known = tariff.gco2_per_kwh is not None
        assert (tariff.carbon_source is not None) is (tariff.carbon_year is not None) is known


def test_what_is_not_known_is_none_and_never_zero(table):
    assert all(tariff.usd_per_kwh != 0 and tariff.gco2_per_kwh != 0 for tariff in table.tariffs)


def test_no_code_is_listed_twice(table):
    codes = [code for tariff in table.tariffs for code in (tariff.alpha2, tariff.alpha3)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("asked", "alpha3"),
    [("FR", "FRA"), ("fra", "FRA"), ("France", "FRA"), ("USA", "USA"), ("us", "USA"),
     ("UK", "GBR"), (" dz ", "DZA"), ("world", "WLD")],
)  # fmt: skip
def test_a_country_is_found_by_code_or_name(table, asked, alpha3):
    assert table.find(asked).alpha3 == alpha3


@pytest.mark.parametrize(("asked", "near"), [("Algerai", "DZ (Algeria)"), ("FRB", "FR (France)")])
def test_an_unknown_country_is_answered_with_similar_ones(table, asked, near):
    with pytest.raises(UsageError, match="No electricity tariff") as caught:
        table.find(asked)
    assert near in caught.value.hint


def test_a_hopeless_country_is_answered_with_the_form_of_a_code(table):
    with pytest.raises(UsageError) as caught:
        table.find("???")
    assert "a code such as" in caught.value.hint


def test_the_default_is_the_world_average_and_is_assumed(table):
    assert table.default.usd_per_kwh == Decimal("0.165")
    assert table.default.basis == "assumed"


def test_a_price_of_ones_own_replaces_the_listed_one(table):
    tariff = table.find("FR").with_price("0.21")
    assert (tariff.usd_per_kwh, tariff.basis) == (Decimal("0.21"), "user")
    assert tariff.gco2_per_kwh == table.find("FR").gco2_per_kwh


def test_electricity_may_be_free(table):
    assert table.find("SN").with_price(Decimal(0)).usd_per_kwh == 0


@pytest.mark.parametrize("price", ["-0.01", "cheap", "nan", "Infinity", ""])
def test_what_is_no_price_is_refused(table, price):
    with pytest.raises(UsageError, match="no price of electricity"):
        table.default.with_price(price)


def test_an_absurd_price_is_refused():
    with pytest.raises(UsageError, match="no price"):
        load_tariffs().find("FR").with_price("1e400")
