import io
import os
import random
import socket
from importlib.resources import files
from pathlib import Path

import pytest

from edgeinfer.cli.commands import run_cli
from edgeinfer.errors import (
    CapacityError,
    EdgeinferError,
    InvalidRequestError,
    ModelFileError,
    PromptTooLongError,
    UnknownModelError,
    UsageError,
)
from edgeinfer.paths import HOME_VARIABLE
from tests.cli.shell import home, run, run_here

GUIDE = Path(str(files("edgeinfer_models") / "edgeinfer-guide-Q8_0.gguf"))
TOO_LARGE = b"a" * (17 << 20)


def damage(raw: bytes) -> bytes:
    return raw[:24] + random.Random(1).randbytes(2000) + raw[2024:]


MODEL_FILES = {
    "text": lambda _: b"this is a letter",
    "empty": lambda _: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "stub": lambda raw: raw[:20],
    "damaged": damage,
}

WRONG_CALLS = [
    (["run", "-m", "edgeinfer-gide", "hi"], "edgeinfer-guide"),
    (["run", "-m", "no such model", "hi"], "edgeinfer models"),
    (["run", "-m", "./missing.gguf", "hi"], "Check the path"),
    (["run", "-m", "qwen3-8b", "hi"], "huggingface.co"),
    (["run", "-m", "", "hi"], "edgeinfer models"),
    (["run", ""], "edgeinfer run"),
    (["run", "  \n "], "edgeinfer run"),
    (["run"], "edgeinfer run"),
    (["run", "-"], "edgeinfer run"),
    (["run", "caf\udce9"], "UTF-8"),
    (["run", "--system", "\udcff", "hi"], "UTF-8"),
    (["run", "--context", "8", "hi"], "--help"),
    (["run", "--context", "many", "hi"], "--help"),
    (["run", "--temperature", "nan", "hi"], "--temperature"),
    (["run", "--temperature", "-1", "hi"], "--temperature"),
    (["run", "--max-tokens", "0", "hi"], "--max-tokens"),
    (["run", "--seed", "-1", "hi"], "--seed"),
    (["run", "--country", "XX", "hi"], "FR"),
    (["run", "--tariff", "cheap", "hi"], "0.18"),
    (["run", "--tariff", "-1", "hi"], "0.18"),
    (["run", "--no-such-option", "hi"], "edgeinfer run --help"),
    (["prfile"], "edgeinfer profile"),
    (["what is this"], "edgeinfer run"),
    (["models", "qwen3-8bb"], "qwen3-8b"),
    (["serve", "--port", "65536"], "edgeinfer serve --help"),
    (["serve", "--port", "-1"], "edgeinfer serve --help"),
    (["serve", "--host", "0.0.0.0"], "127.0.0.1"),  # noqa: S104 - what is refused
    (["serve", "--host", "example.com"], "127.0.0.1"),
    (["serve", "--slots", "0"], "edgeinfer serve --help"),
    (["up", "--port", "65536"], "edgeinfer up --help"),
]


@pytest.mark.parametrize(("arguments", "advice"), WRONG_CALLS)
def test_a_wrong_call_gets_one_sentence_and_advice(arguments, advice, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(EdgeinferError) as caught:
        run_cli(arguments)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert advice in (caught.value.hint or "")


def test_a_wrong_call_says_so_on_stderr_alone():
    done = run("run", "-m", "edgeinfer-gide", "hi", "--json")
    sentence, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence == "edgeinfer: There is no model named 'edgeinfer-gide'."
    assert hint == "  Did you mean edgeinfer-guide?"


def test_a_catalogue_model_that_is_not_here_names_its_source_and_the_folder():
    with pytest.raises(UnknownModelError) as caught:
        run_here("run", "-m", "qwen3-8b", "hi")
    assert "not on this disk" in str(caught.value)
    assert str(home() / "models") in (caught.value.hint or "")


@pytest.mark.parametrize("kind", MODEL_FILES)
def test_what_is_no_whole_gguf_file_is_refused_before_it_is_loaded(kind, tmp_path):
    path = tmp_path / f"{kind}.gguf"
    path.write_bytes(MODEL_FILES[kind](GUIDE.read_bytes()))
    with pytest.raises(ModelFileError) as caught:
        run_here("run", "-m", str(path), "hi")
    assert caught.value.exit_code == 3
    assert path.name in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"caf\xe9", "not UTF-8 text at byte 4"),
        (b"a\0b", "byte 2 is zero"),
    ],
)
def test_what_is_no_text_on_stdin_is_refused(raw, said):
    with pytest.raises(InvalidRequestError, match=said) as caught:
        run_here("run", text=raw)
    assert caught.value.hint


def test_more_on_stdin_than_is_ever_read_does_not_fit():
    with pytest.raises(CapacityError, match="16 MiB") as caught:
        run_here("run", "-", text=TOO_LARGE)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("text", [b"word " * 9000, b"word " * (2 << 20)])
def test_a_prompt_larger_than_the_context_is_told_both_numbers(text):
    with pytest.raises(PromptTooLongError) as caught:
        run_here("run", text=text)
    assert caught.value.exit_code == 4
    assert f"{caught.value.n_prompt_tokens:,}" in str(caught.value)
    assert f"{caught.value.n_ctx:,}" in str(caught.value)
    assert caught.value.n_prompt_tokens > caught.value.n_ctx


@pytest.mark.parametrize("command", ["run", "serve", "up"])
def test_a_context_larger_than_the_model_has_is_refused(command):
    arguments = [command, "--context", "100000", *(["hi"] if command == "run" else [])]
    with pytest.raises(CapacityError, match="tokens of context") as caught:
        run_here(*arguments, *(["--port", "0"] if command == "serve" else []))
    assert caught.value.exit_code == 4
    assert "--context" in (caught.value.hint or "")


def test_a_port_in_use_is_told_before_anything_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(UsageError, match=port) as caught:
            run_here("serve", "--port", port)
    assert "--port" in (caught.value.hint or "")


@pytest.mark.parametrize("libraries", [{}, {"libggml-cpu-x64.so": b"no library"}])
def test_a_missing_or_broken_engine_is_told_by_its_own_code(libraries, tmp_path, new_home):
    lib = tmp_path / "llama_cpp" / "lib"
    lib.mkdir(parents=True)
    (tmp_path / "llama_cpp" / "__init__.py").touch()
    for name, content in libraries.items():
        (lib / name).write_bytes(content)
    done = run("run", "hi", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 6
    assert "engine" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(new_home.rglob("*.json"))


def test_a_home_that_cannot_be_written_costs_a_note_and_nothing_else(monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, "/dev/null/x")
    done = run("run", "--max-tokens", "2", "hi")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert done.stderr.startswith("Note: /dev/null/x cannot be written")


def test_without_home_and_variables_the_command_still_runs(monkeypatch):
    for name in ("HOME", HOME_VARIABLE, "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    assert run("models").returncode == 0
