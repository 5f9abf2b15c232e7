"""Reward scoring: several responses to one long prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks import naive
from benchmarks.results import Case, Check, Comparison
from benchmarks.sizes import Sizes
from benchmarks.subjects import Subject
from benchmarks.texts import running_words, text_of_length, topics
from benchmarks.timing import Contender
from headwise.prompts.conversation import Conversation
from headwise.prompts.reward import RewardPrompt


def reward_cases(subject: Subject, sizes: Sizes, seed: int) -> Iterator[Case]:
    """Responses to one prompt, judged by steered Yes and No, and by their own likelihood.

    Args:
        subject: The model.
        sizes: How large the cases are.
        seed: Seed of the steered heads.

    Yields:
        Two cases.
    """
    prompt = text_of_length(sizes.reward_prompt, _counter(subject), running_words())
    responses = tuple(
        text_of_length(sizes.response_tokens, _counter(subject, " "), running_words(40 + 9 * n))
        for n in range(sizes.responses)
    )
    yield _judged(subject, sizes, prompt, responses, seed)
    yield _likelihoods(subject, prompt, responses)


class _Judging:
    """Steered log-odds of Yes against No for each response to one prompt.

    Args:
        subject: The model.
        prompt: The prompt.
        responses: The responses.
        naive_responses: How many of them the naive way is timed on.
        seed: Seed of the steered heads.
    """

    def __init__(
        self,
        subject: Subject,
        prompt: str,
        responses: Sequence[str],
        naive_responses: int,
        seed: int,
    ) -> None:
        reward = RewardPrompt("The answer is correct.")
        self._subject, self._answers = subject, reward.answers
        self._conversations = [reward.scalar(prompt, response) for response in responses]
        examples = topics(2, 0).support
        self._vectors = subject.mean_vectors(tuple(example.text for example in examples))
        self._steering = subject.steering(self._vectors, seed)
        self.ids = [subject.encoder.encode(conversation) for conversation in self._conversations]
        self._some = self.ids[:naive_responses]
        chosen = set(self._steering.heads)
        self._mask = torch.tensor([index in chosen for index in subject.engine.layout])
        self._tokens = [
            subject.encoder.encode_target(self._conversations[0], answer)
            for answer in reward.answers
        ]

    def together(self) -> Tensor:
        """`(n, 2)` log-probabilities by one call."""
        return self._subject.engine.token_logprobs(
            self._conversations, self._answers, self._steering
        )

    def apart(self) -> Tensor:
        """`(n, 2)` log-probabilities, each response in a call of its own."""
        return torch.cat([self._alone(c) for c in self._conversations])

    def _alone(self, conversation: Conversation) -> Tensor:
        engine = self._subject.engine
        engine.forget_prefixes()
        return engine.token_logprobs([conversation], self._answers, self._steering)

    def naively(self) -> Tensor:
        """Log-odds of the first few responses, by whole passes; `(few,)` float64."""
        (yes, *_), (no, *_) = self._tokens
        model, vectors = self._subject.model, self._vectors.values
        rows = [naive.steered_logits(model, ids, vectors, self._mask) for ids in self._some]
        return torch.tensor([float(row[yes] - row[no]) for row in rows], dtype=torch.float64)

    def checks(self) -> tuple[Check, ...]:
        """Whether all ways give the same scores."""
        limit = 1e-3 if self._subject.model.dtype == torch.float32 else 0.5
        together = self.together()
        difference = float((together - self.apart()).abs().max())
        found = Check(
            "largest difference of a log-probability, together from apart", difference, limit
        )
        if any(len(tokens) > 1 for tokens in self._tokens):
            # The published procedure reads one token of each answer.
            return (found,)
        odds = (together[:, 0] - together[:, 1])[: len(self._some)]
        difference = float((odds - self.naively()).abs().max())
        return (found, Check("largest difference of a log-odds from naive", difference, limit))

    def contenders(self) -> tuple[Contender, ...]:
        """The three ways."""
        scale = len(self.ids) / len(self._some)
        note = "" if scale == 1 else f"timed on {len(self._some)} responses, times {scale:g}"
        return (
            Contender(
                "headwise, together",
                "headwise",
                self.together,
                prepare=self._subject.engine.forget_prefixes,
            ),
            Contender("headwise, apart", "headwise", self.apart),
            Contender("naive", "naive", self.naively, scale=scale, note=note),
        )


def _judged(
    subject: Subject, sizes: Sizes, prompt: str, responses: Sequence[str], seed: int
) -> Case:
    work = _Judging(subject, prompt, responses, sizes.naive_responses, seed)
    return Case(
        "reward-judged",
        f"{len(work.ids)} responses to one prompt, judged",
        f"A prompt of {sizes.reward_prompt} tokens, responses of {sizes.response_tokens}; with the "
        f"question about each {len(work.ids[0])} tokens, of which {_common(work.ids)} are shared. "
        "Steered log-odds of Yes against No. Shared tokens counted once, sharing can give "
        f"{_most_by_sharing(subject, work.ids, _common(work.ids), 1):.2f}x at most.",
        work.contenders(),
        (
            Comparison("headwise, together", "headwise, apart", "speedup", 4.0),
            Comparison("headwise, together", "naive", "speedup"),
        ),
        work.checks,
    )


def _likelihoods(subject: Subject, prompt: str, responses: Sequence[str]) -> Case:
    engine, conversation = subject.engine, Conversation.completion(prompt)
    candidates = tuple(f" {response}" for response in responses)

    def alone(candidate: str) -> Tensor:
        engine.forget_prefixes()
        return engine.token_logprobs([conversation], [candidate])

    def apart() -> Tensor:
        return torch.cat([alone(candidate) for candidate in candidates], dim=1)

    def checks() -> tuple[Check, ...]:
        together = engine.token_logprobs([conversation], candidates)
        difference = ((together - apart()) / together).abs().max()
        limit = 1e-4 if subject.model.dtype == torch.float32 else 2e-2
        return (
            Check("largest relative difference, together from apart", float(difference), limit),
        )

    n_prompt = len(subject.encoder.encode(conversation))
    lengths = [len(subject.encoder.encode_target(conversation, one)) for one in candidates]
    sequences = [[0] * (n_prompt + length - 1) for length in lengths]
    most = _most_by_sharing(subject, sequences, n_prompt - 1, max(lengths))
    contenders = (
        Contender(
            "headwise, together",
            "headwise",
            lambda: engine.token_logprobs([conversation], candidates),
            prepare=engine.forget_prefixes,
        ),
        Contender("headwise, apart", "headwise", apart),
    )
    return Case(
        "reward-likelihood",
        f"{len(candidates)} responses to one prompt, their own likelihood",
        f"A prompt of {n_prompt} tokens, responses of {min(lengths)} to {max(lengths)}; the "
        "log-probability of every response token. Shared tokens counted once and the vocabulary "
        f"for every response token both times, sharing can give {most:.2f}x at most.",
        contenders,
        (Comparison("headwise, together", "headwise, apart", "speedup", 4.0),),
        checks,
    )


def _common(rows: Sequence[Sequence[int]]) -> int:
    columns = zip(*rows, strict=False)
    return next((n for n, column in enumerate(columns) if len(set(column)) > 1), len(rows[0]))


def _most_by_sharing(
    subject: Subject, rows: Sequence[Sequence[int]], n_shared: int, n_logits: int
) -> float:
    """How many times fewer multiplications sharing needs, attention's own left out."""
    model = subject.model
    vocabulary = sum(p.numel() for p in model.get_input_embeddings().parameters())
    matrices = [p.numel() for p in model.base_model.parameters() if p.dim() == 2]
    layers, logits = sum(matrices) - vocabulary, len(rows) * n_logits * vocabulary
    apart = sum(len(row) for row in rows)
    together = n_shared + apart - n_shared * len(rows)
    return (apart * layers + logits) / (together * layers + logits)


def _counter(subject: Subject, before: str = "") -> Callable[[str], int]:
    return lambda text: len(
        subject.engine.tokenizer(before + text, add_special_tokens=False)["input_ids"]
    )
