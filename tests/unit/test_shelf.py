"""A shelf counts what it holds and drops the least recently used."""

from __future__ import annotations

from headwise.engines.transformers.shelf import Shelf


def shelf(budget: int) -> Shelf[str, str]:
    return Shelf(budget, len)


def test_the_least_recently_used_goes_first() -> None:
    kept = shelf(4)
    for word in ("aa", "bb"):
        kept.put(word, word)
    assert kept.get("aa") == "aa"
    kept.put("cc", "cc")
    assert kept.is_over
    kept.trim(least=0)
    assert (kept.get("bb"), kept.get("aa"), kept.get("cc")) == (None, "aa", "cc")


def test_what_replaces_counts_alone() -> None:
    kept = shelf(3)
    kept.put("key", "long one")
    kept.put("key", "abc")
    assert not kept.is_over
    assert kept.take("key") == "abc"
    assert kept.take("key") is None
    kept.put("other", "abc")
    assert not kept.is_over


def test_as_many_stay_as_are_asked_for_even_past_the_budget() -> None:
    kept = shelf(1)
    for word in ("first", "second"):
        kept.put(word, word)
    kept.trim(least=1)
    assert len(kept) == 1
    assert kept.get("second") == "second"
    kept.trim(least=0)
    assert len(kept) == 0
    kept.put("x", "x")
    kept.clear()
    assert not kept.is_over
    assert len(kept) == 0
