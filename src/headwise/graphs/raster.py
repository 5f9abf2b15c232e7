"""A drawing as pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headwise.errors import MissingExtraError
from headwise.graphs.marks import FONT_SIZE, LINE_HEIGHT, Arrow, Label, Outline, Sheet

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_HEAD_LENGTH, _HEAD_ANGLE = 9, 0.4


def as_pixels(sheet: Sheet) -> PilImage:
    """Draws a drawing.

    Args:
        sheet: The drawing.

    Returns:
        An RGB image. Characters that Pillow's own font has not are shown as boxes; an SVG shows
        them all.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingExtraError("pillow", "vision", "Drawing a graph as PNG") from error
    picture: PilImage = Image.new("RGB", (sheet.width, sheet.height), "white")
    if sheet.image is not None:
        picture.paste(sheet.image.load().resize(sheet.image_size), (0, 0))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(FONT_SIZE)
    for mark in sheet.marks:
        match mark:
            case Arrow():
                _arrow(pen, mark)
            case Outline(left, top, right, bottom, color):
                pen.rectangle((left, top, right, bottom), outline=color, width=2)
            case Label():
                _label(pen, font, mark)
    return picture


def _arrow(pen: Any, mark: Arrow) -> None:
    pen.line((*mark.start, *mark.end), fill=mark.color, width=2)
    angle = math.atan2(mark.end[1] - mark.start[1], mark.end[0] - mark.start[0])
    sides = [
        (
            mark.end[0] - _HEAD_LENGTH * math.cos(angle + turn),
            mark.end[1] - _HEAD_LENGTH * math.sin(angle + turn),
        )
        for turn in (-_HEAD_ANGLE, _HEAD_ANGLE)
    ]
    pen.polygon([mark.end, *sides], fill=mark.color)


def _label(pen: Any, font: Any, mark: Label) -> None:
    half = max(mark.width, pen.textlength(mark.text, font=font) + 8) / 2
    top = mark.y - LINE_HEIGHT / 2
    box = (mark.x - half, top, mark.x + half, top + LINE_HEIGHT)
    pen.rounded_rectangle(box, radius=4, fill=mark.ground, outline=mark.color)
    pen.text((mark.x, mark.y), mark.text, fill=mark.color, font=font, anchor="mm")
