"""What METHODS.md claims, and what the evidence says to each claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.evidence.findings import Findings, Margin, Share

NO_WORSE = 0.05
"""How much worse something may be, in accuracy, and still count as no worse."""
CARRIED = 0.1
"""What heads of another task may lose against a task's own and still count as carried."""

Verdict = Literal[
    "reproduced", "in part", "undecided", "not reproduced", "not testable here", "not run"
]
RULE = f"""**Reproduced**: the whole interval of the difference is above zero; of what is claimed to
be no worse, above -{NO_WORSE:.2f}, and of heads that carry, above -{CARRIED:.2f}. **Not
reproduced**: the whole interval is below zero. **Undecided**: neither, so that these items cannot
tell. Of several comparisons (tasks, baselines, biases) all must be reproduced, and a claim holds
**in part** where some are; they are not corrected for their number.
"""


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


def shown(margin: Share, allowed: float = 0.0) -> Verdict:
    """The verdict on a difference.

    Args:
        margin: What is claimed to be better, less the other; with its interval.
        allowed: How much worse it may be, where it is only claimed to be no worse.
    """
    if margin.low > -allowed:
        return "reproduced"
    return "not reproduced" if margin.high < 0 else "undecided"


def of_all(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a claim that several comparisons bear on."""
    found = set(verdicts)
    if len(found) == 1:
        return found.pop()
    if "reproduced" in found:
        return "in part"
    return "not reproduced" if "not reproduced" in found else "undecided"


def beats(what: str) -> Callable[[Findings], Answered | None]:
    """SAV above a baseline at the same examples, task by task."""

    def answer(findings: Findings) -> Answered | None:
        margins = findings.classes_against(what)
        return _on_all(margins, "tasks") if margins else None

    return answer


def _on_all(margins: Sequence[Margin], what: str) -> Answered:
    verdicts = [shown(margin) for margin in margins]
    above, below = (verdicts.count(one) for one in ("reproduced", "not reproduced"))
    told = f"of {len(margins)} {what}, better on {above} and worse on {below}, interval and all: "
    return Answered(of_all(verdicts), told + "; ".join(map(str, margins)))


def _more_examples(findings: Findings) -> Answered | None:
    margin = findings.curve_margin("sav")
    if margin is None:
        return None
    return Answered(shown(margin), f"{margin}; {'; '.join(map(str, findings.curve('sav')))}")


def _carries(findings: Findings) -> Answered | None:
    cells = findings.transfers()
    verdicts, told = [], [*map(str, cells)]
    for cell in cells:
        margin = None if cell.is_own else findings.transfer_margin(cell)
        if margin is not None:
            # Heads that know nothing of the task lose nothing either, where its own know nothing.
            knows = cell.share.low > cell.chance
            verdicts.append(shown(margin, CARRIED) if knows else "undecided")
            told.append(f"{margin} (chance {cell.chance:.2f})")
    return Answered(of_all(verdicts), "; ".join(told)) if verdicts else None


def _vector_beats_shots(findings: Findings) -> Answered | None:
    vector, shots = findings.way("vectors", "task vector"), findings.way("vectors", "10-shot")
    if vector is None or shots is None:
        return None
    margin = findings.ways_margin("vectors", "task vector", "10-shot")
    cost = f"prompts of {vector.tokens:.0f} tokens instead of {shots.tokens:.0f}"
    shorter: Verdict = "reproduced" if vector.tokens < shots.tokens else "not reproduced"
    better = shown(margin)
    # Short prompts alone are no feat: the claim is of both.
    verdict = better if better != "reproduced" else of_all([better, shorter])
    return Answered(verdict, f"{vector}; {shots}; {margin}; {cost}")


def _more_shots(findings: Findings) -> Answered | None:
    curve = [way for way in findings.ways("vectors") if way.name.startswith("task vector of")]
    everything = findings.way("vectors", "task vector")
    if not curve or everything is None:
        return None
    margin = findings.ways_margin("vectors", "task vector", curve[0].name)
    return Answered(shown(margin), f"{margin}; {'; '.join(map(str, [*curve, everything]))}")


def _reward_beats(findings: Findings) -> Answered | None:
    ours = findings.rewards("activation-reward")
    others = [name for name in findings.FEW_SHOT if findings.rewards(name) is not None]
    if ours is None or not others:
        return None
    # Each of them: the best one is chosen on these very questions.
    margins = [findings.rewards_margin("activation-reward", name) for name in others]
    found = _on_all(margins, "baselines")
    return Answered(found.verdict, f"where the wrong answer is biased: {ours}; {found.evidence}")


def _reward_resists(findings: Findings) -> Answered | None:
    ours, plain = findings.rewards("activation-reward"), findings.rewards("token-probability")
    if ours is None or plain is None:
        return None
    margin = findings.resistance("activation-reward", "token-probability", 1 / 3)
    # Where nothing falls for anything there is nothing to resist.
    falls = plain.susceptibility.low > 0
    text = f"susceptibility {ours.susceptibility}; {plain.susceptibility}; {margin}"
    return Answered(shown(margin) if falls else "undecided", text)


def _reward_against_lora(findings: Findings) -> Answered | None:
    if findings.rewards("activation-reward") is None or findings.rewards("lora") is None:
        return None
    margin = findings.rewards_margin("activation-reward", "lora")
    return Answered(shown(margin, NO_WORSE), f"{margin}; {findings.rewards('lora')}")


def _noise(findings: Findings) -> Answered | None:
    margin = findings.noise_margin("activation-reward")
    if margin is None:
        return None
    changes = "; ".join(map(str, findings.noise("activation-reward")))
    return Answered(shown(margin, NO_WORSE), f"{margin}; {changes}")


def _below_chance(findings: Findings) -> Answered | None:
    shares = findings.rewards_by_bias("token-probability")
    if not shares:
        return None
    verdicts = [
        shown(Margin(one.name, 0.5 - one.value, 0.5 - one.high, 0.5 - one.low)) for one in shares
    ]
    told = f"token probability, below chance with {verdicts.count('reproduced')} of {len(shares)}"
    return Answered(of_all(verdicts), f"{told} biases: {'; '.join(map(str, shares))}")


def _seeing(answer: Callable[[Findings], Answered | None]) -> Callable[[Findings], Answered | None]:
    """The same of questions about drawn scenes."""
    return lambda findings: answer(findings.seeing)


def _against(way: str, other: str) -> Callable[[Findings], Answered | None]:
    def answer(findings: Findings) -> Answered | None:
        one, two = findings.way("chains", way), findings.way("chains", other)
        if one is None or two is None:
            return None
        margin = findings.ways_margin("chains", way, other)
        return Answered(shown(margin), f"{one}; {two}; {margin}")

    return answer


_GRAPH = "compositional chain of thought"
_THOUGHT = "zero-shot chain of thought"
_LARGE = "Needs a model and data of the papers' size; loaders and rules are in docs/benchmarks.md."
_UNASKED = "a graph without the question"
_ONE_TASK = "One word-to-word task ships; docs/task_vectors.md has others."
CLAIMS: tuple[Claim, ...] = (
    Claim("1", "SAV beats zero-shot.", beats("zero-shot")),
    Claim("1", "SAV beats zero-shot, calibrated.", beats("zero-shot-calibrated")),
    Claim("1", "SAV beats few-shot in-context learning.", beats("in-context")),
    Claim("1", "SAV beats in-context learning, calibrated.", beats("in-context-calibrated")),
    Claim("1", "SAV beats LoRA at the same examples.", beats("lora")),
    Claim("1", "SAV improves with more examples.", _more_examples),
    Claim("1", "Heads found on one task carry to similar tasks.", _carries),
    Claim("1", "SAV on the papers' image and video benchmarks.", None, _LARGE),
    Claim("2", "A task vector beats in-context examples, of shorter prompts.", _vector_beats_shots),
    Claim("2", "It improves with the number of compressed shots.", _more_shots),
    Claim("2", "It carries to similar tasks.", None, _ONE_TASK),
    Claim("3", "Beats all few-shot baselines that train nothing.", _reward_beats),
    Claim("3", "Resists reward hacking (susceptibility of a third at most).", _reward_resists),
    Claim("3", "Beats few-shot baselines that train nothing, on pictures.", _seeing(_reward_beats)),
    Claim("3", "Resists reward hacking, on pictures.", _seeing(_reward_resists)),
    Claim("3", "No worse than LoRA on the same pairs.", _reward_against_lora),
    Claim("3", "Robust to noisy exemplars.", _noise),
    Claim("3", "RewardBench, Multimodal RewardBench.", None, _LARGE),
    Claim("4", "Bias in the rejected answer puts biased models below chance.", _below_chance),
    Claim("4", "Bias puts biased models below chance, on pictures.", _seeing(_below_chance)),
    Claim("5", "CCoT beats the plain prompt.", _against(_GRAPH, "direct")),
    Claim("5", "CCoT beats zero-shot chain of thought.", _against(_GRAPH, _THOUGHT)),
    Claim("5", "A graph beats a caption.", _against(_GRAPH, "a caption instead of the graph")),
    Claim("5", "So does one that saw the question.", _against(_GRAPH, _UNASKED)),
    Claim("5", "CCoT on the papers' benchmarks.", None, _LARGE),
)
"""All claims, in the order of METHODS.md."""
