"""Small data that ships with headwise: support messages, capitals, common knowledge.

All texts were written for headwise, so they may be used wherever headwise may be.
"""

from headwise.data.demo import (
    Fact,
    capitals_of,
    facts_of,
    load_capitals,
    load_facts,
    load_topics,
    topics_of,
)
from headwise.data.pairs import (
    BIASES,
    STRENGTHS,
    Bias,
    Style,
    biased_preferences,
    capital_preferences,
    plain_preferences,
)

__all__ = [
    "BIASES",
    "STRENGTHS",
    "Bias",
    "Fact",
    "Style",
    "biased_preferences",
    "capital_preferences",
    "capitals_of",
    "facts_of",
    "load_capitals",
    "load_facts",
    "load_topics",
    "plain_preferences",
    "topics_of",
]
