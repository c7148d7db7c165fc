import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html import unescape

import pytest
from textual.pilot import Pilot

from edgeinfer.errors import EdgeinferError
from edgeinfer.metrics import CostLine, EnergyUse, RequestMetrics, Snapshot
from edgeinfer.service import Receipt, UpdateListener
from edgeinfer.usage import TokenUsage
from edgeinfer_tui import build_app
from edgeinfer_tui.app import EdgeinferApp
from edgeinfer_tui.widgets.prompt import Prompt

DESCRIPTION = "Only knows edgeinfer and running models locally. Not a general assistant."
VERDICT = "The cloud is cheaper: somebody/small-1b charges $0.00012 for these tokens."
TEXT_COLOR = re.compile(r"-r\d+ \{ fill: (#\w+)")
TEXT_CELL = re.compile(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')


@dataclass
class ScriptedSource:
    """Gives the snapshot that it holds."""

    now: Snapshot

    def snapshot(self) -> Snapshot:
        """The same until somebody changes it."""
        return self.now


@dataclass
class ScriptedAsker:
    """Remembers what it was asked; `say` reaches the listener of the last question."""

    refusal: EdgeinferError | None = None
    asked: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    say: UpdateListener = print

    def ask(self, prompt: str, listener: UpdateListener) -> str:
        """Number the question."""
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(prompt)
        self.say = listener
        return f"request-{len(self.asked)}"

    def cancel(self, request_id: str) -> None:
        """Only remember it: the listener hears nothing by itself."""
        self.cancelled.append(request_id)


@pytest.fixture
def measured() -> EnergyUse:
    return EnergyUse(500.0, "measured", "rapl package-0", "package")


@pytest.fixture
def modelled() -> EnergyUse:
    return EnergyUse(500.0, "modelled", "4 W a thread", "modelled", 250.0, 750.0)


@pytest.fixture
def unknown() -> EnergyUse:
    return EnergyUse(None, "unknown", "no sensor can be read", "unknown")


@pytest.fixture
def too_short(measured: EnergyUse) -> EnergyUse:
    return replace(measured, joules=None)


@pytest.fixture
def request_metrics(measured: EnergyUse) -> RequestMetrics:
    return RequestMetrics(
        request_id="chatcmpl-0123456789abcdef",
        model="guide",
        quantization="Q8_0",
        state="finished",
        usage=TokenUsage(43, 12, 101),
        ttft_s=0.125,
        decode_s=4.0,
        finish_reason="stop",
        energy=replace(measured, joules=38.0),
    )


@pytest.fixture
def snapshot(measured: EnergyUse) -> Snapshot:
    return Snapshot(
        state="ready",
        model="edgeinfer guide",
        quantization="Q8_0",
        endpoint="http://127.0.0.1:8080/v1",
        device="a processor, 2 cores, 8 GiB",
        uptime_s=754.0,
        tokens_per_s=41.2,
        history=(0.0, 20.0, 41.2),
        energy=measured,
        power_w=12.0,
        usage=TokenUsage(400, 30, 1000),
        costs=(
            CostLine("local", Decimal("0.00034"), "electricity, $0.165/kWh (assumed)"),
            CostLine("somebody/small-1b", Decimal("0.00012"), "list price as of 2026-11-20"),
            CostLine("somebody/frontier", None, "no price listed"),
        ),
        verdict=VERDICT,
        worker_restarts=0,
        running=1,
        waiting=2,
        requests=(),
    )


@pytest.fixture
def receipt(request_metrics: RequestMetrics) -> Receipt:
    assumption = "The local cost is electricity only, not the machine."
    return Receipt(request_metrics, "Local is cheaper: $0.01 here.", (assumption,))


@pytest.fixture
def source(snapshot: Snapshot) -> ScriptedSource:
    return ScriptedSource(snapshot)


@pytest.fixture
def asker() -> ScriptedAsker:
    return ScriptedAsker()


@dataclass(frozen=True)
class Stage:
    """The application under test, driven without a terminal."""

    app: EdgeinferApp
    pilot: Pilot[None]

    async def press(self, *keys: str) -> None:
        """As a person does."""
        await self.pilot.press(*keys)

    async def type(self, question: str) -> None:
        """Go to the prompt, fill it and ask."""
        await self.pilot.press("slash")
        self.app.screen.query_one(Prompt).value = question
        await self.press("enter")

    async def renew(self) -> None:
        """What the timer does, without waiting for it."""
        self.app.screen_stack[0].renew()
        await self.pilot.pause()

    def read(self) -> str:
        """What stands on the screen, line by line."""
        lines: dict[float, list[tuple[float, str]]] = {}
        for x, y, text in TEXT_CELL.findall(self.app.export_screenshot()):
            lines.setdefault(float(y), []).append((float(x), unescape(text)))
        rows = ("".join(text for _, text in sorted(cells)) for _, cells in sorted(lines.items()))
        return "\n".join(rows).replace("\xa0", " ")

    def list_colors(self) -> set[str]:
        """Colors of all text; quiet text is one of its own, mixed with the ground."""
        return set(TEXT_COLOR.findall(self.app.export_screenshot()))

    def miss(self, *sentences: str) -> set[str]:
        """Which of these sentences do not stand there, however they were wrapped."""
        shown = " ".join(self.read().split())
        return {it for it in sentences if it not in shown}

    def find(self, *sentences: str) -> bool:
        """Whether all these sentences stand there."""
        return not self.miss(*sentences)


Scenario = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def play(source: ScriptedSource, asker: ScriptedAsker) -> Callable[..., None]:
    """Run a scenario on a screen of a given size."""

    async def run(scenario: Scenario, size: tuple[int, int]) -> None:
        app = build_app(source, asker, description=DESCRIPTION)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await scenario(Stage(app, pilot))

    def start(scenario: Scenario, size: tuple[int, int] = (80, 24)) -> None:
        asyncio.run(run(scenario, size))

    return start
