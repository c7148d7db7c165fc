import shutil
from pathlib import Path

import pytest

from edgeinfer.errors import InsufficientMemoryError, UnknownModelError, UsageError
from edgeinfer.paths import HOME_VARIABLE, Paths
from edgeinfer.runtime import LaunchOptions, Money, Runtime, count_threads
from edgeinfer.store.store import ModelStore
from edgeinfer.testing import FakeHost
from edgeinfer.units import GIB, MIB

CPUINFO = "processor : 0\nvendor_id : GenuineIntel\nmodel name : Test 9000\nflags : avx2 fma\n"


def make_runtime(home: Path, **host: object) -> Runtime:
    """A recorded machine with its files in `home`."""
    files = {"/proc/cpuinfo": CPUINFO}
    return Runtime(Paths(home), FakeHost(files=files, **host))  # type: ignore[arg-type]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return make_runtime(tmp_path)


def test_the_environment_names_the_folder(tmp_path: Path) -> None:
    assert Runtime.default({HOME_VARIABLE: str(tmp_path)}).paths.home == tmp_path


def test_the_profile_is_of_the_host(runtime: Runtime) -> None:
    profile = runtime.profile()
    assert (profile.cpu.name, profile.cpu.logical_cores) == ("Test 9000", 4)


def test_the_bandwidth_is_measured_only_when_asked_for(runtime: Runtime) -> None:
    memory = runtime.profile(bandwidth=True).memory
    assert (memory.bandwidth_basis, (memory.bandwidth_bytes_per_s or 0) > 0) == ("probe", True)
    assert runtime.profile().memory.bandwidth_basis != "probe"


def test_the_plan_has_the_stored_guide_once_and_the_catalogue(runtime: Runtime) -> None:
    entries = runtime.plan(runtime.profile()).entries
    stored = [entry.candidate.model_id for entry in entries if entry.is_stored]
    assert (stored, len(entries) > len(runtime.catalog.models)) == (["edgeinfer-guide"], True)


def test_without_a_name_the_only_model_is_chosen(runtime: Runtime) -> None:
    assert runtime.choose_model().embedded


def test_a_name_chooses_and_an_unknown_one_is_refused(runtime: Runtime) -> None:
    assert runtime.choose_model("edgeinfer-guide").embedded
    with pytest.raises(UnknownModelError):
        runtime.choose_model("nonsense")


@pytest.mark.parametrize("free_bytes", [6 * GIB, MIB])
def test_among_several_models_one_is_chosen_even_if_none_fits(
    tmp_path: Path, free_bytes: int
) -> None:
    runtime = make_runtime(tmp_path, available_bytes=free_bytes)
    runtime.paths.models.mkdir()
    shutil.copy(runtime.choose_model().path, runtime.paths.models / "mine.gguf")
    assert runtime.choose_model() in runtime.store.scan().models


def test_a_disk_without_any_model_is_a_sentence(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    runtime.store = ModelStore(runtime.paths, runtime.catalog, tmp_path / "nothing")
    with pytest.raises(UnknownModelError, match="no model on this disk"):
        runtime.choose_model()


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, available_bytes=MIB, total_bytes=16 * MIB)
    with pytest.raises(InsufficientMemoryError) as caught:
        runtime.open_service(runtime.choose_model())
    assert caught.value.needed_bytes > caught.value.free_bytes


def test_verdicts_belong_to_a_cpu_and_a_folder(runtime: Runtime, tmp_path: Path) -> None:
    store = runtime.variant_store(runtime.profile())
    assert store.file.is_relative_to(tmp_path)
    assert store.cpu_key.startswith("Test 9000")


@pytest.mark.parametrize(
    ("money", "price"),
    [(Money("FR"), "0.28"), (Money(None, "0.5"), "0.5"), (Money("FR", "1"), "1")],
)
def test_the_users_own_price_comes_before_the_countrys(
    runtime: Runtime, money: Money, price: str
) -> None:
    assert str(runtime.tariff(money).usd_per_kwh) == price


def test_an_unknown_country_is_refused(runtime: Runtime) -> None:
    with pytest.raises(UsageError):
        runtime.cost_model(Money("XX"), 10**9)


@pytest.mark.parametrize(
    ("host", "parameters", "threads"),
    [
        ({}, 10**9, 4),
        ({}, None, 4),
        ({}, 5_000_000, 1),
        ({"logical": 8, "physical": 4}, 10**9, 4),
        ({"logical": 8, "physical": 8, "allowed": 2}, 10**9, 2),
        ({"physical": None}, 10**9, 4),
    ],
)
def test_a_thread_a_core_that_may_be_used_but_one_for_a_tiny_model(
    tmp_path: Path, host: dict[str, int], parameters: int | None, threads: int
) -> None:
    profile = make_runtime(tmp_path, **host).profile()
    assert count_threads(profile, parameters) == threads


def test_launching_asks_for_nothing_that_is_not_said() -> None:
    options = LaunchOptions()
    assert (options.context_tokens, options.slots, options.policy) == (None, 1, None)


def test_like_for_like_is_what_the_catalogue_names_or_else_the_nearest_in_size() -> None:
    runtime = Runtime.default()
    named = runtime.cost_model(Money(), 8_000_000_000, "openrouter/qwen/qwen3-8b").like_for_like
    nearest = runtime.cost_model(Money(), 1_240_000_000).like_for_like
    assert named is not None
    assert nearest is not None
    assert (named.price_id, "1b" in nearest.price_id) == ("openrouter/qwen/qwen3-8b", True)


def test_every_price_that_the_catalogue_names_is_in_the_table() -> None:
    runtime = Runtime.default()
    for model in runtime.catalog.models:
        assert runtime.cost_model(Money(), model.parameters_total, model.hosted_price)
