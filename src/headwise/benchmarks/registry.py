"""The registry of benchmarks: the modules of this folder."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from pathlib import Path
from typing import cast

from headwise.errors import InputError
from headwise.evaluation.items import Benchmark

# What is shared lives in packages of its own, so every other module is a benchmark.
_NO_BENCHMARKS = ("registry", "sources")


def names() -> tuple[str, ...]:
    """The names of all benchmarks, sorted; no benchmark is imported to tell."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    modules = [m.name for m in found if not m.ispkg and m.name not in _NO_BENCHMARKS]
    return tuple(sorted(module.replace("_", "-") for module in modules))


def benchmark(name: str) -> Benchmark:
    """A benchmark by its name.

    Args:
        name: Such as `"rewardbench-2"`; capitals, blanks and underscores do not matter.

    Returns:
        The benchmark.

    Raises:
        InputError: There is none of that name; names the nearest ones.
    """
    known = names()
    wanted = name.strip().casefold().replace("_", "-").replace(" ", "-")
    if wanted not in known:
        plain = {one.replace("-", ""): one for one in known}
        alike = plain.get(wanted.replace("-", ""))
        if alike is None:
            raise _unknown(name, wanted, known)
        wanted = alike
    module = importlib.import_module(f"headwise.benchmarks.{wanted.replace('-', '_')}")
    return cast("Benchmark", module.BENCHMARK)


def _unknown(name: str, wanted: str, known: tuple[str, ...]) -> InputError:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    near += [one for one in known if wanted and wanted in one and one not in near]
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return InputError(
        f"There is no benchmark {name!r}. {hint}The benchmarks are: {', '.join(known)}."
    )
