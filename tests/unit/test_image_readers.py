"""Readers of pictures: columns, messages and folders; a bad picture is a bad row like any other."""

from __future__ import annotations

import base64
import csv
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pil

from headwise.content import Image, as_image
from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.examples import Example, images_of
from headwise.readers import (
    detect_kind,
    open_source,
    read_examples,
    read_judgements,
    read_preferences,
)
from seeing_engine import colored

RED, BLUE = colored("red"), colored("blue")


def png(image: Image = RED) -> bytes:
    stream = io.BytesIO()
    image.load().save(stream, "PNG")
    return stream.getvalue()


def url(image: Image = RED) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with `photos/red.png` and `photos/blue.png`, and with a text that is no picture."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/red.png").write_bytes(png(RED))
    (tmp_path / "photos/blue.png").write_bytes(png(BLUE))
    (tmp_path / "photos/note.png").write_text("no picture")
    return tmp_path


def jsonl(folder: Path, *rows: Any, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def shown(*images: Image) -> list[Any]:
    return [image.load().getpixel((0, 0)) for image in images]


# --- Columns ---------------------------------------------------------------------------------

VALUES: dict[str, Any] = {
    "path": "photos/red.png",
    "blanks": " photos/red.png ",
    "one in a list": ["photos/red.png"],
    "data URL": url(),
    "Base64": url().partition(",")[2],
    "hub": {"bytes": None, "path": "photos/red.png"},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("column", ["image", "images", "Image", "video", "frames", "image_path"])
def test_pictures_are_found_by_the_name_of_their_column(
    photos: Path, column: str, value: Any
) -> None:
    path = jsonl(photos, {column: value, "question": "What?", "label": "red", "n": 1})
    result = read_examples(path)
    [example] = result.items
    assert shown(*example.images) == shown(RED)
    assert (example.text, example.label) == ("What?", "red")
    assert dict(example.fields) == {"question": "What?", "n": "1"}


def test_several_pictures_and_none(photos: Path) -> None:
    both = ["photos/red.png", "photos/blue.png"]
    rows = ({"images": value, "text": "x"} for value in (both, [], None, "", [None, both[1]]))
    result = read_examples(jsonl(photos, *rows), require_label=False)
    assert [len(example.images) for example in result.items] == [2, 0, 0, 0, 1]
    assert shown(*result.items[0].images) == shown(RED, BLUE)


def test_a_row_with_a_picture_needs_no_text(photos: Path) -> None:
    path = jsonl(photos, {"image": "photos/red.png", "label": "a"}, {"image": None, "label": "b"})
    with pytest.raises(InputError, match=r"a\.jsonl:2: found null in column 'image'"):
        read_examples(path)
    [example] = read_examples(path, skip_bad=True).items
    assert example.text == ""


def test_csv_cells_name_pictures(photos: Path) -> None:
    path = photos / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "label"])
        writer.writerow(["photos/red.png", "x", "a"])
        writer.writerow(['["photos/red.png", "photos/blue.png"]', "y", "b"])
        writer.writerow(["", "z", "b"])
    assert [len(example.images) for example in read_examples(path).items] == [1, 2, 0]


def test_parquet_holds_pictures_themselves(photos: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"image": {"bytes": png(RED), "path": "1.png"}, "label": "red"},
        {"image": {"bytes": png(BLUE), "path": None}, "label": "blue"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), photos / "a.parquet")
    items = read_examples(photos / "a.parquet").items
    assert shown(*(example.images[0] for example in items)) == shown(RED, BLUE)
    pq.write_table(pa.Table.from_pylist([{"image": png(RED), "label": "a"}]), photos / "b.parquet")
    assert shown(*read_examples(photos / "b.parquet").items[0].images) == shown(RED)


def test_a_named_column_and_none_at_all(photos: Path) -> None:
    row = {"photo": "photos/red.png", "image": "photos/blue.png", "text": "x", "label": "a"}
    path = jsonl(photos, row)
    assert shown(*read_examples(path, image="photo").items[0].images) == shown(RED)
    [plain] = read_examples(path, image=False).items
    assert plain.images == ()
    assert plain.fields["image"] == "photos/blue.png"
    with pytest.raises(InputError, match="no column 'nothing' for the image"):
        read_examples(path, image="nothing")


BAD: dict[str, tuple[Any, str]] = {
    "missing": ("photos/gone.png", r"photos/gone\.png cannot be read: No such file"),
    "no picture": ("photos/note.png", r"photos/note\.png is of no kind"),
    "a folder": ("photos", "photos cannot be read: it is a folder"),
    "link": ("https://example.org/a.png", "is a link .* headwise opens none"),
    "number": (3, "got int"),
    "object": ({"url": "x"}, "is an object with url"),
    "bad Base64": ("data:image/png;base64,@@", "not valid Base64"),
    "one of two": (["photos/red.png", "photos/gone.png"], r"gone\.png cannot be read"),
}


@pytest.mark.parametrize(("value", "reason"), BAD.values(), ids=BAD)
def test_a_bad_picture_spoils_its_own_row(photos: Path, value: Any, reason: str) -> None:
    good = {"image": "photos/red.png", "text": "x", "label": "a"}
    path = jsonl(photos, good, {**good, "image": value}, good)
    with pytest.raises(InputError, match=rf"a\.jsonl:2: found an image .*{reason}") as caught:
        read_examples(path)
    assert str(caught.value).count("a.jsonl:2") == 1
    result = read_examples(path, skip_bad=True)
    assert len(result) == 2
    assert [row.location for row in result.bad] == [f"{path}:2"]


def test_a_damaged_picture_names_its_row_when_it_is_decoded(photos: Path) -> None:
    (photos / "photos/red.png").write_bytes(png()[:45])
    [example] = read_examples(jsonl(photos, {"image": "photos/red.png", "label": "a"})).items
    [alone] = read_examples(photos / "photos/red.png", require_label=False).items
    assert alone.images[0].name == str(photos / "photos/red.png")
    with pytest.raises(InputError, match=r"photos/red\.png \(.*a\.jsonl:1\)"):
        example.images[0].load()


def test_pictures_are_not_held(photos: Path) -> None:
    rows = [{"image": "photos/red.png", "label": str(n % 2)} for n in range(2_000)]
    result = read_examples(jsonl(photos, *rows))
    assert len(result) == 2_000
    assert all(image.encoded is image.pixels is None for e in result.items for image in e.images)


# --- Folders and files -----------------------------------------------------------------------


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    for name, image in (("dogs/b.png", RED), ("dogs/deep/a.PNG", BLUE), ("cats/x", BLUE)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    (folder / "cats/.DS_Store").write_bytes(b"x")
    (folder / "cats/notes.txt").write_text("x")
    (folder / ".git").mkdir()
    return folder


def test_a_folder_of_folders_is_a_set_of_classes(classes: Path) -> None:
    assert detect_kind(classes) == "examples"
    result = read_examples(f"{classes}/")
    assert [(e.label, Path(e.images[0].name.split(" (")[0]).name) for e in result.items] == [
        ("cats", "x"),
        ("dogs", "b.png"),
        ("dogs", "a.PNG"),
    ]
    assert result.locations[0] == str(classes / "cats/x")
    assert dict(result.rows[0]) == {"image": str(classes / "cats/x"), "label": "cats"}
    [note] = result.notes
    assert "3 files were passed over" in note
    assert all(name in note for name in (".DS_Store", "notes.txt", ".git"))


def test_a_class_without_pictures_is_an_error(classes: Path) -> None:
    (classes / "birds").mkdir()
    with pytest.raises(InputError, match="class 'birds' is empty"):
        read_examples(classes)
    (classes / "birds/readme.txt").write_text("soon")
    with pytest.raises(InputError, match="class 'birds' is empty"):
        read_examples(classes)


def test_a_bad_picture_in_a_folder_is_a_bad_row(classes: Path) -> None:
    (classes / "cats/broken.jpg").write_bytes(b"")
    (classes / "cats/phone.heic").write_bytes(bytes(4) + b"ftypheic")
    with pytest.raises(InputError, match="2 of 5 rows"):
        read_examples(classes)
    assert len(read_examples(classes, skip_bad=True)) == 3


def test_pictures_of_no_class_have_no_label(photos: Path) -> None:
    (photos / "photos/note.png").unlink()
    result = read_examples(photos / "photos", require_label=False)
    assert [example.label for example in result.items] == [None, None]
    with pytest.raises(InputError, match="no column for the label"):
        read_examples(photos / "photos")


def test_a_folder_without_pictures_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without pictures.*photos/cat/1\.jpg"):
        open_source(tmp_path)


def test_one_picture_is_one_row(photos: Path) -> None:
    for name in ("photos/red.png", "photos/unnamed"):
        (photos / "photos/unnamed").write_bytes(png(RED))
        [example] = read_examples(photos / name, require_label=False).items
        assert shown(*example.images) == shown(RED)
    with pytest.raises(InputError, match=r"note\.png is of no kind"):
        read_examples(photos / "photos/note.png", require_label=False)


def test_a_table_whose_columns_look_like_a_picture_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "BM.tsv"
    path.write_text("P1\ttext\tlabel\n1\tx\ta\n")
    assert read_examples(path).items[0].text == "x"


# --- Preferences -----------------------------------------------------------------------------


def block(**part: Any) -> dict[str, Any]:
    return {"role": "user", "content": [part, {"type": "text", "text": "What?"}]}


def answer(text: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def test_the_pictures_of_a_prompt_have_their_places(photos: Path) -> None:
    prompts: list[Any] = [
        "What?",
        [{"role": "user", "content": "What?"}],
        [block(type="image")],
        [block(type="image", image=None, text=None)],
    ]
    rows = [
        {"prompt": prompt, "images": ["photos/red.png"], "chosen": "a", "rejected": "b"}
        for prompt in prompts
    ]
    pairs = read_preferences(jsonl(photos, *rows)).items
    red = as_image(photos / "photos/red.png")
    assert {pair.images for pair in pairs} == {(red,)}
    assert {pair.shown_prompt for pair in pairs} == {(Message("user", (red, "What?")),)}


def test_messages_name_pictures_themselves(photos: Path) -> None:
    named = block(type="image", image="photos/red.png")
    red = as_image(photos / "photos/red.png")
    wanted = (Message("user", (red, "What?")),)
    rows: list[dict[str, Any]] = [
        {"prompt": [named], "chosen": "a", "rejected": "b"},
        {"prompt": [named], "chosen": answer("a"), "rejected": answer("b")},
        {"prompt": [block(type="image", image=url())], "chosen": "a", "rejected": "b"},
    ]
    whole = {"chosen": [named, *answer("a")], "rejected": [named, *answer("b")]}
    pairs = [
        *read_preferences(jsonl(photos, whole)).items,
        *read_preferences(jsonl(photos, *rows)).items,
    ]
    assert [pair.shown_prompt for pair in pairs[:3]] == [wanted] * 3
    assert all((pair.chosen, pair.rejected) == ("a", "b") for pair in pairs)
    assert shown(*images_of(pairs[3])) == shown(RED)


def test_responses_show_pictures_of_their_own(photos: Path) -> None:
    red, blue = ([{"type": "image", "path": f"photos/{name}.png"}] for name in ("red", "blue"))
    rows = [
        {
            "prompt": "Draw.",
            "images": "photos/blue.png",
            "chosen": answer(red),
            "rejected": answer("no"),
        },
        {"prompt": "Draw.", "chosen": answer(red), "rejected": answer(blue)},
    ]
    first, second = read_preferences(jsonl(photos, *rows)).items
    assert [len(images_of(pair)) for pair in (first, second)] == [2, 2]
    assert images_of(first) == images_of(second)[::-1]


def test_whole_conversations_have_places_for_the_pictures_of_their_row(photos: Path) -> None:
    asked = block(type="image")
    row = {
        "images": ["photos/red.png"],
        "chosen": [asked, *answer("a")],
        "rejected": [asked, *answer("b")],
    }
    [pair] = read_preferences(jsonl(photos, row)).items
    assert (pair.chosen, pair.rejected) == ("a", "b")
    assert [len(turn.images) for turn in pair.shown_prompt] == [1]  # type: ignore[union-attr]


BAD_PAIRS: dict[str, tuple[dict[str, Any], str]] = {
    "too many": ({"prompt": [block(type="image")], "images": ["photos/red.png"] * 2}, "1 places"),
    "too few": ({"prompt": [block(type="image")]}, "no image for it"),
    "missing": ({"prompt": [block(type="image", image="photos/gone.png")]}, r"gone\.png"),
    "link": ({"prompt": [block(type="image", url="https://example.org/a")]}, "is a link"),
    "a place in a response": (
        {"prompt": "Q", "chosen": answer([{"type": "image"}]), "rejected": answer("b")},
        "in a response",
    ),
    "video file": ({"prompt": [block(type="video", video="clip.mp4")]}, "no list of frames"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_pictures_that_do_not_fit_spoil_their_row(
    photos: Path, row: dict[str, Any], reason: str
) -> None:
    good = {"prompt": "Q", "chosen": "a", "rejected": "b"}
    path = jsonl(photos, good, {**good, **row})
    with pytest.raises(InputError, match=rf"a\.jsonl:2: .*{reason}"):
        read_preferences(path)
    assert len(read_preferences(path, skip_bad=True)) == 1


def test_judgements_show_pictures(photos: Path) -> None:
    row = {"prompt": "What?", "image": "photos/red.png", "completion": "Red.", "label": True}
    named = {**row, "prompt": [block(type="image", image="photos/red.png")], "image": None}
    first, second = read_judgements(jsonl(photos, row, named)).items
    assert first.shown_prompt == second.shown_prompt
    assert first.images == (as_image(photos / "photos/red.png"),)


# --- The Hub ---------------------------------------------------------------------------------


class Rows(list[dict[str, Any]]):
    """A data set that decodes its pictures unless it is told not to."""

    def __init__(self, rows: list[dict[str, Any]], features: dict[str, Any]) -> None:
        super().__init__(rows)
        self.features = features

    def cast_column(self, column: str, feature: Any) -> Rows:
        inner = getattr(feature, "feature", feature)
        assert not inner.decode
        kept = {"bytes": png(BLUE), "path": None}
        value = kept if inner is feature else [kept]
        return Rows([{**row, column: value} for row in self], self.features)


def test_hub_pictures_stay_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Image:
        def __init__(self, decode: bool = True) -> None:
            self.decode = decode

    class List:
        def __init__(self, feature: Any) -> None:
            self.feature = feature

    for feature in (Image(), List(Image())):
        decoded = Rows(
            [{"image": Pil.new("RGB", (2, 2)), "label": "a"}], {"image": feature, "label": None}
        )
        stand_in = SimpleNamespace(load_dataset=lambda *_, found=decoded, **__: found)
        monkeypatch.setitem(sys.modules, "datasets", stand_in)
        [example] = read_examples("org/photos:train").items
        assert example.images[0].encoded is not None
        assert shown(*example.images) == shown(BLUE)
    plain = Rows([{"image": Pil.new("RGB", (2, 2), "red"), "label": "a"}], {})
    monkeypatch.setitem(
        sys.modules, "datasets", SimpleNamespace(load_dataset=lambda *_, **__: plain)
    )
    assert read_examples("org/photos:train").items[0] == Example(
        label="a", images=(as_image(Pil.new("RGB", (2, 2), "red")),)
    )
