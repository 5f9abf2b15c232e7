"""EuroSAT: 10 classes of land use."""

from __future__ import annotations

from headwise.benchmarks.kinds.image_classes import ImageClasses
from headwise.evaluation.items import Header

HEADER = Header(
    name="eurosat",
    title="EuroSAT",
    task="classes",
    dataset="blanchon/EuroSAT_RGB",
    split="test",
    licence="mit",
    fields={"image": "the picture", "label": "its class; 10 classes of land use"},
    scoring="Accuracy: the class is named (capitals, underscores and blanks do not matter). Beside "
    "it the mean of the accuracies of the classes.",
    paper="arXiv:1709.00029",
    images=True,
    support="train",
    notes="A folder with a folder of pictures for each class will do too. The data set has no "
    "official split; that of the Hub's copy is a mirror's.",
)

BENCHMARK = ImageClasses(HEADER, "What type of land does this satellite image show?")
