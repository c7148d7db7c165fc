from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.containers import VerticalScroll

from edgeinfer.errors import EdgeinferError, QueueFullError
from edgeinfer.metrics import RequestMetrics
from edgeinfer.service import Delta, Receipt
from edgeinfer.usage import TokenUsage
from edgeinfer_tui import run_screen
from edgeinfer_tui.screens.help import HelpScreen
from edgeinfer_tui.widgets.answer import AnswerPanel
from edgeinfer_tui.widgets.requests import RequestsPanel

Play = Callable[..., None]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 40)])
def test_nothing_that_matters_is_cut_off(play: Play, source: Any, size: tuple[int, int]) -> None:
    async def look(stage: Any) -> None:
        energy = "the processor package; sum 500 J"
        now = source.now
        missed = stage.miss(
            now.endpoint, now.verdict, now.device, "Not a general assistant.", energy
        )
        assert missed == set()

    play(look, size)


def test_a_long_endpoint_stays_whole_on_a_small_screen(play: Play, source: Any) -> None:
    source.now = replace(source.now, endpoint="http://a-name-in-the-office.example.org:18080/v1")

    async def look(stage: Any) -> None:
        assert stage.find(source.now.endpoint)

    play(look)


def test_the_screen_follows_the_source(play: Play, source: Any) -> None:
    async def look(stage: Any) -> None:
        source.now = replace(source.now, state="restarting", verdict="Too close to call.")
        await stage.renew()
        assert stage.find("restarting", "Too close to call.")

    play(look)


def test_markup_in_a_name_is_only_text(play: Play, source: Any) -> None:
    source.now = replace(source.now, model="[red]model[/]", verdict="[b]cheap[/b]")

    async def look(stage: Any) -> None:
        assert stage.find("[red]model[/]", "[b]cheap[/b]")

    play(look)


def test_a_typed_question_reaches_the_asker_and_its_words_appear(play: Play, asker: Any) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("What is it")
        asker.say(Delta("request-1", "A private\nmodel.", TokenUsage(4, 0, 3)))
        await stage.renew()
        assert asker.asked == ["What is it"]
        assert stage.find("> What is it A private model.", "3 tokens so far")

    play(ask)


def test_escape_stops_the_answer_and_then_closes_it(play: Play, asker: Any) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("Why")
        assert stage.find("Answer, running (esc stops it)")
        await stage.press("escape")
        assert asker.cancelled == ["request-1"]
        assert stage.find("Answer, stopping")
        await stage.press("escape")
        assert not stage.app.screen.query_one(AnswerPanel).display

    play(ask)


def test_a_refused_question_shows_its_sentence_and_hint(play: Play, asker: Any) -> None:
    asker.refusal = QueueFullError("All slots are busy.", retry_after_s=3)

    async def ask(stage: Any) -> None:
        await stage.type("Why")
        assert stage.find("Failed: All slots are busy. Try again in 3 s.")

    play(ask)


def test_one_question_is_answered_at_a_time(play: Play, asker: Any) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("Why")
        await stage.press("H", "enter")
        assert asker.asked == ["Why"]
        assert stage.find("An answer is still running; esc stops it")

    play(ask, (120, 36))


def test_a_blank_question_is_not_asked(play: Play, asker: Any) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("  ")
        assert asker.asked == []

    play(ask)


def test_a_short_screen_gives_its_room_to_the_answer(play: Play) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("Why")
        assert not stage.app.screen.query_one(RequestsPanel).display
        assert stage.app.screen.query_one(AnswerPanel).size.height > 8

    play(ask)


def test_a_tall_screen_shows_requests_and_answer(play: Play) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("Why")
        assert stage.app.screen.query_one(RequestsPanel).display
        assert stage.app.screen.query_one(AnswerPanel).display

    play(ask, (120, 36))


def test_a_long_answer_is_followed_to_its_end(play: Play, asker: Any, receipt: Receipt) -> None:
    async def ask(stage: Any) -> None:
        await stage.type("Count")
        asker.say(Delta("request-1", "\n".join(map(str, range(99))), TokenUsage()))
        asker.say(receipt)
        await stage.renew()
        await stage.pilot.pause()
        assert stage.find("97 98 43 tokens in")

    play(ask)


def test_the_requests_scroll_under_their_head(
    play: Play, source: Any, request_metrics: RequestMetrics
) -> None:
    many = tuple(replace(request_metrics, request_id=f"{n:08d}") for n in range(40))
    source.now = replace(source.now, requests=many)

    async def scroll(stage: Any) -> None:
        assert stage.find("00000000 finished")
        await stage.press("pagedown")
        assert not stage.find("00000000 finished")
        assert stage.app.screen.query_one(RequestsPanel).query_one(VerticalScroll).scroll_y > 0

    play(scroll)


def test_the_help_says_what_a_small_screen_cuts_off(play: Play, asker: Any, receipt: Any) -> None:
    async def read(stage: Any) -> None:
        await stage.type("Why")
        asker.say(receipt)
        await stage.renew()
        await stage.press("tab", "question_mark")
        energy = "Measured by rapl package-0, which sees the processor package."
        basis = "somebody/small-1b: list price as of 2026-11-20"
        assert stage.miss(energy, basis, receipt.assumptions[0]) == set()

    play(read, (120, 50))


def test_escape_leaves_the_help(play: Play) -> None:
    async def read(stage: Any) -> None:
        await stage.press("question_mark")
        assert isinstance(stage.app.screen, HelpScreen)
        await stage.press("escape")
        assert not isinstance(stage.app.screen, HelpScreen)

    play(read)


def test_quitting_stops_the_answer_and_returns(play: Play, asker: Any) -> None:
    async def leave(stage: Any) -> None:
        await stage.type("Why")
        await stage.press("tab", "q")
        assert stage.app.return_code == 0

    play(leave)
    assert asker.cancelled == ["request-1"]


def test_ctrl_c_quits_from_the_prompt(play: Play) -> None:
    async def leave(stage: Any) -> None:
        await stage.press("slash", "q", "ctrl+c")
        assert stage.app.return_code == 0

    play(leave)


def test_a_broken_screen_is_an_error(asker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def snapshot(self) -> None:
            raise RuntimeError("no figures")

    with pytest.raises(EdgeinferError, match="broke down"):
        run_screen(Broken(), asker, headless=True)
    assert "no figures" in capsys.readouterr().err


@pytest.mark.parametrize(("environ", "colors"), [({}, 4), ({"NO_COLOR": "1"}, 2)])
def test_no_color_is_obeyed_and_still_legible(
    play: Play, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], colors: int
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    async def look(stage: Any) -> None:
        await stage.renew()
        assert len(stage.list_colors()) == colors
        assert "#000000" not in stage.list_colors()

    play(look)
