"""The commands by name; each is imported when it is called, so that help comes at once."""

import importlib
from collections.abc import Sequence
from difflib import get_close_matches

import click

from edgeinfer import __version__
from edgeinfer.errors import UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("edgeinfer.cli.up:up", "Look at this machine, load its best model, answer, serve."),
    "run": ("edgeinfer.cli.run:run", "Answer one prompt and say what it cost."),
    "profile": ("edgeinfer.cli.profile:profile", "Show what this machine is."),
    "fit": ("edgeinfer.cli.fit:fit", "Rank the models that run well on this machine."),
    "models": ("edgeinfer.cli.models:models", "List the models on this disk and the catalogue."),
    "serve": ("edgeinfer.cli.serve:serve", "Serve other programs here by the OpenAI API."),
    "doctor": ("edgeinfer.cli.doctor:doctor", "Check the installation and say what mends it."),
}

_EPILOG = """\b
Without a command, edgeinfer is edgeinfer up. Each command has a --help.

\b
Exit codes:
    0  done
    1  a fault of edgeinfer
    2  a wrong call, or a model that is not here
    3  a damaged or unsupported model file
    4  it does not fit: context, memory or queue
    5  the worker process failed
    6  the engine does not work
    7  disk or permission
  130  interrupted
  141  the reader of the output has gone
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise _unknown(args[0])
        return super().resolve_command(ctx, args)

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
        # Not ctx.invoke, which does not look at the options' environment variables.
        up = importlib.import_module("edgeinfer.cli.up").up
        with up.make_context("up", [], parent=ctx) as own:
            up.invoke(own)


def run_cli(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code, raises UsageError for a wrong call.

    click's own `main` would answer signals and closed pipes in its own way.
    """
    try:
        with cli.make_context("edgeinfer", list(arguments)) as ctx:
            cli.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        raise UsageError(error.format_message(), hint=_where_to_look(error)) from error
    return 0


def _where_to_look(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "edgeinfer"
    return f"{command} --help shows what is possible."


def _unknown(name: str) -> UsageError:
    near = get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.5)
    return UsageError(
        f"There is no command {name!r}.",
        hint=f"Did you mean edgeinfer {near[0]}?"
        if near
        else 'edgeinfer --help lists the commands. To ask something: edgeinfer run "..."',
    )
