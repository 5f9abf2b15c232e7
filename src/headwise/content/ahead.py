"""Pictures decoded by threads before they are asked for, a bounded number of pixels at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headwise.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from headwise.content.image import Image

MOST_PIXELS_AHEAD = 64_000_000
"""Threads wait once so many pixels are decoded and not asked for: some 200 MB."""

_THREADS = 2
# Those that are computed now, and those that come next.
_BATCHES = 2


class DecodedAhead:
    """Decodes the pictures that are said to be needed soon; `Image.load` takes them from here.

    What cannot be decoded is left out, so that the error is raised where the picture is asked for.

    Args:
        most_pixels: How many pixels may be decoded and not yet asked for.
    """

    def __init__(self, most_pixels: int = MOST_PIXELS_AHEAD) -> None:
        self._most_pixels = most_pixels
        self._changed = threading.Condition()
        self._queue: deque[Image] = deque()
        self._decoding: set[str] = set()
        self._ready: dict[str, PilImage] = {}
        self._batches: deque[frozenset[str]] = deque(maxlen=_BATCHES)
        self._is_open = True
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        for thread in self._threads:
            thread.start()

    @property
    def pixels(self) -> int:
        """Pixels that are decoded and not yet asked for."""
        with self._changed:
            return self._held()

    def want(self, images: Iterable[Image]) -> None:
        """Says what is needed next, in order; of earlier calls, only the last one stays wanted."""
        images = list(images)
        with self._changed:
            known = {*self._decoding, *self._ready, *(image.digest for image in self._queue)}
            self._batches.append(frozenset(image.digest for image in images))
            wanted = frozenset[str]().union(*self._batches)
            fresh = {image.digest: image for image in images if image.digest not in known}
            self._queue = deque(
                image for image in (*self._queue, *fresh.values()) if image.digest in wanted
            )
            self._ready = {digest: one for digest, one in self._ready.items() if digest in wanted}
            self._changed.notify_all()

    def take(self, digest: str) -> PilImage | None:
        """A picture that was decoded; None where it was not, and nobody will decode it then."""
        with self._changed:
            self._queue = deque(image for image in self._queue if image.digest != digest)
            while digest in self._decoding:
                self._changed.wait()
            found = self._ready.pop(digest, None)
            self._changed.notify_all()
            return found

    def close(self) -> None:
        """Ends the threads and forgets what they decoded."""
        with self._changed:
            self._is_open = False
            self._queue.clear()
            self._ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _held(self) -> int:
        return sum(one.width * one.height for one in self._ready.values())

    def _work(self) -> None:
        while (image := self._next()) is not None:
            decoded = None
            try:
                decoded = image.decode()
            except (InputError, MemoryError):
                pass
            finally:
                with self._changed:
                    self._decoding.discard(image.digest)
                    if decoded is not None and self._is_open:
                        self._ready[image.digest] = decoded
                    self._changed.notify_all()

    def _next(self) -> Image | None:
        with self._changed:
            while self._is_open and not (self._queue and self._held() < self._most_pixels):
                self._changed.wait()
            if not self._is_open:
                return None
            image = self._queue.popleft()
            self._decoding.add(image.digest)
            return image


_active: DecodedAhead | None = None


@contextmanager
def decoding_ahead(most_pixels: int = MOST_PIXELS_AHEAD) -> Iterator[DecodedAhead]:
    """Lets threads decode pictures ahead while the block lasts.

    Args:
        most_pixels: How many pixels may be decoded and not yet asked for.

    Yields:
        Whom to tell what is needed next.
    """
    global _active
    before, _active = _active, DecodedAhead(most_pixels)
    try:
        yield _active
    finally:
        _active.close()
        _active = before


def decoded_ahead(digest: str) -> PilImage | None:
    """The picture with a digest, where it was decoded ahead; it is the caller's own then."""
    return None if _active is None else _active.take(digest)
