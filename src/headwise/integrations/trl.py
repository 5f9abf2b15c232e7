"""TRL: rewards as functions that `GRPOTrainer` and `RLOOTrainer` take as they are.

`reward.as_trl()` makes one; nothing here imports TRL, which only calls.
"""

from headwise.methods.reward_function import RewardFunction

__all__ = ["RewardFunction"]
