"""Support and test never overlap: told by what items ask, not by where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from headwise.errors import InputError, shortened
from headwise.evaluation.items import Item, QuestionItem, RewardItem
from headwise.examples import Example, Preference, prompt_key, prompt_with_images

Support = tuple[Example, ...] | tuple[Preference, ...]
"""What a method is fitted on."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Items to learn from, and items that are scored.

    Args:
        pool: Where every seed draws its support from.
        scored: What is scored; nothing of it asks what something in the pool asks.
    """

    pool: tuple[Item, ...]
    scored: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A support set.

    Args:
        ids: The items that it was made of.
        support: What a method is fitted on.
    """

    ids: tuple[str, ...]
    support: Support


def content_key(item: Item) -> str:
    """What items have in common that ask the same: the text, blanks aside, and the pictures."""
    if isinstance(item, QuestionItem):
        text, images = item.example.key
        return "\x1f".join([" ".join(text.split()), *(image.digest for image in images)])
    prompt = prompt_with_images(item.prompt, item.images)
    # A string is the user's turn that it becomes.
    key = f"user\x1f{prompt}" if isinstance(prompt, str) else prompt_key(prompt)
    # Not str.split, which would also take the marks between turns for blanks.
    return re.sub(r"[ \t\r\n]+", " ", key).strip(" ")


def require_disjoint(pool: Sequence[Item], scored: Sequence[Item]) -> None:
    """Makes sure that nothing is learned from that is scored.

    Args:
        pool: Items that support is drawn from.
        scored: Items that are scored.

    Raises:
        InputError: Some ask the same; names them.
    """
    known = {content_key(item): item.id for item in pool}
    both = [(known[key], item.id) for item in scored if (key := content_key(item)) in known]
    if both:
        shown = ", ".join(f"{a!r} and {b!r}" for a, b in both[:5])
        more = ", ..." if len(both) > 5 else ""
        raise InputError(
            f"{len(both)} scored items ask what support items ask (text and pictures are the "
            f"same): {shown}{more}. Take them out of one of the two."
        )


def sampled(items: Sequence[Item], limit: int | None, seed: int = 0) -> tuple[Item, ...]:
    """Some of the items, in their order; groups stay whole.

    Args:
        items: Items.
        limit: About how many; all where None. A group is not cut, so there may be a few more.
        seed: Of the draw.

    Returns:
        The items.

    Raises:
        InputError: The limit is none.
    """
    if limit is None or limit >= len(items):
        return tuple(items)
    if limit < 1:
        raise InputError(f"A limit is 1 at least; got {limit}.")
    taken: set[int] = set()
    for unit in _shuffled(units_of(items), seed):
        if len(taken) >= limit:
            break
        taken.update(unit)
    return tuple(items[place] for place in sorted(taken))


def take_out(
    items: Sequence[Item], shots: int, n_seeds: int, *, by_split: bool = False, seed: int = 0
) -> Partition:
    """Takes a pool for support out of the items of a benchmark that has none of its own.

    All seeds draw from one pool, so that every run is put to the same items. Where there is plenty,
    the pool has `shots * n_seeds` items of each class (of everything, where there are no classes);
    where there is not, half of them, so that seeds share some.

    Args:
        items: All items.
        shots: The largest support, items of each class (of everything without classes).
        n_seeds: How many supports are drawn.
        by_split: Whether each split needs its own support.
        seed: Which items are taken.

    Returns:
        The pool and the rest. Items that ask the same or are scored together are never parted.

    Raises:
        InputError: A class or split has not enough items, or none is left to be scored.
    """
    if shots == 0:
        return Partition((), tuple(items))
    places = strata_of(items, by_split=by_split)
    wanted = {}
    for name, members in places.items():
        if len(members) <= shots:
            raise InputError(
                f"{name or 'The data'} has {len(members)} items that can be support, but {shots} "
                "shots are to be taken out of them and some must be left to be scored. Give fewer "
                "--shots, more data, or a support file of its own."
            )
        wanted[name] = max(shots, min(shots * n_seeds, len(members) // 2))
    stratum = {place: name for name, members in places.items() for place in members}
    taken: set[int] = set()
    for unit in _shuffled(units_of(items), seed):
        if any(place in stratum and wanted[stratum[place]] > 0 for place in unit):
            taken.update(unit)
            for place in unit:
                if place in stratum:
                    wanted[stratum[place]] -= 1
    rest = tuple(item for place, item in enumerate(items) if place not in taken)
    if not rest:
        raise InputError(
            f"Taking {shots} shots out of {len(items)} items leaves none to be scored, since items "
            "that ask the same or are scored together stay together. Give fewer --shots or more "
            "data."
        )
    return Partition(tuple(items[place] for place in sorted(taken)), rest)


def draw(pool: Sequence[Item], shots: int, seed: int, *, split: str | None = None) -> Drawn:
    """Draws a support set: `shots` items of each class, or of everything without classes.

    The support of fewer shots is part of that of more, for one seed, so that a learning curve says
    what further examples do.

    Args:
        pool: Items to draw from.
        shots: How many.
        seed: Which ones.
        split: Only of this split; None for all.

    Returns:
        The support, classes taking turns.

    Raises:
        InputError: There are fewer items of a class, or none at all.
    """
    items = [item for item in pool if split is None or item.split == split]
    where = "" if split is None else f" of the split {split!r}"
    if shots == 0:
        return Drawn((), ())
    if not items:
        raise InputError(f"There are no items{where} to draw support from.")
    rng = np.random.default_rng(seed)
    turns = []
    for name, members in sorted(strata_of(items).items()):
        distinct = list({content_key(items[place]): items[place] for place in members}.values())
        if len(distinct) < shots:
            raise InputError(
                f"{name or 'The support'}{where} has {len(distinct)} items that ask something of "
                f"their own, but {shots} shots are to be drawn. Give fewer --shots, or more data."
            )
        turns.append([distinct[place] for place in rng.permutation(len(distinct))[:shots]])
    chosen = [item for turn in zip(*turns, strict=True) for item in turn]
    return Drawn(tuple(item.id for item in chosen), _support(chosen, seed))


def strata_of(items: Sequence[Item], *, by_split: bool = False) -> dict[str, list[int]]:
    """Positions of the items that can be support, by class (and split), in order of appearance."""
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if isinstance(item, RewardItem) and item.n_right == len(item.responses):
            continue
        name = f"The split {item.split!r}" if by_split else ""
        if isinstance(item, QuestionItem):
            if item.example.label is None:
                continue
            if item.options:
                of = f"the class {shortened(item.example.label)}"
                name = f"{name}, {of}" if name else of.capitalize()
        found.setdefault(name, []).append(place)
    return found


def units_of(items: Sequence[Item]) -> list[list[int]]:
    """Positions of items that must stay together: they ask the same, or are scored together."""
    parents = list(range(len(items)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    traits: tuple[Callable[[Item], Hashable], ...] = (content_key, lambda item: item.group)
    for trait in traits:
        first: dict[Hashable, int] = {}
        for place, item in enumerate(items):
            value = trait(item)
            if value is not None:
                parents[root(place)] = root(first.setdefault(value, place))
    units: dict[int, list[int]] = {}
    for place in range(len(items)):
        units.setdefault(root(place), []).append(place)
    return list(units.values())


def _shuffled(units: list[list[int]], seed: int) -> list[list[int]]:
    return [units[place] for place in np.random.default_rng(seed).permutation(len(units))]


def _support(items: Sequence[Item], seed: int) -> Support:
    examples = tuple(item.example for item in items if isinstance(item, QuestionItem))
    return examples or tuple(_pair(i, seed) for i in items if isinstance(i, RewardItem))


def _pair(item: RewardItem, seed: int) -> Preference:
    """One right and one wrong response of an item, by chance where there are several."""
    # By what the item asks, so that more shots do not change the pairs of fewer.
    rng = np.random.default_rng([seed, *content_key(item).encode()[:64]])
    right = int(rng.integers(item.n_right))
    wrong = int(rng.integers(item.n_right, len(item.responses)))
    return Preference(
        prompt=item.prompt,
        chosen=item.responses[right],
        rejected=item.responses[wrong],
        split=item.split,
        id=item.id,
        images=item.images,
    )
