"""The tiny vision-language models do what tests of headwise take for granted."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from jinja2.exceptions import TemplateError
from PIL import Image
from torch import Tensor

from tiny_vision_models import VISION_FAMILIES, TinyVision, build_vision

CHAT_FAMILIES = tuple(name for name in VISION_FAMILIES if name != "paligemma")
# Image tokens of a 28-pixel picture.
IMAGE_TOKENS = dict.fromkeys(VISION_FAMILIES, 4) | {
    "llava_next": 10,
    "llava_onevision": 10,
    "idefics3": 5,
    "mllama": 1,
}
DEEPER_TOWERS = {"qwen2_vl", "qwen2_5_vl", "llava", "smolvlm", "internvl", "mistral3"}


@cache
def tiny(family: str) -> TinyVision:
    return build_vision(family)


def picture(seed: int, width: int = 28, height: int = 28) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def turn(text: str, *pictures: Image.Image, role: str = "user") -> dict[str, Any]:
    parts = [{"type": "image", "image": one} for one in pictures]
    return {"role": role, "content": [*parts, {"type": "text", "text": text}]}


def prompts(one: TinyVision, *rows: tuple[str, list[Image.Image]]) -> dict[str, Tensor]:
    if one.family == "paligemma":
        texts = ["<image>" * len(pictures) + text for text, pictures in rows]
        return one.complete(texts, [pictures for _, pictures in rows])
    return one.chat(*([turn(text, *pictures)] for text, pictures in rows))


def last_logits(one: TinyVision, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return one.model(**inputs).logits[:, -1]


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_one_picture(family: str) -> None:
    one = tiny(family)
    inputs = prompts(one, ("the cat", [picture(1)]))
    logits = last_logits(one, inputs)
    other = last_logits(one, prompts(one, ("the cat", [picture(2)])))
    usual = {"input_ids", "attention_mask", "pixel_values"}
    assert inputs.keys() - usual == one.facts.extras
    assert (inputs["input_ids"] == one.image_token_id).sum() == IMAGE_TOKENS[family]
    assert logits.isfinite().all()
    assert logits.std() > 1.0
    assert (logits - other).abs().max() > 0.1


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_two_pictures(family: str) -> None:
    one = tiny(family)
    logits = last_logits(one, prompts(one, ("the cat", [picture(1), picture(2)])))
    swapped = last_logits(one, prompts(one, ("the cat", [picture(2), picture(1)])))
    assert logits.isfinite().all()
    assert (logits - swapped).abs().max() > 0.01


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_rows_with_pictures_of_other_shapes_and_numbers(family: str) -> None:
    one = tiny(family)
    rows = [("the dog", [picture(1)]), ("no", [picture(2, 56, 28), picture(3, 30, 50)])]
    together = last_logits(one, prompts(one, *rows))
    apart = torch.cat([last_logits(one, prompts(one, row)) for row in rows])
    assert together.isfinite().all()
    assert ((together - apart).abs().max() < 1e-4) == one.facts.ragged


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_text_only(family: str) -> None:
    one = tiny(family)
    if not one.facts.text_only:
        with pytest.raises(ValueError, match="images"):
            one.complete(["the cat"], None)
        return
    inputs = prompts(one, ("the cat", []))
    assert "pixel_values" not in inputs
    assert last_logits(one, inputs).isfinite().all()


@pytest.mark.parametrize(
    ("family", "n_pictures"),
    [(name, n) for name in VISION_FAMILIES for n in (0, 1, 2) if n or name != "paligemma"],
)
def test_generation_is_what_one_pass_gives(family: str, n_pictures: int) -> None:
    one = tiny(family)
    inputs = prompts(one, ("Is this a cat", [picture(seed) for seed in range(n_pictures)]))
    length = inputs["input_ids"].shape[1]
    generated = one.model.generate(
        **inputs,
        max_new_tokens=3,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    tokens = generated.sequences[:, length:]
    assert tokens.shape == (1, 3)
    with torch.no_grad():
        whole = one.model(**one.append_tokens(inputs, tokens)).logits[:, length - 1 : -1]
    torch.testing.assert_close(torch.stack(generated.logits, dim=1), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_rows_of_different_lengths(family: str) -> None:
    one = tiny(family)
    rows = [("the dog sat on the cat", [picture(1)]), ("no", [picture(2)])]
    together = last_logits(one, prompts(one, *rows))
    apart = torch.cat([last_logits(one, prompts(one, row)) for row in rows])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_rows_with_and_without_pictures(family: str) -> None:
    one = tiny(family)
    rows = [("the dog sat on the cat", [picture(1)]), ("no", [])]
    if family == "paligemma":  # Accepted, with the text row's begin token in the wrong place.
        mangled = prompts(one, *rows)["input_ids"][1]
        assert one.processor.tokenizer.decode(mangled).endswith("no<|bos|>\n")
        return
    if not one.facts.mixed:
        with pytest.raises(ValueError, match="at least one image per sample"):
            prompts(one, *rows)
        return
    together = last_logits(one, prompts(one, *rows))
    apart = torch.cat([last_logits(one, prompts(one, row)) for row in rows])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_several_tokens_over_a_cache(family: str) -> None:
    one = tiny(family)
    inputs = prompts(one, ("the dog sat on the cat", [picture(1)]), ("no", [picture(2)]))
    tokens = one.processor.tokenizer("a dog sat", add_special_tokens=False)["input_ids"]
    new = torch.tensor([tokens, tokens])
    whole = last_logits(one, one.append_tokens(inputs, new))
    with torch.no_grad():
        cache = one.model(**inputs, use_cache=True).past_key_values
        # What an earlier prompt leaves in the model must not matter.
        one.model(**prompts(one, ("the mat", [picture(3, 56, 28)])))
    over = last_logits(one, {**one.after(inputs, new), "past_key_values": cache})
    torch.testing.assert_close(over, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_where_a_cache_may_be_cut(family: str) -> None:
    one = tiny(family)
    inputs = prompts(one, ("the cat", [picture(1)]))
    length = inputs["input_ids"].shape[1]
    whole = last_logits(one, inputs)
    at_image = (inputs["input_ids"][0] == one.image_token_id).nonzero().flatten().tolist()
    assert at_image[0] >= 3
    # Before the pictures: the rest of the prompt brings them.
    with torch.no_grad():
        beginning = {"input_ids": inputs["input_ids"][:, :3]}
        cache = one.model(**beginning, use_cache=True).past_key_values
    rest = {**inputs, "input_ids": inputs["input_ids"][:, 3:], "past_key_values": cache}
    if one.facts.m_rope:
        rest["position_ids"] = one.positions(inputs)[..., 3:]
    gap = (last_logits(one, rest) - whole).abs().max()
    assert (gap < 1e-4) == (one.facts.cut == "outside")
    # After them: only text follows.
    cut = at_image[-1] + 3
    assert cut < length
    per_token = {"token_type_ids", "mm_token_type_ids", "cross_attention_mask", "attention_mask"}
    beginning = {
        name: value[:, :cut] if name in {*per_token, "input_ids"} else value
        for name, value in inputs.items()
    }
    with torch.no_grad():
        cache = one.model(**beginning, use_cache=True).past_key_values
    step = one.after(beginning, inputs["input_ids"][:, cut:])
    over = last_logits(one, {**step, "past_key_values": cache})
    torch.testing.assert_close(over, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["gemma3", "paligemma"])
def test_attention_both_ways(family: str) -> None:
    one = tiny(family)
    inputs = prompts(one, ("the cat", [picture(1)]))
    causal = dict(inputs)
    del causal["token_type_ids"]
    if family == "paligemma":
        causal["token_type_ids"] = torch.ones_like(inputs["input_ids"])
    assert (last_logits(one, inputs) - last_logits(one, causal)).abs().max() > 0.01


@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_chat_templates(family: str) -> None:
    one = tiny(family)
    render = one.processor.apply_chat_template
    plain = render([{"role": "user", "content": "the cat"}])
    assert ("the cat" in plain) == (one.facts.strings == "read")
    with_prompt = render([turn("the cat")], add_generation_prompt=True)
    assert (with_prompt != render([turn("the cat")])) == one.facts.generation_prompt
    with_system = [turn("be kind", role="system"), turn("the cat", picture(1))]
    if one.facts.system == "refused":
        with pytest.raises(TemplateError, match="system"):
            render(with_system)
    else:
        assert "be kind" in render(with_system)
    assert "be kind" in render([with_system[0], turn("the cat")])


@pytest.mark.parametrize("family", VISION_FAMILIES)
def test_heads_are_where_they_are_said_to_be(family: str) -> None:
    one = tiny(family)
    text = one.model.config.get_text_config()
    n_layers = text.num_hidden_layers
    assert sorted(at.layer for at in (*one.facts.heads, *one.facts.cross_heads)) == list(
        range(n_layers)
    )
    for at in one.facts.heads:
        assert one.projection_module(at.layer).in_features == at.n_heads * at.head_dim
        assert text.num_key_value_heads == at.n_kv_heads
    for at in one.facts.cross_heads:
        path = one.facts.projection.format(at.layer).replace("self_attn", "cross_attn")
        assert one.model.get_submodule(path).in_features == at.n_heads * at.head_dim
    vision = one.model.config.vision_config
    depth = getattr(vision, "depth", None) or vision.num_hidden_layers
    assert (depth > n_layers) == (family in DEEPER_TOWERS)


def test_building_again_gives_the_same_model() -> None:
    first, again, other = (build_vision("llava", seed) for seed in (0, 0, 1))
    state = copy.deepcopy(first.model.state_dict())
    assert all(torch.equal(state[name], value) for name, value in again.model.state_dict().items())
    inputs = prompts(first, ("the cat", [picture(1)]))
    assert not torch.allclose(last_logits(first, inputs), last_logits(other, inputs))
