"""Pictures of requests: data URLs within limits, and only what the operator allows besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from headwise.content import Image, as_image
from headwise.content.decoding import require_pillow
from headwise.errors import InputError, MissingExtraError
from headwise.server.settings import RequestLimits

_FETCH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PictureGate:
    """Reads the pictures that requests show.

    Args:
        limits: How large they may be.
        folders: Folders whose files a request may name.
        urls: Beginnings of the addresses that a request may name.
    """

    limits: RequestLimits
    folders: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def allowing(cls, limits: RequestLimits, prefixes: Sequence[str]) -> PictureGate:
        """Reads the prefixes that an operator allows.

        Raises:
            InputError: One is neither a folder nor the beginning of an address.
            MissingExtraError: An address is allowed, and httpx is not installed.
        """
        folders, urls = [], []
        for prefix in prefixes:
            if "://" in prefix:
                parts = urlsplit(prefix)
                if parts.scheme not in ("http", "https") or not parts.path.endswith("/"):
                    raise InputError(
                        f"An allowed address begins with http:// or https:// and ends with /, so "
                        f"that it is a host and folder; got {prefix!r}."
                    )
                try:
                    import httpx  # noqa: F401
                except ImportError as error:
                    raise MissingExtraError("httpx", "http", "Fetching images") from error
                urls.append(prefix)
            elif not Path(prefix).expanduser().is_dir():
                raise InputError(f"The allowed folder {prefix!r} is none.")
            else:
                folders.append(Path(prefix).expanduser().resolve())
        return cls(limits, tuple(folders), tuple(urls))

    def read(self, text: str, name: str) -> Image:
        """The picture that a request gives or names.

        Args:
            text: A data URL; or a path or address, where such are allowed.
            name: What errors call it.

        Returns:
            The picture, as the bytes of its file, not decoded yet.

        Raises:
            InputError: It is none, too large, or names what is not allowed.
        """
        image = self._allowed(text, name) or as_image(text, name, allow_files=False)
        self._check(image, name)
        return image

    def _allowed(self, text: str, name: str) -> Image | None:
        """The picture where the text names one that is allowed; None where it is to be data."""
        if text[:5].lower() == "data:":
            return None
        if "://" in text[:16]:
            # What a server makes of dots is its own affair, so there may be none.
            plain = unquote(text).replace("\\", "/")
            if ".." in plain or not any(text.startswith(prefix) for prefix in self.urls):
                return None
            return Image(encoded=self._fetched(text, name), name=name)
        if not self.folders or len(text) > 4_096:
            return None
        try:
            path = Path(text).resolve()
            if any(path.is_relative_to(folder) for folder in self.folders) and path.is_file():
                if path.stat().st_size > self.limits.image_bytes:
                    raise self._too_large(path.stat().st_size, name)
                return Image(encoded=path.read_bytes(), name=name)
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
        return None

    def _fetched(self, url: str, name: str) -> bytes:
        import httpx

        content = bytearray()
        try:
            with httpx.stream(
                "GET", url, timeout=_FETCH_SECONDS, follow_redirects=False
            ) as response:
                if response.status_code != 200:
                    raise InputError(
                        f"The image {name} could not be fetched: {response.status_code}."
                    )
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > self.limits.image_bytes:
                        raise self._too_large(len(content), name)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InputError(f"The image {name} could not be fetched.") from error
        return bytes(content)

    def _check(self, image: Image, name: str) -> None:
        content = image.encoded or b""
        if len(content) > self.limits.image_bytes:
            raise self._too_large(len(content), name)
        image.check()
        try:
            # The header only: a small file can hold a huge picture.
            with require_pillow().open(BytesIO(content)) as opened:
                width, height = opened.size
        except Exception as error:  # Each format's reader raises what it likes.
            raise InputError(f"The image {name} is damaged, cut short or too large.") from error
        if width * height > self.limits.image_pixels:
            raise InputError(
                f"The image {name} is {width} x {height} pixels; the server takes "
                f"{self.limits.image_pixels:,} at most."
            )

    def _too_large(self, size: int, name: str) -> InputError:
        return InputError(
            f"The image {name} has {size:,} bytes or more; the server takes "
            f"{self.limits.image_bytes:,} at most."
        )
