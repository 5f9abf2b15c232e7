"""No key that was put into an address is shown."""

from __future__ import annotations

import pytest

from headwise.addresses import without_secrets, words_without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://localhost:8000/v1/rewards", "http://localhost:8000/v1/rewards"),
        ("https://me:hunter2@host/score", "https://...@host/score"),
        ("https://host/score?key=hunter2", "https://host/score?..."),
        ("https://host/score#hunter2", "https://host/score?..."),
        ("https://me:p@hunter2@host/a?b=hunter2#hunter2", "https://...@host/a?..."),
        ("http://[hunter2/", "http://..."),
    ],
)
def test_only_what_is_no_key_is_shown(address, shown):
    assert without_secrets(address) == shown


def test_addresses_are_found_anywhere_in_a_command():
    words = [
        "headwise",
        "bench",
        "--methods=sav,https://a:hunter2@b/c,d",
        "--url",
        "http://h?hunter2",
    ]
    told = words_without_secrets(words)
    assert told == ("headwise", "bench", "--methods=sav,https://...@b/c,d", "--url", "http://h?...")
