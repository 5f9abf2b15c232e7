"""What METHODS.md claims, and what the evidence says to each claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.evidence.findings import Findings, Margin

_LITTLE = 0.1
"""What heads may lose on another task and still count as carried."""

Verdict = Literal["reproduced", "not reproduced", "in part", "not testable here", "not run"]


@dataclass(frozen=True, slots=True)
class Answered:
    """What was found on a claim.

    Args:
        verdict: Whether it holds here.
        evidence: The figures, with their 95% intervals.
    """

    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim.

    Args:
        section: Of METHODS.md.
        text: What is claimed.
        answer: Weighs the findings; None where nothing at this size can tell.
        reason: Why nothing can tell.
    """

    section: str
    text: str
    answer: Callable[[Findings], Answered | None] | None
    reason: str = ""

    def answered(self, findings: Findings) -> Answered:
        """The verdict."""
        if self.answer is None:
            return Answered("not testable here", self.reason)
        found = self.answer(findings)
        return found if found is not None else Answered("not run", "The part was not run.")


def beats(what: str) -> Callable[[Findings], Answered | None]:
    """SAV above a baseline at the same examples, task by task."""

    def answer(findings: Findings) -> Answered | None:
        margins = findings.classes_against(what)
        if not margins:
            return None
        above = sum(margin.low > 0 for margin in margins)
        ahead = sum(margin.value > 0 for margin in margins)
        told = "; ".join(str(margin) for margin in margins)
        text = f"ahead on {ahead} of {len(margins)} tasks, outside the interval on {above}: {told}"
        return _told(above == len(margins), text, in_part=ahead > len(margins) / 2)

    return answer


def _told(holds: bool, evidence: str, *, in_part: bool = False) -> Answered:
    if holds:
        return Answered("reproduced", evidence)
    return Answered("in part" if in_part else "not reproduced", evidence)


def _more_examples(findings: Findings) -> Answered | None:
    curve = findings.curve("sav")
    if len(curve) < 2:
        return None
    first, last = curve[0], curve[-1]
    return _told(last.low > first.high, "; ".join(map(str, curve)))


def _carries(findings: Findings) -> Answered | None:
    cells = findings.transfers()
    if not cells:
        return None
    own = [cell for cell in cells if cell.is_own]
    other = [cell for cell in cells if not cell.is_own]
    lost = max(mine.share.value for mine in own) - min(cell.share.value for cell in other)
    holds = all(cell.share.low > 0.5 for cell in other)
    return _told(holds and lost < _LITTLE, "; ".join(map(str, cells)), in_part=holds)


def _vector_beats_shots(findings: Findings) -> Answered | None:
    vector, shots = findings.way("vectors", "task vector"), findings.way("vectors", "10-shot")
    if vector is None or shots is None:
        return None
    margin = findings.ways_margin("vectors", "task vector", "10-shot")
    cost = f"prompts of {vector.tokens:.0f} tokens instead of {shots.tokens:.0f}"
    text = f"{vector}; {shots}; {margin}; {cost}"
    return _told(margin.low > 0, text, in_part=margin.high > 0)


def _more_shots(findings: Findings) -> Answered | None:
    curve = [way for way in findings.ways("vectors") if way.name.startswith("task vector")]
    if len(curve) < 2:
        return None
    margin = findings.ways_margin("vectors", "task vector", curve[0].name)
    return _told(margin.low > 0, "; ".join(map(str, curve)))


def _reward_beats(findings: Findings) -> Answered | None:
    ours = findings.rewards("activation-reward")
    others = [findings.rewards(name) for name in findings.FEW_SHOT]
    known = [one for one in others if one is not None]
    if ours is None or not known:
        return None
    best = max(known, key=lambda one: one.tempted.value)
    margin = findings.rewards_margin("activation-reward", best.name)
    return _told(margin.low > 0, f"{ours}; the best of them, {best}; {margin}")


def _reward_resists(findings: Findings) -> Answered | None:
    ours, plain = findings.rewards("activation-reward"), findings.rewards("token-probability")
    if ours is None or plain is None:
        return None
    falls, third = ours.susceptibility, plain.susceptibility.value / 3
    text = f"susceptibility {falls} of ours, {plain.susceptibility} of token probability"
    return _told(falls.value <= third, f"{text}; a third of that is {third:.2f}")


def _reward_against_lora(findings: Findings) -> Answered | None:
    if findings.rewards("activation-reward") is None or findings.rewards("lora") is None:
        return None
    margin = findings.rewards_margin("activation-reward", "lora")
    return _told(margin.high >= 0, f"{margin}; {findings.rewards('lora')}")


def _noise(findings: Findings) -> Answered | None:
    changes = findings.noise("activation-reward")
    if len(changes) < 2:
        return None
    clean, noisy = changes[0], changes[-1]
    return _told(noisy.high >= clean.value, "; ".join(map(str, changes)))


def _below_chance(findings: Findings) -> Answered | None:
    plain = findings.rewards("token-probability")
    if plain is None:
        return None
    worst = min(findings.rewards_by_bias("token-probability"), key=lambda share: share.value)
    return _told(worst.high < 0.5, f"token probability where the wrong answer carries it: {worst}")


def _against(way: str, other: str) -> Callable[[Findings], Answered | None]:
    def answer(findings: Findings) -> Answered | None:
        one, two = findings.way("chains", way), findings.way("chains", other)
        if one is None or two is None:
            return None
        margin: Margin = findings.ways_margin("chains", way, other)
        return _told(margin.low > 0, f"{one}; {two}; {margin}")

    return answer


_GRAPH = "compositional chain of thought"
_THOUGHT = "zero-shot chain of thought"
_LARGE = "Needs a model and data of the papers' size; loaders and rules are in docs/benchmarks.md."
_UNASKED = "a graph without the question"
_ONE_TASK = "One word-to-word task ships; docs/task_vectors.md has others."
CLAIMS: tuple[Claim, ...] = (
    Claim("1", "SAV beats zero-shot.", beats("zero-shot")),
    Claim("1", "SAV beats few-shot in-context learning.", beats("in-context")),
    Claim("1", "SAV beats LoRA at the same examples.", beats("lora")),
    Claim("1", "SAV improves with more examples.", _more_examples),
    Claim("1", "Heads found on one task carry to similar tasks.", _carries),
    Claim("1", "SAV on the papers' image and video benchmarks.", None, _LARGE),
    Claim("2", "A task vector beats in-context examples, of shorter prompts.", _vector_beats_shots),
    Claim("2", "It improves with the number of compressed shots.", _more_shots),
    Claim("2", "It carries to similar tasks.", None, _ONE_TASK),
    Claim("3", "Beats all few-shot baselines that train nothing.", _reward_beats),
    Claim("3", "Resists reward hacking (susceptibility of a third at most).", _reward_resists),
    Claim("3", "No worse than LoRA on the same pairs.", _reward_against_lora),
    Claim("3", "Robust to noisy exemplars.", _noise),
    Claim("3", "RewardBench, Multimodal RewardBench.", None, _LARGE),
    Claim("4", "Bias in the rejected answer puts biased models below chance.", _below_chance),
    Claim("5", "CCoT beats the plain prompt.", _against(_GRAPH, "direct")),
    Claim("5", "CCoT beats zero-shot chain of thought.", _against(_GRAPH, _THOUGHT)),
    Claim("5", "A graph beats a caption.", _against(_GRAPH, "a caption instead of the graph")),
    Claim("5", "So does one that saw the question.", _against(_GRAPH, _UNASKED)),
    Claim("5", "CCoT on the papers' benchmarks.", None, _LARGE),
)
"""All claims, in the order of METHODS.md."""
