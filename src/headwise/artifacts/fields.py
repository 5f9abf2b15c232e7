"""Strict reading of the fields of `headwise.json`: each error names the field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from headwise.artifacts.json_value import JSON
from headwise.errors import ArtifactError

CONFIG_FILE = "headwise.json"


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a JSON document, with where it stands in it.

    Args:
        values: The object.
        path: Its place, such as `"layout.layers[2]"`; empty for the whole document.
    """

    values: Mapping[str, object]
    path: str = ""

    @classmethod
    def of(cls, document: object) -> Fields:
        """The fields of a whole document.

        Raises:
            ArtifactError: It is not an object.
        """
        if not isinstance(document, Mapping):
            raise ArtifactError(
                f"{CONFIG_FILE} holds {_describe(document)}; expected an object. {_WAY_OUT}"
            )
        return cls(document)

    def text(self, name: str) -> str:
        """A field that is text."""
        value = self._get(name, "text")
        if not isinstance(value, str):
            raise self._wrong(name, value, "text")
        return value

    def optional_text(self, name: str) -> str | None:
        """A field that is text or null; it must be there."""
        value = self._get(name, "text or null")
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, value, "text or null")
        return value

    def integer(self, name: str, minimum: int = 0) -> int:
        """A field that is a whole number of at least `minimum`."""
        expected = f"a whole number of at least {minimum}"
        value = self._get(name, expected)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self._wrong(name, value, expected)
        return value

    def number(self, name: str) -> float:
        """A field that is a number."""
        value = self._get(name, "a number")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, value, "a number")
        try:
            return float(value)
        except OverflowError as error:
            raise self._wrong(name, value, "a number that fits 64 bits") from error

    def mapping(self, name: str) -> Mapping[str, JSON]:
        """A field that is an object of anything."""
        value = self._get(name, "an object")
        if not isinstance(value, Mapping):
            raise self._wrong(name, value, "an object")
        return cast("Mapping[str, JSON]", value)

    def fields(self, name: str) -> Fields:
        """A field that is an object, to be read field by field."""
        return Fields(self.mapping(name), self.name_of(name))

    def items(self, name: str) -> list[Fields]:
        """A field that is a list of objects, each to be read field by field."""
        value = self._get(name, "a list of objects")
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list of objects")
        for number, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise self._wrong(f"{name}[{number}]", item, "an object")
        path = self.name_of(name)
        return [Fields(item, f"{path}[{number}]") for number, item in enumerate(value)]

    def texts(self, name: str) -> dict[str, str]:
        """A field that is an object of texts."""
        inner = self.fields(name)
        return {key: inner.text(key) for key in inner.values}

    def name_of(self, name: str) -> str:
        """The full name of a field, such as `"base_model.revision"`."""
        return f"{self.path}.{name}" if self.path else name

    def _get(self, name: str, expected: str) -> object:
        if name not in self.values:
            raise ArtifactError(
                f"{CONFIG_FILE}: the field '{self.name_of(name)}' is missing; expected {expected}. "
                f"{_WAY_OUT}"
            )
        return self.values[name]

    def _wrong(self, name: str, value: object, expected: str) -> ArtifactError:
        return ArtifactError(
            f"{CONFIG_FILE}: the field '{self.name_of(name)}' is {_describe(value)}; expected "
            f"{expected}. {_WAY_OUT}"
        )


_WAY_OUT = "The file was damaged or edited; fit again or download it again."


def _describe(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=repr)
    return shown if len(shown) <= 60 else shown[:57] + "..."
