"""Head selectors by name, for settings that are text."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from headwise.engines.base import Engine, GradientEngine
from headwise.errors import InputError
from headwise.selection.attribution import Attribution
from headwise.selection.descent import MaskDescent
from headwise.selection.reinforce import Reinforce
from headwise.selection.search import HeadSearch
from headwise.selection.warm_start import AttributionThenReinforce

SelectorName: TypeAlias = Literal[
    "auto", "descent", "attribution", "attribution-reinforce", "reinforce", "variance-reduced"
]
Selector: TypeAlias = HeadSearch | SelectorName


def check_selector(selector: Selector) -> None:
    """Checks what was given as a selector.

    Args:
        selector: A head search, or the name of one.

    Raises:
        InputError: It is neither.
    """
    known = get_args(SelectorName)
    is_search = isinstance(selector, HeadSearch) and not isinstance(selector, type)
    if not is_search and selector not in known:
        raise InputError(
            f"selector is a head search, such as Reinforce(epochs=200), or one of "
            f"{', '.join(map(repr, known))}; got {selector!r}."
        )


def selector_settings(selector: object) -> dict[str, Any] | str:
    """What an artifact remembers of a selector.

    Args:
        selector: A head search, or the name of one.

    Returns:
        Its name; its class and settings where it has settings; else how it shows itself.
    """
    if isinstance(selector, str):
        return selector
    if is_dataclass(selector) and not isinstance(selector, type):
        return {"class": type(selector).__name__, **asdict(selector)}
    return repr(selector)


def head_search(selector: Selector, engine: Engine, seed: int) -> HeadSearch:
    """The head search that a selector stands for.

    Args:
        selector: A head search, or the name of one; see `named_search`.
        engine: The frozen model to search on.
        seed: Seed of a search that is named; one that is given has its own.

    Returns:
        The head search.

    Raises:
        InputError: The selector is unknown.
    """
    check_selector(selector)
    if not isinstance(selector, str):
        return selector
    return named_search(selector, seed, gradients=isinstance(engine, GradientEngine))


def named_search(name: SelectorName, seed: int, *, gradients: bool) -> HeadSearch:
    """A head search by its name.

    Args:
        name: The name. `"auto"` is `"descent"` where there are gradients, and `"variance-reduced"`
            REINFORCE where there are none.
        seed: Its seed.
        gradients: Whether the engine gives gradients.

    Returns:
        The head search.
    """
    if name == "auto":
        name = "descent" if gradients else "variance-reduced"
    searches: dict[str, HeadSearch] = {
        "descent": MaskDescent(seed=seed),
        "attribution": Attribution(),
        "attribution-reinforce": AttributionThenReinforce.seeded(seed),
        "reinforce": Reinforce(seed=seed),
        "variance-reduced": Reinforce.variance_reduced(seed=seed),
    }
    return searches[name]


def with_epochs(search: HeadSearch, epochs: int) -> HeadSearch:
    """The same head search with another number of steps.

    Args:
        search: The head search.
        epochs: The number, 1 at least.

    Returns:
        The head search.

    Raises:
        InputError: It takes no steps.
    """
    if isinstance(search, Reinforce | MaskDescent):
        return replace(search, epochs=epochs)
    if isinstance(search, AttributionThenReinforce):
        return replace(search, reinforce=replace(search.reinforce, epochs=epochs))
    raise InputError(
        f"{type(search).__name__} takes no epochs: it looks at every example once. Leave epochs "
        "out, or choose another selector."
    )
