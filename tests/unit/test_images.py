"""Pictures: what a camera, a browser or an array gives is read rightly, or refused by name."""

from __future__ import annotations

import ast
import base64
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageCms

import headwise
from headwise.content import Image, as_content, as_image, as_images, content_key, joined
from headwise.content.messages import names_pictures, parse_messages
from headwise.content.turns import Message
from headwise.errors import InputError, MissingExtraError
from headwise.examples import (
    Example,
    Judgement,
    Preference,
    as_example,
    check_preferences,
    group_by_prompt,
    images_of,
    prompt_key,
    prompt_with_images,
)

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
WHITE = (255, 255, 255)


def picture(color: tuple[int, int, int] = RED, size: tuple[int, int] = (6, 4)) -> Pil.Image:
    return Pil.new("RGB", size, color)


def encoded(image: Pil.Image, kind: str = "PNG", **how: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def saved(folder: Path, name: str = "a.png", color: tuple[int, int, int] = RED) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(color).save(path)
    return path


def pixel(image: Image, at: tuple[int, int] = (0, 0)) -> Any:
    loaded = image.load()
    assert loaded.mode == "RGB"
    return loaded.getpixel(at)


def near(found: Any, wanted: tuple[int, int, int], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


# --- Every form of a picture -----------------------------------------------------------------


def test_one_picture_in_every_form_is_the_same_picture(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    text = base64.b64encode(content).decode()
    files = [
        as_image(value)  # type: ignore[arg-type]
        for value in (
            path,
            str(path),
            content,
            bytearray(content),
            memoryview(content),
            f"data:image/png;base64,{text}",
            text,
            {"bytes": content, "path": "elsewhere.png"},
            {"bytes": None, "path": str(path)},
            Image(path),
            Image(str(path)),  # type: ignore[arg-type]
        )
    ]
    assert len(set(files)) == 1
    assert all(pixel(image) == RED for image in files)
    held = [as_image(value) for value in (picture(), np.asarray(picture()), Pil.open(path))]
    assert len(set(held)) == 1
    assert pixel(held[0]) == RED


def test_a_relative_path_begins_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "photos")
    assert pixel(as_image("a.png", folder=tmp_path / "photos")) == RED
    monkeypatch.chdir(tmp_path)
    assert pixel(as_image("photos/a.png")) == RED
    with pytest.raises(InputError, match=r"The image a\.png cannot be read: No such file"):
        as_image("a.png")


def test_a_picture_that_others_may_not_name_by_file_must_be_sent_itself(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with pytest.raises(InputError, match="names a file"):
        as_image(str(path), allow_files=False)
    with pytest.raises(InputError, match="names a file"):
        as_image({"path": str(path)}, allow_files=False)
    assert pixel(as_image(path.read_bytes(), allow_files=False)) == RED


def test_a_picture_is_a_value(tmp_path: Path) -> None:
    red, again, blue = (
        saved(tmp_path, n, c) for n, c in (("a.png", RED), ("b.png", RED), ("c.png", BLUE))
    )
    assert as_image(red) == as_image(again)
    assert hash(as_image(red)) == hash(as_image(again))
    assert as_image(red) != as_image(blue)
    assert as_image(picture(size=(6, 4))) != as_image(picture(size=(4, 6)))
    assert as_image(red).load() is not as_image(red).load()


def test_a_file_that_changes_is_another_picture(tmp_path: Path) -> None:
    path = saved(tmp_path)
    before = as_image(path)
    picture(BLUE).save(path)
    os.utime(path, ns=(1, 1))
    assert as_image(path) != before


def test_a_file_is_read_when_it_is_needed_and_never_held(tmp_path: Path) -> None:
    image = as_image(saved(tmp_path))
    assert image.encoded is None
    assert image.pixels is None
    assert image.read() == (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png cannot be read"):
        image.load()


def test_pixels_are_copied_and_come_back_as_a_file() -> None:
    mine = picture()
    image = as_image(mine)
    mine.paste(BLUE, (0, 0, 6, 4))
    assert pixel(image) == RED
    assert Pil.open(io.BytesIO(image.read())).getpixel((0, 0)) == RED


# --- What cameras and browsers give ----------------------------------------------------------


def rotated() -> bytes:
    """Red on the left as it is to be seen, but stored lying on its side."""
    seen = picture(RED, (8, 4))
    seen.paste(BLUE, (4, 0, 8, 4))
    notes = Pil.Exif()
    notes[0x0112] = 6  # To be turned by 90 degrees, clockwise.
    return encoded(seen.rotate(90, expand=True), "PNG", exif=notes)


def test_a_picture_is_turned_as_the_camera_says() -> None:
    image = as_image(rotated())
    assert image.load().size == (8, 4)
    assert (pixel(image), pixel(image, (7, 3))) == (RED, BLUE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_notes_do_not_spoil_a_picture() -> None:
    content = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense")
    assert near(pixel(as_image(content)), RED)


def test_the_first_picture_of_a_phone_counts() -> None:
    stream = io.BytesIO()
    picture(RED).save(stream, "MPO", save_all=True, append_images=[picture(BLUE, (3, 2))])
    assert near(pixel(as_image(stream.getvalue())), RED)


def transparent(mode: str) -> Pil.Image:
    clear = Pil.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 2, 4))
    if mode == "P":
        return clear.quantize(8)
    return clear.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
@pytest.mark.parametrize("kind", ["PNG", "pil"])
def test_what_is_transparent_is_white(mode: str, kind: str) -> None:
    made = transparent(mode)
    image = as_image(made if kind == "pil" else encoded(made, kind))
    assert pixel(image) == RED
    assert pixel(image, (3, 3)) == WHITE


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_with_one_transparent_color(kind: str) -> None:
    made = Pil.new("P", (2, 1))
    made.putpalette([255, 0, 0, 0, 0, 255])
    made.putpixel((1, 0), 1)
    image = as_image(encoded(made, kind, transparency=1))
    assert (pixel(image), pixel(image, (1, 0))) == (RED, WHITE)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_print_colors_become_those_of_a_screen(kind: str) -> None:
    image = as_image(encoded(Pil.new("CMYK", (8, 8), (0, 255, 255, 0)), kind))
    assert near(pixel(image), RED, by=12)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "pil"])
def test_sixteen_bits_keep_their_shades(kind: str) -> None:
    made = Pil.fromarray(np.array([[0, 32_768, 65_535]], dtype=np.uint16))
    image = as_image(made if kind == "pil" else encoded(made, kind))
    assert [pixel(image, (x, 0))[0] for x in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "YCbCr", "LAB", "HSV"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        made = ImageCms.applyTransform(picture(WHITE), to_lab)
        assert made is not None
    elif mode == "HSV":
        made = picture(WHITE).convert("HSV")
    else:
        made = picture(WHITE).convert(mode)
    assert near(pixel(as_image(made)), WHITE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_every_kind_of_file_that_is_told_is_read(kind: str) -> None:
    image = as_image(encoded(picture(), kind))
    image.check()
    assert near(pixel(image), RED)


# --- What is refused -------------------------------------------------------------------------


def animated() -> bytes:
    return encoded(picture(), "GIF", save_all=True, append_images=[picture(BLUE)])


def bomb() -> bytes:
    # A black picture packs well: a small file of many pixels.
    return encoded(Pil.new("1", (9_000, 9_000)))


BAD = {
    "empty": (b"", "empty file"),
    "text": (b"hello, this is no picture", "no kind that can be read"),
    "pdf": (b"%PDF-1.7\n" + bytes(100), "no kind that can be read"),
    "video": (bytes(4) + b"ftypisom" + bytes(100), "frames of a video"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no kind that can be read"),
    "cut short": (encoded(Pil.effect_noise((64, 64), 90))[:900], "damaged or cut short"),
    "cut jpeg": (encoded(Pil.effect_noise((64, 64), 90), "JPEG")[:400], "damaged or cut short"),
    "only a head": (encoded(picture())[:20], "damaged or cut short"),
    "animated": (animated(), "several pages \\(2 frames\\)"),
    "bomb": (bomb(), "81|9000 x 9000 pixels|too large"),
}


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("as_file", [True, False])
def test_what_cannot_be_shown_is_refused_by_name(
    tmp_path: Path, content: bytes, reason: str, as_file: bool
) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(content)
    image = as_image(path if as_file else content, None if as_file else "of train.jsonl:3")
    with pytest.raises(InputError, match=reason) as caught:
        image.load()
    assert ("holiday.png" if as_file else "of train.jsonl:3") in str(caught.value)


@pytest.mark.parametrize("name", ["missing.png", "folder", "pipe", "bad\0name", "x" * 5_000])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="cannot be read"):
        as_image(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        as_image(f"~nobody-has-this-name/{name}")


def test_a_link_is_refused_with_advice() -> None:
    for link in ("https://example.org/a.png", "http://example.org/a.png", "ftp://x/a", "file:///a"):
        with pytest.raises(InputError, match=r"is a link .* Download it"):
            as_image(link)


@pytest.mark.parametrize(
    "text", ["data:image/png;base64,@@@", "data:image/png,abc", "data:", "DATA:;base64,%"]
)
def test_a_data_url_that_holds_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Base64"):
        as_image(text)


def wrong_arrays() -> dict[str, np.ndarray[Any, Any]]:
    return {
        "no rows": np.zeros((0, 5, 3), np.uint8),
        "no columns": np.zeros((5, 0), np.uint8),
        "channels first": np.zeros((3, 8, 8), np.uint8),
        "five channels": np.zeros((8, 8, 5), np.uint8),
        "one dimension": np.zeros(8, np.uint8),
        "NaN": np.full((2, 2), np.nan),
        "infinite": np.full((2, 2), np.inf),
        "above one": np.full((2, 2), 255.0),
        "below zero": np.full((2, 2), -0.1),
        "negative": np.full((2, 2), -1),
        "above 255": np.full((2, 2), 256),
        "complex": np.zeros((2, 2), complex),
        "text": np.full((2, 2), "x"),
        "objects": np.full((2, 2), None),
        "huge": np.broadcast_to(np.uint8(0), (10_000, 10_000)),
    }


@pytest.mark.parametrize("name", wrong_arrays())
def test_an_array_that_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="of row 7"):
        as_image(wrong_arrays()[name], origin="row 7")


@pytest.mark.parametrize(
    ("dtype", "full"),
    [(np.uint8, 255), (np.uint16, 65_535), (np.float32, 1), (np.float64, 1), (np.int64, 255)],
)
def test_arrays_of_every_usual_kind(dtype: Any, full: int) -> None:
    for shape in ((4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)):
        assert pixel(as_image(np.full(shape, full, dtype))) == WHITE
    assert pixel(as_image(np.ones((4, 6), bool))) == WHITE


@pytest.mark.parametrize("value", [3, None, 1.5, {"url": "x"}, {}, object(), {"bytes": "text"}])
def test_what_is_no_picture_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        as_image(value)


def test_a_pil_image_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="0 x 5 pixels"):
        as_image(Pil.new("RGB", (0, 5)))


def test_an_image_is_held_in_one_way_only() -> None:
    for wrong in ({}, {"path": "a", "encoded": b"x"}, {"pixels": b"xxx"}, {"size": (1, 1)}):
        with pytest.raises(InputError, match="one of path, encoded bytes"):
            Image(**wrong)  # type: ignore[arg-type]


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"headwise\[vision\]"):
        as_image(b"x")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_an_input_error(content: bytes) -> None:
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"P6 "):
        try:
            as_image(start + content).load()
        except InputError:
            continue


def test_nothing_is_pickled() -> None:
    for path in Path(headwise.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not {"pickle", "dill", "cloudpickle", "joblib"} & set(names), path


# --- One or several --------------------------------------------------------------------------


def test_one_several_or_none() -> None:
    frames = np.stack([np.asarray(picture(color)) for color in (RED, GREEN, BLUE)])
    assert as_images(None) == as_images([]) == as_images(()) == ()
    assert as_images(picture()) == as_images([picture()]) == (as_image(picture()),)
    assert as_images(bytearray(encoded(picture()))) == (as_image(encoded(picture())),)
    assert (
        as_images(frames)
        == as_images(list(frames))
        == as_images([picture(c) for c in (RED, GREEN, BLUE)])
    )
    with pytest.raises(InputError, match="2 of 2"):
        as_images([picture(), np.zeros((0, 3))])
    with pytest.raises(InputError, match=r"2 of a\.jsonl:9"):
        as_images([picture(), 3], origin="a.jsonl:9")


# --- Contents --------------------------------------------------------------------------------


def test_contents_have_one_form() -> None:
    red = as_image(picture())
    assert as_content(["a", "", "b"]) == "ab"
    assert as_content([]) == ""
    assert as_content(["a", red, "", "b", "c"]) == ("a", red, "bc")
    assert joined("a", (red,), "b") == joined(("a", red), "b") == ("a", red, "b")
    with pytest.raises(InputError, match="as_image"):
        as_content([picture()])  # type: ignore[list-item]


PARTS = st.lists(
    st.one_of(
        st.sampled_from([as_image(picture(RED)), as_image(picture(BLUE))]),
        st.sampled_from(["a", "\x1d", "\x1d[", "]", as_image(picture(RED)).digest, "[x]"]),
    ),
    max_size=5,
)


@given(one=PARTS, other=PARTS)
def test_contents_have_the_same_key_only_where_they_are_the_same(one: Any, other: Any) -> None:
    a, b = as_content(one), as_content(other)
    assert (content_key(a) == content_key(b)) == (a == b)


# --- Messages --------------------------------------------------------------------------------


def block(**part: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}]


def forms(path: Path) -> dict[str, list[dict[str, Any]]]:
    content = path.read_bytes()
    text = base64.b64encode(content).decode()
    return {
        "path": block(type="image", image=str(path)),
        "path key": block(type="image", path=str(path)),
        "bytes": block(type="image", image=content),
        "hub": block(type="image", image={"bytes": content, "path": None}),
        "hub in place": block(type="image", bytes=content, path=None),
        "base64": block(type="image", base64=text),
        "base64 url": block(type="image", base64=f"data:image/png;base64,{text}"),
        "openai": block(type="image_url", image_url={"url": f"data:image/png;base64,{text}"}),
        "responses": block(type="input_image", image_url=f"data:image/png;base64,{text}"),
        "url": block(type="image", url=f"data:image/png;base64,{text}"),
        "an Image": block(type="image", image=as_image(path)),
        "arrow": block(type="image", image=str(path), text=None),
    }


def test_messages_show_pictures_in_every_usual_form(tmp_path: Path) -> None:
    path = saved(tmp_path)
    wanted = (Message("user", (as_image(path), "What?")),)
    for name, messages in forms(path).items():
        assert parse_messages(messages) == wanted, name
        assert names_pictures(messages), name
    trl = parse_messages(block(type="image", image=picture()))
    assert trl == (Message("user", (as_image(picture()), "What?")),)
    bare = [{"role": "user", "content": (as_image(path), "What?")}]
    assert parse_messages(bare) == wanted


def test_places_are_filled_in_order() -> None:
    red, blue = as_images([picture(RED), picture(BLUE)])
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]},
        {
            "role": "user",
            "content": [{"type": "image", "image": None}, {"type": "text", "text": "b"}],
        },
    ]
    assert not names_pictures(messages)
    found = parse_messages(messages, [red, blue])
    assert [turn.content for turn in found] == [("a", red), (blue, "b")]
    for wrong in ([], [red], [red, blue, red]):
        with pytest.raises(InputError, match="place"):
            parse_messages(messages, wrong)


def test_pictures_without_a_place_come_first_and_are_never_shown_twice() -> None:
    red, blue = as_images([picture(RED), picture(BLUE)])
    plain = [{"role": "system", "content": "S"}, {"role": "user", "content": "What?"}]
    assert parse_messages(plain, [red])[1].content == (red, "What?")
    # A trainer's rows give the images of the data set beside messages that show them.
    shown = block(type="image", image=picture(RED))
    assert parse_messages(shown, [red]) == parse_messages(shown)
    with pytest.raises(InputError, match="either the ones or the others"):
        parse_messages(shown, [blue])
    with pytest.raises(InputError, match="no user's turn"):
        parse_messages([{"role": "system", "content": "S"}], [red])


def test_a_video_is_its_frames() -> None:
    frames = [picture(RED), picture(BLUE)]
    found = parse_messages(block(type="video", video=frames))
    assert found[0].images == as_images(frames)
    with pytest.raises(InputError, match="no list of frames"):
        parse_messages(block(type="video", video="clip.mp4"))


def test_a_server_opens_no_file_and_nobody_a_link(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for name in ("path", "path key"):
        with pytest.raises(InputError, match="names a file"):
            parse_messages(forms(path)[name], allow_files=False)
    assert parse_messages(forms(path)["openai"], allow_files=False)
    with pytest.raises(InputError, match="message 0 is a link"):
        parse_messages(block(type="image_url", image_url={"url": "https://example.org/a.png"}))


def test_errors_name_the_file_the_message_and_the_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.png \(message 0 of a\.jsonl:3\) cannot be read"):
        parse_messages(block(type="image", image="x.png"), folder=tmp_path, origin="a.jsonl:3")


# --- Examples and preferences ----------------------------------------------------------------


@pytest.mark.parametrize("make", [as_image, np.asarray, encoded, Pil.Image.copy])
def test_an_example_takes_pictures_in_any_form(make: Callable[[Any], Any]) -> None:
    example = Example(images=[make(picture(RED)), make(picture(BLUE))])  # type: ignore[arg-type]
    assert [pixel(image) for image in example.images] == [RED, BLUE]
    assert Example("text", images=make(picture())).images


def test_an_example_has_a_text_or_a_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image"):
        Example()
    assert Example(" ", images=(as_image(picture()),)).text == ""
    with pytest.raises(InputError, match="must be text"):
        Example(None, images=(as_image(picture()),))  # type: ignore[arg-type]
    assert Example(images=[saved(tmp_path)]).shown == f"<{tmp_path / 'a.png'}>"  # type: ignore[arg-type]


def test_a_string_is_text_and_a_path_is_a_picture(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert as_example(str(path)) == Example(str(path))
    assert as_example(path) == as_example([path]) == Example(images=(as_image(path),))
    assert as_example(picture()).images == (as_image(picture()),)
    assert len(as_example([picture(), picture()]).images) == 2
    example = Example("x")
    assert as_example(example) is example
    with pytest.raises(InputError, match="neither text nor images"):
        as_example([])


def test_examples_that_ask_the_same_have_one_key() -> None:
    red, also, blue = (Example("x", images=picture(c)) for c in (RED, RED, BLUE))  # type: ignore[arg-type]
    assert red.key == also.key
    assert len({red.key, blue.key, Example("x").key}) == 3


def test_prompts_are_grouped_by_what_their_pictures_show() -> None:
    prompts = [
        *(block(type="image", image=picture(color)) for color in (RED, BLUE, RED)),
        prompt_with_images("What?", as_images(picture(BLUE))),
        "What?",
    ]
    assert group_by_prompt(prompts) == [[0, 2], [1, 3], [4]]
    assert prompt_key(prompts[0]) == prompt_key(prompts[2])


def test_preferences_of_two_pictures_are_two() -> None:
    pairs = [Preference("Q", "a", "b", images=picture(c)) for c in (RED, RED, BLUE)]  # type: ignore[arg-type]
    assert check_preferences(pairs).duplicates == 1
    good, bad = pairs[2].judgements()
    assert good.shown_prompt == bad.shown_prompt == pairs[2].shown_prompt
    assert images_of(pairs[2]) == images_of(good) == as_images(picture(BLUE))


def test_responses_may_be_pictures() -> None:
    red = as_image(picture())
    pair = Preference("Draw.", ("", red), "no")
    assert pair.chosen == (red,)
    assert images_of(pair) == (red,)
    assert images_of(Judgement("Draw.", (red, "look"))) == (red,)
    assert Preference("Q", ("a", "b"), "c").chosen == "ab"
    with pytest.raises(InputError, match="chosen"):
        Preference("Q", [red], "c")  # type: ignore[arg-type]
