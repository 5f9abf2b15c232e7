"""The demonstration: the main job on data that ships, measured beside the obvious alternatives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headwise.baselines.token_probability import TokenProbability
from headwise.data import (
    Bias,
    biased_preferences,
    load_capitals,
    load_facts,
    load_topics,
    plain_preferences,
)
from headwise.engines.base import Engine
from headwise.examples import Example, Preference
from headwise.heads import HeadSet
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.reward_model import RewardModel
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
from headwise.prompts.conversation import Conversation

INSTRUCTION = "Customer message: {text}\nWhat is the message about?"
CRITERION = "The answer is correct."
SHOTS_PER_CLASS = 4
N_TEST_MESSAGES = 100
N_SUPPORT_PAIRS = 40
N_TEST_PAIRS = 50
BIAS: Bias = "lengthy"
_NO_CONTENT = "N/A"


@dataclass(frozen=True, slots=True)
class ClassifierDemo:
    """What the classifier's half measured.

    Args:
        classifier: The fitted classifier.
        n_support: Labelled examples it was fitted on.
        n_test: Held-out messages.
        accuracy: Of the classifier on them.
        zero_shot_accuracy: Of the most likely label name, on the same messages.
        example: A held-out message and what the classifier said of it.
        seconds: Fitting alone.
    """

    classifier: SparseAttentionClassifier
    n_support: int
    n_test: int
    accuracy: float
    zero_shot_accuracy: float
    example: tuple[str, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class RewardDemo:
    """What the reward model's half measured.

    Args:
        reward: The fitted reward model.
        n_support: Preference pairs it was fitted on, none of them biased.
        n_test: Held-out pairs of each kind.
        accuracy: Of the reward model on plain pairs.
        token_accuracy: Of P(Yes) against P(No), nothing steered, on the same pairs.
        biased_accuracy: Of the reward model where the wrong answer is padded with fluent talk.
        biased_token_accuracy: Of P(Yes) against P(No) there.
        biased_example: One such pair.
        seconds: Fitting alone.
    """

    reward: RewardModel
    n_support: int
    n_test: int
    accuracy: float
    token_accuracy: float
    biased_accuracy: float
    biased_token_accuracy: float
    biased_example: Preference
    seconds: float


def demonstrate_classifier(engine: Engine, *, progress: bool = False) -> ClassifierDemo:
    """Fits a classifier of customer messages on four examples a class and tests it.

    Args:
        engine: The frozen model.
        progress: Whether to show progress bars.

    Returns:
        What was measured.
    """
    messages = load_topics()
    n_support = SHOTS_PER_CLASS * len({message.label for message in messages})
    support, test = messages[:n_support], messages[n_support : n_support + N_TEST_MESSAGES]
    started = time.perf_counter()
    method = SparseAttentionVectors(instruction=INSTRUCTION)
    classifier = method.fit(engine, support, progress=progress)
    seconds = time.perf_counter() - started
    predicted = classifier.predict(test, progress=progress)
    right = [label == message.label for label, message in zip(predicted, test, strict=True)]
    return ClassifierDemo(
        classifier=classifier,
        n_support=n_support,
        n_test=len(test),
        accuracy=float(np.mean(right)),
        zero_shot_accuracy=zero_shot_accuracy(engine, classifier.classes, test, progress=progress),
        example=(test[0].text, predicted[0]),
        seconds=seconds,
    )


def zero_shot_accuracy(
    engine: Engine, classes: Sequence[str], test: Sequence[Example], *, progress: bool = False
) -> float:
    """Accuracy of the label name that the model finds most likely, told what labels there are.

    Each name's log-likelihood is taken relative to that after a message without content, so that a
    short or frequent name has no head start (contextual calibration, arXiv:2102.09690).

    Args:
        engine: The frozen model.
        classes: The labels.
        test: Labelled messages.
        progress: Whether to show a progress bar.

    Returns:
        The share classified as labelled.
    """
    question = f"{INSTRUCTION} Answer with one of: {', '.join(classes)}."
    texts = [_NO_CONTENT, *(message.text for message in test)]
    conversations = [Conversation.user(question.replace("{text}", text)) for text in texts]
    logprobs = engine.token_logprobs(conversations, classes, progress=progress)
    best = (logprobs[1:] - logprobs[0]).argmax(dim=1)
    right = [classes[int(i)] == message.label for i, message in zip(best, test, strict=True)]
    return float(np.mean(right))


def demonstrate_reward(engine: Engine, *, progress: bool = False) -> RewardDemo:
    """Fits a reward model of correctness on forty pairs and tests it, also on padded wrong answers.

    Args:
        engine: The frozen model.
        progress: Whether to show progress bars.

    Returns:
        What was measured.
    """
    order = np.random.default_rng(0)
    facts = [*load_capitals(), *load_facts()]
    facts = [facts[i] for i in order.permutation(len(facts))]
    support = plain_preferences(facts[:N_SUPPORT_PAIRS])
    held_out = facts[N_SUPPORT_PAIRS : N_SUPPORT_PAIRS + N_TEST_PAIRS]
    plain, biased = plain_preferences(held_out), biased_preferences(held_out, BIAS)
    started = time.perf_counter()
    reward = ActivationRewardModel(CRITERION).fit(engine, support, progress=progress)
    seconds = time.perf_counter() - started
    return RewardDemo(
        reward=reward,
        n_support=len(support),
        n_test=len(plain),
        accuracy=reward.accuracy(plain, progress=progress),
        token_accuracy=token_probability_accuracy(engine, plain, progress=progress),
        biased_accuracy=reward.accuracy(biased, progress=progress),
        biased_token_accuracy=token_probability_accuracy(engine, biased, progress=progress),
        biased_example=biased[0],
        seconds=seconds,
    )


def token_probability_accuracy(
    engine: Engine,
    pairs: Sequence[Preference],
    *,
    criterion: str = CRITERION,
    progress: bool = False,
) -> float:
    """Share of pairs in which P(Yes) over P(No) is higher for the chosen response; a tie is half.

    Args:
        engine: The frozen model, with nothing steered.
        pairs: The pairs.
        criterion: What a good response does.
        progress: Whether to show a progress bar.

    Returns:
        The share.
    """
    margins = TokenProbability(criterion).fit(engine).margins(pairs, progress=progress)
    return float(np.mean((margins > 0) + 0.5 * (margins == 0)))


def save_demonstration(
    folder: Path, classifier: ClassifierDemo, reward: RewardDemo
) -> tuple[Path, Path]:
    """Saves both models for the user to go on with.

    Args:
        folder: Where to; made where it is missing.
        classifier: The classifier's half.
        reward: The reward model's half.

    Returns:
        The two artifacts' folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    topics, correct = folder / "topics", folder / "correct"
    classifier.classifier.save_pretrained(topics)
    reward.reward.save_pretrained(correct)
    return topics, correct


def heads_in_words(heads: HeadSet, count: int = 6) -> str:
    """The best heads by name, such as `"L17H3, L20H1, ... (20 in all)"`."""
    named = ", ".join(str(index) for index in heads.top(count))
    return f"{named}, ... ({len(heads)} in all)" if len(heads) > count else named
