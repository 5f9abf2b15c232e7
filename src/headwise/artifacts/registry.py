"""Which class an artifact's method names.

Methods come after artifacts in the tree, so they are named here as text and imported when needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from headwise.artifacts.base import Artifact
from headwise.errors import ArtifactError

ARTIFACT_CLASSES: Mapping[str, str] = {
    "sparse-attention-vectors": (
        "headwise.methods.sparse_attention_vectors:SparseAttentionClassifier"
    ),
    "activation-reward": "headwise.methods.activation_reward:RewardModel",
    "task-vectors": "headwise.methods.task_vector:TaskVector",
}
"""`{method: "module:class"}`."""


def artifact_class(method: str) -> type[Artifact]:
    """The class that reads a method's artifacts.

    Args:
        method: What the artifact says it is.

    Returns:
        The class.

    Raises:
        ArtifactError: This headwise has no such method.
    """
    if method not in ARTIFACT_CLASSES:
        known = ", ".join(sorted(ARTIFACT_CLASSES))
        raise ArtifactError(
            f"The artifact was made by the method '{method}', which this headwise does not have; "
            f"it has {known}. If the method is newer, update with: pip install -U headwise"
        )
    module, _, name = ARTIFACT_CLASSES[method].partition(":")
    return cast("type[Artifact]", getattr(import_module(module), name))
