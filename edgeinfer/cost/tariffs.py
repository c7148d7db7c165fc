"""Household electricity: price and carbon by country, read from the dated table in the package."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from importlib.resources import files
from typing import Literal

import msgspec

from edgeinfer.errors import UsageError

# Ten thousand times a household price of today: more is a slip of the keyboard.
MOST_USD_PER_KWH = 1000
WORLD = "WLD"
# Said every day, and reserved by ISO 3166 for this very use.
ALIASES = {"UK": "GBR", "WORLD": WORLD}

TariffBasis = Literal["listed", "user", "assumed"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """Price and carbon of a kilowatt-hour, each None where not known.

    `basis` tells a listed price from the user's own and from the world average that stands in when
    no country was named.
    """

    alpha3: str
    alpha2: str
    name: str
    usd_per_kwh: Decimal | None
    gco2_per_kwh: Decimal | None
    price_source: str | None = None
    price_as_of: date | None = None
    carbon_source: str | None = None
    carbon_year: int | None = None
    basis: TariffBasis = "listed"

    def with_price(self, usd_per_kwh: Decimal | str) -> "Tariff":
        """This place with the user's own price; raises UsageError for what is no price."""
        try:
            price = Decimal(usd_per_kwh)
        except InvalidOperation as error:
            raise _refuse_price(usd_per_kwh) from error
        if not price.is_finite() or not 0 <= price <= MOST_USD_PER_KWH:
            raise _refuse_price(usd_per_kwh)
        return replace(
            self,
            usd_per_kwh=price,
            price_source="given by the user",
            price_as_of=None,
            basis="user",
        )


@dataclass(frozen=True, slots=True)
class TariffTable:
    """All known tariffs."""

    tariffs: tuple[Tariff, ...]

    @property
    def default(self) -> Tariff:
        """The world average, marked as assumed."""
        return replace(self.find(WORLD), basis="assumed")

    def find(self, country: str) -> Tariff:
        """By ISO 3166 code of two or three letters, or English name; raises UsageError."""
        wanted = country.strip().upper()
        wanted = ALIASES.get(wanted, wanted)
        for tariff in self.tariffs:
            if wanted in {tariff.alpha3, tariff.alpha2, tariff.name.upper()}:
                return tariff
        near = ", ".join(self._suggest(wanted))
        raise UsageError(
            f"No electricity tariff is known for {country!r}.",
            hint=f"Did you mean {near}?" if near else "Use a code such as FR, DZ or US.",
        )

    def _suggest(self, wanted: str) -> Iterator[str]:
        names = {tariff.name.upper(): tariff for tariff in self.tariffs}
        codes = {tariff.alpha3: tariff for tariff in self.tariffs}
        near = get_close_matches(wanted, names, n=3) or get_close_matches(wanted, codes, n=3)
        for key in near:
            tariff = names.get(key) or codes[key]
            yield f"{tariff.alpha2} ({tariff.name})"


@dataclass(frozen=True, slots=True)
class _TariffFile:
    unit: str
    sources: dict[str, str]
    tariffs: tuple[Tariff, ...]


def load_tariffs() -> TariffTable:
    """Read the table from the package."""
    text = files("edgeinfer.cost").joinpath("data/tariffs.json").read_bytes()
    return TariffTable(msgspec.json.decode(text, type=_TariffFile).tariffs)


def _refuse_price(value: Decimal | str) -> UsageError:
    return UsageError(
        f"{str(value)!r} is no price of electricity.",
        hint="Give dollars per kWh, from 0 to 1000, such as 0.18.",
    )
