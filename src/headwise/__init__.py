"""Few-shot classifiers, reward models and task vectors from the heads of a frozen language model.

The public names are loaded when first used, so that importing headwise is instant and loads no
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwise.client import AsyncClient, Client
    from headwise.content import Image
    from headwise.engines.base import Engine, Sampling
    from headwise.engines.load import load
    from headwise.engines.openai import OpenAIEngine
    from headwise.engines.transformers import TransformersEngine
    from headwise.errors import HeadwiseError
    from headwise.examples import Example, Judgement, Preference
    from headwise.graphs import SceneGraph, read_scene_graph
    from headwise.heads import HeadActivations, HeadIndex, HeadSet, Steering
    from headwise.methods.activation_reward import ActivationRewardModel
    from headwise.methods.compositional import CompositionalChainOfThought
    from headwise.methods.load import from_pretrained
    from headwise.methods.reward_model import RewardModel
    from headwise.methods.rewards import Rewards
    from headwise.methods.sparse_attention_classifier import SparseAttentionClassifier
    from headwise.methods.sparse_attention_vectors import SparseAttentionVectors
    from headwise.methods.task_vector import TaskVector
    from headwise.methods.task_vectors import TaskVectors
    from headwise.prompts.conversation import Conversation, Message
    from headwise.readers import read_examples, read_judgements, read_preferences
    from headwise.selection.attribution import Attribution
    from headwise.selection.descent import MaskDescent
    from headwise.selection.reinforce import Reinforce

__version__ = "0.1.0"

_HOME = {
    "ActivationRewardModel": "headwise.methods.activation_reward",
    "AsyncClient": "headwise.client",
    "Attribution": "headwise.selection.attribution",
    "Client": "headwise.client",
    "CompositionalChainOfThought": "headwise.methods.compositional",
    "Conversation": "headwise.prompts.conversation",
    "Engine": "headwise.engines.base",
    "Example": "headwise.examples",
    "HeadActivations": "headwise.heads",
    "HeadIndex": "headwise.heads",
    "HeadSet": "headwise.heads",
    "HeadwiseError": "headwise.errors",
    "Image": "headwise.content",
    "Judgement": "headwise.examples",
    "MaskDescent": "headwise.selection.descent",
    "Message": "headwise.prompts.conversation",
    "OpenAIEngine": "headwise.engines.openai",
    "Preference": "headwise.examples",
    "Reinforce": "headwise.selection.reinforce",
    "RewardModel": "headwise.methods.reward_model",
    "Rewards": "headwise.methods.rewards",
    "Sampling": "headwise.engines.base",
    "SceneGraph": "headwise.graphs",
    "SparseAttentionClassifier": "headwise.methods.sparse_attention_classifier",
    "SparseAttentionVectors": "headwise.methods.sparse_attention_vectors",
    "Steering": "headwise.heads",
    "TaskVector": "headwise.methods.task_vector",
    "TaskVectors": "headwise.methods.task_vectors",
    "TransformersEngine": "headwise.engines.transformers",
    "from_pretrained": "headwise.methods.load",
    "load": "headwise.engines.load",
    "read_examples": "headwise.readers",
    "read_judgements": "headwise.readers",
    "read_preferences": "headwise.readers",
    "read_scene_graph": "headwise.graphs",
}

__all__ = [
    "ActivationRewardModel",
    "AsyncClient",
    "Attribution",
    "Client",
    "CompositionalChainOfThought",
    "Conversation",
    "Engine",
    "Example",
    "HeadActivations",
    "HeadIndex",
    "HeadSet",
    "HeadwiseError",
    "Image",
    "Judgement",
    "MaskDescent",
    "Message",
    "OpenAIEngine",
    "Preference",
    "Reinforce",
    "RewardModel",
    "Rewards",
    "Sampling",
    "SceneGraph",
    "SparseAttentionClassifier",
    "SparseAttentionVectors",
    "Steering",
    "TaskVector",
    "TaskVectors",
    "TransformersEngine",
    "__version__",
    "from_pretrained",
    "load",
    "read_examples",
    "read_judgements",
    "read_preferences",
    "read_scene_graph",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'headwise' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
