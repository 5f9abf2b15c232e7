"""A client of `headwise serve`: the same answers as in this process, from another machine."""

from __future__ import annotations

from headwise.client.answers import (
    ClassProbabilities,
    GeneratedTexts,
    ItemError,
    RankedDocument,
    RemoteRewards,
    ServedModel,
)
from headwise.client.blocking import Client
from headwise.client.concurrent import AsyncClient
from headwise.client.connection import Address
from headwise.client.reward_function import RemoteReward

__all__ = [
    "Address",
    "AsyncClient",
    "ClassProbabilities",
    "Client",
    "GeneratedTexts",
    "ItemError",
    "RankedDocument",
    "RemoteReward",
    "RemoteRewards",
    "ServedModel",
]
