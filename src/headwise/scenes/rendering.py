"""From a scene to an image, with the optional package Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwise.errors import MissingExtraError
from headwise.scenes.scene import Scene

if TYPE_CHECKING:
    from PIL import Image


def render(scene: Scene) -> Image.Image:
    """Draws a scene; the same scene gives the same pixels.

    Args:
        scene: The scene.

    Returns:
        An RGB image of `scene.size` by `scene.size` pixels.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise MissingExtraError("pillow", "vision", "Drawing a scene") from None
    from headwise.scenes.painting import paint

    return paint(scene)
