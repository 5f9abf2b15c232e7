"""What `fit` says when it is done."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headwise.cli.console import facts, show, write_json
from headwise.errors import ArtifactError

if TYPE_CHECKING:
    from headwise.artifacts import Artifact, ArtifactRecord

_SHOWN_HEADS = 10


def check_folder(out: Path) -> None:
    """Checks before the work that its result can be saved, as far as that can be known.

    Args:
        out: The folder to save to.

    Raises:
        ArtifactError: It holds anything but an artifact, or is a file.
        OSError: The folder it is to be in cannot be written.
    """
    from headwise.artifacts.placement import check_replaceable

    check_replaceable(out)
    parent = next(folder for folder in out.resolve().parents if folder.is_dir())
    # The folder itself is made beside its final place, so that is what must be writable.
    shutil.rmtree(tempfile.mkdtemp(prefix=".headwise-", dir=parent))


def save(artifact: Artifact, out: Path) -> None:
    """Saves what was fitted; where that fails, saves it to a temporary folder, so that it is kept.

    Args:
        artifact: What was fitted.
        out: The folder to save to.

    Raises:
        ArtifactError: It could not be saved there; says where it is instead.
    """
    try:
        artifact.save_pretrained(out)
    except ArtifactError as error:
        rescue = Path(tempfile.mkdtemp(prefix="headwise-"))
        try:
            artifact.save_pretrained(rescue)
        except ArtifactError:
            rescue.rmdir()
        else:
            error.add_note(f"It was saved to {rescue} instead; move it from there.")
        raise


def tell_fit(
    record: ArtifactRecord,
    out: Path,
    figures: Mapping[str, object],
    summary: Mapping[str, str | None],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Says on stdout what was fitted.

    Args:
        record: What was fitted.
        out: Where it was saved.
        figures: What machines are told of the fit.
        summary: What people are told of the fit.
        json: Whether to say it as JSON.
        quiet: Whether to say nothing to people.
    """
    heads = list(zip(record.heads.indices, record.heads.scores, strict=True))
    if json:
        write_json(
            {
                "artifact": str(out),
                "method": record.method,
                "model": record.base_model.model_id,
                "revision": record.base_model.revision,
                "n_heads": len(heads),
                "heads": [{"layer": i.layer, "head": i.head, "score": s} for i, s in heads],
                **figures,
            }
        )
    elif not quiet:
        names = ", ".join(str(index) for index, _ in heads[:_SHOWN_HEADS])
        more = ", ..." if len(heads) > _SHOWN_HEADS else ""
        show(
            facts(
                f"Saved to {out}",
                {
                    "model": record.base_model.model_id,
                    "heads": f"{len(heads)} of {record.layout.n_heads}: {names}{more}",
                    **summary,
                },
            )
        )
