"""Every failure of a command becomes one clear message and an exit code; never a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperCommand

from headwise.cli.console import plain_warnings, tolerate_odd_terminals
from headwise.errors import HeadwiseError, InputError

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

_TRACEBACK_HELP = (
    "To see where it happened: headwise --traceback COMMAND ..., or set HEADWISE_TRACEBACK=1."
)


class GuardedCommand(TyperCommand):
    """A command whose failures are told in words."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Args:
            ctx: typer's context of the command.

        Returns:
            What the command returns.

        Raises:
            typer.Exit: The command failed; with its exit code, after the message.
        """
        tolerate_odd_terminals()
        with plain_warnings():
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
            except (typer.Exit, typer.Abort):
                raise
            except BaseException as error:
                if ctx.find_root().params.get("traceback"):
                    raise
                raise typer.Exit(report(error)) from None
        return result


def report(error: BaseException) -> int:
    """Tells on stderr why a command failed.

    Args:
        error: What was raised.

    Returns:
        The exit code: 1 failed, 2 bad input, 130 interrupted.

    Raises:
        BaseException: The error itself, where it is a wish to exit.
    """
    if isinstance(error, SystemExit | GeneratorExit):
        raise error
    _abandon_stdout_if_broken()
    # A closed or full stderr must not hide the exit code.
    with suppress(OSError):
        print("\n".join([_message(error), *getattr(error, "__notes__", ())]), file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return BAD_INPUT if isinstance(error, InputError) else FAILED


def _message(error: BaseException) -> str:
    match error:
        case HeadwiseError():
            return f"Error: {error}"
        case KeyboardInterrupt():
            return "Interrupted."
        case BrokenPipeError():
            return "Stopped: whatever read the output closed it before the end."
        case MemoryError():
            return "Error: out of memory. Use a smaller model, or shorter or fewer texts."
        case OSError():
            return f"Error: {_os_message(error)}"
    if type(error).__name__ == "OutOfMemoryError":
        return (
            "Error: the GPU is out of memory. Use a smaller --dtype (bfloat16), a smaller "
            "--max-text-tokens when fitting, or --device cpu."
        )
    return (
        f"Unexpected error: {type(error).__name__}: {error}\n"
        f"This is a fault of headwise; please report it. {_TRACEBACK_HELP}"
    )


def _os_message(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."


def _abandon_stdout_if_broken() -> None:
    """Keeps Python from failing again when it writes what is left to a full or closed stdout."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
