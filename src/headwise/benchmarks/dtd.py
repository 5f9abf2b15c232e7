"""DTD, two-way one-shot: which of two textures is it?"""

from __future__ import annotations

from headwise.benchmarks.kinds.two_way_one_shot import TwoWayOneShot
from headwise.evaluation.items import Header

HEADER = Header(
    name="dtd",
    title="DTD (two-way one-shot)",
    task="answers",
    dataset="tanganke/dtd",
    split="test",
    licence="other",
    fields={
        "image": "the picture",
        "label": "its class",
        "pos, neg, query, pos_label, neg_label": "or an episode, as MTV's files have them",
    },
    scoring="Accuracy of telling which of two classes a picture shows, after one picture of each. "
    "The other class, the pictures and the order of the options follow from a seed.",
    paper="arXiv:1311.3618; episodes as in arXiv:2406.15334",
    images=True,
    support="train",
    notes="The episodes of the paper are not published, so these are others. A folder with a "
    "folder of pictures for each class will do too.",
)

BENCHMARK = TwoWayOneShot(HEADER, "texture")
