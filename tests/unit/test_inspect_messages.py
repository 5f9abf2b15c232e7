"""inspect's messages become headwise's, whether or not inspect_ai is installed."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headwise.content.turns import Message
from headwise.errors import InputError
from headwise.integrations.inspect_messages import turns_of


def message(role: str, content: Any, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(role=role, content=content, **more)


def text(value: str) -> SimpleNamespace:
    return SimpleNamespace(type="text", text=value)


def image(value: str) -> SimpleNamespace:
    return SimpleNamespace(type="image", image=value)


def png() -> bytes:
    pil = pytest.importorskip("PIL.Image")
    held = BytesIO()
    pil.new("RGB", (3, 2), "red").save(held, "PNG")
    return held.getvalue()


def test_texts_stay_and_reasoning_goes() -> None:
    said = [SimpleNamespace(type="reasoning", reasoning="hm"), text("Four.")]
    assert turns_of(
        [
            message("system", "Be short."),
            message("user", [text("2+2?")]),
            message("assistant", said),
        ]
    ) == (Message("system", "Be short."), Message("user", "2+2?"), Message("assistant", "Four."))


def test_images_of_data_urls_stay_in_their_places() -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    [turn] = turns_of([message("user", [text("Before"), image(url), text("after")])])
    assert [type(part).__name__ for part in turn.content] == ["str", "Image", "str"]
    assert turn.images[0].read() == png()


def test_files_are_read_for_users_and_never_for_models_or_tools(tmp_path: Path) -> None:
    path = tmp_path / "seen.png"
    path.write_bytes(png())
    [turn] = turns_of([message("user", [image(str(path))])])
    assert turn.images[0].read() == png()
    for role in ("assistant", "tool"):
        with pytest.raises(InputError, match="image"):
            turns_of([message(role, [image(str(path))])])


def test_tool_calls_and_results_become_text() -> None:
    call = SimpleNamespace(function="add", arguments={"a": 1})
    assert turns_of(
        [
            message("assistant", "", tool_calls=[call]),
            message("tool", "3", function="add", error=None),
            message("tool", "", function="add", error=SimpleNamespace(message="overflow")),
            message("assistant", "So:", tool_calls=[call, call]),
        ]
    ) == (
        Message("assistant", '[calls add {"a": 1}]'),
        Message("user", "Result of add:\n3"),
        Message("user", "Error (overflow) of add:"),
        Message("assistant", 'So:\n[calls add {"a": 1}]\n[calls add {"a": 1}]'),
    )


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(InputError, match=r"Message 1 has content of type 'audio'"):
        turns_of([message("user", "x"), message("user", [SimpleNamespace(type="audio")])])
    with pytest.raises(InputError, match="role 'critic'"):
        turns_of([message("critic", "x")])
