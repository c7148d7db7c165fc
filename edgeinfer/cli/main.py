"""The command `edgeinfer`: finds the subcommand, and turns every error into one sentence and an exit code."""

import importlib
import os
import signal
import sys
from typing import NoReturn

import click

from edgeinfer import __version__
from edgeinfer.errors import EdgeinferError

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

# Subcommands are imported when they are called, so that help and errors come at once.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("edgeinfer.cli.up:up", "Profile, plan, load the best model here, answer and serve."),
    "run": ("edgeinfer.cli.run:run", "Answer one prompt; the receipt goes to stderr."),
    "profile": ("edgeinfer.cli.profile:profile", "Show what this machine is."),
    "fit": ("edgeinfer.cli.fit:fit", "Rank the models that fit this machine."),
    "models": ("edgeinfer.cli.models:models", "List the catalogue and the models on this disk."),
    "serve": ("edgeinfer.cli.serve:serve", "Serve the OpenAI-compatible API on loopback."),
    "doctor": ("edgeinfer.cli.doctor:doctor", "Check the installation and say what mends it."),
}

_EPILOG = """\b
Exit codes: 0 done, 1 a fault of edgeinfer, 2 wrong call, 3 damaged or unknown model file,
4 does not fit (context, memory, queue), 5 the worker process failed, 6 the engine does not work,
7 disk or permission, 130 interrupted, 141 output closed.

Without a command, `edgeinfer` is `edgeinfer up`.
"""


class _LazyGroup(click.Group):
    """A group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="edgeinfer")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Turn this machine into a private language-model service, fully offline."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(ctx.command.get_command(ctx, "up"))  # type: ignore[attr-defined]


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except EdgeinferError as error:
        sys.exit(_fail(str(error), error.hint, error.exit_code))
    except click.ClickException as error:
        sys.exit(
            _fail(
                error.format_message(), "Run with --help to see what is possible.", error.exit_code
            )
        )
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_fail("Interrupted.", None, EXIT_INTERRUPTED))
    except BrokenPipeError:
        _leave_closed_output()
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(sentence: str, hint: str | None, code: int) -> int:
    click.echo(f"edgeinfer: {sentence}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
    return code


def _leave_closed_output() -> NoReturn:
    """Whoever read our output has gone: leave without another word, also from the interpreter's last flush."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    sys.exit(EXIT_BROKEN_PIPE)
