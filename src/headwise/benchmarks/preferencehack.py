"""PreferenceHack: pairs in which the worse response carries what reward models fall for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.reading.row import Row, as_rows, distinct
from headwise.benchmarks.scoring.matching import macro, part_means
from headwise.benchmarks.scoring.pairs import pair_wins
from headwise.content import text_in
from headwise.errors import InputError
from headwise.evaluation.items import Header, Item, Measure, Output, RewardItem
from headwise.examples import Preference, Prompt, Response
from headwise.readers.dialogues import fork_of_texts, forking_turn, response_content
from headwise.readers.values import BadValueError, is_list, messages_in

_PROMPT = ("prompt", "question", "instruction", "query", "input", "user")
_CHOSEN = ("chosen", "good", "preferred", "better", "chosen_response", "good_response", "positive")
_REJECTED = (
    *("rejected", "bad", "dispreferred", "worse", "rejected_response", "bad_response"),
    *("biased", "hacked", "negative"),
)
_SPLIT = ("split", "subset", "bias", "category", "type", "source")

HEADER = Header(
    name="preferencehack",
    title="PreferenceHack",
    task="rewards",
    dataset="DarthVaderSenior/PreferenceHack",
    split="train",
    licence="cc-by-4.0",
    fields={
        "prompt": f"the prompt; also {', '.join(_PROMPT[1:])}",
        "chosen": f"the better response; also {', '.join(_CHOSEN[1:])}",
        "rejected": f"the one that carries the bias; also {', '.join(_REJECTED[1:])}",
        "split": f"the bias; also {', '.join(_SPLIT[1:])}; else the name of the file",
    },
    scoring="Accuracy of each split (chosen strictly above rejected), and their mean. A model that "
    "falls for the bias is below one half.",
    paper="arXiv:2507.01368",
    files=("data/helpful.jsonl", "data/length.jsonl", "data/positivity.jsonl"),
    checked=False,
    notes="The columns could not be checked: they are found by their usual names. Of the language "
    "splits only; the multimodal ones were not released.",
)


@dataclass(frozen=True)
class PreferenceHack:
    """PreferenceHack.

    Args:
        header: What it is.
    """

    header: Header = HEADER

    def items(self, rows: Sequence[Mapping[str, object]]) -> list[Item]:
        """Pairs; see `Benchmark.items`."""
        read = as_rows(rows)
        splits = [row.optional(*_SPLIT) or row.part or "all" for row in read]
        ids = distinct(
            [
                row.optional("id") or f"{split}-{number}"
                for number, (row, split) in enumerate(zip(read, splits, strict=True), start=1)
            ]
        )
        found: list[Item] = []
        for name, row, split in zip(ids, read, splits, strict=True):
            pair = _preference(row)
            found.append(RewardItem(name, pair.prompt, (pair.chosen, pair.rejected), split=split))
        return found

    def measures(self, items: Sequence[Item], outputs: Sequence[Output]) -> list[Measure]:
        """The mean over splits, and the accuracy of each; see `Benchmark.measures`."""
        splits = part_means("accuracy", pair_wins(items, outputs))
        return [Measure("accuracy", macro("accuracy", splits).value, len(items)), *splits]


def _preference(row: Row) -> Preference:
    """A pair with a prompt of its own, or two dialogues that share it, as texts or messages."""
    chosen, rejected = row.column(*_CHOSEN), row.column(*_REJECTED)
    prompt = row.find(*_PROMPT)
    try:
        if is_list(row[chosen]) and is_list(row[rejected]):
            good, bad = messages_in(row.raw, chosen), messages_in(row.raw, rejected)
            turn = 0 if prompt is not None and len(good) == 1 else forking_turn(good, bad)
            asked: Prompt = row.prompt(prompt) if prompt and turn == 0 else good[:turn]
            responses: tuple[Response, Response] = (
                response_content(good[turn:]),
                response_content(bad[turn:]),
            )
        elif prompt is None:
            fork = fork_of_texts(row.text(chosen), row.text(rejected))
            asked, responses = fork.prompt, (fork.chosen, fork.rejected)
        else:
            asked, responses = row.prompt(prompt), (row.text(chosen), row.text(rejected))
        if all(text_in(response) == "" for response in responses):
            row.refuse("two empty responses", "texts")
        return Preference(asked, *responses)
    except BadValueError as error:
        row.refuse(error.found, error.expected)
    except InputError as error:
        if str(error).startswith(row.location):
            raise
        raise InputError(f"{row.location}: {error}") from error


BENCHMARK = PreferenceHack()
