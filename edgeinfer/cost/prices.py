"""Cloud list prices: reads the dated table that is part of the package."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from importlib.resources import files

import msgspec

from edgeinfer.errors import UsageError
from edgeinfer.usage import TokenUsage

DEFAULT_FRONTIER = "anthropic/claude-opus-5-5"
# Small models' prices fell tenfold in the year to November 2026.
STALE_AFTER = timedelta(days=90)
TOKENS_PER_MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices of a whole request whose prompt is longer than `above_tokens`."""

    above_tokens: int
    input_usd_per_mtok: Decimal
    cached_usd_per_mtok: Decimal | None
    output_usd_per_mtok: Decimal


@dataclass(frozen=True, slots=True)
class CloudPrice:
    """What one provider charges for one model; a cached price of None means that there is none."""

    provider: str
    model: str
    input_usd_per_mtok: Decimal
    cached_usd_per_mtok: Decimal | None
    output_usd_per_mtok: Decimal
    as_of: date
    source: str
    tiers: tuple[PriceTier, ...] = ()
    note: str | None = None

    @property
    def price_id(self) -> str:
        """The name to ask for, "provider/model"."""
        return f"{self.provider}/{self.model}"

    def is_stale(self, today: date) -> bool:
        """Whether the price was last checked more than 90 days before `today`."""
        return today - self.as_of > STALE_AFTER

    def charge(self, usage: TokenUsage, *, requests: int = 1) -> Decimal:
        """Dollars for these tokens; the mean prompt of the requests decides the tier."""
        rate = self._rate_for(usage.prompt_tokens / max(requests, 1))
        cached = rate.cached_usd_per_mtok
        cached = rate.input_usd_per_mtok if cached is None else cached
        new_tokens = usage.prompt_tokens - usage.cached_tokens
        total = (
            new_tokens * rate.input_usd_per_mtok
            + usage.cached_tokens * cached
            + usage.completion_tokens * rate.output_usd_per_mtok
        )
        return total / TOKENS_PER_MTOK

    def _rate_for(self, prompt_tokens: float) -> "CloudPrice | PriceTier":
        reached = [tier for tier in self.tiers if prompt_tokens > tier.above_tokens]
        return max(reached, key=lambda tier: tier.above_tokens) if reached else self


@dataclass(frozen=True, slots=True)
class PriceTable:
    """All known cloud prices."""

    prices: tuple[CloudPrice, ...]

    def find(self, price_id: str) -> CloudPrice:
        """The price of "provider/model"; raises UsageError naming similar ones."""
        wanted = price_id.strip().lower()
        for price in self.prices:
            if price.price_id.lower() == wanted:
                return price
        near = ", ".join(self._suggest(wanted))
        raise UsageError(
            f"No cloud price is known for {price_id!r}.",
            hint=f"Did you mean {near}?" if near else "Name it as provider/model.",
        )

    def is_stale(self, today: date) -> bool:
        """Whether any price was last checked more than 90 days before `today`."""
        return any(price.is_stale(today) for price in self.prices)

    def _suggest(self, wanted: str) -> list[str]:
        names = [price.price_id for price in self.prices]
        inside = [name for name in names if wanted and wanted in name.lower()]
        return inside[:3] or get_close_matches(wanted, names, n=3, cutoff=0.4)


@dataclass(frozen=True, slots=True)
class _PriceFile:
    unit: str
    sources: dict[str, str]
    prices: tuple[CloudPrice, ...]


def load_prices() -> PriceTable:
    """Read the table from the package."""
    text = files("edgeinfer.cost").joinpath("data/cloud_prices.json").read_bytes()
    return PriceTable(msgspec.json.decode(text, type=_PriceFile).prices)
