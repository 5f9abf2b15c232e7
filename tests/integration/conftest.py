"""Fixtures for the command line: a tiny model in a folder, and what `fit` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import EXAMPLES, INSTRUCTION, PAIRS, done, write_jsonl
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from headwise import RewardModel, Rewards


@pytest.fixture(scope="session")
def model_folder(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: PreTrainedModel,
    tiny_tokenizer: PreTrainedTokenizerFast,
) -> Path:
    """The tiny Llama as a folder that transformers loads."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """A classifier of cats and dogs; leave it as it is."""
    folder = tmp_path_factory.mktemp("classifier")
    train = write_jsonl(folder / "train.jsonl", EXAMPLES)
    out = folder / "topics"
    done(
        *("fit", "classifier", train, "-o", out, "--model", model_folder, "--heads", 4),
        *("--instruction", INSTRUCTION, "--max-text-tokens", 64),
    )
    return out


@pytest.fixture(scope="session")
def scalar_folder(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """A reward model that judges one response at a time; leave it as it is."""
    return _fit_reward(tmp_path_factory.mktemp("scalar"), model_folder, "scalar")


@pytest.fixture(scope="session")
def ranked_folder(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """A reward model that compares responses; leave it as it is."""
    return _fit_reward(tmp_path_factory.mktemp("ranked"), model_folder, "ranked")


@pytest.fixture(scope="session")
def rewards_folder(
    tmp_path_factory: pytest.TempPathFactory, scalar_folder: Path, ranked_folder: Path
) -> Path:
    """Both of them as the criteria of one folder, of which the second counts against."""
    good = RewardModel.from_pretrained(scalar_folder)
    better = RewardModel.from_pretrained(ranked_folder, engine=good.engine)
    out = tmp_path_factory.mktemp("rewards") / "both"
    Rewards({"good": good, "better": better}, {"better": -0.5}).save_pretrained(out)
    return out


def _fit_reward(folder: Path, model: Path, form: str) -> Path:
    pairs = write_jsonl(folder / "pairs.jsonl", PAIRS)
    out = folder / "judge"
    done(
        *("fit", "reward", pairs, "-o", out, "--model", model, "--form", form),
        *("--criterion", "The answer is good.", "--readout", "sparse", "--max-text-tokens", 64),
    )
    return out
