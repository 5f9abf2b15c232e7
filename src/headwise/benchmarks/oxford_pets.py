"""Oxford-IIIT Pets: 37 breeds."""

from __future__ import annotations

from headwise.benchmarks.kinds.image_classes import ImageClasses
from headwise.evaluation.items import Header

HEADER = Header(
    name="oxford-pets",
    title="Oxford-IIIT Pets",
    task="classes",
    dataset="timm/oxford-iiit-pet",
    split="test",
    licence="cc-by-sa-4.0",
    fields={"image": "the picture", "label": "its class; 37 breeds"},
    scoring="Accuracy: the class is named (capitals, underscores and blanks do not matter). Beside "
    "it the mean of the accuracies of the classes.",
    paper="Parkhi et al., Cats and Dogs, CVPR 2012",
    images=True,
    support="train",
    notes="A folder with a folder of pictures for each class will do too. The Hub's copy is a "
    "mirror with the official split.",
)

BENCHMARK = ImageClasses(HEADER, "What breed is the cat or dog in this image?")
