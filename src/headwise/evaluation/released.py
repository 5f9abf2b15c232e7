"""The released language splits of PreferenceHack, from the Hub or a folder.

Source: arXiv:2507.01368; data set `DarthVaderSenior/PreferenceHack`, cc-by-4.0. The names of its
columns could not be checked when this was written, so each is looked for under many names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from headwise.errors import InputError
from headwise.examples import Preference
from headwise.jobs import encode_rows, plain_row
from headwise.readers import ReadResult, Source, open_source, read_preferences
from headwise.readers.columns import Wanted
from headwise.readers.result import RawRow

RELEASED_DATASET = "DarthVaderSenior/PreferenceHack"
"""Its id on the Hub."""

ReleasedSplit = Literal["helpful", "length", "positivity", "all"]
"""A part of it; `"all"` is the others together."""

RELEASED_SPLITS: tuple[ReleasedSplit, ...] = get_args(ReleasedSplit)
"""All parts."""

# By what names each column is looked for.
RELEASED_PROMPT = Wanted(
    "prompt",
    (
        *("prompt", "question", "instruction", "query", "input", "problem", "context"),
        *("user", "user_prompt", "prompt_text", "messages", "conversation"),
    ),
)
RELEASED_CHOSEN = Wanted(
    "chosen",
    (
        *("chosen", "chosen_response", "response_chosen", "preferred", "preferred_response"),
        *("good", "good_response", "better", "accepted", "winner", "win", "positive"),
        *("correct", "correct_answer", "correct_response", "unbiased", "output_chosen"),
    ),
)
RELEASED_REJECTED = Wanted(
    "rejected",
    (
        *("rejected", "rejected_response", "response_rejected", "dispreferred"),
        *("dispreferred_response", "bad", "bad_response", "worse", "loser", "lose", "negative"),
        *("incorrect", "incorrect_answer", "incorrect_response", "biased", "hacked"),
        *("hacked_response", "biased_response", "output_rejected"),
    ),
)


def read_released(
    split: ReleasedSplit = "all",
    *,
    data: str | Path | None = None,
    revision: str | None = None,
    prompt: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
) -> ReadResult[Preference]:
    """Reads one released split.

    Args:
        split: Which one.
        data: A folder with `data/SPLIT.jsonl` or `SPLIT.jsonl`, or one such file; None for the Hub
            or its local cache.
        revision: Branch, tag or commit on the Hub.
        prompt: The column of the prompt; None to look for it.
        chosen: The column of the better response; None to look for it.
        rejected: The column of the worse response; None to look for it.

    Returns:
        The pairs, with the raw rows; their `split` is the split, or what the row itself says.

    Raises:
        InputError: There is no such split or file, it could not be downloaded, or a column could
            not be told.
    """
    if split not in RELEASED_SPLITS:
        raise InputError(f"PreferenceHack has the splits {RELEASED_SPLITS}; got {split!r}.")
    path = _downloaded(split, revision) if data is None else _found(split, Path(data))
    return _read(open_source(path), split, prompt, chosen, rejected)


def released_preferences(
    rows: Sequence[Mapping[str, object]],
    split: str = "all",
    *,
    prompt: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
) -> tuple[Preference, ...]:
    """Rows that something else has read, as pairs.

    Args:
        rows: Rows of the data set.
        split: The split that they are of, where a row does not say so itself.
        prompt: The column of the prompt; None to look for it.
        chosen: The column of the better response; None to look for it.
        rejected: The column of the worse response; None to look for it.

    Returns:
        One pair a row.

    Raises:
        InputError: There are no rows, one is bad, or a column could not be told.
    """
    content = encode_rows([plain_row(row).values for row in rows])
    source = Source(f"PreferenceHack ({split})", "jsonl", content=content)
    return _read(source, split, prompt, chosen, rejected).items


def _read(
    source: Source, split: str, prompt: str | None, chosen: str | None, rejected: str | None
) -> ReadResult[Preference]:
    rows = [row for row in source.rows() if isinstance(row, RawRow)]
    columns = list(dict.fromkeys(column for row in rows for column in row.values))
    chosen_at = RELEASED_CHOSEN.require(source.name, columns, chosen)
    rejected_at = RELEASED_REJECTED.require(source.name, columns, rejected, (chosen_at,))
    # Where there is no prompt, both responses are whole dialogues that fork somewhere.
    prompt_at = RELEASED_PROMPT.find(source.name, columns, prompt, (chosen_at, rejected_at))
    read = read_preferences(source, prompt=prompt_at, chosen=chosen_at, rejected=rejected_at)
    items = tuple(
        replace(
            pair,
            split=pair.split or split,
            id=pair.id or f"{pair.split or split}-{number}",
        )
        for number, pair in enumerate(read.items, start=1)
    )
    return replace(read, items=items)


def _found(split: ReleasedSplit, data: Path) -> Path:
    if data.is_file():
        return data
    for path in (data / "data" / f"{split}.jsonl", data / f"{split}.jsonl"):
        if path.is_file():
            return path
    raise InputError(
        f"{data} holds neither data/{split}.jsonl nor {split}.jsonl. Give the folder of a download "
        f"of {RELEASED_DATASET}, or one of its files."
    )


def _downloaded(split: ReleasedSplit, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    name = f"data/{split}.jsonl"
    try:
        found = hf_hub_download(RELEASED_DATASET, name, repo_type="dataset", revision=revision)
    except Exception as error:  # huggingface_hub and the network each raise their own.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise InputError(
            f"{name} of {RELEASED_DATASET} could not be had from the Hugging Face Hub "
            f"({type(error).__name__}: {reason}). Without a network, download it elsewhere with "
            f"'hf download {RELEASED_DATASET} --repo-type dataset --local-dir DIR', copy DIR here "
            "and name it: --data DIR (in Python: data=DIR)."
        ) from error
    return Path(found)
