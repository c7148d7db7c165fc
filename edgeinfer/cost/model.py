"""The comparison of what tokens cost here and in the cloud; pure arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from edgeinfer.cost.hosted import explain_likeness
from edgeinfer.cost.prices import CloudPrice
from edgeinfer.cost.tariffs import Tariff
from edgeinfer.errors import UsageError
from edgeinfer.units import JOULES_PER_KWH, format_usd
from edgeinfer.usage import TokenUsage

DAYS_PER_YEAR = Decimal("365.25")

Cheaper = Literal["local", "cloud", "unknown"]


@dataclass(frozen=True, slots=True)
class CostItem:
    """One column of a comparison; `usd` None means that nothing can be said."""

    label: str
    usd: Decimal | None
    basis: str


@dataclass(frozen=True, slots=True)
class CostComparison:
    """What the same tokens cost here and there.

    `clouds` holds the like-for-like model first where there is one; it decides what is `cheaper`.
    `local_range_usd` bounds a local cost whose energy was modelled and is None otherwise.
    """

    local_usd: Decimal | None
    clouds: tuple[CostItem, ...]
    cheaper: Cheaper
    sentence: str
    assumptions: tuple[str, ...]
    local_basis: str
    local_range_usd: tuple[Decimal, Decimal] | None = None
    local_gco2: Decimal | None = None


@dataclass(frozen=True, slots=True)
class HardwarePrice:
    """A machine's price spread over its tokens; `share` of it is borne by this use."""

    usd: Decimal
    lifetime_years: Decimal
    tokens_per_day: int
    share: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.usd < 0 or self.lifetime_years <= 0 or self.tokens_per_day <= 0:
            raise UsageError("A machine's price needs a lifetime and daily tokens above zero.")

    @property
    def usd_per_token(self) -> Decimal:
        """What one token of prompt or answer bears of the machine."""
        tokens = self.lifetime_years * DAYS_PER_YEAR * self.tokens_per_day
        return self.usd * self.share / tokens


@dataclass(frozen=True, slots=True)
class CostModel:
    """Tariff and cloud prices to compare by.

    The local cost is electricity alone unless `hardware` is given. `parameters` is the local
    model's size, so that a like-for-like model that is no equal is said to be none.
    """

    tariff: Tariff
    like_for_like: CloudPrice | None
    frontier: CloudPrice
    hardware: HardwarePrice | None = None
    parameters: int | None = None

    def compare(
        self,
        usage: TokenUsage,
        joules: float | None,
        *,
        joules_range: tuple[float, float] | None = None,
        requests: int = 1,
    ) -> CostComparison:
        """Cost of one request or of a sum of `requests`; the range bounds modelled joules."""
        local = self._local_usd(usage, joules)
        spread = _as_range(tuple(self._local_usd(usage, bound) for bound in joules_range or ()))
        clouds = tuple(self._charge(price, usage, requests) for price in self._prices())
        missing = self._say_missing(usage, joules)
        decided = _decide(spread or _as_range((local,)), clouds[0].usd)
        cheaper: Cheaper = "unknown" if missing else decided
        return CostComparison(
            local_usd=local,
            clouds=clouds,
            cheaper=cheaper,
            sentence=missing or self._say(cheaper, local, clouds[0]),
            assumptions=tuple(self._assume(usage, spread)),
            local_basis=self._local_basis(),
            local_range_usd=spread,
            local_gco2=_per_kwh(self.tariff.gco2_per_kwh, joules),
        )

    def _prices(self) -> tuple[CloudPrice, ...]:
        if self.like_for_like is None or self.like_for_like == self.frontier:
            return (self.frontier,)
        return (self.like_for_like, self.frontier)

    def _local_usd(self, usage: TokenUsage, joules: float | None) -> Decimal | None:
        electricity = _per_kwh(self.tariff.usd_per_kwh, joules)
        if electricity is None or self.hardware is None:
            return electricity
        return electricity + usage.total_tokens * self.hardware.usd_per_token

    def _local_basis(self) -> str:
        what = "electricity" if self.hardware is None else "electricity and machine"
        if self.tariff.usd_per_kwh is None:
            return f"{what}, price in {self.tariff.name} not known"
        return f"{what}, ${self.tariff.usd_per_kwh:f}/kWh ({self._tariff_origin()})"

    def _tariff_origin(self) -> str:
        if self.tariff.basis == "user":
            return "your own price"
        if self.tariff.basis == "assumed":
            return f"assumed: {self.tariff.name.lower()}"
        return self.tariff.name

    def _say_missing(self, usage: TokenUsage, joules: float | None) -> str | None:
        if usage.total_tokens == 0:
            return "No tokens yet, so there is nothing to compare."
        if joules is None:
            return "The energy used is not known, so there is nothing to compare."
        if self.tariff.usd_per_kwh is None:
            return (
                f"No electricity price is listed for {self.tariff.name};"
                " give your own price per kWh to compare."
            )
        return None

    def _say(self, cheaper: Cheaper, local: Decimal | None, cloud: CostItem) -> str:
        here, there = format_usd(local), format_usd(cloud.usd)
        what = "electricity" if self.hardware is None else "electricity and machine"
        if cheaper == "local":
            return f"Local is cheaper: {here} of {what} here, {there} at {cloud.label}."
        if cheaper == "cloud":
            return (
                f"The cloud is cheaper: {cloud.label} charges {there} for these tokens,"
                f" {what} costs {here} here."
            )
        return f"Too close to call: about {here} of {what} here, {there} at {cloud.label}."

    def _charge(self, price: CloudPrice, usage: TokenUsage, requests: int) -> CostItem:
        basis = f"list price as of {price.as_of} ({price.source})"
        if price is self.like_for_like and self.parameters is not None:
            likeness = explain_likeness(self.parameters, price.price_id)
            basis += f"; {likeness}" if likeness else ""
        return CostItem(price.price_id, price.charge(usage, requests=requests), basis)

    def _assume(self, usage: TokenUsage, spread: tuple[Decimal, Decimal] | None) -> Iterator[str]:
        yield self._assume_tariff()
        if spread is not None:
            low, high = (format_usd(bound) for bound in spread)
            yield f"Energy is modelled, not measured: {low} to {high} here."
        if self.hardware is None:
            yield "The local cost is electricity only, not the machine."
        for price in self._prices():
            yield from _assume_price(price, usage)

    def _assume_tariff(self) -> str:
        tariff = self.tariff
        if tariff.usd_per_kwh is None:
            return f"No household electricity price is listed for {tariff.name}."
        dated = f" {tariff.price_as_of}" if tariff.price_as_of else ""
        return (
            f"Electricity at ${tariff.usd_per_kwh:f}/kWh,"
            f" {self._tariff_origin()} ({tariff.price_source}{dated})."
        )


def _per_kwh(rate: Decimal | None, joules: float | None) -> Decimal | None:
    if rate is None or joules is None:
        return None
    return rate * Decimal(str(joules)) / JOULES_PER_KWH


def _as_range(bounds: tuple[Decimal | None, ...]) -> tuple[Decimal, Decimal] | None:
    known = [bound for bound in bounds if bound is not None]
    return (min(known), max(known)) if known else None


def _decide(local: tuple[Decimal, Decimal] | None, cloud: Decimal | None) -> Cheaper:
    if local is None or cloud is None:
        return "unknown"
    low, high = local
    if high < cloud:
        return "local"
    return "cloud" if low > cloud else "unknown"


def _assume_price(price: CloudPrice, usage: TokenUsage) -> Iterator[str]:
    note = f"; {price.note}" if price.note else ""
    yield f"{price.price_id}: list price as of {price.as_of}{note}."
    if usage.cached_tokens and price.cached_usd_per_mtok is None:
        yield f"{price.price_id} has no price for reused prompt tokens: charged in full."
