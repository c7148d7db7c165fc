import pytest

from edgeinfer.device import Cpu, DeviceProfile, Memory, Power
from edgeinfer.fit import Candidate, Resources
from edgeinfer.units import GIB


@pytest.fixture
def profile():
    """A machine of 8 cores and 16 GiB with CPU features and a memory cgroup."""

    def build(features=(), limit_gib=None, usable_cores=8.0):
        limit = None if limit_gib is None else limit_gib * GIB
        cpu = Cpu("CPU", "v", "x86_64", 8, 16, usable_cores, frozenset(features), None)
        memory = Memory(16 * GIB, 10 * GIB, limit, 0, 5e10, "measured by a read probe")
        return DeviceProfile(cpu, memory, (), Power("mains"), (), None, "Linux", None, ())

    return build


def test_a_profile_gives_budget_bandwidth_and_cores(profile):
    resources = Resources.from_profile(profile())
    assert (resources.budget_bytes, resources.total_bytes) == (10 * GIB, 16 * GIB)
    assert resources.roofline.bandwidth_bytes_per_s == 5e10
    assert resources.cores == 8


def test_a_memory_cgroup_bounds_the_budget(profile):
    resources = Resources.from_profile(profile(limit_gib=2))
    assert (resources.budget_bytes, resources.total_bytes) == (2 * GIB, 2 * GIB)


@pytest.mark.parametrize(
    ("features", "flops", "repacks"),
    [
        ((), None, False),
        (("avx2", "fma"), 8 * 3.3e10, False),
        (("avx2", "avx512_vnni", "amx_int8"), 8 * 1.4e11, True),
        (("neon", "dotprod"), 8 * 2.5e10, True),
    ],
)
def test_cpu_features_give_the_prefill_rate_and_the_second_form(profile, features, flops, repacks):
    resources = Resources.from_profile(profile(features))
    assert resources.roofline.flops_per_s == flops
    assert resources.repacks == repacks


def test_a_cpu_quota_bounds_the_prefill_rate(profile):
    resources = Resources.from_profile(profile(("avx2",), usable_cores=0.5))
    assert resources.roofline.flops_per_s == pytest.approx(0.5 * 3.3e10)


def test_a_file_of_the_catalogue_has_a_label_and_tiers(catalog):
    model = catalog.find("llama-3.2-1b")
    candidate = Candidate.from_manifest(model, model.files[0])
    assert candidate.label == "Llama 3.2 1B Instruct Q8_0"
    assert candidate.tiers["chat"] == "C"


def test_an_embedding_of_its_own_is_not_read_for_each_token(catalog):
    model = catalog.find("qwen3-8b")
    candidate = Candidate.from_manifest(model, model.files[0])
    table = 151_936 * 4096 * 4.8944 / 8
    assert candidate.weights_bytes - candidate.read_bytes == pytest.approx(table, abs=2)
