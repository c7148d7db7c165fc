import contextlib
import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgeinfer.engine import native
from edgeinfer.engine.native import SCORE, Trial, VariantStore, Verdict
from edgeinfer.errors import EngineError

LOGITS = [1.0, -2.0, 3.0]
SCORES = {"x64": 1, "sse42": 5, "haswell": 64, "icelake": 896, "zen4": 0}

MakeFolder = Callable[..., Path]


def result(score: int, *, speed: float = 100.0, logits: list[float] | None = None) -> Trial:
    """A trial that worked."""
    found = {
        "score": score,
        "prefill_tokens_per_s": speed,
        "decode_tokens_per_s": speed,
        "logits": LOGITS if logits is None else logits,
    }
    return Trial(0, json.dumps(found if score else {"score": 0}))


@dataclass
class TrialRunner:
    """Runs trials by a script; `asked` are the variants that were tried, in order."""

    script: Mapping[str, Trial] = field(default_factory=dict)
    scores: Trial | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, arguments: tuple[str, ...]) -> Trial:
        """Rank, or run one variant."""
        mode, *paths = arguments
        if mode == SCORE:
            ranks = [SCORES[name_of(path)] for path in paths]
            return self.scores or Trial(0, json.dumps(ranks))
        name = name_of(paths[0])
        self.asked.append(name)
        return self.script.get(name, result(SCORES[name]))


def name_of(path: str) -> str:
    return Path(path).stem.removeprefix("libggml-cpu-")


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    def make_folder(*names: str) -> Path:
        """An engine's folder with these CPU libraries, all of them by default."""
        folder = tmp_path / "lib"
        folder.mkdir()
        for name in names or SCORES:
            (folder / f"libggml-cpu-{name}.so").write_text(name)
        return folder

    return make_folder


@pytest.fixture
def folder(make_folder: MakeFolder) -> Path:
    return make_folder()


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> VariantStore:
    return VariantStore(tmp_path / "state" / "native.json", "this cpu", folder)


def judge(folder: Path, **script: Trial) -> dict[str, Verdict]:
    verdicts = native.examine(native.cpu_libraries(folder), run_trial=TrialRunner(script))
    return {verdict.variant: verdict for verdict in verdicts}


@pytest.mark.parametrize(
    ("trial", "status", "detail"),
    [
        (Trial(-signal.SIGILL, ""), "crashed", "SIGILL"),
        (Trial(-signal.SIGSEGV, "noise"), "crashed", "SIGSEGV"),
        (Trial(-99, ""), "crashed", "signal 99"),
        (Trial(1, "Traceback\nOSError: no such symbol\n"), "crashed", "OSError: no such symbol"),
        (Trial(0, "no result"), "crashed", "without a result"),
        (Trial(None, ""), "too slow", "60 s"),
        (result(0), "unsupported", "instruction set"),
        (result(896, logits=[-1.0, 2.0, -3.0]), "disagrees", ""),
        (result(896, logits=[]), "disagrees", ""),
        (result(896), "works", ""),
    ],
)
def test_a_trial_is_judged_by_how_it_ended(
    folder: Path, trial: Trial, status: str, detail: str
) -> None:
    verdict = judge(folder, icelake=trial)["icelake"]
    assert (verdict.status, detail in verdict.detail) == (status, True)


def test_a_variant_that_crashes_is_not_chosen(folder: Path) -> None:
    verdicts = judge(folder, icelake=Trial(-signal.SIGILL, ""))
    assert native.choose(tuple(verdicts.values())).variant == "haswell"


def test_without_its_baseline_a_variant_is_not_compared(folder: Path) -> None:
    verdict = judge(folder, x64=Trial(-signal.SIGSEGV, ""))["haswell"]
    assert (verdict.status, verdict.agreement) == ("works", None)


def test_the_quick_way_tries_the_baseline_and_the_highest_scores_only(folder: Path) -> None:
    runner = TrialRunner()
    native.examine(native.cpu_libraries(folder), run_trial=runner, quick=True)
    assert runner.asked == ["x64", "icelake", "haswell", "sse42"]


@pytest.mark.parametrize("scores", [Trial(-signal.SIGILL, ""), Trial(0, "?"), Trial(0, "[1]")])
def test_the_quick_way_tries_all_when_they_cannot_be_ranked(folder: Path, scores: Trial) -> None:
    runner = TrialRunner(scores=scores)
    native.examine(native.cpu_libraries(folder), run_trial=runner, quick=True)
    assert sorted(runner.asked) == sorted(SCORES)


@pytest.mark.parametrize(("speed", "chosen"), [(114.0, "icelake"), (116.0, "haswell")])
def test_a_lower_ranked_variant_must_be_clearly_faster(speed: float, chosen: str) -> None:
    verdicts = [
        Verdict("haswell", "works", 64, speed, speed),
        Verdict("icelake", "works", 896, 100.0, 100.0),
    ]
    assert native.choose(verdicts).variant == chosen


def test_no_survivor_is_an_error_that_names_each_reason_and_a_remedy(folder: Path) -> None:
    crash = Trial(-signal.SIGILL, "")
    verdicts = judge(folder, x64=crash, sse42=crash, haswell=crash, icelake=crash)
    with pytest.raises(EngineError, match="icelake: crashed SIGILL") as caught:
        native.choose(tuple(verdicts.values()))
    assert caught.value.hint is not None


def test_the_choice_is_remembered(store: VariantStore) -> None:
    first = native.native_choice(store, run_trial=TrialRunner())
    runner = TrialRunner()
    assert native.native_choice(store, run_trial=runner) == first
    assert (first.variant, runner.asked) == ("icelake", [])


def test_a_machine_where_nothing_worked_is_examined_again(store: VariantStore) -> None:
    with pytest.raises(EngineError):
        native.native_choice(store, run_trial=TrialRunner(dict.fromkeys(SCORES, Trial(None, ""))))
    assert native.native_choice(store, run_trial=TrialRunner()).variant == "icelake"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"key": 1}',
        b'{"key": "x", "verdicts": [{"variant": "x64", "status": "fine"}]}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_memory_counts_as_none(store: VariantStore, content: bytes) -> None:
    store.file.parent.mkdir()
    store.file.write_bytes(content)
    assert native.native_choice(store, run_trial=TrialRunner()).variant == "icelake"
    assert store.load()


def test_another_cpu_is_examined_again(store: VariantStore) -> None:
    native.native_choice(store, run_trial=TrialRunner())
    other = VariantStore(store.file, "another cpu", store.folder)
    assert (len(store.load()) > 0, other.load()) == (True, ())


def test_another_build_is_examined_again(store: VariantStore) -> None:
    native.native_choice(store, run_trial=TrialRunner())
    (store.folder / "libggml-cpu-icelake.so").write_text("built anew")
    assert store.load() == ()


def test_a_state_folder_that_cannot_be_written_costs_only_the_memory(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    store = VariantStore(tmp_path / "state" / "native.json", "this cpu", folder)
    assert native.native_choice(store, run_trial=TrialRunner()).variant == "icelake"


def test_an_engine_without_cpu_libraries_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        native.cpu_libraries(tmp_path)
    assert caught.value.hint is not None


def test_a_build_for_one_cpu_has_one_variant(tmp_path: Path) -> None:
    (tmp_path / "libggml-cpu.so").touch()
    assert list(native.cpu_libraries(tmp_path)) == ["native"]


def test_accelerators_of_the_build_are_found(tmp_path: Path) -> None:
    for name in ("libggml-cuda.so", "libggml-cuda.py", "libggml-base.so"):
        (tmp_path / name).touch()
    assert [path.name for path in native.accelerator_libraries(tmp_path)] == ["libggml-cuda.so"]


@pytest.mark.native
def test_the_baseline_and_the_best_variants_work_here_and_agree() -> None:
    verdicts = native.examine(native.cpu_libraries(native.library_folder()), quick=True)
    chosen = native.choose(verdicts)
    assert verdicts[0].status == "works"
    assert chosen.agreement is not None
    assert chosen.agreement >= native.MIN_AGREEMENT


@pytest.mark.native
def test_a_variant_with_amx_survives_where_the_cpu_has_them() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists() or "amx_int8" not in cpuinfo.read_text():
        pytest.skip("this CPU has no AMX")
    libraries = native.cpu_libraries(native.library_folder())
    amx = {name: libraries[name] for name in ("x64", "sapphirerapids") if name in libraries}
    assert [verdict.status for verdict in native.examine(amx)] == ["works"] * len(amx)


@pytest.mark.native
def test_a_library_planted_in_the_current_folder_is_never_loaded(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    mark = tmp_path / "mark"
    source = tmp_path / "evil.c"
    source.write_text(
        "#include <stdio.h>\n"
        "__attribute__((constructor)) static void run(void)\n"
        f'{{ fclose(fopen("{mark}", "w")); }}\n'
        "int ggml_backend_score(void) { return 1000000; }\n"
    )
    planted = tmp_path / "libggml-cpu-evil.so"
    build = [compiler, "-shared", "-fPIC", "-o", str(planted), str(source)]
    subprocess.run(build, check=True)  # noqa: S603 - a compiler and our own source
    shutil.copy(planted, tmp_path / "libggml-evil.so")
    assert (examine_in(tmp_path).status, mark.exists()) == ("works", False)


@pytest.mark.native
def test_a_module_planted_in_the_current_folder_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('planted')")
    assert examine_in(tmp_path).status == "works"


def examine_in(folder: Path) -> Verdict:
    """The verdict on the real baseline with `folder` as the current folder."""
    libraries = native.cpu_libraries(native.library_folder())
    baseline = next(name for name in native.BASELINES if name in libraries)
    with contextlib.chdir(folder):
        (verdict,) = native.examine({baseline: libraries[baseline]})
    return verdict
