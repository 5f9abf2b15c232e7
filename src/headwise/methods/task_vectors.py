"""Task vectors: many examples of a task, compressed into the outputs of a few heads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from headwise.engines.base import Engine
from headwise.errors import InputError
from headwise.examples import Example
from headwise.heads import HeadVectors, Positions, Steering
from headwise.methods.task_extraction import check_task_examples, draw_prompts, has_two_inputs
from headwise.methods.task_vector import TaskVector
from headwise.methods.truncation import TextCutter, check_budget
from headwise.prompts.in_context import InContextPrompt, Style
from headwise.selection.named import (
    Selector,
    check_selector,
    head_search,
    selector_settings,
)
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import SearchTask, hold_out

ExtractFrom = Literal["training", "all"]


@dataclass(frozen=True, slots=True)
class TaskVectors:
    """Compresses examples of a task into the outputs of a few heads of a frozen model.

    The model reads many prompts, each with a few worked examples; the mean output of each head at
    the last token is kept. Then the heads are searched of which the output, replaced by that mean,
    makes the model answer prompts without any example as it should.

    Args:
        shots_per_prompt: Worked examples in each prompt; fewer where there are not so many.
        n_prompts: Prompts that the means are taken over.
        selector: How the heads are chosen: a head search, or the name of one with this seed; see
            `head_search`.
        style: `"completion"` puts examples as plain text, `"chat"` as turns.
        instruction: What the task is, in words, before every prompt.
        input_prefix: What an input follows; completion style only.
        target_prefix: What a target follows; completion style only.
        target_tokens: How many tokens of a target the search looks at, the first as published;
            None for all, whose losses are averaged. Each token but the first is predicted from a
            steered target token, as inference does with `positions="generated"` only.
        positions: `"prompt"` steers the last prompt token; `"generated"` also every token
            generated, as published, which can end in repetition on small models.
        held_out_share: Share of the examples by which the final heads are picked and their loss is
            told.
        extract_from: `"training"` takes the means over the examples that are not held out, so that
            the held-out loss is of examples never seen; `"all"` takes every one. Where fewer than
            two are left for training, all are taken.
        max_text_tokens: Longer inputs and targets are cut in the middle, counted and reported.
        seed: Seed of split and draws, and of a selector that is named; one that is given has its
            own.

    Raises:
        InputError: A parameter is out of range.

    Source: Multimodal Task Vectors, arXiv:2406.15334; `paper()` gives the published
    procedure. Equal use of every example as query and offsets (`TaskVector.as_offset`) are ours.
    """

    shots_per_prompt: int = 4
    n_prompts: int = 100
    selector: Selector = "auto"
    style: Style = "completion"
    instruction: str | None = None
    input_prefix: str = "Q: "
    target_prefix: str = "A:"
    target_tokens: int | None = 1
    positions: Positions = "prompt"
    held_out_share: float = 0.25
    extract_from: ExtractFrom = "training"
    max_text_tokens: int = 1_024
    seed: int = 0

    def __post_init__(self) -> None:
        _ = self.prompt
        if self.shots_per_prompt < 1 or self.n_prompts < 1:
            raise InputError("shots_per_prompt and n_prompts must be 1 at least.")
        if self.target_tokens is not None and self.target_tokens < 1:
            raise InputError(
                f"target_tokens is at least 1, or None for all; got {self.target_tokens}."
            )
        if self.positions not in get_args(Positions):
            raise InputError(f"positions is 'prompt' or 'generated'; got {self.positions!r}.")
        if self.extract_from not in get_args(ExtractFrom):
            raise InputError(f"extract_from is 'training' or 'all'; got {self.extract_from!r}.")
        if not 0 < self.held_out_share < 1:
            raise InputError(f"held_out_share must be between 0 and 1; got {self.held_out_share}.")
        check_selector(self.selector)
        check_budget(self.max_text_tokens)

    @classmethod
    def paper(
        cls, *, style: Style = "completion", instruction: str | None = None, seed: int = 0
    ) -> TaskVectors:
        """The published procedure: 100 prompts of 4 shots, 600 epochs, every token steered."""
        return cls(
            shots_per_prompt=4,
            n_prompts=100,
            selector=Reinforce.paper(seed=seed),
            style=style,
            instruction=instruction,
            target_tokens=1,
            positions="generated",
            seed=seed,
        )

    @property
    def prompt(self) -> InContextPrompt:
        """How examples are put to the model."""
        return InContextPrompt(self.style, self.input_prefix, self.target_prefix, self.instruction)

    def fit(
        self, engine: Engine, examples: Sequence[Example], *, progress: bool = False
    ) -> TaskVector:
        """Reads the examples and finds the heads that carry the task.

        Args:
            engine: The frozen model.
            examples: Inputs as texts, pictures or both, and targets as labels; two with different
                inputs at least.
            progress: Whether to show progress bars on stderr.

        Returns:
            The task vector.

        Raises:
            InputError: Too few examples, or one without label.
            ActivationError: The model produced NaN or infinite activations or losses.
        """
        started = time.perf_counter()
        check_task_examples(examples)
        cutter = TextCutter(engine, self.max_text_tokens)
        support = [_cut(example, cutter) for example in examples]
        cutter.report("inputs or targets", "max_text_tokens")
        training, held_out = hold_out(len(support), self.held_out_share, self.seed)
        sources = self._sources(support, training)
        drawn = draw_prompts(self.prompt, sources, self.shots_per_prompt, self.n_prompts, self.seed)
        vectors = engine.capture(drawn.conversations, progress=progress).mean()
        queries = [self.prompt.query(example) for example in sources]
        zero_shot = engine.capture(queries, progress=progress).mean()
        search = head_search(self.selector, engine, self.seed)
        search_started = time.perf_counter()
        found = search.search(
            engine,
            self._search_task([support[row] for row in training], vectors),
            self._search_task([support[row] for row in held_out], vectors),
            progress=progress,
        )
        search_seconds = time.perf_counter() - search_started
        n_images = sum(len(example.images) for example in support)
        return TaskVector(
            engine=engine,
            prompt=self.prompt,
            max_text_tokens=self.max_text_tokens,
            steering=Steering.from_vectors(found.heads, vectors, positions=self.positions),
            zero_shot=zero_shot,
            parameters=self._settings(),
            statistics={
                "n_examples": len(support),
                "n_training": len(training),
                "n_held_out": len(held_out),
                "n_read": len(drawn.seen),
                "n_prompts": len(drawn.conversations),
                "most_shots": drawn.most_shots,
                "truncated_texts": cutter.n_texts,
                **({"n_images": n_images} if n_images else {}),
                "selector": type(search).__name__,
                "held_out_loss": found.held_out_loss,
                "plain_loss": found.plain_loss,
                "search_seconds": round(search_seconds, 1),
                "fit_seconds": round(time.perf_counter() - started, 1),
            },
            fingerprint=engine.fingerprint,
            layout=engine.layout,
        )

    def _settings(self) -> dict[str, Any]:
        # The selector may be anybody's object, so asdict must not look into it.
        named = asdict(replace(self, selector="auto"))
        return {**named, "selector": selector_settings(self.selector)}

    def _sources(self, support: Sequence[Example], training: Sequence[int]) -> Sequence[Example]:
        """The examples that the means are taken over."""
        part = [support[row] for row in training]
        return part if self.extract_from == "training" and has_two_inputs(part) else support

    def _search_task(self, examples: Sequence[Example], vectors: HeadVectors) -> SearchTask:
        targets = [self.prompt.target(e.label) for e in examples if e.label is not None]
        return SearchTask(
            tuple(self.prompt.query(example) for example in examples),
            tuple(targets),
            vectors,
            target_tokens=self.target_tokens,
        )


def _cut(example: Example, cutter: TextCutter) -> Example:
    label = None if example.label is None else cutter.cut(example.label)
    return Example(cutter.cut(example.text), label, images=example.images)
