"""Benchmarks of the field, one file each; the registry is this folder.

A file `name.py` holds `BENCHMARK`, which satisfies `headwise.evaluation.items.Benchmark`.
"""

from headwise.benchmarks.registry import benchmark, names
from headwise.benchmarks.sources import load_rows, load_support

__all__ = ["benchmark", "load_rows", "load_support", "names"]
