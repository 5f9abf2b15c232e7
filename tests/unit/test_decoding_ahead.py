"""Pictures decoded ahead: the same pictures, never more than may be held, and no error lost."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pil

from headwise.content import Image, as_image
from headwise.content.ahead import DecodedAhead, decoding_ahead
from headwise.errors import InputError
from headwise.jobs import even_spans, stream_rows
from seeing_engine import COLORS, colored


def files(folder: Path, n: int = 6) -> list[Image]:
    made = []
    for number in range(n):
        path = folder / f"{number}.png"
        colored(list(COLORS)[number % 3], number).load().save(path)
        made.append(as_image(path))
    return made


def settled(ahead: DecodedAhead, pixels: int) -> bool:
    """Whether so many pixels are held in the end."""
    until = time.monotonic() + 5
    while ahead.pixels != pixels and time.monotonic() < until:
        time.sleep(0.005)
    return ahead.pixels == pixels


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads in which pictures are decoded, one name a picture."""
    names: list[str] = []
    decode = Image.decode

    def noted(image: Image) -> Any:
        names.append(threading.current_thread().name)
        return decode(image)

    monkeypatch.setattr(Image, "decode", noted)
    return names


def test_pictures_are_the_same_and_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    images = files(tmp_path)
    plain = [image.load().tobytes() for image in images]
    decoded.clear()
    with decoding_ahead() as ahead:
        ahead.want([*images, images[0]])
        assert settled(ahead, 6 * 64)
        assert [image.load().tobytes() for image in images] == plain
        assert ahead.pixels == 0
        assert len(decoded) == 6
        assert "MainThread" not in decoded
        # A second look is decoded anew, for the first one's owner may have changed it.
        assert images[0].load().tobytes() == plain[0]
    assert decoded[-1] == "MainThread"


def test_never_more_is_held_than_may_be(tmp_path: Path) -> None:
    images = files(tmp_path)
    with decoding_ahead(most_pixels=100) as ahead:
        ahead.want(images)
        for image in images:
            image.load()
            # Each thread may have begun one before the limit was met.
            assert ahead.pixels <= 100 + 2 * 64


def test_what_is_no_longer_wanted_is_forgotten(tmp_path: Path) -> None:
    images = files(tmp_path)
    with decoding_ahead() as ahead:
        ahead.want(images[:3])
        assert settled(ahead, 3 * 64)
        ahead.want(images[3:4])
        assert settled(ahead, 4 * 64)
        ahead.want(images[4:5])
        assert settled(ahead, 2 * 64)


def test_an_error_is_raised_where_the_picture_is_asked_for(tmp_path: Path) -> None:
    [image] = files(tmp_path, 1)
    content = (tmp_path / "0.png").read_bytes()
    (tmp_path / "0.png").write_bytes(content[:45])
    with decoding_ahead() as ahead:
        ahead.want([image])
        with pytest.raises(InputError, match=r"0\.png"):
            image.load()


def test_threads_end_with_the_block() -> None:
    before = threading.active_count()
    stream = io.BytesIO()
    Pil.effect_noise((500, 500), 90).save(stream, "PNG")
    with decoding_ahead() as ahead:
        ahead.want([as_image(stream.getvalue())])
    assert threading.active_count() == before


@pytest.mark.parametrize("n", [0, 1, 5, 6])
def test_a_job_tells_of_each_chunk_one_ahead(n: int) -> None:
    told: list[str] = []

    def compute(chunk: Any) -> list[dict[str, int]]:
        told.append(f"compute {chunk[0]}")
        return [{"n": number} for number in chunk]

    stream_rows(
        io.BytesIO(),
        range(n),
        compute,
        spans=even_spans(n, 2),
        prepare=lambda chunk: told.append(f"prepare {chunk[0]}"),
    )
    starts = list(range(0, n, 2))
    wanted = [f"prepare {start}" for start in starts[:1]]
    for number, start in enumerate(starts):
        wanted += [f"prepare {after}" for after in starts[number + 1 : number + 2]]
        wanted.append(f"compute {start}")
    assert told == wanted
