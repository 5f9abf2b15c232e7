"""Contenders by the names of their methods, as the command line has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from headwise.addresses import without_secrets
from headwise.artifacts.json_value import JSON
from headwise.baselines.http_forms import FormName
from headwise.baselines.http_rewards import HTTPReward
from headwise.baselines.named import (
    ANSWER_METHODS,
    CLASSIFIERS,
    AnswerOptions,
    ClassifierOptions,
    answer_method,
    classifier_method,
)
from headwise.baselines.named_rewards import NAMED_REWARDS, named_reward
from headwise.baselines.sequence_rewards import SequenceClassificationReward
from headwise.engines.base import Engine
from headwise.errors import HeadwiseError, InputError
from headwise.evaluation.contenders import Contender, Method
from headwise.evaluation.items import Item, QuestionItem, Task
from headwise.evaluation.lettered import LetteredMethod
from headwise.methods.asking import AnswerSettings
from headwise.methods.load import from_pretrained, read_saved
from headwise.prompts.answer_format import AnswerFormat

OURS = frozenset(
    {
        *("sav", "sav-paper", "task-vector", "ccot"),
        *("activation-reward", "activation-reward-paper", "sparse-reward"),
    }
)
"""headwise's own methods; all others are baselines."""

_DO_NOT_LEARN = frozenset({"zero-shot", "zero-shot-generated", "zero-shot-cot", "ccot"})
_SAMPLE = frozenset({"voting"})
_FITTED, _SEQUENCE = "fitted:", "sequence:"

DEFAULT_METHODS: dict[Task, tuple[str, ...]] = {
    "rewards": ("activation-reward", "token-probability", "judge", "probe"),
    "classes": ("sav", "zero-shot", "in-context", "probe"),
    "answers": ("task-vector", "zero-shot", "in-context"),
}


@dataclass(frozen=True, slots=True)
class NamedSettings:
    """What all methods that are had by name share.

    Args:
        instruction: The user's turn of classifiers; see `SparseAttentionVectors`.
        criterion: What a good response does, for reward models.
        answer_form: What free answers are; questions with options have their own.
        system: A system turn of classifiers.
    """

    instruction: str = "{text}"
    criterion: str = "The response is correct and helpful."
    answer_form: AnswerFormat = "word"
    system: str | None = None


def method_names(task: Task) -> tuple[str, ...]:
    """The names that a task's methods go by.

    Args:
        task: What is asked.

    Returns:
        Names. `classes` are asked of classifiers, and of methods that answer with an option;
        `answers` also of classifiers, where the questions have options.
    """
    if task == "rewards":
        return tuple(NAMED_REWARDS)
    first, then = _books(task)
    return tuple(dict.fromkeys([*first, *then]))


def contenders(
    names: Sequence[str], task: Task, items: Sequence[Item], settings: NamedSettings | None = None
) -> tuple[Contender, ...]:
    """What is compared, by names.

    Args:
        names: Names of `method_names`; of reward tasks also `"sequence:ID"`, a trained reward model
            of the Hub or a folder, and the address of a reward server, whose path tells what it
            speaks; and of all tasks `"fitted:DIR"`, an artifact that was saved.
        task: What is asked.
        items: The benchmark's items; they tell which classes and options there are.
        settings: What the methods share.

    Returns:
        One contender a name.

    Raises:
        InputError: A name is unknown for this task; lists those there are.
    """
    shared = settings or NamedSettings()
    choose = _Names(task, _options_of(items), _are_lettered(items), shared)
    return tuple(choose.contender(name) for name in names)


@dataclass(frozen=True, slots=True)
class FittedMethod:
    """An artifact that was saved, as a method: `fit` loads it and learns nothing.

    Args:
        folder: The folder, or a Hub id.
    """

    folder: str

    def fit(self, engine: Engine, examples: Sequence[Any] = (), *, progress: bool = False) -> Any:
        """Loads the artifact on the engine's model; see `headwise.from_pretrained`."""
        return from_pretrained(self.folder, engine=engine)


@dataclass(frozen=True, slots=True)
class _Names:
    task: Task
    options: tuple[str, ...]
    lettered: bool
    settings: NamedSettings
    shared: dict[str, JSON] = field(default_factory=dict)

    def contender(self, name: str) -> Contender:
        if name.startswith(_FITTED):
            folder = name.removeprefix(_FITTED)
            return replace(
                self._unlearned(name, lambda seed: FittedMethod(folder), is_ours=True),
                settings={"content": _content_of(folder)},
            )
        if name.startswith(_SEQUENCE) and self.task == "rewards":
            model = name.removeprefix(_SEQUENCE)
            return self._unlearned(name, lambda seed: SequenceClassificationReward(model))
        if name.startswith(("http://", "https://")) and self.task == "rewards":
            shown, form = without_secrets(name), _form_of_address(name)
            return self._unlearned(shown, lambda seed: HTTPReward(name, form))
        if self.task == "rewards":
            return self._reward(name)
        return self._of_questions(name)

    def _unlearned(
        self, name: str, make: Callable[[int], Any], *, is_ours: bool = False
    ) -> Contender:
        role = "method" if is_ours else "baseline"
        return Contender(name, make, role, uses_support=False, uses_seed=False)  # type: ignore[arg-type]

    def _reward(self, name: str) -> Contender:
        if name not in NAMED_REWARDS:
            raise self._unknown(name)
        learns = NAMED_REWARDS[name].learns
        criterion = self.settings.criterion
        return Contender(
            name,
            lambda seed: named_reward(name, criterion, seed),
            role="method" if name in OURS else "baseline",
            uses_support=learns,
            uses_seed=learns or name in _SAMPLE,
            settings={"criterion": criterion},
        )

    def _of_questions(self, name: str) -> Contender:
        first, _ = _books(self.task)
        is_classifier = name in CLASSIFIERS if first is CLASSIFIERS else name not in ANSWER_METHODS
        if name not in CLASSIFIERS and name not in ANSWER_METHODS:
            raise self._unknown(name)
        if is_classifier and not self.options:
            raise InputError(
                f"{name!r} tells classes apart, but the items have no options to choose from. "
                f"Choose among {', '.join(ANSWER_METHODS)}."
            )
        learns = name not in _DO_NOT_LEARN
        shared = self.settings
        said: dict[str, JSON] = (
            {"instruction": shared.instruction, "system": shared.system}
            if is_classifier
            else {"answer_form": self._form()}
        )
        make = self._classifier if is_classifier else self._answerer
        return Contender(
            name,
            lambda seed: make(name, seed),
            role="method" if name in OURS else "baseline",
            uses_support=learns,
            uses_seed=learns,
            settings=said,
        )

    def _classifier(self, name: str, seed: int) -> Method:
        shared = self.settings
        options = ClassifierOptions(shared.instruction, shared.system, seed=seed)
        method: Any = classifier_method(name, options)
        if is_dataclass(method) and "classes" in {one.name for one in fields(method)}:
            # Those that learn nothing know the classes from nowhere else.
            method = replace(method, classes=self.options)  # type: ignore[type-var]
        return LetteredMethod(method) if self.lettered else method

    def _answerer(self, name: str, seed: int) -> Method:
        return answer_method(name, AnswerOptions(AnswerSettings(self._form()), seed))

    def _form(self) -> AnswerFormat:
        if self.lettered:
            return "options"
        if {option.casefold() for option in self.options} == {"yes", "no"}:
            return "yes-no"
        return self.settings.answer_form

    def _unknown(self, name: str) -> InputError:
        more = f", {_SEQUENCE}ID, http://SERVER/ROUTE" if self.task == "rewards" else ""
        return InputError(
            f"There is no method {name!r} for the task {self.task!r}; choose among "
            f"{', '.join(method_names(self.task))}{more}, {_FITTED}DIR."
        )


def _content_of(folder: str) -> str | None:
    """A hash of an artifact: fitted anew, it is another method, with which no ledger goes on."""
    try:
        return read_saved(folder).content_hash
    except HeadwiseError:  # Its run fails and says why; the others are not lost.
        return None


def _form_of_address(url: str) -> FormName:
    """What a reward server speaks, by its route."""
    routes: dict[str, FormName] = {
        "/get_reward": "openrlhf",
        "/classify": "vllm-classify",
        "/score": "vllm-score",
    }
    path = url.partition("?")[0].rstrip("/")
    return next((form for route, form in routes.items() if path.endswith(route)), "headwise")


def _books(task: Task) -> tuple[Any, Any]:
    """Where names are looked up first, and then."""
    return (CLASSIFIERS, ANSWER_METHODS) if task == "classes" else (ANSWER_METHODS, CLASSIFIERS)


def _options_of(items: Sequence[Item]) -> tuple[str, ...]:
    """Every option there is, in order; none where some item has none."""
    questions = [item for item in items if isinstance(item, QuestionItem)]
    if not questions or not all(item.options for item in questions):
        return ()
    longest = max((item.options for item in questions), key=len)
    return tuple(dict.fromkeys([*longest, *(o for item in questions for o in item.options)]))


def _are_lettered(items: Sequence[Item]) -> bool:
    """Whether options are letters that stand for the example's fields of that name."""
    questions = [item for item in items if isinstance(item, QuestionItem)]
    return bool(questions) and all(
        item.options and set(item.options) <= set(item.example.fields) for item in questions
    )
