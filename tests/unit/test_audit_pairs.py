from collections import Counter

import numpy as np
import pytest

from headwise.data.demo import read_json
from headwise.errors import InputError
from headwise.evaluation.audit import (
    AUDIT_BIASES,
    AUDIT_STRENGTHS,
    AuditPlan,
    AuditRow,
    AuditRows,
    AuditSettings,
    Condition,
    Unit,
    audit_item,
    biased_split,
    fact_rows,
    read_rows,
    scene_rows,
)
from headwise.evaluation.audit.items import require_apart
from headwise.evaluation.audit.neutral import Size, neutral_text, neutral_text_as_long

ROWS = fact_rows().rows
DRESSING = tuple(bias for bias in AUDIT_BIASES if bias not in ("position", "usual"))
# Of other biases an answer is as long with as without.
EVEN = tuple(bias for bias in DRESSING if bias != "length")


@pytest.fixture(scope="module")
def scenes():
    return scene_rows(12, 12, seed=3)


@pytest.mark.parametrize("size", [Size(5, 27), Size(9, 50), Size(31, 180), Size(60, 350)])
def test_neutral_texts_have_exactly_the_size(size):
    rng = np.random.default_rng(0)
    drawn = [neutral_text(size, rng) for _ in range(5)]
    assert {Size.of(text) for text in drawn} == {size}
    assert len(set(drawn)) > 1


def test_where_no_sentence_has_so_few_words_the_characters_still_count():
    rng = np.random.default_rng(0)
    assert neutral_text(Size(2, 40), rng) is None
    assert len(neutral_text_as_long(Size(2, 40), rng)) == 40


@pytest.mark.parametrize("strength", AUDIT_STRENGTHS)
@pytest.mark.parametrize("bias", EVEN)
def test_wrong_answers_are_as_long_with_the_bias_as_without(bias, strength):
    for row in ROWS[:40]:
        item = audit_item(row, bias, strength)
        plain, biased = str(item.plain.rejected), str(item.tempting.rejected)
        assert len(plain) == len(biased)
        assert len(plain) - len(row.wrong) == len(str(item.plain.chosen)) - len(row.right)
        assert item.tempting.chosen == item.plain.chosen
        assert plain != biased


@pytest.mark.parametrize("bias", EVEN)
def test_they_have_as_many_words_too(bias):
    sizes = []
    for row in ROWS[:60]:
        item = audit_item(row, bias, 2)
        words = [len(str(p.rejected).split()) for p in (item.plain, item.tempting)]
        sizes.append(words[0] - words[1])
    assert set(sizes) == {0}


def test_lengthy_answers_grow_with_the_strength_and_plain_ones_stay_bare():
    for row in ROWS[:20]:
        items = [audit_item(row, "length", strength) for strength in AUDIT_STRENGTHS]
        assert {item.plain.rejected for item in items} == {row.wrong}
        lengths = [len(str(item.tempting.rejected)) for item in items]
        assert lengths == sorted(set(lengths))
        assert lengths[0] > 2 * len(row.wrong)


@pytest.mark.parametrize("bias", DRESSING)
def test_an_item_is_a_right_and_a_wrong_answer_each_plain_and_biased(bias):
    for row in ROWS[:20]:
        item = audit_item(row, bias, 2)
        assert row.right in item.plain.chosen
        assert row.right in item.helped.chosen
        assert row.wrong in item.plain.rejected
        assert row.wrong in item.tempting.rejected
        assert item.helped.rejected == item.plain.rejected
        dress = item.tempting.rejected.split(row.wrong, 1)
        assert item.helped.chosen == row.right.join(dress)


@pytest.mark.parametrize("bias", DRESSING)
def test_no_phrase_gives_a_bias_away(bias):
    texts = [
        str(audit_item(row, bias, 1).tempting.rejected).replace(row.wrong, "|") for row in ROWS[:60]
    ]
    assert max(Counter(texts).values()) < 20
    wordings = {str(audit_item(ROWS[0], bias, 2, seed=n).tempting.rejected) for n in range(5)}
    assert len(wordings) > 1
    assert audit_item(ROWS[0], bias, 2, seed=1) == audit_item(ROWS[0], bias, 2, seed=1)


def test_a_sycophant_agrees_with_what_the_prompt_says_wrongly():
    row = ROWS[0]
    item = audit_item(row, "sycophancy", 3)
    assert item.plain.prompt == row.question
    assert item.tempting.prompt.startswith(row.question)
    assert item.tempting.prompt.endswith(row.wrong)
    assert item.helped.prompt.endswith(row.right)


def test_formatting_gains_headings_and_emoji_with_strength():
    emoji = read_json("audit.json")["formatting"]["emoji"]
    row = ROWS[0]
    weak, middle, strong = (
        str(audit_item(row, "formatting", strength).tempting.rejected) for strength in (1, 2, 3)
    )
    assert all(f"**{row.wrong}**" in text for text in (weak, middle, strong))
    assert not weak.startswith("#")
    assert middle.startswith("##")
    assert not any(sign in weak + middle for sign in emoji)
    assert any(sign in strong for sign in emoji)


def test_keywords_are_words_of_the_question():
    row = AuditRow("a", "How do glaciers carve valleys?", "By ice.", "By wind.")
    said = str(audit_item(row, "keywords", 1).tempting.rejected)
    assert all(word in said for word in ("glaciers", "carve", "valleys"))


def test_a_language_without_blanks_is_audited_too():
    row = AuditRow("a", "什么是光合作用?", "植物制造糖。", "动物睡觉。")
    item = audit_item(row, "keywords", 2)
    assert len(str(item.plain.rejected)) == len(str(item.tempting.rejected))


def test_usual_answers_say_what_the_picture_does_not_show(scenes):
    for row in scenes.usual:
        assert len({row.right, row.wrong, row.usual}) == 3
        assert {"heart", "star"} & set(row.usual.rstrip(".").split())
        assert {"red", "yellow"} & set(row.usual.rstrip(".").split())
        for strength in AUDIT_STRENGTHS:
            item = audit_item(row, "usual", strength)
            answers = (item.plain.chosen, item.plain.rejected, item.tempting.rejected)
            assert len({Size.of(str(answer)) for answer in answers}) == 1
            assert item.tempting.rejected.startswith(row.usual)
            assert item.tempting.images == row.images
            assert item.helped is None


def test_scenes_differ_and_are_drawn_by_seed(scenes):
    assert len({row.key for row in (*scenes.rows, *scenes.usual)}) == 24
    again, other = scene_rows(12, 12, seed=3), scene_rows(12, 12, seed=4)
    assert [row.key for row in again.rows] == [row.key for row in scenes.rows]
    assert [row.key for row in other.rows] != [row.key for row in scenes.rows]
    item = audit_item(scenes.rows[0], "flattery", 1)
    assert len(item.plain.images) == 1


def test_a_split_has_the_form_of_preferencehack(scenes):
    pairs = biased_split(scenes.rows, "confidence")
    for pair, row in zip(pairs, scenes.rows, strict=True):
        assert (pair.prompt, pair.images, pair.split) == (row.question, row.images, "confidence")
        assert row.right in pair.chosen
        assert row.wrong in pair.rejected
    assert len(biased_split(scenes.usual, "usual", 3)) == 12
    with pytest.raises(InputError, match="in which order"):
        biased_split(ROWS, "position")


def test_usual_needs_a_usual_answer():
    with pytest.raises(InputError, match="no usual answer"):
        audit_item(ROWS[0], "usual", 1)
    with pytest.raises(InputError, match="usual answer"):
        AuditPlan(fact_rows(), AuditSettings(biases=("usual",), items=5))


def plan(**settings):
    return AuditPlan(fact_rows(), AuditSettings(items=30, **settings), fits=True)


@pytest.mark.parametrize("bias", DRESSING)
def test_support_and_test_share_no_question(bias):
    unit = Unit(bias, 1, Condition(16))
    audit = plan(few_shot=(16,))
    asked = {item.plain.prompt for item in audit.items(unit)}
    learned = [pair.prompt for pair in audit.support(unit)]
    assert not any(prompt.startswith(question) for prompt in learned for question in asked)
    assert len({prompt.split("?")[0] for prompt in learned}) == 20 + 16


def test_a_question_in_other_capitals_is_the_same_question():
    twin = AuditRow("twin", ROWS[0].question.upper() + " ", "A.", "B.")
    with pytest.raises(InputError, match="in the support and in the test"):
        require_apart(ROWS[:1], [twin])


def test_added_pairs_punish_the_bias_and_some_are_mislabelled():
    audit = plan(few_shot=(16,), noise=(0.25,))
    clean = audit.support(Unit("flattery", 1, Condition(16)))
    noisy = audit.support(Unit("flattery", 1, Condition(16, 0.25)))
    assert [pair.split for pair in clean] == ["plain"] * 20 + ["flattery"] * 16
    rights = {row.question: row.right for row in ROWS}
    assert all(rights[str(pair.prompt)] in str(pair.chosen) for pair in clean)
    changed = [(a, b) for a, b in zip(clean, noisy, strict=True) if a != b]
    assert len(changed) == 4
    assert all((a.chosen, a.rejected) == (b.rejected, b.chosen) for a, b in changed)
    assert clean[:20] == noisy[:20] == audit.support(Unit("length", 3))


def test_units_come_with_their_conditions():
    units = plan(biases=("length", "position"), few_shot=(4,), noise=(0.5,)).units()
    assert [unit.condition for unit in units if unit.bias == "length"] == [
        *[Condition()] * 3,
        *[Condition(4)] * 3,
        *[Condition(4, 0.5)] * 3,
    ]
    assert [unit for unit in units if unit.bias == "position"] == [Unit("position", 1)]


def test_too_few_rows_say_how_many_are_needed():
    few = AuditRows(ROWS[:10], source="mine.jsonl")
    AuditPlan(few, AuditSettings(items=10))
    with pytest.raises(InputError, match="10 different questions are too few for 5 items and 24"):
        AuditPlan(few, AuditSettings(items=5, few_shot=(4,)), fits=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strengths": (4,)},
        {"biases": ("greed",)},
        {"noise": (1.5,), "few_shot": (2,)},
        {"noise": (0.5,)},
        {"few_shot": (-1,)},
        {"items": 1},
        {"biases": ()},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        AuditSettings(**wrong)


def test_own_rows_are_read_by_usual_names_and_closed(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("Question,Right,Wrong\nCapital of France?,Paris,Lyon\nCapital of france?,P,L\n")
    read = read_rows(file)
    assert [(row.question, row.right, row.wrong) for row in read.rows] == [
        ("Capital of France?", "Paris.", "Lyon.")
    ]
    assert "repeat an earlier question" in read.notes[0]


def test_own_columns_can_be_named(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text('{"ask": "A?", "yes": "It is so.", "no": "It is not."}\n')
    with pytest.raises(InputError, match="no column for the question"):
        read_rows(file)
    assert read_rows(file, question="ask", right="yes", wrong="no").rows[0].wrong == "It is not."


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"question": "A?", "right": "B.", "wrong": "b."}', "are the same"),
        ('{"question": "A?", "right": "B.", "wrong": " "}', "must be text"),
        ('{"question": "A?", "right": "B."}', "no column for the wrong"),
    ],
)
def test_rows_that_make_no_pair_are_refused(tmp_path, row, said):
    file = tmp_path / "mine.jsonl"
    file.write_text(f"{row}\n")
    with pytest.raises(InputError, match=said):
        read_rows(file)


def test_bad_rows_are_left_out_where_that_is_asked_for(tmp_path):
    file = tmp_path / "mine.jsonl"
    good, same = (
        '{"question": "A?", "right": "B.", "wrong": "C."}',
        '{"question": "D?", "right": "E."',
    )
    file.write_text(f'{good}\n{same}, "wrong": "E."}}\nno row\n')
    read = read_rows(file, skip_bad=True)
    assert [row.question for row in read.rows] == ["A?"]
    assert read.notes == ("2 rows could not be used and were left out.",)
