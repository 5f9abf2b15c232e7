"""Classes by the likelihood of their names, with the model's bias to some names taken off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scripted_engine import ScriptedEngine

from headwise.baselines.in_context import InContextBaseline
from headwise.baselines.label_priors import CONTENT_FREE, content_free, log_prior
from headwise.baselines.named import classifier_method
from headwise.baselines.zero_shot_classes import ZeroShotBaseline
from headwise.content import as_image
from headwise.engines.base import TruncatedText
from headwise.errors import InputError
from headwise.examples import Example
from headwise.prompts.conversation import Conversation

CLASSES = ("cat", "cow", "dog")
BIAS = torch.tensor([0.0, -1.0, 4.0], dtype=torch.float64)
SUPPORT = [Example(f"a {name} on {n}", name) for n in range(2) for name in CLASSES]


class Biased(ScriptedEngine):
    """Which knows a name where its text says it, and says "dog" anyway."""

    def __init__(self) -> None:
        super().__init__(str)

    def token_logprobs(self, conversations: Any, candidates: Any, *_: Any, **__: Any) -> Any:
        self.scored.append((list(conversations), tuple(candidates)))
        return torch.stack([BIAS + 2 * self._said(one) for one in conversations])

    def _said(self, conversation: Conversation) -> torch.Tensor:
        asked = conversation.messages[-1].text.split("\n")[0]
        return torch.tensor([float(name in asked) for name in CLASSES], dtype=torch.float64)

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        return TruncatedText(text, 0)

    def count_tokens(self, conversations: Any) -> list[int]:
        return [10 for _ in conversations]


@pytest.mark.parametrize("name", ["zero-shot", "in-context"])
def test_what_the_model_says_anyway_is_taken_off(name: str) -> None:
    engine: Any = Biased()
    asked = [Example("a cat"), Example("the cow"), Example("my dog")]
    plain = classifier_method(name).fit(engine, SUPPORT)
    assert plain.predict(asked) == ["dog"] * 3
    calibrated = classifier_method(f"{name}-calibrated").fit(engine, SUPPORT)
    assert calibrated.predict(asked) == ["cat", "cow", "dog"]
    alone = np.concatenate([calibrated.predict_proba([one]) for one in asked])
    np.testing.assert_array_equal(alone, calibrated.predict_proba(asked))


@pytest.mark.parametrize("calibration", ["content_free", "support"])
def test_classes_are_equally_likely_on_what_calibrated(calibration: Any) -> None:
    engine: Any = Biased()
    found = ZeroShotBaseline(calibration=calibration).fit(engine, SUPPORT)
    inputs = content_free(SUPPORT) if calibration == "content_free" else SUPPORT
    plain = ZeroShotBaseline().fit(engine, SUPPORT).decision_function(inputs)
    shares = torch.from_numpy(plain).softmax(1).mean(0)
    assert shares.sum().item() == pytest.approx(1)
    np.testing.assert_allclose(log_prior(plain), shares.log())
    taken = plain - found.decision_function(inputs)
    np.testing.assert_allclose(taken, shares.log().expand(len(inputs), -1))


def test_labels_of_the_support_are_not_looked_at() -> None:
    engine: Any = Biased()
    turned = [
        Example(one.text, other.label) for one, other in zip(SUPPORT, SUPPORT[::-1], strict=True)
    ]
    method = classifier_method("zero-shot-calibrated")
    one, other = method.fit(engine, SUPPORT), method.fit(engine, turned)
    np.testing.assert_array_equal(one.predict_proba(["a cow"]), other.predict_proba(["a cow"]))


def test_only_what_differs_is_taken_out() -> None:
    support = [Example(f"text {n}", "a", {"topic": "pets", "size": str(n)}) for n in range(3)]
    found = content_free(support)
    assert [one.text for one in found] == list(CONTENT_FREE)
    assert [one.fields for one in found] == [
        {"topic": "pets", "size": free} for free in CONTENT_FREE
    ]
    assert all(one.label is None for one in found)


def test_pictures_turn_grey_and_their_question_stays() -> None:
    random = np.random.default_rng(0)
    support = [
        Example(
            "Which?",
            name,
            images=tuple(
                as_image(random.integers(0, 255, (8, width, 3), np.uint8)) for width in (5, 9)
            ),
        )
        for name in CLASSES
    ]
    [found] = content_free(support)
    assert found.text == "Which?"
    pictures = [np.asarray(one.load()) for one in found.images]
    assert [one.shape for one in pictures] == [(8, 5, 3), (8, 9, 3)]
    assert all(len(np.unique(one)) == 1 for one in pictures)


def test_calibration_that_cannot_be_had_is_refused() -> None:
    engine: Any = Biased()
    wrong: Any = "batch"
    with pytest.raises(InputError, match="none, content_free, support; got 'batch'"):
        ZeroShotBaseline(calibration=wrong)
    with pytest.raises(InputError, match="none, content_free; got 'batch'"):
        InContextBaseline(calibration=wrong)
    with pytest.raises(InputError, match="readout='likelihood'"):
        InContextBaseline(readout="generated", calibration="content_free")
    with pytest.raises(InputError, match="Calibration needs examples"):
        ZeroShotBaseline(CLASSES, calibration="support").fit(engine)
