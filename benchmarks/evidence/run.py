"""Runs the evidence, part by part; every part goes on where it was stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.evidence.tasks import TASKS, ShippedTask, fact_orders, message_orders
from headwise.baselines.lora import LoraBaseline
from headwise.baselines.lora_reward import LoraRewardModel
from headwise.baselines.lora_training import LoraTraining
from headwise.baselines.named_rewards import named_reward
from headwise.engines.base import Engine
from headwise.evaluation.audit import (
    AuditBias,
    AuditPlan,
    AuditRows,
    AuditSettings,
    MethodSubject,
    fact_rows,
    run_audit,
    scene_rows,
)
from headwise.evaluation.contenders import Contender
from headwise.evaluation.items import Item
from headwise.evaluation.named import contenders
from headwise.evaluation.plan import FitOn, Plan
from headwise.evaluation.runner import run
from headwise.methods.contracts import ClassifierMethod, RewardMethod

# Two to three times as fast as float32 where the processor has matrix units for it.
DTYPE = "bfloat16"
CRITERION = "The answer is correct."
CLASSIFIERS = (
    *("sav", "sav-paper", "zero-shot", "zero-shot-calibrated", "in-context"),
    *("in-context-calibrated", "nearest-neighbour", "probe"),
)
REWARDS = (
    "activation-reward",
    "token-probability",
    "token-probability-few-shot",
    "judge-few-shot",
    "pairwise-judge-few-shot",
    "lora",
    "probe",
)
BIASES: tuple[AuditBias, ...] = (
    "length",
    "formatting",
    "flattery",
    "confidence",
    "sycophancy",
    "authority",
    "keywords",
)
SEEING_REWARDS = ("activation-reward", "token-probability", "token-probability-few-shot")
SEEING_BIASES: tuple[AuditBias, ...] = ("length", "flattery", "authority")
# The default of 20 epochs and 4 of patience takes three times as long; of eight epochs, tried by
# hand, the fifth and the sixth had the lowest held-out loss.
LORA = LoraTraining(epochs=6, patience=2)


@dataclass(frozen=True)
class Evidence:
    """What all parts share.

    Args:
        folder: Where results are kept.
        seeds: The seeds.
        items: Test items of each task.
        pairs: Test questions of each bias.
    """

    folder: Path
    seeds: tuple[int, ...]
    items: int
    pairs: int

    def classes(self, engine: Engine, names: Sequence[str], shots: int = 10) -> None:
        """Classifiers beside their baselines on tasks that ship."""
        for name in names:
            task = TASKS[name]
            self._bench(engine, f"classes-{name}", task, task.make(), CLASSIFIERS, (shots,))

    def lora(self, engine: Engine, names: Sequence[str], shots: int = 10) -> None:
        """Fine-tuning on the same examples, apart: it takes longer than all others together."""
        for name in names:
            task = TASKS[name]
            self._bench(engine, f"lora-{name}", task, task.make(), ("lora",), (shots,))

    def curve(self, engine: Engine) -> None:
        """More examples a class."""
        task = TASKS["topics"]
        chosen = ("sav", "sav-paper", "probe")
        self._bench(engine, "curve-topics", task, task.make(), chosen, (1, 2, 5, 10, 20))

    def transfer(self, engine: Engine) -> None:
        """Heads found on one task, used on a like one."""
        both = [*message_orders(), *fact_orders()]
        task = ShippedTask("orders", "order of words, two kinds of sentence", lambda: both)
        self._bench(engine, "transfer", task, both, ("sav",), (10,), fit_on="transfer")

    def rewards(self, engine: Engine) -> None:
        """Reward methods under the audit's biases."""
        for seed in self.seeds:
            for name in REWARDS:
                self._audit(
                    engine,
                    name,
                    seed,
                    AuditSettings(biases=BIASES, strengths=(2,), items=self.pairs, seed=seed),
                )

    def seeing_rewards(self, engine: Engine) -> None:
        """The same on questions about drawn scenes."""
        for seed in self.seeds:
            settings = AuditSettings(SEEING_BIASES, (2,), self.pairs, seed)
            rows = scene_rows(settings.items + settings.shots, 0, seed=seed)
            for name in SEEING_REWARDS:
                self._audit(engine, name, seed, settings, kind="seeing", rows=rows)

    def noise(self, engine: Engine) -> None:
        """Pairs that punish a bias, and what mislabelled ones do."""
        for seed in self.seeds[:3]:
            for name in ("activation-reward", "probe"):
                self._audit(
                    engine,
                    name,
                    seed,
                    AuditSettings(
                        biases=("length", "flattery"),
                        strengths=(2,),
                        items=self.pairs,
                        seed=seed,
                        few_shot=(0, 16),
                        noise=(0.0, 0.25),
                    ),
                    kind="noise",
                )

    def _bench(
        self,
        engine: Engine,
        name: str,
        task: ShippedTask,
        items: Sequence[Item],
        methods: Sequence[str],
        shots: Sequence[int],
        fit_on: FitOn = "all",
    ) -> None:
        target = self.folder / f"{name}.json"
        if target.is_file():
            return
        print(f"== {name}", file=sys.stderr, flush=True)
        named = [_quick(one) for one in contenders(methods, "classes", items)]
        plan = Plan.of(
            task,
            items,
            named,
            shots=shots,
            seeds=self.seeds,
            fit_on=fit_on,
            limit=self.items,
        )
        result = run(
            plan,
            engine,
            self.folder / f"{name}.jsonl",
            command=("python", "-m", "benchmarks.evidence"),
            progress=True,
        )
        result.write(target)

    def _audit(
        self,
        engine: Engine,
        name: str,
        seed: int,
        settings: AuditSettings,
        kind: str = "audit",
        rows: AuditRows | None = None,
    ) -> None:
        target = self.folder / f"{kind}-{name}-{seed}.json"
        if target.is_file():
            return
        print(f"== {kind} {name} seed {seed}", file=sys.stderr, flush=True)
        method: RewardMethod = named_reward(name, CRITERION, seed)
        if name == "lora":
            method = LoraRewardModel(CRITERION, LORA, seed=seed)
        subject = MethodSubject(name, method, engine)
        plan = AuditPlan(rows or fact_rows(), settings, fits=True)
        report = run_audit(subject, plan, self.folder / f"{kind}-{name}-{seed}", progress=True)
        target.write_text(report.to_json(), encoding="utf-8")


def _quick(contender: Contender) -> Contender:
    """LoRA with the time that there is; everything else as it is."""
    if contender.name != "lora":
        return contender

    def make(seed: int) -> ClassifierMethod:
        return LoraBaseline(replace(LORA, seed=seed))

    return replace(contender, make=make, settings={"epochs": LORA.epochs})
