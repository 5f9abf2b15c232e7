"""The command as it was typed, for the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwise.addresses import words_without_secrets


def typed_command(context: Any) -> tuple[str, ...]:
    """The command with the arguments and options that were given.

    Args:
        context: typer's context of the command.

    Returns:
        Words, options under their first names, in the order in which the command has them;
        no address with a key in it.
    """
    words = context.command_path.split()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        value = context.params.get(parameter.name)
        # By its name: typer may have a click of its own.
        if getattr(source, "name", "") != "COMMANDLINE" or value is None:
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif parameter.is_flag:
            words.append(parameter.opts[0])
        else:
            values = (
                value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            )
            for one in values:
                words += [parameter.opts[0], str(one)]
    return words_without_secrets(words)
