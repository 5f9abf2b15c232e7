"""One subject a family: the engine under test beside its oracle and its reference."""

from __future__ import annotations

import pytest

from tiny_models import FAMILIES, Family, family
from tiny_tokenizer import build_tokenizer
from tiny_vision_models import VISION_FAMILIES

from .seeing import Seeing
from .subject import Subject


@pytest.fixture(scope="session", params=FAMILIES, ids=str)
def subject(request: pytest.FixtureRequest) -> Subject:
    """A family's engine with a ChatML tokenizer."""
    one: Family = request.param
    return Subject.of(one, build_tokenizer())


@pytest.fixture(scope="session", params=["llama-plain", "llama-bos", "gpt2-plain", "gemma3-bos"])
def other_tokenizer_subject(request: pytest.FixtureRequest) -> Subject:
    """An engine whose tokenizer has no chat template, or adds a first token to plain text."""
    name, kind = request.param.split("-")
    return Subject.of(family(name), build_tokenizer(kind))


@pytest.fixture(scope="session")
def dropping_out() -> Subject:
    """A family that drops out a tenth of everything in training mode."""
    return Subject.of(family("gpt2"), build_tokenizer())


@pytest.fixture(scope="session")
def llama() -> Subject:
    """One family, for what does not depend on the architecture."""
    return Subject.of(family("llama"), build_tokenizer())


@pytest.fixture(scope="session", params=VISION_FAMILIES)
def seeing(request: pytest.FixtureRequest) -> Seeing:
    """A family that sees: its engine beside the same model run plainly."""
    return Seeing.of(request.param)
