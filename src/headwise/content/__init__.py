"""Pictures, texts with pictures in them, and the turns of a chat."""

from headwise.content.image import Image, ImageLike, as_image, as_images
from headwise.content.parts import (
    Content,
    Part,
    as_content,
    content_key,
    images_in,
    joined,
    parts_of,
    text_in,
    with_images,
)

__all__ = [
    "Content",
    "Image",
    "ImageLike",
    "Part",
    "as_content",
    "as_image",
    "as_images",
    "content_key",
    "images_in",
    "joined",
    "parts_of",
    "text_in",
    "with_images",
]
