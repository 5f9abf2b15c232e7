"""Tokens of pictures: what stands in a sequence where a picture is shown.

A model marks every place of a picture by the same token, whatever the picture shows. Here each
place has a number of its own beside that token, made of the picture's hash and the place. So token
sequences may be sorted, compared, cut and looked up as they are, and two of them are equal only
where the pictures are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from headwise.content import Image

_PLACE_BITS = 24


@dataclass(eq=False, slots=True)
class Picture:
    """A picture as a model's processor makes it.

    Args:
        image: The picture.
        crowded: Whether it is made for a prompt with several pictures, where the processor cares.
        text: What stands for it in the text that is put to tokens.
        facts: What the processor says about it in whole numbers, such as its grid.
        block: Its tokens, from the first place of the picture to the last, with whatever the
            processor puts between (ends of lines, marks of tiles).
    """

    image: Image
    crowded: bool = False
    text: str = ""
    facts: Mapping[str, Tensor] = field(default_factory=dict)
    block: tuple[PictureToken, ...] = ()

    @property
    def key(self) -> tuple[str, bool]:
        """The same for pictures that a model sees alike."""
        return self.image.digest, self.crowded

    def token(self, place: int, token_id: int) -> PictureToken:
        """One of its tokens."""
        number = (int(self.image.digest, 16) << 1 | self.crowded) << _PLACE_BITS | place
        token = PictureToken(-1 - number)
        token.picture, token.place, token.token_id = self, place, token_id
        return token


class PictureToken(int):
    """A token of a picture. As a number it is negative, and tells picture and place from others.

    Attributes:
        picture: What it belongs to.
        place: Its number within the picture's block.
        token_id: What the model is given.
    """

    picture: Picture
    place: int
    token_id: int


def true_ids(ids: Iterable[int]) -> list[int]:
    """What a model is given for a sequence."""
    return [one.token_id if isinstance(one, PictureToken) else one for one in ids]


def pictures_of(ids: Iterable[int]) -> list[Picture]:
    """The pictures that begin in a sequence, in order."""
    return [one.picture for one in ids if isinstance(one, PictureToken) and one.place == 0]


def ends_in_picture(ids: Sequence[int]) -> bool:
    """Whether the last token is one of a picture."""
    return isinstance(ids[-1], PictureToken)


def before_cut_picture(ids: Sequence[int], length: int) -> int:
    """The longest beginning, of some tokens at most, that cuts no picture.

    Args:
        ids: A sequence.
        length: How many of its tokens the beginning may have.

    Returns:
        How many it has: fewer where the next token is within a picture.
    """
    if length < len(ids):
        after = ids[length]
        if isinstance(after, PictureToken):
            return length - after.place
    return length
