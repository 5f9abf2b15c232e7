"""A sequence classifier with one output that reads chats, batched by length."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from headwise.baselines.response_chats import ResponseChat
from headwise.engines.transformers.modes import evaluation_mode
from headwise.errors import ActivationError, EngineError, InputError
from headwise.methods.truncation import TruncationWarning
from headwise.progress import progress_bar


@dataclass(frozen=True, slots=True)
class EncodedChat:
    """A chat as the model reads it.

    Args:
        ids: Its tokens.
        segments: For each token, whether it is of the prompt (0) or of the response (1), where the
            model wants to know.
        is_cut: Whether tokens were left out.
    """

    ids: tuple[int, ...]
    segments: tuple[int, ...] | None
    is_cut: bool


@dataclass(eq=False)
class ChatClassifier:
    """A loaded model and its tokenizer.

    Args:
        model: A sequence classifier with one output.
        tokenizer: Its tokenizer.
        name: What it was loaded from.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str

    def rewards(
        self,
        chats: Sequence[ResponseChat],
        *,
        token_budget: int,
        max_tokens: int | None = None,
        progress: bool = False,
    ) -> NDArray[np.float64]:
        """The output for each chat.

        Args:
            chats: `n` chats.
            token_budget: Padded tokens a batch may have.
            max_tokens: Longer chats are cut, see `encode`; None is what the model can read.
            progress: Whether to show a progress bar.

        Returns:
            `(n,)` float64.

        Raises:
            InputError: A chat shows a picture.
            ActivationError: An output is NaN or infinite.
        """
        most = self._most_tokens(max_tokens)
        encoded = [self.encode(chat, most) for chat in chats]
        n_cut = sum(one.is_cut for one in encoded)
        if n_cut:
            warnings.warn(
                f"{n_cut} conversations longer than {most} tokens were cut. Raise max_tokens to "
                "keep more, as far as the model can read.",
                TruncationWarning,
                stacklevel=4,
            )
        values = np.empty(len(chats))
        with (
            evaluation_mode(self.model),
            torch.no_grad(),
            progress_bar("Scoring", len(chats), enabled=progress) as bar,
        ):
            for rows in self._batches([len(one.ids) for one in encoded], token_budget):
                values[rows] = self._run([encoded[row] for row in rows])
                bar.advance(len(rows))
        if not np.isfinite(values).all():
            raise ActivationError(
                f"{self.name} gave a NaN or infinite reward for response "
                f"{int(np.flatnonzero(~np.isfinite(values))[0])}. Try dtype='float32' or "
                "'bfloat16' instead of float16."
            )
        return values

    def encode(self, chat: ResponseChat, max_tokens: int) -> EncodedChat:
        """The tokens of a chat: in the model's chat template, or as a pair where it has none.

        Args:
            chat: The chat.
            max_tokens: A longer one loses its beginning; of a pair, the longer text its end.

        Returns:
            The tokens.

        Raises:
            InputError: The chat shows a picture.
        """
        if chat.images:
            raise InputError(
                f"{self.name} is a sequence classifier, which reads texts only; the prompt or "
                "response shows an image."
            )
        if self.tokenizer.chat_template is None:
            return self._pair(chat, max_tokens)
        # The template writes the special tokens itself.
        text = self.tokenizer.apply_chat_template(chat.plain_messages, tokenize=False)
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return EncodedChat(tuple(ids[-max_tokens:]), None, len(ids) > max_tokens)

    def _pair(self, chat: ResponseChat, max_tokens: int) -> EncodedChat:
        texts = chat.prompt_text, chat.response.text
        whole = self.tokenizer(*texts)
        is_cut = len(whole["input_ids"]) > max_tokens
        found = (
            self.tokenizer(*texts, truncation="longest_first", max_length=max_tokens)
            if is_cut
            else whole
        )
        segments = found.get("token_type_ids")
        return EncodedChat(
            tuple(found["input_ids"]), None if segments is None else tuple(segments), is_cut
        )

    @property
    def _pad_id(self) -> int | None:
        found: int | None = self.model.config.get_text_config().pad_token_id
        return found

    def _most_tokens(self, max_tokens: int | None) -> int:
        limits = (
            getattr(self.model.config.get_text_config(), "max_position_embeddings", None),
            self.tokenizer.model_max_length,
            max_tokens,
        )
        return int(min(limit for limit in limits if limit is not None))

    def _batches(self, lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
        """Rows of like length, as many as fit the budget."""
        rows: list[int] = []
        for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
            longest = lengths[rows[0]] if rows else 0
            # Without a padding token the classifier cannot tell where a padded row ends.
            if rows and (self._pad_id is None or longest * (len(rows) + 1) > token_budget):
                yield rows
                rows = []
            rows.append(row)
        if rows:
            yield rows

    def _run(self, chats: Sequence[EncodedChat]) -> NDArray[np.float64]:
        shape = len(chats), max(len(chat.ids) for chat in chats)
        inputs = {
            "input_ids": torch.full(shape, self._pad_id or 0),
            "attention_mask": torch.zeros(shape, dtype=torch.long),
        }
        if chats[0].segments is not None:
            inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
        for row, chat in enumerate(chats):
            inputs["input_ids"][row, : len(chat.ids)] = torch.tensor(chat.ids)
            inputs["attention_mask"][row, : len(chat.ids)] = 1
            if chat.segments is not None:
                inputs["token_type_ids"][row, : len(chat.ids)] = torch.tensor(chat.segments)
        device = self.model.device
        logits = self.model(**{name: value.to(device) for name, value in inputs.items()}).logits
        values: NDArray[np.float64] = logits[:, 0].double().cpu().numpy()
        return values


def load_chat_classifier(
    source: str, revision: str | None, dtype: str | None, device: torch.device
) -> ChatClassifier:
    """Loads a reward model.

    Args:
        source: A Hub id or a local folder.
        revision: Commit, branch or tag of a Hub model.
        dtype: Name of a dtype, or `"auto"`; None is float32 on the CPU, else the checkpoint's own.
        device: Where it is to run.

    Returns:
        The model.

    Raises:
        EngineError: It could not be found or loaded, has no safetensors weights, or has not one
            output.
    """
    if dtype is None:
        dtype = "float32" if device.type == "cpu" else "auto"
    try:
        config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
        if config.num_labels != 1:
            raise EngineError(
                f"{source} tells {config.num_labels} classes apart; a reward model has one output."
            )
        model = AutoModelForSequenceClassification.from_pretrained(
            source,
            config=config,
            revision=revision,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(
            source, revision=revision, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EngineError(
            f"Could not load the reward model {source!r}: {error}\nExpected a Hub id or a folder "
            "with config.json, a tokenizer and safetensors weights of a sequence classifier with "
            "one output, of an architecture that transformers has."
        ) from error
    return ChatClassifier(model.to(device).eval(), tokenizer, source)
