"""What `fit` returns, kept as a folder: safetensors, JSON and a model card."""

from headwise.artifacts.base import Artifact
from headwise.artifacts.folder import read_folder, write_folder
from headwise.artifacts.load import from_pretrained
from headwise.artifacts.record import FORMAT_VERSION, SITE, ArtifactRecord
from headwise.artifacts.versions import package_versions

__all__ = [
    "FORMAT_VERSION",
    "SITE",
    "Artifact",
    "ArtifactRecord",
    "from_pretrained",
    "package_versions",
    "read_folder",
    "write_folder",
]
