"""Pictures through a model's own processor, each once and on its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, ProcessorMixin

from headwise.content import Image
from headwise.engines.transformers.pictures import Picture
from headwise.engines.transformers.shelf import Shelf
from headwise.errors import EngineError, InputError

# What a processor returns about the text; everything else is about the picture.
_OF_THE_TEXT = {
    *("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "labels"),
    "cross_attention_mask",
}
# Some 200 bytes each.
_MOST_TOKENS = 500_000
_PIXEL_BYTES = 256 * 1024**2
_MOST_FACTS = 64


class PictureReader:
    """Makes pictures what a model reads, with its own processor, which is left as it is.

    Args:
        processor: The model's processor.
        config: The model's configuration.
        pixel_bytes: Memory that processed pixels may take until the model has seen them.
    """

    def __init__(
        self, processor: ProcessorMixin, config: Any, pixel_bytes: int = _PIXEL_BYTES
    ) -> None:
        self.processor = processor
        self._kind = str(config.model_type)
        self.tokenizer: PreTrainedTokenizerBase = processor.tokenizer
        self.image_token_id = int(config.image_token_id)
        begins = getattr(processor, "boi_token", None)
        self.placeholder = str(begins or getattr(processor, "image_token", "<image>"))
        self.raw_placeholder = self._as_the_template_has_it(config)
        image_processor = processor.image_processor
        # LLaVA-OneVision cuts a picture into tiles only where it is the only one of its prompt.
        self._minds_company = "batch_num_images" in image_processor.model_input_names
        self._pictures: Shelf[tuple[str, bool], Picture] = Shelf(
            _MOST_TOKENS, lambda one: len(one.block)
        )
        self._pixels: Shelf[tuple[str, bool], dict[str, Tensor]] = Shelf(pixel_bytes, _n_bytes)

    def pictures(self, images: Sequence[Image]) -> list[Picture]:
        """The pictures of one prompt.

        Raises:
            InputError: One cannot be read.
        """
        crowded = self._minds_company and len(images) > 1
        return [self._picture(image, crowded) for image in images]

    def inputs(self, picture: Picture) -> dict[str, Tensor]:
        """What the processor gives a model to see a picture by."""
        found = self._pixels.get(picture.key)
        return self._processed(picture)[1] if found is None else found

    def forget(self, picture: Picture) -> None:
        """Drops a picture's pixels; they are made again if they are asked for again."""
        self._pixels.take(picture.key)

    def expanded(self, text: str, pictures: Sequence[Picture]) -> str:
        """A text with everything that stands for its pictures.

        Args:
            text: A text with a placeholder for each picture.
            pictures: The pictures.

        Raises:
            InputError: There are more or fewer places than pictures.
        """
        pieces = self._as_the_processor_has_it(text).split(self.placeholder)
        if len(pieces) != len(pictures) + 1:
            raise InputError(
                f"The model's chat template made {len(pieces) - 1} places for {len(pictures)} "
                "images. It may know images in a user's turn only."
            )
        shown = [
            piece
            for pair in zip(pieces, (p.text for p in pictures), strict=False)
            for piece in pair
        ]
        return "".join([*shown, pieces[-1]])

    def woven(self, ids: list[int], pictures: Sequence[Picture]) -> list[int]:
        """Token ids with the tokens of pictures in their places.

        Raises:
            EngineError: The tokens are not those that the pictures have on their own.
        """
        result, at = list(ids), 0
        for picture in pictures:
            block = picture.block
            try:
                at = result.index(self.image_token_id, at)
            except ValueError:
                raise _lost(picture) from None
            end = at + len(block)
            if result[at:end] != [token.token_id for token in block]:
                raise _lost(picture)
            result[at:end] = block
            at = end
        if self.image_token_id in result:
            raise EngineError("A text was put to the token that stands for pictures.")
        return result

    def _picture(self, image: Image, crowded: bool) -> Picture:
        picture = Picture(image, crowded)
        known = self._pictures.get(picture.key)
        if known is not None:
            return known
        picture.text, inputs = self._processed(picture)
        picture.facts = {
            name: value
            for name, value in inputs.items()
            if not value.is_floating_point() and value.numel() <= _MOST_FACTS
        }
        ids = list(self.tokenizer(picture.text, add_special_tokens=False)["input_ids"])
        places = [place for place, token in enumerate(ids) if token == self.image_token_id]
        if not places:
            raise EngineError(
                f"The processor {type(self.processor).__name__} made no token of an image."
            )
        block = ids[places[0] : places[-1] + 1]
        picture.block = tuple(picture.token(n, token) for n, token in enumerate(block))
        self._pictures.put(picture.key, picture)
        self._pictures.trim(least=1)
        return picture

    def _processed(self, picture: Picture) -> tuple[str, dict[str, Tensor]]:
        """What stands for a picture in the text, and what the model sees it by."""
        copies = 2 if picture.crowded else 1
        loaded = picture.image.load()
        recorder = _Recorder(self.tokenizer)
        processor: Any = copy.copy(self.processor)
        processor.tokenizer = recorder
        try:
            output = processor(
                images=[[loaded] * copies],
                text=[self.placeholder * copies],
                return_tensors="pt",
            )
        except Exception as error:  # Processors check sizes and shapes, and raise what they like.
            raise InputError(
                f"The model's processor refused the image {picture.image.name}: {error}"
            ) from error
        text = recorder.text[: len(recorder.text) // copies]
        start = self.tokenizer.bos_token
        if start:
            # Some processors put the begin of the sequence behind its pictures.
            text = text.split(str(start))[0]
        inputs = {
            name: torch.as_tensor(value)
            for name, value in output.items()
            if name not in _OF_THE_TEXT
        }
        self._pixels.put(picture.key, inputs)
        self._pixels.trim(least=1)
        return text, inputs

    def _as_the_processor_has_it(self, text: str) -> str:
        """A text with placeholders and what else a family's processor writes into every prompt."""
        start = str(self.tokenizer.bos_token or "")
        if self._kind == "paligemma":
            end = text.rfind(self.placeholder) + len(self.placeholder)
            end = end if self.placeholder in text else 0
            return f"{text[:end]}{start}{text[end:]}\n"
        if self._kind == "mllama" and start not in text:
            bare = text
            while bare.startswith(self.placeholder):
                bare = bare.removeprefix(self.placeholder)
            return f"{text.removesuffix(bare)}{start}{bare}" if bare else f"{text}{start}"
        return text

    def _as_the_template_has_it(self, config: Any) -> str:
        """The placeholder with the marks around it that a model knows pictures by."""
        marks = []
        for name in ("vision_start_token_id", "vision_end_token_id"):
            token_id = getattr(config, name, None)
            if token_id is None or token_id >= len(self.tokenizer):
                return self.placeholder
            marks.append(str(self.tokenizer.convert_ids_to_tokens(token_id)))
        return f"{marks[0]}{self.placeholder}{marks[1]}"


class _Recorder:
    """A tokenizer that keeps the text it is given: that is where a processor has put its tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self.text = ""

    def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        self.text = text if isinstance(text, str) else text[0]
        return self._tokenizer(text, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _lost(picture: Picture) -> EngineError:
    return EngineError(
        f"The tokens of the image {picture.image.name} are not those that it has on its own; "
        "please report the model."
    )


def _n_bytes(inputs: dict[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in inputs.values())
