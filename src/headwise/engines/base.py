"""The engine protocol: a frozen model behind four verbs.

Methods, baselines, server and benchmarks know only this protocol; a new way of running models is a
new engine and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from headwise.heads import HeadActivations, HeadLayout, HeadSet, HeadVectors, Steering, Steerings
from headwise.prompts.conversation import Conversation


@dataclass(frozen=True, slots=True)
class ModelFingerprint:
    """What an artifact remembers of the model it was fitted on.

    Args:
        model_id: Hub id, path or `"embedded"`.
        revision: Commit or tag, where known.
        architecture: The model class, such as `"LlamaForCausalLM"`.
        layout_hash: Hash of the head layout (layers, heads, widths) and hidden size.
        weights_hash: Hash of a sample of the weights, so that two models of one shape differ.
        chat_template_hash: Hash of the chat template.
        dtype: The dtype the model ran in; informative, never compared.
        image_processor: What makes pixels of images: its class, its backend (`"pil"` or
            `"torchvision"`, whose pixels differ a little) and a hash of its settings, by spaces;
            empty where the model is shown none. The backend is informative, never compared.
    """

    model_id: str
    revision: str | None
    architecture: str
    layout_hash: str
    weights_hash: str
    chat_template_hash: str
    dtype: str
    image_processor: str = ""

    def difference(self, other: ModelFingerprint) -> tuple[str, ...]:
        """Names of the compared fields in which two fingerprints differ; empty where they match."""
        mine, theirs = asdict(self), asdict(other)
        compared = ("architecture", "layout_hash", "weights_hash", "chat_template_hash")
        different = tuple(name for name in compared if mine[name] != theirs[name])
        pixels = [one.image_processor.split()[::2] for one in (self, other)]
        # One that was shown no images says nothing about them.
        alike = not all(pixels) or pixels[0] == pixels[1]
        return different if alike else (*different, "image_processor")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How `generate` picks tokens.

    Args:
        max_new_tokens: Cap on the tokens generated.
        temperature: 0 is greedy.
        top_p: Nucleus mass, with a temperature above 0.
        seed: Seed of the sampling, with a temperature above 0. What chance adds to an answer
            follows from the seed, the prompt and how often the same prompt came before it in the
            call, and from nothing else: `n` copies of one prompt give `n` samples of their own,
            the same ones each time.
        stop: Strings at which generation ends; they are cut off the text.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TruncatedText:
    """A text that fits a token budget.

    Args:
        text: The text, cut where it was too long.
        n_tokens_removed: Tokens that were cut out; 0 where it fitted.
    """

    text: str
    n_tokens_removed: int


@runtime_checkable
class Engine(Protocol):
    """A frozen model that is read and steered.

    `conversations` are many throughout; an engine batches them itself and gives results in the
    order given. Every verb is deterministic, and gives each conversation what it would give it
    alone (within float error).
    """

    @property
    def fingerprint(self) -> ModelFingerprint:
        """What model this is."""
        ...

    @property
    def layout(self) -> HeadLayout:
        """The heads the model has."""
        ...

    def capture(
        self,
        conversations: Sequence[Conversation],
        heads: HeadSet | None = None,
        *,
        progress: bool = False,
    ) -> HeadActivations:
        """Last-token head outputs.

        Args:
            conversations: `n` conversations.
            heads: Only the layers of these heads are captured, and the pass stops at the deepest.
            progress: Whether to show a progress bar on stderr.

        Returns:
            Activations of `n` conversations, float32 on the CPU.

        Raises:
            InputError: A head does not exist.
            ActivationError: The model produced NaN or infinite activations.
        """
        ...

    def token_logprobs(
        self,
        conversations: Sequence[Conversation],
        candidates: Sequence[str],
        steering: Steerings = None,
        *,
        progress: bool = False,
    ) -> Tensor:
        """Log-probability of each candidate continuation.

        Args:
            conversations: `n` conversations.
            candidates: `c` continuations, the same for every conversation.
            steering: Head activations to put back: the same in all conversations, or one (or None)
                for each.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(n, c)` float64: the sum over each candidate's tokens of its log-probability.

        Raises:
            InputError: There is no candidate or an empty one; there is another number of steerings
                than of conversations; or one does not fit the layout: a head does not exist, or its
                vector has another width or is not finite.
        """
        ...

    def mask_losses(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        masks: Tensor,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Cross-entropy of each target under many steered variants of its conversation.

        Args:
            conversations: `n` conversations.
            targets: `n` texts, the continuation each should have.
            vectors: The vectors that replace masked heads, for every head of `layout`.
            masks: `(S, H)` bool, `H` heads in layout order; True replaces the head's output.
            target_tokens: How many of a target's tokens count, 1 as published; None for all.
                Patched are the last prompt token and each target token before the one it predicts.
            among: Where given, a target's first token competes with the first tokens of these
                continuations only, instead of the whole vocabulary; with `target_tokens=1`. Of
                continuations that begin with the same token one counts.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `(S, n)` float32 losses, each the mean over the target's tokens.

        Raises:
            InputError: Counts, shapes or the layout differ, a vector is not finite, or all of
                `among` begin with the same token.
        """
        ...

    def generate(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling | None = None,
        steering: Steering | None = None,
        *,
        progress: bool = False,
    ) -> list[str]:
        """The model's answers.

        Only `sampling` decides how tokens are picked: of the settings that come with the model
        (penalties, beams, suppressed tokens, time limits) none applies but its special tokens.

        Args:
            conversations: `n` conversations.
            sampling: How tokens are picked; greedy, 64 tokens by default.
            steering: Head activations to put back.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` texts without special tokens.

        Raises:
            InputError: A sampling value is out of range, or the steering does not fit the layout.
        """
        ...

    def truncate(self, text: str, max_tokens: int) -> TruncatedText:
        """Cuts a text to a token budget.

        Keeps the first three quarters of the budget and the last quarter, joined by `" [...] "`.

        Args:
            text: Any text.
            max_tokens: The budget, at least 8.

        Returns:
            The text and how many tokens were removed.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HeadEffects:
    """What replacing each head would do to each target's loss, to first order.

    Args:
        effects: `(n, H)` float32, the loss's derivative by how far each head is replaced, in nats.
        losses: `(n,)` float32, the losses where the derivative was taken.
    """

    effects: Tensor
    losses: Tensor


@runtime_checkable
class GradientEngine(Engine, Protocol):
    """An engine that can also differentiate: what replacing each head would do, to first order."""

    def head_effects(
        self,
        conversations: Sequence[Conversation],
        targets: Sequence[str],
        vectors: HeadVectors,
        strengths: Tensor | None = None,
        *,
        target_tokens: int | None = 1,
        among: Sequence[str] | None = None,
        progress: bool = False,
    ) -> HeadEffects:
        """The derivative of each target's loss by how far each head is replaced.

        A head replaced with strength `a` has the output `h + a * (vector - h)` at the tokens that
        `mask_losses` patches: at 0 it is left as it is, at 1 it is masked. So the derivative at 0
        is what masking the head would do to the loss, to first order; negative is good.

        Args:
            conversations: `n` conversations.
            targets: `n` texts, the continuation each should have.
            vectors: The vectors that replace heads, for every head of `layout`.
            strengths: Where the derivative is taken: `(H,)`, or `(n, H)` with a row a
                conversation, heads in layout order; 0 everywhere where None.
            target_tokens: See `Engine.mask_losses`.
            among: See `Engine.mask_losses`.
            progress: Whether to show a progress bar on stderr.

        Returns:
            The derivatives, and the losses at those strengths.

        Raises:
            InputError: Counts, shapes or the layout differ, or a value is not finite.
            ActivationError: A gradient is NaN or infinite.
        """
        ...


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """An engine that can also say an answer while it is being written."""

    def stream(
        self,
        conversation: Conversation,
        sampling: Sampling | None = None,
        steering: Steering | None = None,
    ) -> Iterator[str]:
        """The model's answer, piece by piece.

        The pieces joined are what `generate` answers. Nothing of the call is left in the model
        once the iterator is exhausted, closed or forgotten; until then no other call may be made.

        Args:
            conversation: The prompt.
            sampling: How tokens are picked; greedy, 64 tokens by default.
            steering: Head activations to put back.

        Returns:
            An iterator over pieces of text, none of them empty.

        Raises:
            InputError: A sampling value is out of range, or the steering does not fit the layout.
        """
        ...
