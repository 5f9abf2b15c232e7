"""The package versions an artifact remembers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("headwise", "torch", "transformers", "numpy")


def package_versions() -> dict[str, str]:
    """Versions of what an artifact's numbers depend on.

    Returns:
        `{package: version}` for headwise, torch, transformers, numpy and python; `"unknown"`
        for a package that is used without being installed.
    """
    return {name: _version_of(name) for name in _PACKAGES} | {"python": platform.python_version()}


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
