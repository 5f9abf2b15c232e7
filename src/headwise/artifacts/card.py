"""The model card of an artifact: `README.md`, written for people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from huggingface_hub import ModelCardData

from headwise.artifacts.card_texts import COMMON_LIMITS, MethodText, text_of
from headwise.artifacts.hub import is_hub_id
from headwise.artifacts.json_value import JSON
from headwise.artifacts.markdown import code_span, fence, table
from headwise.artifacts.record import ArtifactRecord
from headwise.engines.base import ModelFingerprint

_MAX_HEADS = 20


def render_card(record: ArtifactRecord, name: str | None = None) -> str:
    """Writes the model card.

    Args:
        record: The artifact.
        name: What the examples of use call it, such as its Hub id.

    Returns:
        Markdown with YAML front matter; text from the artifact is shown as it is, and can neither
        end a code block nor become markup.
    """
    words = _words(record)
    name = name or "path/to/the/artifact"
    sections = (
        f"---\n{_metadata(record)}\n---",
        f"# {code_span(name)}: a headwise {words.title}",
        words.summary.format(n_heads=len(record.heads)),
        _usage(words, name),
        _base_model(record.base_model),
        _heads(record),
        _section("Fitted on", _named_values(record.statistics)),
        _section(f"Method {code_span(record.method)}", _named_values(record.parameters)),
        _prompt(record),
        _section("Limits", _bullets((*words.limits, *COMMON_LIMITS))),
        _section("Package versions", _named_values(record.versions)),
    )
    return "\n\n".join(sections) + "\n"


def _words(record: ArtifactRecord) -> MethodText:
    return text_of(record.method, sees=bool(record.statistics.get("n_images")))


def _metadata(record: ArtifactRecord) -> str:
    model_id = record.base_model.model_id
    # A relative path such as models/llama looks like a Hub id, and is none.
    is_public = is_hub_id(model_id) and not Path(model_id).exists()
    data = ModelCardData(
        base_model=model_id if is_public else None,
        library_name="headwise",
        pipeline_tag=_words(record).pipeline_tag,
        tags=["headwise", record.method],
    )
    return data.to_yaml().strip()


def _usage(words: MethodText, name: str) -> str:
    python = fence(words.python.format(name=json.dumps(name, ensure_ascii=False)), "python")
    command = fence(words.command.format(name=shlex.quote(name)), "bash")
    return _section(
        "Use",
        f"{fence(words.install, 'bash')}\n\n{python}\n\nOr from a shell:\n\n{command}",
    )


def _base_model(model: ModelFingerprint) -> str:
    rows = (
        ("Model", model.model_id),
        ("Revision", model.revision or "not known"),
        ("Architecture", model.architecture),
        ("Head layout", model.layout_hash),
        ("Weights", model.weights_hash),
        ("Chat template", model.chat_template_hash),
        ("Ran as", model.dtype),
    )
    return _section(
        "Base model", table(("", ""), ((title, code_span(value)) for title, value in rows))
    )


def _heads(record: ArtifactRecord) -> str:
    heads = record.heads
    pairs = zip(heads, heads.scores, strict=True)
    rows = ((str(i.layer), str(i.head), f"{score:.4g}") for i, score in islice(pairs, _MAX_HEADS))
    shown = table(("Layer", "Head", "Score"), rows)
    rest = len(heads) - _MAX_HEADS
    more = f"\n\nand {rest} more, in `headwise.json`." if rest > 0 else ""
    count = f"{len(heads)} of {record.layout.n_heads} heads, best first, read at `{record.site}`."
    return _section("Heads", f"{count}\n\n{shown}{more}")


def _prompt(record: ArtifactRecord) -> str:
    parts = [
        f"{code_span(name)}:\n\n{fence(value if isinstance(value, str) else _as_text(value))}"
        for name, value in record.prompt.items()
        if value is not None
    ]
    return _section("Prompt", "\n\n".join((*parts, f"SHA-256 {code_span(record.prompt_hash)}.")))


def _named_values(values: Mapping[str, JSON]) -> str:
    if not values:
        return "Nothing was recorded."
    return table(("", ""), ((code_span(k), code_span(_as_text(v))) for k, v in values.items()))


def _as_text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_as_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_as_text(inner) for inner in value)
    return json.dumps(value, ensure_ascii=False)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"
