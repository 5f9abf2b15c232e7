"""The errors headwise raises: each says what was given, what was expected, what to do next."""

from __future__ import annotations

_SHOWN_CHARACTERS = 80


class HeadwiseError(Exception):
    """Base of every error headwise raises on purpose; the command line prints it and exits 1."""


class InputError(HeadwiseError, ValueError):
    """The user's data or arguments are wrong; the command line exits 2."""


class UninformativeHeadsError(InputError):
    """No attention head gives different activations for different classes."""


class LayoutError(HeadwiseError):
    """The attention heads of a model could not be located with certainty."""


class ArtifactError(HeadwiseError):
    """A saved artifact is missing, damaged, newer than this headwise, or for another model."""


class EngineError(HeadwiseError):
    """The model could not be loaded, or an engine cannot do what was asked of it."""


class ActivationError(EngineError):
    """The model produced NaN or infinite activations."""


class MissingExtraError(HeadwiseError, ImportError):
    """An optional dependency is not installed.

    Args:
        package: The distribution that is missing.
        extra: The headwise extra that brings it.
        purpose: What it was needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed. "
            f"Install it with: pip install 'headwise[{extra}]'"
        )


def shortened(value: object) -> str:
    """A value as errors show it: its literal, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 3] + "..."
