from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.catalog import Catalog
from edgeinfer.errors import InsufficientMemoryError, UnknownModelError
from edgeinfer.fit import Candidate, Resources, Serving, plan_fit
from edgeinfer.fit.quality import rank_quality
from edgeinfer.units import GIB, MIB

MODELS = Catalog.load().models
ALL = [Candidate.from_manifest(model, file) for model in MODELS for file in model.files]
budgets = st.integers(0, 64 * 1024).map(lambda mebibytes: mebibytes * MIB)
GUIDE = "edgeinfer-guide"
# Slow machines run these tests too.
bounded = settings(max_examples=40, deadline=None)


def plan_of(candidates, resources, **changes):
    return plan_fit(candidates, resources, **{"context_tokens": 8192} | changes)


def only(candidates, model_id, quantization=None):
    return [
        candidate
        for candidate in candidates
        if candidate.model_id == model_id and quantization in {None, candidate.quantization}
    ]


def entry_of(candidate, resources, **changes):
    return plan_of([candidate], resources, **changes).entries[0]


@bounded
@given(budgets, st.integers(1, 200_000), st.sampled_from(["chat", "code", "reasoning"]))
def test_what_fits_never_exceeds_the_budget(budget, context, use):
    resources = Resources(budget, 64 * GIB, 5e10)
    for entry in plan_of(ALL, resources, context_tokens=context, use=use).entries:
        fits = entry.memory.total_bytes <= resources.usable_bytes
        assert fits == (entry.verdict == "fits")
        assert entry.context_tokens <= max(
            1, min(context, entry.candidate.architecture.n_ctx_train)
        )


@bounded
@given(budgets, budgets)
def test_more_memory_never_gives_a_worse_model(first, second):
    low, high = (
        plan_of(ALL, Resources(budget, 64 * GIB, 5e10)).best for budget in sorted((first, second))
    )
    if low is not None:
        assert high is not None
        assert (low.meets_floor, rank_quality(low.candidate, "chat")) <= (
            high.meets_floor, rank_quality(high.candidate, "chat")
        )  # fmt: skip


@bounded
@given(budgets, budgets)
def test_more_memory_never_gives_less_context(first, second):
    (qwen,) = only(ALL, "qwen3-4b-2507")
    low, high = (entry_of(qwen, Resources(budget, 64 * GIB)) for budget in sorted((first, second)))
    assert low.context_tokens <= high.context_tokens


@pytest.mark.parametrize(
    ("usable_gib", "verdict", "context", "kv_type"),
    [
        (6.0, "fits", 8192, "f16"),
        (3.3, "fits", 5120, "f16"),
        (2.8, "fits", 2048, "f16"),
        (2.7, "fits", 2048, "q8_0"),
        (2.5, "tight", 2048, "q8_0"),
        (2.0, "too large", 2048, "q8_0"),
    ],
)
def test_the_context_shrinks_first_and_then_the_kv_type(usable_gib, verdict, context, kv_type):
    (qwen,) = only(ALL, "qwen3-4b-2507")
    resources = Resources(int((usable_gib + 0.5) * GIB), GIB)
    entry = entry_of(qwen, resources)
    assert (entry.verdict, entry.context_tokens, entry.kv_type) == (verdict, context, kv_type)


def test_a_shorter_context_is_taken_before_a_smaller_quantization():
    files = only(ALL, "qwen3-1.7b")
    best = plan_of(files, Resources(int(3.2 * GIB), GIB)).best
    assert best.candidate.quantization == "Q8_0"
    assert best.context_tokens < 8192


def test_a_smaller_quantization_is_taken_where_the_larger_does_not_fit():
    files = only(ALL, "qwen3-1.7b")
    assert plan_of(files, Resources(2 * GIB, GIB)).best.candidate.quantization == "Q4_0"


def test_the_kv_cache_keeps_its_type_where_the_engine_has_only_one():
    (qwen,) = only(ALL, "qwen3-4b-2507")
    resources = Resources(int(3.2 * GIB), GIB)
    assert entry_of(qwen, resources, serving=Serving(kv_types=("f16",))).verdict == "tight"


def test_every_slot_has_its_own_context():
    (llama,) = only(ALL, "llama-3.2-1b", "Q4_K_M")
    resources = Resources(16 * GIB, 16 * GIB)
    one, four = (
        entry_of(llama, resources, serving=Serving(slots=slots)).memory for slots in (1, 4)
    )
    assert four.kv_cache_bytes == 4 * one.kv_cache_bytes


@pytest.mark.parametrize(("total_gib", "reserve_mib"), [(1, 512), (6, 512), (8, 655), (64, 5242)])
def test_the_reserve_is_half_a_gibibyte_or_a_twelfth(total_gib, reserve_mib):
    resources = Resources(10 * GIB, total_gib * GIB)
    assert resources.reserve_bytes // MIB == reserve_mib
    assert resources.usable_bytes == 10 * GIB - resources.reserve_bytes


@pytest.mark.parametrize("use", ["chat", "code", "reasoning"])
@pytest.mark.parametrize("free_gib", [1, 2, 4, 8, 16, 32])
def test_the_guide_ranks_after_every_general_model_that_fits(candidates, machine, free_gib, use):
    entries = plan_of(candidates, machine(free_gib), use=use).entries
    fitting = [entry.candidate.scope for entry in entries if entry.verdict == "fits"]
    assert fitting.index("edgeinfer") == len(fitting) - 1


def test_the_guide_is_the_best_on_disk_when_alone(candidates, machine):
    plan = plan_of(candidates, machine(8))
    assert plan.best_on_disk.candidate.model_id == GUIDE
    assert plan.best.candidate.model_id != GUIDE


def test_the_guide_gets_the_context_it_was_trained_for(candidates, machine):
    (guide,) = only(candidates, GUIDE)
    assert entry_of(guide, machine(2)).context_tokens == 1024


def test_nothing_fits_where_nothing_is_free(candidates, machine):
    plan = plan_of(candidates, machine(0.1))
    assert plan.best is plan.best_on_disk is None
    with pytest.raises(InsufficientMemoryError) as caught:
        plan.require(GUIDE)
    assert "not even the smallest" in caught.value.hint


@pytest.mark.parametrize(
    ("free_gib", "gigabytes_per_s", "best"),
    [
        (32, 60, "qwen3-30b-a3b-2507"),
        (16, 60, "gpt-oss-20b"),
        (8, 60, "qwen3-8b"),
        (4, 40, "qwen3-4b-2507"),
        (2, 40, "qwen3-1.7b"),
    ],
)
def test_typical_machines_get_what_an_expert_would_choose(
    candidates, machine, free_gib, gigabytes_per_s, best
):
    plan = plan_of(candidates, machine(free_gib, gigabytes_per_s))
    assert plan.best.candidate.model_id == best


def test_a_slow_machine_gets_a_smaller_model(candidates, machine):
    best = plan_of(candidates, machine(8, 10)).best
    assert best.meets_floor
    assert best.candidate.weights_bytes < 2 * 10**9


def test_where_all_are_too_slow_the_fastest_comes_first(candidates, machine):
    general = [candidate for candidate in candidates if candidate.scope == "general"]
    entries = plan_of(general, machine(8, 0.1)).entries
    assert entries[0].candidate.model_id == "smollm2-135m"


def test_without_a_bandwidth_the_speed_is_left_open(candidates, machine):
    best = plan_of(candidates, machine(8, None)).best
    assert best.speed.decode_tokens_per_s is None
    assert best.why.endswith("speed not known")


def test_the_reason_is_one_line_with_the_figures(candidates, machine):
    plan = plan_of(candidates, machine(8))
    (large,) = [e for e in plan.entries if e.candidate.model_id == "qwen3-30b-a3b-2507"]
    assert "8,192 tokens of context; about" in plan.best.why
    assert plan.best.why.endswith("tokens/s (estimate)")
    assert large.why.startswith("too large: needs")


def test_a_smaller_kv_type_is_said():
    (qwen,) = only(ALL, "qwen3-4b-2507")
    assert "KV cache as q8_0" in entry_of(qwen, Resources(int(3.2 * GIB), GIB)).why


def test_a_refusal_names_the_figures_and_what_fits(candidates, machine):
    with pytest.raises(InsufficientMemoryError, match="Qwen3 14B Q4_K_M needs") as caught:
        plan_of(candidates, machine(4)).require("qwen3-14b")
    assert "Qwen3 4B Instruct 2507 Q4_K_M fits with" in caught.value.hint
    assert caught.value.needed_bytes > caught.value.free_bytes


def test_a_refusal_prefers_another_file_of_the_same_model():
    files = [replace(c, stored_id=c.quantization) for c in only(ALL, "qwen3-1.7b")]
    with pytest.raises(InsufficientMemoryError) as caught:
        plan_of(files, Resources(2 * GIB, GIB)).require("Q8_0")
    assert caught.value.hint.startswith("Qwen3 1.7B Q4_0 fits")
    assert "on this disk" in caught.value.hint


def test_a_model_that_fits_is_given(candidates, machine):
    assert plan_of(candidates, machine(8)).require("qwen3-8b").verdict == "fits"


def test_a_model_outside_the_plan_is_unknown(candidates, machine):
    with pytest.raises(UnknownModelError):
        plan_of(candidates, machine(8)).require("other")


def test_a_mixture_of_experts_reads_only_its_active_part():
    (moe,) = only(ALL, "qwen3-30b-a3b-2507")
    assert moe.read_bytes < moe.weights_bytes / 8
