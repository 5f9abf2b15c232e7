"""`ArtifactRecord`: all that an artifact folder holds, in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from safetensors.torch import save
from torch import Tensor

from headwise.artifacts.fields import CONFIG_FILE, Fields
from headwise.artifacts.json_value import JSON, json_hash, plain_object
from headwise.artifacts.versions import package_versions
from headwise.engines.base import ModelFingerprint
from headwise.errors import ArtifactError, InputError
from headwise.heads import HeadIndex, HeadLayout, HeadSet, LayerHeads

_T = TypeVar("_T")

FORMAT_VERSION = 1
"""Version of the artifact folder's format that this headwise writes, and the newest it reads."""

SITE = "o_proj_input"
"""Where head activations are read: the input of the attention output projection."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArtifactRecord:
    """An artifact as plain data, between a fitted value and its folder.

    Args:
        format_version: Version of the folder's format.
        method: What made it, such as `"sparse-attention-vectors"`.
        parameters: The method's parameters.
        base_model: The model it was fitted on.
        layout: The heads of that model.
        site: Where in the model activations were read.
        heads: The heads it uses, best first.
        prompt: The prompt template.
        statistics: What is known of the fit, such as examples a class, accuracy, seconds.
        versions: Package versions at the time of the fit.
        tensors: The learnt numbers by name, of any shape and dtype.

    Raises:
        ArtifactError: A part cannot be written as JSON, or a head is not in the layout.
    """

    format_version: int = FORMAT_VERSION
    method: str
    parameters: Mapping[str, JSON]
    base_model: ModelFingerprint
    layout: HeadLayout
    site: str = SITE
    heads: HeadSet
    prompt: Mapping[str, JSON]
    statistics: Mapping[str, JSON]
    versions: Mapping[str, str] = field(default_factory=package_versions)
    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        for name in ("parameters", "prompt", "statistics", "versions"):
            # The only way to put a private copy into a frozen value.
            object.__setattr__(self, name, plain_object(getattr(self, name), name))
        object.__setattr__(self, "tensors", dict(self.tensors))
        if self.site != SITE:
            raise ArtifactError(f"site is {self.site!r}; this headwise knows {SITE!r} only.")
        try:
            for index in self.heads:
                self.layout.head_dim(index)
        except InputError as error:
            raise ArtifactError(f"heads do not fit the layout: {error}") from error

    @property
    def prompt_hash(self) -> str:
        """SHA-256 of the prompt template's canonical JSON."""
        return json_hash(self.prompt)

    @property
    def content_hash(self) -> str:
        """SHA-256 of everything it holds, tensors included."""
        document = json.dumps(self.to_json(), sort_keys=True).encode()
        tensors = save({name: tensor.contiguous() for name, tensor in self.tensors.items()})
        return hashlib.sha256(document + tensors).hexdigest()

    def to_json(self) -> dict[str, JSON]:
        """Everything but the tensors, as `from_json` reads it.

        Returns:
            A plain document.

        Raises:
            ArtifactError: A head's score is NaN or infinite.
        """
        heads = [
            {"layer": index.layer, "head": index.head, "score": float(score)}
            for index, score in zip(self.heads, self.heads.scores, strict=True)
        ]
        document = {
            "format_version": self.format_version,
            "method": self.method,
            "parameters": self.parameters,
            "base_model": _fingerprint_fields(self.base_model),
            "layout": asdict(self.layout),
            "site": self.site,
            "heads": heads,
            "prompt": self.prompt,
            "prompt_hash": self.prompt_hash,
            "statistics": self.statistics,
            "versions": self.versions,
        }
        return plain_object(document, "artifact")

    @classmethod
    def from_json(cls, document: object, tensors: Mapping[str, Tensor]) -> ArtifactRecord:
        """Reads what `to_json` gives.

        Args:
            document: The parsed JSON.
            tensors: The learnt numbers by name.

        Returns:
            The record.

        Raises:
            ArtifactError: The format is newer, or a field is missing or wrong; names it.
        """
        check_format_version(document)
        fields = Fields.of(document)
        record = cls(
            format_version=fields.integer("format_version"),
            method=fields.text("method"),
            parameters=fields.mapping("parameters"),
            base_model=_read_fingerprint(fields.fields("base_model")),
            layout=_read_layout(fields.fields("layout")),
            site=fields.text("site"),
            heads=_read_heads(fields.items("heads")),
            prompt=fields.mapping("prompt"),
            statistics=fields.mapping("statistics"),
            versions=fields.texts("versions"),
            tensors=tensors,
        )
        if fields.text("prompt_hash") != record.prompt_hash:
            raise ArtifactError(
                f"{CONFIG_FILE}: the field 'prompt_hash' does not belong to 'prompt'. The prompt "
                "was changed after the fit, so the heads no longer mean what they did; fit again "
                "with the new prompt, or download the artifact again."
            )
        return record


def check_format_version(document: object) -> None:
    """Checks that this headwise can read a document.

    Args:
        document: The parsed JSON.

    Raises:
        ArtifactError: The format is newer than `FORMAT_VERSION`, or not given.
    """
    found = Fields.of(document).integer("format_version", minimum=1)
    if found > FORMAT_VERSION:
        raise ArtifactError(
            f"The artifact has format version {found}; this headwise reads up to version "
            f"{FORMAT_VERSION}. Update it with: pip install -U headwise"
        )


def _fingerprint_fields(fingerprint: ModelFingerprint) -> dict[str, object]:
    """A fingerprint as a document has it: without what a model of texts has nothing to say of."""
    fields = asdict(fingerprint)
    if not fingerprint.image_processor:
        del fields["image_processor"]
    return fields


def _read_fingerprint(fields: Fields) -> ModelFingerprint:
    return ModelFingerprint(
        model_id=fields.text("model_id"),
        revision=fields.optional_text("revision"),
        architecture=fields.text("architecture"),
        layout_hash=fields.text("layout_hash"),
        weights_hash=fields.text("weights_hash"),
        chat_template_hash=fields.text("chat_template_hash"),
        dtype=fields.text("dtype"),
        # Left out where the model was shown no images.
        image_processor=fields.text("image_processor")
        if "image_processor" in fields.values
        else "",
    )


def _read_layout(fields: Fields) -> HeadLayout:
    layers = tuple(
        LayerHeads(
            entry.integer("layer"),
            entry.integer("n_heads", minimum=1),
            entry.integer("head_dim", minimum=1),
        )
        for entry in fields.items("layers")
    )
    return _named("layout.layers", HeadLayout, layers)


def _read_heads(entries: list[Fields]) -> HeadSet:
    indices = tuple(HeadIndex(entry.integer("layer"), entry.integer("head")) for entry in entries)
    return _named("heads", HeadSet, indices, tuple(entry.number("score") for entry in entries))


def _named(name: str, build: type[_T], *arguments: Any) -> _T:
    try:
        return build(*arguments)
    except InputError as error:
        raise ArtifactError(f"{CONFIG_FILE}: the field '{name}' is wrong. {error}") from error
