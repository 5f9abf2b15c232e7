"""`headwise report`: a page with tables and plots of what `headwise bench` found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headwise.cli.console import tell, write_json
from headwise.cli.options import JsonOption, QuietOption
from headwise.errors import InputError


def report(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Files that headwise bench -o wrote."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for the page and its plots."),
    ],
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the page.")] = "Results",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a page of results: report.md and report.html, with plots as PNG and SVG.

    Results of one benchmark and model on the same items stand together, whichever file they are
    in. Each has its figures with 95% intervals, the benchmark's official figures, paired tests
    against the best baseline with Holm's correction, calibration, what it took, and plots:
    all methods, the learning curve, reliability, and the transfer matrices.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder.")
    for path in results:
        if not path.is_file():
            raise InputError(f"There is no file {path}; give files that headwise bench -o wrote.")
    from headwise.evaluation.report import write
    from headwise.evaluation.results import BenchResult

    made = write([BenchResult.read(path) for path in results], out, title)
    if json:
        write_json(
            {
                "markdown": str(made.markdown),
                "html": str(made.html),
                "plots": [str(plot) for plot in made.plots],
            }
        )
    elif not quiet:
        tell(f"Wrote {made.html} and {made.markdown}, with {len(made.plots)} plots.")
