"""What `headwise audit` audits: an artifact, a method by its name, or a server."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from headwise.addresses import without_secrets
from headwise.cli.models import ModelChoice, load_engine, load_engine_of
from headwise.errors import InputError

if TYPE_CHECKING:
    from headwise.evaluation.audit import Subject


@dataclass(frozen=True, slots=True)
class SubjectChoice:
    """What to audit, as the options say; one of the first three is given.

    Args:
        artifact: A folder or Hub id of a fitted reward model, or a folder of `Rewards`.
        method: The name of a method to fit here.
        url: The address of a reward server.
        criterion: What a good response does, for a method.
        url_form: What the server speaks.
        url_model: The model's name, where the server wants it.
        key_variable: The environment variable with the server's key.
        seed: Seed of a method.

    Raises:
        InputError: None or several are given, or an option that only another one takes.
    """

    artifact: str | None
    method: str | None
    url: str | None
    criterion: str | None
    url_form: Literal["headwise", "openrlhf", "vllm-classify", "vllm-score"] | None
    url_model: str | None
    key_variable: str | None
    seed: int

    def __post_init__(self) -> None:
        given = [one for one in (self.artifact, self.method, self.url) if one is not None]
        if len(given) != 1:
            raise InputError(
                "Say what to audit, and one thing only: a fitted reward model (headwise audit "
                "DIR), a method (--method NAME), or a reward server (--url URL); got "
                f"{len(given)} of them."
            )
        if self.criterion is not None and self.method is None:
            raise InputError("--criterion is for --method; what else is audited has its own.")
        of_servers = (self.url_form, self.url_model, self.key_variable)
        if self.url is None and any(one is not None for one in of_servers):
            raise InputError("--url-form, --url-model and --key-variable are for --url.")

    @property
    def fits(self) -> bool:
        """Whether a method is fitted here that makes anything of the pairs.

        Raises:
            InputError: There is no method of that name.
        """
        from headwise.baselines.named_rewards import NAMED_REWARDS

        if self.method is None:
            return False
        if self.method not in NAMED_REWARDS:
            raise InputError(
                f"There is no reward method {self.method!r}; there are {', '.join(NAMED_REWARDS)}."
            )
        return NAMED_REWARDS[self.method].learns

    def load(self, choice: ModelChoice, *, quiet: bool) -> Subject:
        """Makes it ready.

        Args:
            choice: The language model it runs on, where it runs here.
            quiet: Whether to show no progress.

        Returns:
            The subject.

        Raises:
            InputError: The artifact is no reward model, or there is no method of that name.
            HeadwiseError: Something could not be loaded.
        """
        if self.url is not None:
            return self._server(self.url, choice)
        if self.method is not None:
            return self._method(self.method, choice, quiet)
        return self._artifact(str(self.artifact), choice, quiet)

    def _artifact(self, artifact: str, choice: ModelChoice, quiet: bool) -> Subject:
        from headwise.evaluation.audit import FittedSubject
        from headwise.methods.load import read_saved, reward_of
        from headwise.methods.reward_model import RewardModel
        from headwise.methods.rewards_folder import RewardsRecord

        record = read_saved(artifact)
        if not isinstance(record, RewardsRecord) and record.method != RewardModel.method:
            raise InputError(
                f"{artifact} is no reward model: it was made by '{record.method}'. Audits are of "
                "reward models; fit one with: headwise fit reward"
            )
        engine = load_engine_of(record, choice, quiet=quiet)
        model = reward_of(record, engine.as_engine)
        identity = f"{record.content_hash} {choice.dtype}"
        return FittedSubject(f"{artifact} (on {record.base_model.model_id})", model, identity)

    def _method(self, name: str, choice: ModelChoice, quiet: bool) -> Subject:
        from headwise.baselines.named_rewards import named_reward
        from headwise.evaluation.audit import FittedSubject, MethodSubject

        method = named_reward(name, self.criterion or "The answer is correct.", self.seed)
        engine = load_engine(choice, quiet=quiet).as_engine
        told = json.dumps([self.criterion, asdict(engine.fingerprint)], sort_keys=True)
        title = f"{name} (on {engine.fingerprint.model_id})"
        if not self.fits:
            return FittedSubject(title, method.fit(engine, ()), told)
        return MethodSubject(title, method, engine, told)

    def _server(self, url: str, choice: ModelChoice) -> Subject:
        from headwise.baselines.http_rewards import HTTPReward
        from headwise.evaluation.audit import FittedSubject

        if choice != ModelChoice(None, None, None, None):
            raise InputError("--model, --revision, --dtype and --device are not for a --url.")
        form = self.url_form or "headwise"
        method = HTTPReward(url, form, model=self.url_model, api_key_variable=self.key_variable)
        return FittedSubject(without_secrets(url), method.fit(), f"{form} {self.url_model}")
