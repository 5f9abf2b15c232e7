"""What a model that sees is shown: only pictures become pictures, and a blind model says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headwise.content import Image
from headwise.engines.transformers import TransformersEngine
from headwise.engines.transformers.pictures import PictureToken, before_cut_picture, true_ids
from headwise.errors import InputError
from headwise.prompts.conversation import Conversation, Message
from tiny_models import family
from tiny_tokenizer import build_tokenizer
from tiny_vision_models import build_vision

from .seeing import ASKED, OTHER, TALL, TEXT, TWO, WIDE, Seeing


def ids_of(seeing: Seeing, conversation: Conversation) -> list[int]:
    return seeing.engine._encoder.encode(conversation)


def test_tokens_are_those_of_the_users_own_call(seeing: Seeing) -> None:
    for conversation in seeing.conversations:
        found = true_ids(ids_of(seeing, conversation))
        assert found == seeing.inputs(conversation)["input_ids"][0].tolist()


def spelled(seeing: Seeing) -> str:
    """A text that spells every token that stands for a picture, or stands around one."""
    processor: Any = seeing.tiny.processor
    own = {text for name, text in vars(processor).items() if name.endswith("_token")}
    tiles = {"<row_1_col_1>", "<global-img>", "<|vision_start|>", "<|vision_end|>"}
    added = {str(token) for token in processor.tokenizer.added_tokens_decoder.values()}
    image = processor.tokenizer.convert_ids_to_tokens(seeing.tiny.image_token_id)
    return " ".join(sorted({str(text) for text in own if text} | (tiles & added) | {image}))


def test_text_cannot_become_a_picture(seeing: Seeing) -> None:
    text = spelled(seeing)
    tokenizer = seeing.tiny.processor.tokenizer  # type: ignore[attr-defined]
    meant = set(tokenizer(text, add_special_tokens=False)["input_ids"]) & set(
        tokenizer.added_tokens_decoder
    )
    assert seeing.tiny.image_token_id in meant
    plain = [ids_of(seeing, Conversation.completion((WIDE, more))) for more in ("Hi", text)]
    counts = [[true_ids(ids).count(token) for token in sorted(meant)] for ids in plain]
    assert counts[0] == counts[1]
    talk = Conversation((Message("user", (WIDE, text)),), prefill=text)
    assert len([one for one in ids_of(seeing, talk) if isinstance(one, PictureToken)]) == len(
        [one for one in ids_of(seeing, ASKED) if isinstance(one, PictureToken)]
    )


def test_a_candidate_cannot_become_a_picture(seeing: Seeing) -> None:
    tokenizer: Any = seeing.tiny.processor.tokenizer  # type: ignore[attr-defined]
    image = tokenizer.convert_ids_to_tokens(seeing.tiny.image_token_id)
    with pytest.raises(InputError, match="stands for images"):
        seeing.engine.token_logprobs([ASKED], ["Yes", f"No{image}"])


def test_tokens_are_equal_only_where_pictures_are(seeing: Seeing) -> None:
    first, same, other = (
        ids_of(seeing, Conversation.completion((image, "Hi")))
        for image in (WIDE, Image(encoded=WIDE.read()), OTHER)
    )
    assert true_ids(first) == true_ids(other)
    differing = sum(a != b for a, b in zip(first, other, strict=True))
    assert differing == sum(isinstance(one, PictureToken) for one in first) > 0
    # The same picture in a file is another one as far as anybody knows.
    assert true_ids(first) == true_ids(same)


def test_no_picture_is_cut() -> None:
    seeing = Seeing.of("llava")
    ids = ids_of(seeing, TWO)
    cuts = {before_cut_picture(ids, length) for length in range(len(ids) + 1)}
    starts = [n for n, one in enumerate(ids) if isinstance(one, PictureToken) and one.place == 0]
    assert len(starts) == 2
    for start in starts:
        picture = ids[start].picture  # type: ignore[attr-defined]
        assert cuts & set(range(start, start + len(picture.block) + 1)) == {
            start,
            start + len(picture.block),
        }


def test_the_language_model_is_found_beside_a_deeper_tower() -> None:
    for name in ("mllama", "mistral3"):
        tiny = build_vision(name)
        tower = getattr(tiny.model.config.vision_config, "num_hidden_layers", 0)
        assert tower >= len(tiny.facts.heads)
        engine = TransformersEngine(tiny.model, tiny.processor)
        assert {one.layer for one in engine.layout.layers} >= {h.layer for h in tiny.facts.heads}


def test_a_model_of_texts_refuses_an_image_and_says_what_to_do() -> None:
    engine = TransformersEngine(family("llama").build(), build_tokenizer(), model_id="tiny-llama")
    for call in (
        lambda: engine.capture([ASKED]),
        lambda: engine.token_logprobs([ASKED], ["Yes"]),
        lambda: engine.generate([ASKED]),
        lambda: engine.stream(ASKED),
    ):
        with pytest.raises(InputError, match=r"'tiny-llama'.*reads text only.*idefics3"):
            call()


def test_a_model_that_sees_asks_for_its_processor() -> None:
    tiny = build_vision("llava")
    tokenizer: Any = tiny.processor.tokenizer  # type: ignore[attr-defined]
    engine = TransformersEngine(tiny.model, tokenizer, model_id="tiny-llava")
    with pytest.raises(InputError, match=r"'tiny-llava'.*processor=AutoProcessor"):
        engine.capture([ASKED])
    named = TransformersEngine(tiny.model, tokenizer, processor=tiny.processor)
    assert len(named.capture([ASKED])) == 1


def test_prompts_that_only_a_processor_makes_are_refused_without_it() -> None:
    tiny = build_vision("paligemma")
    with pytest.raises(InputError, match="made by its processor"):
        TransformersEngine(tiny.model, tiny.processor.tokenizer)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["qwen2_vl", "gemma3", "llava"])
def test_texts_are_the_same_with_and_without_a_processor(name: str) -> None:
    tiny = build_vision(name)
    if hasattr(tiny.model.model, "rope_deltas"):
        tiny.model.model.rope_deltas = torch.tensor([[5]])  # As a user's own call leaves it.
    raw = [Conversation.completion(text) for text in ("the cat sat on", "a")]
    both = [
        TransformersEngine(tiny.model, one)
        for one in (tiny.processor, tiny.processor.tokenizer)  # type: ignore[attr-defined]
    ]
    found = [
        (engine.capture(raw).values[-1], engine.token_logprobs(raw, ["Yes", " No"]))
        for engine in both
    ]
    assert all(map(torch.equal, *found))


def test_a_family_that_was_never_checked_refuses_images() -> None:
    tiny = build_vision("llava")
    tiny.model.config.model_type = "unheard_of"
    engine = TransformersEngine(tiny.model, tiny.processor, model_id="new")
    with pytest.raises(InputError, match="has not been checked"):
        engine.capture([ASKED])


def test_a_turn_that_the_template_drops_is_refused() -> None:
    tiny = build_vision("idefics3")
    processor: Any = tiny.processor
    processor.chat_template = "{% for m in messages %}User: {{ m['role'] }}\n{% endfor %}"
    engine = TransformersEngine(tiny.model, processor)
    with pytest.raises(InputError, match="dropped a text or an image"):
        engine.capture([TEXT])


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}",
        "{% for m in messages %}{% if m['content'] is string %}{{ m['content'] }}{% else %}"
        "{% for p in m['content'] %}{% if p['type'] == 'image' %}<image>{% else %}"
        "{{ p['text'] }}{% endif %}{% endfor %}{% endif %}\n{% endfor %}",
    ],
    ids=["strings", "both"],
)
def test_a_template_of_plain_strings_shows_pictures_too(template: str) -> None:
    tiny = build_vision("idefics3")
    processor: Any = tiny.processor
    processor.chat_template = template
    engine = TransformersEngine(tiny.model, processor)
    text = engine._encoder.render(Conversation.user((WIDE, "What", TALL, "ever")))
    assert text.index("<fake_token_around_image>") < text.index("What") < text.index("ever")
    assert "{'type'" not in text
    assert "type" not in engine._encoder.render(TEXT)


def test_the_fingerprint_knows_what_makes_the_pixels() -> None:
    tiny = build_vision("idefics3")
    processor: Any = tiny.processor
    seen = TransformersEngine(tiny.model, processor).fingerprint
    assert seen.image_processor.split()[:2] == ["Idefics3ImageProcessor", "pil"]
    tiny.model.config.name = "the same"
    assert TransformersEngine(tiny.model, processor).fingerprint == seen
    blind = TransformersEngine(tiny.model, processor.tokenizer).fingerprint
    assert "image_processor" not in seen.difference(blind)
    processor.image_processor.image_mean = [0.1, 0.2, 0.3]
    other = TransformersEngine(tiny.model, processor).fingerprint
    assert seen.difference(other) == ("image_processor",)
    processor.chat_template += " "
    again = TransformersEngine(tiny.model, processor).fingerprint
    assert other.difference(again) == ("chat_template_hash",)
