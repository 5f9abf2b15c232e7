"""A drawing as SVG: text and numbers only, so it needs no package where there is no image."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from xml.sax.saxutils import escape

from headwise.graphs.marks import FONT_SIZE, LINE_HEIGHT, Arrow, Label, Outline, Sheet

_HEAD = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="#333333"/></marker></defs>'
)


def as_svg(sheet: Sheet) -> str:
    """Writes a drawing as SVG.

    Every text is escaped: what a model wrote is shown, and is never markup.

    Args:
        sheet: The drawing.

    Returns:
        A whole SVG document; its image, if any, is inside.
    """
    size = f'width="{sheet.width}" height="{sheet.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {sheet.width} {sheet.height}" font-family="sans-serif" '
        f'font-size="{FONT_SIZE}">',
        _HEAD,
        f'<rect {size} fill="#ffffff"/>',
    ]
    if sheet.image is not None:
        stream = BytesIO()
        sheet.image.load().save(stream, format="PNG")
        width, height = sheet.image_size
        lines.append(
            f'<image width="{width}" height="{height}" '
            f'href="data:image/png;base64,{b64encode(stream.getvalue()).decode()}"/>'
        )
    lines += [_mark(mark) for mark in sheet.marks]
    return "\n".join([*lines, "</svg>\n"])


def _mark(mark: Arrow | Outline | Label) -> str:
    match mark:
        case Arrow((x1, y1), (x2, y2), color):
            return (
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{color}" stroke-width="1.5" marker-end="url(#head)"/>'
            )
        case Outline(left, top, right, bottom, color):
            return (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{bottom - top:.1f}" fill="none" stroke="{color}" stroke-width="2"/>'
            )
        case Label(x, y, text, color, ground):
            left, top = x - mark.width / 2, y - LINE_HEIGHT / 2
            return (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{mark.width:.1f}" '
                f'height="{LINE_HEIGHT}" rx="4" fill="{ground}" fill-opacity="0.85" '
                f'stroke="{color}"/><text x="{x:.1f}" y="{y:.1f}" fill="{color}" '
                f'text-anchor="middle" dominant-baseline="central">{escape(text)}</text>'
            )
