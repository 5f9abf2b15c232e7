"""Fixtures for every test: offline, one thread, tiny models."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch
from hypothesis import settings
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise.engines.transformers import TransformersEngine
from tiny_models import family
from tiny_tokenizer import build_tokenizer

# The same cases every time: a test that fails now and then says nothing about a change.
settings.register_profile("seeded", derandomize=True)
settings.load_profile("seeded")
# Tiny matrices: a second thread costs many times more than it saves.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model() -> PreTrainedModel:
    """A random Llama of three layers with six heads of width eight each; leave it as it is."""
    return family("llama").build()


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with a ChatML template that goes with every tiny model."""
    return build_tokenizer()


@pytest.fixture(scope="session")
def tiny_engine(
    tiny_model: PreTrainedModel, tiny_tokenizer: PreTrainedTokenizerFast
) -> TransformersEngine:
    """The transformers engine on the tiny model."""
    return TransformersEngine(tiny_model, tiny_tokenizer, model_id="tiny-llama")
