import pytest

from edgeinfer.catalog.quantization import (
    FILE_TYPES,
    QUANTIZATIONS,
    TENSOR_TYPES,
    find_quantization,
)


@pytest.mark.parametrize(
    ("name", "bits"),
    [("F32", 32), ("BF16", 16), ("Q8_0", 8.5), ("Q6_K", 6.5625), ("Q4_K", 4.5), ("MXFP4", 4.25)],
)
def test_a_tensor_type_has_the_bits_of_its_blocks(name, bits):
    kind = next(kind for kind in TENSOR_TYPES.values() if kind.name == name)
    assert kind.block_bytes * 8 / kind.block_size == bits


def test_names_and_file_types_name_the_same_mixtures():
    assert {entry.name for entry in FILE_TYPES.values()} == set(QUANTIZATIONS)
    assert len(FILE_TYPES) == len(QUANTIZATIONS)


@pytest.mark.parametrize(
    ("file_type", "name"), [(0, "F32"), (7, "Q8_0"), (15, "Q4_K_M"), (38, "MXFP4")]
)
def test_file_types_have_the_numbers_of_llama_cpp(file_type, name):
    assert FILE_TYPES[file_type].name == name


def test_fewer_bits_lose_more_within_the_k_family():
    names = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
    penalties = [QUANTIZATIONS[name].quality_penalty for name in names]
    assert penalties == sorted(penalties)
    assert len(set(penalties)) == len(names)


def test_an_unmeasured_mixture_has_no_penalty_rather_than_none_lost():
    assert QUANTIZATIONS["NVFP4"].quality_penalty is None


def test_names_are_found_in_any_case():
    assert find_quantization("q4_k_m") is QUANTIZATIONS["Q4_K_M"]
    assert find_quantization("Q9") is None
