"""A reward as plain data that another process makes the reward of again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwise.artifacts import ArtifactRecord
from headwise.artifacts.matching import check_fingerprint
from headwise.engines.base import Engine
from headwise.errors import ArtifactError, HeadwiseError, InputError

if TYPE_CHECKING:
    from headwise.methods.reward_model import RewardModel
    from headwise.methods.rewards import Rewards

_WAY_OUT = (
    "Load the model with headwise.load(...) from a folder or the Hub and the reward with "
    "headwise.from_pretrained(folder, engine=engine); or serve it (headwise serve) and give the "
    "trainer a client, which holds no model."
)


@dataclass(frozen=True, slots=True)
class PortableReward:
    """What the criteria learnt, and how their model is loaded.

    Args:
        documents: Each criterion's artifact as JSON, by its name.
        tensors: Each criterion's learnt numbers as safetensors, by its name.
        weights: What each criterion counts; None for a single reward model.
        dtype: What to load the model as.
        device: Where to load it to.
    """

    documents: Mapping[str, str]
    tensors: Mapping[str, bytes]
    weights: Mapping[str, float] | None
    dtype: str
    device: str

    @classmethod
    def of(cls, reward: object) -> PortableReward:
        """Takes a reward apart.

        Args:
            reward: A `RewardModel` or `Rewards`.

        Raises:
            HeadwiseError: Its model can't be loaded again elsewhere; says why and what to do.
        """
        from headwise.methods.reward_model import RewardModel
        from headwise.methods.rewards import Rewards

        weights: dict[str, float] | None = None
        if isinstance(reward, RewardModel):
            models = {"reward": reward}
        elif isinstance(reward, Rewards):
            models, weights = dict(reward.criteria), dict(reward.weights)
        else:
            raise InputError(
                f"A {type(reward).__name__} can't be sent to another process; a RewardModel and "
                "Rewards can."
            )
        engine = next(iter(models.values())).engine
        device = _require_loadable(engine)
        records = {name: model.to_record() for name, model in models.items()}
        return cls(
            documents={name: json.dumps(record.to_json()) for name, record in records.items()},
            tensors={name: _packed(record) for name, record in records.items()},
            weights=weights,
            dtype=engine.fingerprint.dtype,
            device=device,
        )

    def load(self) -> RewardModel | Rewards:
        """Makes the reward again, its model loaded.

        Raises:
            ArtifactError: The model could not be loaded, or is another one by now.
        """
        from headwise.engines.load import load
        from headwise.methods.reward_model import RewardModel
        from headwise.methods.rewards import Rewards

        records = {name: self._record(name) for name in self.documents}
        base = next(iter(records.values())).base_model
        try:
            engine = load(
                base.model_id, revision=base.revision, device=self.device, dtype=self.dtype
            )
        except HeadwiseError as error:
            raise ArtifactError(
                f"The reward's model {base.model_id!r} could not be loaded in this process: {error}"
            ) from error
        check_fingerprint(base, engine.fingerprint)
        models = {name: RewardModel.from_record(record, engine) for name, record in records.items()}
        if self.weights is None:
            return next(iter(models.values()))
        return Rewards(models, self.weights)

    def _record(self, name: str) -> ArtifactRecord:
        import safetensors.torch

        tensors = safetensors.torch.load(self.tensors[name])
        return ArtifactRecord.from_json(json.loads(self.documents[name]), tensors)


def _packed(record: ArtifactRecord) -> bytes:
    import safetensors.torch

    return safetensors.torch.save(
        {name: t.detach().cpu().contiguous().clone() for name, t in record.tensors.items()}
    )


def _require_loadable(engine: Engine) -> str:
    """Checks that `headwise.load` finds an engine's model again; the device it is on.

    Raises:
        HeadwiseError: It would not.
    """
    from headwise.engines.load import SHIPPED
    from headwise.engines.transformers import TransformersEngine

    if not isinstance(engine, TransformersEngine):
        raise HeadwiseError(
            f"This reward can't be pickled: it runs on a {type(engine).__name__}, which another "
            f"process can't load. {_WAY_OUT}"
        )
    name, revision = engine.fingerprint.model_id, engine.fingerprint.revision
    is_folder = (Path(name).expanduser() / "config.json").is_file()
    if name not in SHIPPED and not is_folder and revision is None and name.count("/") != 1:
        raise HeadwiseError(
            f"This reward can't be pickled: its model is called {name!r}, which is neither a "
            f"folder, nor on the Hub, nor one that ships with headwise, so another process can't "
            f"load it. {_WAY_OUT}"
        )
    if getattr(engine.model, "is_quantized", False):
        raise HeadwiseError(
            f"This reward can't be pickled: its model was quantized when it was loaded. {_WAY_OUT}"
        )
    return str(engine.model.device)
