"""Items that are right together or not at all: pairs and two-by-twos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headwise.benchmarks.scoring.matching import Reply, mean
from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class Group:
    """Replies to the items of one group.

    Args:
        name: The group.
        replies: Its replies by the items' tag.
    """

    name: str
    replies: Mapping[str, Reply]


def groups_of(replies: Iterable[Reply], tag: str, members: Sequence[str]) -> list[Group]:
    """Puts replies into groups.

    Args:
        replies: Replies to items that have a group and the tag. Where every item of a group occurs
            k times, as in a bootstrap over groups, it gives k groups.
        tag: The tag that tells the items of a group apart.
        members: Its values, each of which every group must have.

    Returns:
        The groups, in the order in which they first occur.

    Raises:
        InputError: A group lacks an item; nothing can be said of a part of one.
    """
    held: dict[str, dict[str, list[Reply]]] = {}
    for reply in replies:
        member = reply.item.tags.get(tag, "")
        if reply.item.group is None or member not in members:
            raise InputError(f"{reply.item.id!r} is in no group, or has no tag {tag!r}.")
        held.setdefault(reply.item.group, {m: [] for m in members})[member].append(reply)
    found = []
    for name, of_member in held.items():
        counts = {len(given) for given in of_member.values()}
        if len(counts) != 1:
            lacking = [member for member, given in of_member.items() if len(given) < max(counts)]
            raise InputError(
                f"The group {name!r} lacks its items {', '.join(lacking)}. Groups are scored whole:"
                " keep or leave out all of a group's items."
            )
        for number in range(counts.pop()):
            found.append(Group(name, {m: given[number] for m, given in of_member.items()}))
    return found


@dataclass(frozen=True, slots=True)
class Square:
    """Which of the four of a two-by-two hold; rows and columns must each hold as a whole.

    Args:
        both_of_first: Whether rows (questions, texts) 0 and 1 hold.
        both_of_second: Whether columns (images) 0 and 1 hold.
        cells: Whether each of the four holds, where that can be said.
    """

    both_of_first: tuple[bool, bool]
    both_of_second: tuple[bool, bool]
    cells: tuple[bool, bool, bool, bool]


FOUR = ("00", "01", "10", "11")
"""The tags of a two-by-two: question or caption first, image second. In this order stand the rows
of data sets that have a question a row, and the answers alternate: yes to the first and last."""
DIAGONAL = ("00", "11")


def square_of(group: Group, is_right: Callable[[Reply], bool]) -> Square:
    """A two-by-two whose cells are right or wrong each.

    Args:
        group: With the members `FOUR`.
        is_right: Whether a reply is.

    Returns:
        Which cells, rows and columns hold: one holds where both its cells do.
    """
    right = {member: is_right(reply) for member, reply in group.replies.items()}
    return Square(
        (right["00"] and right["01"], right["10"] and right["11"]),
        (right["00"] and right["10"], right["01"] and right["11"]),
        (right["00"], right["01"], right["10"], right["11"]),
    )


@dataclass(frozen=True, slots=True)
class MatchScores:
    """Winoground's scores of one set of two captions and two images.

    Args:
        text: For each image its own caption scores higher.
        image: For each caption its own image scores higher.
    """

    text: bool
    image: bool

    @property
    def group(self) -> bool:
        """Both."""
        return self.text and self.image


def match_scores(scores: Mapping[str, float]) -> MatchScores:
    """Winoground's scores; every comparison is strict.

    Args:
        scores: How well caption c matches image i, by `f"{c}{i}"`.

    Returns:
        The scores, after section 4.1 of the paper (arXiv:2204.03162).
    """
    return MatchScores(
        text=scores["00"] > scores["10"] and scores["11"] > scores["01"],
        image=scores["00"] > scores["01"] and scores["11"] > scores["10"],
    )


@dataclass(frozen=True, slots=True)
class SquareAccuracies:
    """NaturalBench's figures.

    Args:
        group: The share of groups of which all four are right.
        question: The share of questions that are right on both pictures.
        image: The share of pictures on which both questions are right.
        single: The share that is right.
        n: Of how many groups.
    """

    group: float
    question: float
    image: float
    single: float
    n: int


def square_accuracies(
    replies: Iterable[Reply], is_right: Callable[[Reply], bool]
) -> SquareAccuracies:
    """The figures of two-by-twos, after `get_scores` of NaturalBench (arXiv:2410.14669).

    Args:
        replies: Replies to items with a group and the tag `"cell"`, one of `FOUR`.
        is_right: Whether a reply is.

    Returns:
        The figures.

    Raises:
        InputError: A group is not whole.
    """
    squares = [square_of(group, is_right) for group in groups_of(replies, "cell", FOUR)]
    return SquareAccuracies(
        group=mean(float(all(square.cells)) for square in squares),
        question=mean(mean(square.both_of_first) for square in squares),
        image=mean(mean(square.both_of_second) for square in squares),
        single=mean(mean(square.cells) for square in squares),
        n=len(squares),
    )
