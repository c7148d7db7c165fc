from dataclasses import replace

import pytest

from edgeinfer.metrics import EnergyUse, RequestMetrics, ServiceState, Snapshot
from edgeinfer.service import Receipt
from edgeinfer.usage import TokenUsage
from edgeinfer_tui.exchange import Answer
from edgeinfer_tui.figures import DASH
from edgeinfer_tui.widgets.answer import describe_end
from edgeinfer_tui.widgets.energy import describe_energy, say_source
from edgeinfer_tui.widgets.header import describe_service
from edgeinfer_tui.widgets.money import describe_costs
from edgeinfer_tui.widgets.requests import describe_requests
from edgeinfer_tui.widgets.speed import describe_speed


def test_measured_energy_names_its_sensor_and_what_it_sees(snapshot: Snapshot) -> None:
    lines = describe_energy(snapshot).plain.splitlines()
    assert lines == [
        "0.5 J/token  12 W",
        "measured: rapl package-0",
        "the processor package; sum 500 J",
    ]


def test_modelled_energy_says_so_and_gives_its_range(
    snapshot: Snapshot, modelled: EnergyUse
) -> None:
    lines = describe_energy(replace(snapshot, energy=modelled)).plain.splitlines()
    assert lines == [
        "~0.5 J/token  ~12 W",
        "modelled, 6 to 18 W",
        "0.25 to 0.75 J/token; sum ~500 J",
    ]


def test_a_model_without_bounds_admits_it(snapshot: Snapshot, modelled: EnergyUse) -> None:
    energy = replace(modelled, low_joules=None, high_joules=None)
    assert "modelled, not measured" in describe_energy(replace(snapshot, energy=energy)).plain


def test_unknown_energy_is_a_dash_with_its_reason(snapshot: Snapshot, unknown: EnergyUse) -> None:
    shown = describe_energy(replace(snapshot, energy=unknown, power_w=None)).plain
    assert shown.splitlines() == [
        f"{DASH} J/token  {DASH} W",
        "not known: no sensor can be read",
        f"sum {DASH}",
    ]


def test_energy_without_a_token_has_no_figure_per_token(snapshot: Snapshot) -> None:
    shown = describe_energy(replace(snapshot, usage=TokenUsage())).plain
    assert shown.startswith(f"{DASH} J/token")


@pytest.mark.parametrize(
    ("fixture", "word"),
    [("measured", "Measured by"), ("modelled", "not measured"), ("unknown", "Not known")],
)
def test_every_source_of_energy_has_its_sentence(
    fixture: str, word: str, request: pytest.FixtureRequest
) -> None:
    assert word in say_source(request.getfixturevalue(fixture))


@pytest.mark.parametrize("state", ["loading", "ready", "restarting", "failed"])
def test_every_state_is_a_word_and_not_only_a_color(
    snapshot: Snapshot, state: ServiceState
) -> None:
    (shown, _model), *_rest = describe_service(replace(snapshot, state=state))
    assert state in shown.plain


def test_a_model_is_said_to_be_what_it_is(snapshot: Snapshot) -> None:
    rows = describe_service(snapshot, "Only knows edgeinfer.")
    assert rows[0][1].plain == "edgeinfer guide, Q8_0  Only knows edgeinfer."


def test_a_missing_endpoint_is_a_dash_with_its_reason(snapshot: Snapshot) -> None:
    rows = describe_service(replace(snapshot, endpoint=None, state="loading"))
    assert rows[1][1].plain.startswith(f"{DASH} no address until the model is loaded")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "no worker restarts"), (1, "1 worker restart"), (3, "3 worker restarts")],
)
def test_restarts_are_counted_in_words(snapshot: Snapshot, count: int, words: str) -> None:
    rows = describe_service(replace(snapshot, worker_restarts=count))
    assert rows[1][1].plain.endswith(f"up 12 min, {words}")


def test_an_unknown_cost_is_a_dash(snapshot: Snapshot) -> None:
    amounts = [amount.plain for amount, _basis in describe_costs(snapshot)]
    assert amounts == ["$0.00034", "$0.00012", DASH]


def test_only_the_local_cost_is_modelled(snapshot: Snapshot, modelled: EnergyUse) -> None:
    rows = describe_costs(replace(snapshot, energy=modelled))
    assert [amount.plain for amount, _basis in rows][:2] == ["~$0.00034", "$0.00012"]


def test_every_price_bears_its_basis(snapshot: Snapshot) -> None:
    _amount, basis = describe_costs(snapshot)[1]
    assert basis.plain == "somebody/small-1b  list price as of 2026-11-20"


def test_the_speed_tells_its_peak_and_span(snapshot: Snapshot) -> None:
    shown = describe_speed(snapshot, width=40, height=1).plain
    assert shown.startswith("41.2 tokens/s  peak 41.2 in 3 s\n")


def test_the_speed_has_no_peak_before_the_first_second(snapshot: Snapshot) -> None:
    shown = describe_speed(replace(snapshot, history=()), width=40, height=1).plain
    assert "no history yet" in shown


def test_a_request_is_one_line_of_figures(
    snapshot: Snapshot, request_metrics: RequestMetrics
) -> None:
    shown = describe_requests(replace(snapshot, requests=(request_metrics,))).plain
    assert shown.split() == [
        "01234567",
        "finished",
        "43",
        "12",
        "101",
        "125",
        "ms",
        "25.0",
        "38",
        "J",
    ]


def test_a_request_without_figures_has_dashes(
    snapshot: Snapshot, request_metrics: RequestMetrics
) -> None:
    queued = replace(request_metrics, state="waiting", ttft_s=None, decode_s=None, energy=None)
    shown = describe_requests(replace(snapshot, requests=(queued,))).plain
    assert shown.split()[-3:] == [DASH, DASH, DASH]


def test_a_line_of_a_request_fits_eighty_columns(
    snapshot: Snapshot, request_metrics: RequestMetrics
) -> None:
    long = replace(request_metrics, usage=TokenUsage(131_072, 131_072, 131_072), state="cancelled")
    assert len(describe_requests(replace(snapshot, requests=(long,))).plain) <= 77


def test_no_request_is_an_invitation(snapshot: Snapshot) -> None:
    assert "http://127.0.0.1:8080/v1" in describe_requests(snapshot).plain
    assert "Press /" in describe_requests(replace(snapshot, endpoint=None)).plain


def test_a_receipt_is_a_line_of_figures_and_the_verdict_word_for_word(receipt: Receipt) -> None:
    shown = describe_end(Answer("Why?", receipt=receipt)).plain
    assert shown.splitlines() == [
        "43 tokens in (12 reused), 101 out · first after 125 ms · 25.0 tokens/s · 38 J measured",
        "Local is cheaper: $0.01 here.",
    ]


def test_an_answer_at_its_limit_says_so(receipt: Receipt) -> None:
    cut = replace(receipt, metrics=replace(receipt.metrics, finish_reason="length"))
    shown = describe_end(Answer("Why?", receipt=cut)).plain
    assert "101 out (cut off at the length limit)" in shown


@pytest.mark.parametrize(
    ("fixture", "words"),
    [("unknown", "J, not known"), ("too_short", "J, too short for the meter")],
)
def test_a_receipt_without_joules_gives_the_reason(
    receipt: Receipt, fixture: str, words: str, request: pytest.FixtureRequest
) -> None:
    energy = request.getfixturevalue(fixture)
    metered = replace(receipt, metrics=replace(receipt.metrics, energy=energy))
    assert f"{DASH} {words}" in describe_end(Answer("Why?", receipt=metered)).plain


def test_an_answer_without_a_word_waits_for_one() -> None:
    assert describe_end(Answer("Why?")).plain == "waiting for the first token"
