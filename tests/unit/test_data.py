import json
import re
from collections import Counter
from importlib import resources

import pytest

from headwise.data import (
    BIASES,
    STRENGTHS,
    Fact,
    biased_preferences,
    capital_preferences,
    capitals_of,
    facts_of,
    load_capitals,
    load_facts,
    load_topics,
    plain_preferences,
    topics_of,
)
from headwise.errors import InputError
from headwise.examples import check_preferences

# Seats of government, former capitals still in use, and other spellings: none may pass as wrong.
ALSO_ACCEPTED = {
    "Chile": {"Valparaíso"},
    "Georgia": {"Kutaisi"},
    "Kazakhstan": {"Nur-Sultan"},
    "Malaysia": {"Putrajaya"},
    "Montenegro": {"Cetinje"},
    "Myanmar": {"Yangon", "Nay Pyi Taw"},
    "South Korea": {"Sejong"},
    "Tanzania": {"Dar es Salaam"},
    "Ukraine": {"Kiev"},
    "the Netherlands": {"The Hague"},
    "the Philippines": {"Quezon City"},
    "the United States": {"Washington", "Washington, D.C."},
}
CLASS_STEMS = ("bill", "deliver", "technical", "fault", "account", "access", "praise")


def read(name):
    return json.loads(resources.files("headwise.data").joinpath(name).read_text("utf-8"))


def has_words(text, words):
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


@pytest.mark.parametrize("load", [load_topics, load_capitals, load_facts, capital_preferences])
def test_loading_twice_gives_the_same(load):
    assert load() == load()


def test_topics_have_fifty_messages_of_each_class():
    counts = Counter(example.label for example in load_topics())
    assert len(counts) == 5
    assert set(counts.values()) == {50}


def test_any_start_of_the_topics_is_balanced():
    labels = [example.label for example in load_topics()]
    assert all(len(set(labels[i : i + 5])) == 5 for i in range(0, len(labels), 5))


def test_topics_are_short_messages_that_differ():
    topics = load_topics()
    assert len({example.text.casefold() for example in topics}) == len(topics)
    assert len({example.id for example in topics}) == len(topics)
    for example in topics:
        assert 12 <= len(example.text.split()) <= 35, example.text
        assert len(re.findall(r"[.!?](?=\s)", example.text)) <= 1, example.text


def test_no_topic_message_names_its_class():
    for example in load_topics():
        assert not [stem for stem in CLASS_STEMS if stem in example.text.lower()], example.text


def test_openings_of_topics_vary():
    openings = Counter(" ".join(e.text.lower().split()[:2]) for e in load_topics())
    assert max(openings.values()) <= 3


def test_no_class_of_topics_is_told_by_its_length():
    words = Counter()
    for example in load_topics():
        words[example.label] += len(example.text.split())
    assert max(words.values()) < 1.3 * min(words.values())


@pytest.mark.parametrize(("load", "least"), [(load_capitals, 150), (load_facts, 120)])
def test_facts_are_many_and_differ(load, least):
    facts = load()
    assert len(facts) >= least
    assert len({fact.id for fact in facts}) == len(facts)
    assert len({fact.question.casefold() for fact in facts}) == len(facts)
    assert all(fact.right.casefold() != fact.wrong.casefold() for fact in facts)


def test_capitals_read_as_sentences():
    france = next(fact for fact in load_capitals() if fact.id == "capital-france")
    assert france.question == "What is the capital of France?"
    assert france.right == "The capital of France is Paris."


def test_each_capital_belongs_to_one_country():
    capitals = [row["capital"] for row in read("capitals.json")]
    assert len(set(capitals)) == len(capitals)


def test_the_wrong_city_is_no_accepted_capital_of_its_country():
    rows = read("capitals.json")
    assert {row["country"] for row in rows} >= set(ALSO_ACCEPTED)
    for row in rows:
        accepted = {row["capital"]} | ALSO_ACCEPTED.get(row["country"], set())
        assert row["wrong"].casefold() not in {city.casefold() for city in accepted}, row
        assert not has_words(row["wrong"], row["capital"]), row
        assert not has_words(row["capital"], row["wrong"]), row


def test_length_does_not_tell_right_from_wrong():
    for facts in (load_capitals(), load_facts()):
        gaps = [len(fact.right) - len(fact.wrong) for fact in facts]
        assert abs(sum(gaps) / len(gaps)) < 0.5
        longer = sum(gap > 0 for gap in gaps) / sum(gap != 0 for gap in gaps)
        assert 0.4 < longer < 0.6
    assert all(abs(len(fact.right) - len(fact.wrong)) <= 6 for fact in load_facts())


def test_fact_answers_are_full_sentences_alike_in_style():
    for fact in load_facts():
        assert fact.question.endswith("?")
        for answer in (fact.right, fact.wrong):
            assert answer[0].isupper(), answer
            assert answer.endswith("."), answer
        assert set(fact.right.lower().split()) & set(fact.wrong.lower().split()), fact


def test_plain_pairs_hold_the_two_answers():
    for fact, pair in zip(load_facts(), plain_preferences(load_facts()), strict=True):
        assert (pair.prompt, pair.chosen, pair.rejected) == (fact.question, fact.right, fact.wrong)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("load", [load_capitals, load_facts])
def test_a_biased_rejected_answer_holds_the_wrong_one_and_never_the_right_one(load, strength, bias):
    facts = load()
    pairs = biased_preferences(facts, bias, strength)
    assert len({pair.id for pair in pairs}) == len(pairs)
    for fact, pair in zip(facts, pairs, strict=True):
        assert pair.prompt == fact.question
        assert pair.chosen == fact.right
        assert fact.wrong in pair.rejected
        assert fact.right.rstrip(".").casefold() not in pair.rejected.casefold()
        assert len(pair.rejected) > len(fact.wrong)


@pytest.mark.parametrize("bias", BIASES)
def test_no_biased_answer_names_the_capital(bias):
    pairs = biased_preferences(load_capitals(), bias, max(STRENGTHS))
    for row, pair in zip(read("capitals.json"), pairs, strict=True):
        assert has_words(pair.rejected, row["wrong"])
        assert not has_words(pair.rejected, row["capital"])


@pytest.mark.parametrize("bias", BIASES)
def test_no_bias_is_told_by_one_phrase(bias):
    facts = load_facts()
    dressing = [
        pair.rejected.replace(fact.wrong, "|")
        for fact, pair in zip(facts, biased_preferences(facts, bias), strict=True)
    ]
    assert len(set(dressing)) > 0.6 * len(dressing)
    for side in (0, 1):
        common = Counter(text.split("|")[side] for text in dressing).most_common(1)[0][1]
        assert common < 0.2 * len(dressing)


@pytest.mark.parametrize("bias", BIASES)
def test_a_stronger_bias_dresses_the_answer_up_more(bias):
    facts = load_facts()
    lengths = [
        sum(len(pair.rejected) for pair in biased_preferences(facts, bias, strength))
        for strength in STRENGTHS
    ]
    assert lengths == sorted(set(lengths))


def test_phrases_depend_on_the_item_and_not_on_its_place():
    facts = load_facts()
    pairs = biased_preferences(facts, "confident")
    assert biased_preferences(facts[::-1], "confident") == pairs[::-1]
    # Frozen text: the draw must not change with the Python version or the platform.
    (pair,) = biased_preferences([Fact("Is it?", "It is.", "It is not.", "frozen")], "confident")
    assert pair.rejected == (
        "I would stake my reputation on this. It is not. Anyone who says otherwise is mistaken."
    )


def test_no_phrase_occurs_twice():
    phrases = [
        phrase
        for sides in read("biases.json").values()
        for side in ("before", "after")
        for phrase in sides[side]
    ]
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize("style", ["plain", *BIASES])
def test_capital_pairs_come_in_every_style(style):
    pairs = capital_preferences(style)
    assert len(pairs) == len(load_capitals())
    assert {pair.split for pair in pairs} == {style}
    assert check_preferences(pairs).messages == ()


@pytest.mark.parametrize(
    ("parse", "row"),
    [
        (topics_of, {"text": "It broke.", "label": "defect"}),
        (capitals_of, {"country": "France", "capital": "Paris", "wrong": "Lyon"}),
        (facts_of, {"question": "Is it?", "right": "It is.", "wrong": "It is not."}),
    ],
)
def test_repeated_incomplete_and_empty_rows_are_refused(parse, row):
    assert len(parse([row])) == 1
    with pytest.raises(InputError, match="repeated"):
        parse([row, dict(row)])
    for name in row:
        with pytest.raises(InputError, match="lacks"):
            parse([{key: value for key, value in row.items() if key != name}])
        with pytest.raises(InputError, match="empty"):
            parse([{**row, name: " "}])


def test_equal_right_and_wrong_answers_are_refused():
    with pytest.raises(InputError, match="the same"):
        Fact("Is it?", "It is.", "it  is.", "same")
    with pytest.raises(InputError, match="the same"):
        capitals_of([{"country": "France", "capital": "Paris", "wrong": "Paris"}])
    with pytest.raises(InputError, match="the same"):
        facts_of([{"question": "Is it?", "right": "It is.", "wrong": "It is."}])


def test_unknown_bias_strength_and_style_are_refused():
    with pytest.raises(InputError, match="bias is one of"):
        biased_preferences(load_facts(), "humble")
    with pytest.raises(InputError, match="strength is one of"):
        biased_preferences(load_facts(), "confident", 4)
    with pytest.raises(InputError, match="style is one of"):
        capital_preferences("humble")
