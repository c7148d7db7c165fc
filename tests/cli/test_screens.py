import inspect
import json
from importlib import import_module

import pytest

from edgeinfer import errors
from edgeinfer.cli.commands import COMMANDS
from edgeinfer.cli.output import plain, print_table, printable
from edgeinfer.errors import EdgeinferError
from tests.cli.shell import read_json, run, run_here, started

HEAVY = ("edgeinfer.runtime", "msgspec", "psutil", "llama_cpp", "starlette", "textual", "uvicorn")
SCREENS = [["models"], ["models", "qwen3-8b"], ["fit"], ["profile"], ["--help"]]
ANSWER = {
    *("text", "model", "quantization", "variant", "finish_reason"),
    *("usage", "timings", "energy", "cost"),
}
KEYS = {
    "models": {"folder", "stored", "unusable", "catalog"},
    "fit": {"use", "context_tokens", "resources", "models"},
    "profile": {
        *("cpu", "memory", "accelerators", "power", "energy_sensors"),
        *("disk_free_bytes", "os_name", "machine", "unknown"),
    },
    "up": {"profile", "plan", "answer"},
}


def imported_modules(profile: str) -> set[str]:
    """What python itself says that it imported."""
    return {line.rpartition("|")[2].strip() for line in profile.splitlines()}


@pytest.mark.parametrize("arguments", SCREENS + [[name, "--help"] for name in COMMANDS])
def test_every_screen_keeps_to_eighty_columns(arguments):
    assert all(len(line) <= 80 for line in run_here(*arguments).splitlines())


@pytest.mark.parametrize("name", KEYS)
def test_json_has_the_keys_that_the_help_names(name):
    explained = run_here(name, "--help").split("--json", 1)[1]
    assert set(read_json(name)) == KEYS[name]
    assert all(key in explained for key in KEYS[name])


def test_a_run_as_json_is_one_document_and_leaves_stderr_empty():
    done = run("run", "--max-tokens", "2", "--json", "hi")
    answer = json.loads(done.stdout)
    assert (set(answer), done.stderr) == (ANSWER, "")
    assert answer["usage"]["completion_tokens"] <= 2


def test_doctor_says_as_json_that_the_engine_works_here():
    report = read_json("doctor")
    assert report["works"] is True
    assert report["chosen"] in {verdict["variant"] for verdict in report["variants"]}
    assert {"engine", "folder", "worker", "model"} <= {f["what"] for f in report["findings"]}


def test_serve_as_json_says_where_once_it_serves():
    with started("serve", "--port", "0", "--json") as process:
        lines = iter(process.stdout.readline, b"}\n")
        served = json.loads(b"".join(lines) + b"}")
    assert served["endpoint"].startswith("http://127.0.0.1:")
    assert served["model"]["model_id"] == "edgeinfer-guide"


def test_up_without_a_terminal_shows_machine_plan_answer_and_receipt():
    done = run("up")
    assert done.returncode == 0
    assert "This machine" in done.stdout
    assert "Models for this machine" in done.stdout
    assert done.stdout.split("> What is edgeinfer?\n")[1].strip()
    assert "Verdict" in done.stderr


def test_a_model_may_be_named_by_its_path(tmp_path):
    stored = read_json("models")["stored"][0]
    link = tmp_path / "Mine.gguf"
    link.symlink_to(stored["path"])
    answer = read_json("run", "-m", str(link), "--max-tokens", "1", "hi")
    assert answer["model"] == "mine"


def test_the_same_seed_draws_the_same_answer():
    first, second = (
        read_json("run", "--seed", "7", "--max-tokens", "12", "Tell me more")["text"]
        for _ in range(2)
    )
    assert first == second


def test_a_prompt_may_come_by_standard_input():
    assert run_here("run", "--max-tokens", "1", text="\ufeffWas ist ein Modell?".encode())


def test_the_own_tariff_stands_in_the_receipt():
    answer = read_json("run", "--tariff", "0.5", "--max-tokens", "1", "hi")
    assert "$0.5/kWh" in answer["cost"]["lines"][0]["basis"]


def test_every_exit_code_is_explained_in_the_help():
    codes = [
        kind.exit_code
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, EdgeinferError)
    ]
    main = import_module("edgeinfer.cli.main")
    codes += [main.EXIT_FAULT, main.EXIT_INTERRUPTED, main.EXIT_CLOSED_OUTPUT]
    explained = {line.split()[0] for line in run_here("--help").splitlines() if line.strip()}
    assert {str(code) for code in codes} <= explained


@pytest.mark.parametrize("arguments", [["--help"], ["prfile"]])
def test_help_and_wrong_commands_import_nothing_heavy(arguments):
    done = run(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "click" in imported_modules(done.stderr)
    assert not imported_modules(done.stderr) & set(HEAVY)


def test_a_run_imports_neither_server_nor_screen():
    done = run("run", "", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "edgeinfer.runtime" in imported_modules(done.stderr)
    assert not imported_modules(done.stderr) & {"starlette", "textual", "uvicorn", "asyncio"}


def test_foreign_text_cannot_steer_the_terminal():
    assert printable("\x1b[2Jname\x07\n") == "\ufffd[2Jname\ufffd\n"


def test_names_that_are_no_utf8_become_json():
    assert plain({"path": "caf\udce9"}) == {"path": "caf?"}


def test_a_table_too_wide_wraps_and_cuts_nothing(capsys):
    words = [f"word{number}" for number in range(40)]
    print_table(("Name", "Text"), [("a" * 20, " ".join(words))])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [word for line in lines for word in line.split() if "word" in word] == words
