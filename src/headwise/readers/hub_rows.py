"""Datasets of the Hugging Face Hub -> raw rows, through the optional package `datasets`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headwise.errors import InputError, MissingExtraError
from headwise.readers.result import RawRow

_HUB_ID = re.compile(
    r"(?P<name>\w[\w.-]*/\w[\w.-]*)(?:/(?P<config>[\w.-]+))?(?::(?P<split>[\w.-]+))?"
)


@dataclass(frozen=True, slots=True)
class HubId:
    """A dataset of the Hub.

    Args:
        name: `"org/name"`.
        config: The configuration, where the dataset has several.
        split: The split; None where the dataset has one only.
    """

    name: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, spec: str) -> HubId | None:
        """Reads `org/name`, `org/name:split` or `org/name/config:split`; None for anything else."""
        match = _HUB_ID.fullmatch(spec)
        return cls(match["name"], match["config"], match["split"]) if match else None

    def __str__(self) -> str:
        return self.name + (f"/{self.config}" if self.config else "")


def hub_rows(hub_id: HubId) -> Iterator[RawRow]:
    """Loads a dataset, from the Hub or its local cache, and reads its rows.

    Args:
        hub_id: Which dataset.

    Yields:
        The rows; a location is `"ORG/NAME:SPLIT row N"`, counted from 1.

    Raises:
        MissingExtraError: `datasets` is not installed.
        InputError: The dataset cannot be loaded, or has several splits and none was named.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError(
            "datasets",
            "hub",
            f"'{hub_id}' is no file here; reading it as a dataset of the Hugging Face Hub",
        ) from None
    try:
        loaded = datasets.load_dataset(hub_id.name, hub_id.config, split=hub_id.split)
    except Exception as error:  # datasets, huggingface_hub and the network each raise their own.
        raise InputError(
            f"'{hub_id}' is no file here, and as a dataset of the Hugging Face Hub it could not be "
            f"loaded: {type(error).__name__}: {error}\nCheck the name (ORG/NAME, ORG/NAME:SPLIT or "
            "ORG/NAME/CONFIG:SPLIT), the network, and HF_TOKEN for a gated dataset; or give a "
            "file that you have."
        ) from error
    split = hub_id.split
    if isinstance(loaded, Mapping):
        split = _only_split(hub_id, loaded)
        loaded = loaded[split]
    for number, values in enumerate(with_encoded_pictures(loaded), start=1):
        yield RawRow(f"{hub_id}:{split} row {number}", values)


def with_encoded_pictures(loaded: Any) -> Any:
    """The dataset with pictures as the bytes of their files: decoded, all would not fit."""
    for column, feature in (getattr(loaded, "features", None) or {}).items():
        inner: Any = getattr(feature, "feature", None)
        if type(feature).__name__ == "Image":
            loaded = loaded.cast_column(column, type(feature)(decode=False))
        elif type(inner).__name__ == "Image":
            loaded = loaded.cast_column(column, type(feature)(type(inner)(decode=False)))
    return loaded


def _only_split(hub_id: HubId, splits: Mapping[str, object]) -> str:
    if len(splits) != 1:
        names = ", ".join(splits)
        raise InputError(
            f"The dataset '{hub_id}' has several splits ({names}); name one, such as "
            f"'{hub_id}:{next(iter(splits), 'train')}'."
        )
    return next(iter(splits))
