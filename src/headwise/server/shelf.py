"""The artifacts that are served: by name, all on one engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from headwise.artifacts.base import Artifact
from headwise.engines.base import Engine
from headwise.engines.watched import WatchedEngine
from headwise.errors import InputError, shortened
from headwise.methods.load import from_pretrained
from headwise.methods.reward_model import RewardModel
from headwise.methods.rewards import Rewards
from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
from headwise.methods.task_vector import TaskVector
from headwise.server.refusals import RefusalError

_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class ServedReward:
    """A reward model that is served, or several criteria as one.

    Args:
        name: What requests call it.
        model: The reward model, or the criteria.
        watch: Its engine.
    """

    name: str
    model: RewardModel | Rewards
    watch: WatchedEngine

    kind = "reward"

    @property
    def criteria(self) -> Mapping[str, RewardModel]:
        """Its reward models by name; a single one by what requests call it."""
        return self.model.criteria if isinstance(self.model, Rewards) else {self.name: self.model}

    @property
    def weights(self) -> Mapping[str, float]:
        """What each criterion counts."""
        return self.model.weights if isinstance(self.model, Rewards) else {self.name: 1.0}

    @property
    def compares(self) -> bool:
        """Whether responses to one prompt are compared, by any criterion."""
        return any(model.form == "ranked" for model in self.criteria.values())

    def facts(self) -> dict[str, object]:
        """What clients may know of it."""
        if isinstance(self.model, RewardModel):
            return {"criterion": self.model.criterion, "form": self.model.form}
        return {
            "criteria": {
                name: {"criterion": one.criterion, "form": one.form, "weight": self.weights[name]}
                for name, one in self.criteria.items()
            }
        }


@dataclass(frozen=True, slots=True)
class ServedClassifier:
    """A classifier that is served; see `ServedReward`."""

    name: str
    model: SparseAttentionClassifier
    watch: WatchedEngine

    kind = "classifier"

    def facts(self) -> dict[str, object]:
        """What clients may know of it."""
        return {"classes": list(self.model.classes)}


@dataclass(frozen=True, slots=True)
class ServedTask:
    """A task vector that is served; see `ServedReward`."""

    name: str
    model: TaskVector
    watch: WatchedEngine

    kind = "task-vector"

    def facts(self) -> dict[str, object]:
        """What clients may know of it."""
        return {"heads": len(self.model.heads)}


ServedArtifact = ServedReward | ServedClassifier | ServedTask
S = TypeVar("S", ServedReward, ServedClassifier, ServedTask)


@dataclass(frozen=True, slots=True)
class ArtifactPath:
    """An artifact to serve.

    Args:
        name: What requests call it.
        path: Its folder, or its Hub id.
    """

    name: str
    path: str

    @classmethod
    def read(cls, text: str) -> ArtifactPath:
        """Reads `DIR` or `NAME=DIR`; the folder's own name where none is given."""
        name, is_named, path = text.partition("=")
        if not is_named or Path(text).is_dir():
            name, path = Path(text).expanduser().resolve().name, text
        if not name or not path:
            raise InputError(f"An artifact is given as DIR or NAME=DIR; got {text!r}.")
        return cls(name, path)


class Shelf:
    """Artifacts by name.

    Args:
        artifacts: The artifacts; names must differ.

    Raises:
        InputError: There is none, or two have one name.
    """

    def __init__(self, artifacts: Sequence[ServedArtifact]) -> None:
        names = [one.name for one in artifacts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not artifacts or twice:
            raise InputError(
                f"Two artifacts have the name {twice[0]!r}; name one: NAME=DIR."
                if twice
                else "There is no artifact to serve."
            )
        self._by_name: Mapping[str, ServedArtifact] = {one.name: one for one in artifacts}

    @property
    def artifacts(self) -> tuple[ServedArtifact, ...]:
        """All of them, in the order given."""
        return tuple(self._by_name.values())

    @property
    def model_id(self) -> str:
        """The model that they all run on."""
        return self.artifacts[0].model.fingerprint.model_id

    def one(self, kind: type[S], name: str | None, field: str = "model") -> S:
        """The artifact that a request means.

        Args:
            kind: Of which kind it must be.
            name: Its name; None where the request says none.
            field: Where the request names it, for errors.

        Returns:
            The artifact.

        Raises:
            RefusalError: There is none of that name and kind (404), or several and no name (422).
        """
        fitting = [one for one in self.artifacts if isinstance(one, kind)]
        known = ", ".join(one.name for one in fitting[:_MOST_NAMES]) or "none"
        if name is None:
            if len(fitting) == 1:
                return fitting[0]
            status = 422 if fitting else 404
            raise RefusalError(status, f"{field}: name one {kind.kind} of {known}.", field)
        for one in fitting:
            if one.name == name:
                return one
        raise RefusalError(
            404, f"{field}: there is no {kind.kind} {shortened(name)}; there is {known}.", field
        )


def load_shelf(paths: Sequence[ArtifactPath], engine: Engine) -> Shelf:
    """Loads artifacts onto one engine.

    Args:
        paths: The artifacts.
        engine: What runs their model.

    Returns:
        The artifacts.

    Raises:
        ArtifactError: One is damaged, or of another model than the engine runs.
        InputError: Two have one name.
    """
    watch = WatchedEngine(engine)
    return Shelf(
        [
            served(one.name, from_pretrained(one.path, engine=watch.as_engine), watch)
            for one in paths
        ]
    )


def served(name: str, artifact: Artifact | Rewards, watch: WatchedEngine) -> ServedArtifact:
    """An artifact as it is served.

    Raises:
        InputError: It is of a kind that cannot be served.
    """
    if isinstance(artifact, RewardModel | Rewards):
        return ServedReward(name, artifact, watch)
    if isinstance(artifact, SparseAttentionClassifier):
        return ServedClassifier(name, artifact, watch)
    if isinstance(artifact, TaskVector):
        return ServedTask(name, artifact, watch)
    raise InputError(f"{name}: an artifact of the method {artifact.method!r} cannot be served.")
