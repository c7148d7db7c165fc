from pathlib import Path

import pytest

from edgeinfer_build.errors import CommandError
from edgeinfer_build.failure import explain

LOG = Path("/clone/.build/engine.log")
NO_NETWORK = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n"
    "ERROR: No matching distribution found for llama-cpp-python==0.3.36\n"
)
NO_CUDA = (
    "  -- Could not find nvcc, please set CUDAToolkit_ROOT.\n"
    "  CMake Error at ggml-cuda/CMakeLists.txt:258 (m):\n"
    "    No CUDA Toolkit\n"
    "  *** CMake configuration failed\n"
    "  error: subprocess-exited-with-error\n"
)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (NO_NETWORK, "The package index could not be reached, so the build could not go on."),
        ("as: No space left on device\n", "The disk is full, so the build could not go on."),
        (
            "g++: fatal error: Killed signal terminated program cc1plus\n",
            "The memory was not enough for the build.",
        ),
        (
            "  ops.cpp:3:1: error: expected ';'\n",
            "the build failed: ops.cpp:3:1: error: expected ';'",
        ),
        (
            NO_CUDA,
            "the build failed: CMake Error at ggml-cuda/CMakeLists.txt:258 (m): No CUDA Toolkit",
        ),
        ("ERROR: Ignored\n", "the build failed: ERROR: Ignored"),
        ("", "the build failed: pip ended with 1."),
    ],
)
def test_output_becomes_a_sentence_and_the_log_is_named(output, sentence):
    error = explain(CommandError("pip ended with 1.", output=output), step="the build", log=LOG)
    assert str(error) == sentence
    assert str(LOG) in error.hint


def test_without_a_network_both_ways_out_are_named():
    error = explain(CommandError("", output=NO_NETWORK), step="the build", log=LOG)
    assert "a connection once, or the folder .build/" in error.hint
