"""The check of the first review question: the lottery ticket hypothesis as a test (lesson 08).

An answer that is wrong is set beside the usual misreadings, so that the one that it fits can be named.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from operator import ge, gt, le, lt

import torch
from torch import Tensor, nn

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.attempts import Attempt, Trial, made_trials
from ltcourse.classroom.checks.digits import digits, judged, reader_of_digits, steps, training_on_digits
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.display.tables import percent
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.pruning.restarts import State

Hypothesis = Callable[[Attempt, list[Attempt], float], bool]


def supports(function: Hypothesis) -> Verdict:
    """Check question 1 of lesson 08: (dense, subnetworks, small) → whether one of them is a winning ticket."""

    def findings() -> Iterator[Finding]:
        for trials in (made_trials, _real_trials):
            for trial in trials():
                yours = verdict.ask(function, *trial.given())
                expected = _Reading().says(trial)
                wrong = ""
                if (answer := verdict.truth(yours)) is None:
                    wrong = f"the result is True or False, and this is {type(yours).__name__}"
                elif answer is not expected:
                    wrong = _told(trial, expected) + _misread(function)
                yield Finding(trial.case, f"{yours}"[:80], f"{expected}", wrong)

    return verdict.judge("exercise 1, the hypothesis as a test", findings())


def small_lottery(seed: int = 0) -> tuple[Attempt, dict[str, Attempt]]:
    """Train a small network that reads digits, and subnetworks of it: return the dense one, and the others by name.

    seed: of the weights that are drawn. Its images are averaged to 7 × 7 pixels.
    Lesson 08, "Question 1".
    """
    network = reader_of_digits(seed)
    initial = snapshot(network)
    train = training_on_digits()
    mask = whole = masks.dense(network)
    for _ in range(6):
        network.load_state_dict(initial)
        train(network, mask)
        mask = criteria.magnitude(masks.prunable(network), mask, 0.2)
    anew = snapshot(reader_of_digits(seed + 100))

    def attempt(mask: Mask, initial: State, order: int = 0) -> Attempt:
        begun = {name: w * mask[name] for name, w in initial.items()}
        network.load_state_dict(begun)
        return _trained_on_digits(network, mask, begun, order)

    dense = attempt(whole, initial)
    others = {
        "ticket": (mask, initial),
        "re-initialized": (mask, anew),
        "random": (masks.shuffle(mask, seed), initial),
    }
    return dense, {name: attempt(*what) for name, what in others.items()} | {
        "all weights, in another order of the images": attempt(whole, initial, order=1)
    }


# Question 1: the hypothesis


def _share(mask: Mask) -> float:
    return masks.density(mask)


def _mean_share(mask: Mask) -> float:
    return sum(float(m.double().mean()) for m in mask.values()) / len(mask)


def _biases(mask: Mask) -> int:
    return sum(len(m) for m in mask.values())


def _share_of(layer: int) -> Callable[[Mask], float]:
    return lambda mask: float(list(mask.values())[layer].double().mean())


def _rounded_share(digits: int) -> Callable[[Mask], float]:
    return lambda mask: round(_share(mask), digits)


def _share_with_biases(mask: Mask) -> float:
    return (masks.kept(mask) + _biases(mask)) / (sum(m.numel() for m in mask.values()) + _biases(mask))


def _share_of_parameters(mask: Mask) -> float:
    return masks.kept(mask) / (sum(m.numel() for m in mask.values()) + _biases(mask))


def _at_stop(attempt: Attempt) -> float:
    return attempt.test_accuracy[attempt.early_stop]


def _stop(attempt: Attempt) -> float:
    return attempt.iterations[attempt.early_stop]


def _late_stop(attempt: Attempt) -> float:
    return max(
        i
        for i, loss in zip(attempt.iterations, attempt.validation_loss, strict=True)
        if loss == min(attempt.validation_loss)
    )


def _best_iteration(attempt: Attempt) -> float:
    return attempt.iterations[attempt.test_accuracy.index(max(attempt.test_accuracy))]


def _pairs(attempt: Attempt, dense: Attempt) -> list[tuple[Tensor, Tensor]]:
    """The initial weights of each layer of an attempt, and those of the dense network under its mask."""
    return [(attempt.initial[name], dense.initial[name] * m) for name, m in attempt.mask.items()]


def _begins_from(attempt: Attempt, dense: Attempt) -> bool:
    return _begins_alike(torch.equal)(attempt, dense)


def _within(by: float, of: Callable[[Tensor], Tensor] = Tensor.positive) -> Callable[[Tensor, Tensor], bool]:
    return lambda a, b: bool(torch.isclose(of(a), of(b), atol=by).all())


def _begins_alike(
    alike: Callable[[Tensor, Tensor], bool], over: Callable[[list[bool]], bool] = all
) -> Callable[[Attempt, Attempt], bool]:
    return lambda attempt, dense: over([alike(a, b) for a, b in _pairs(attempt, dense)])


def winner(small: float = 0.5) -> str:
    """Return which attempt of `small_lottery` is a winning ticket, "none" if none is.

    small: the largest share of the weights that a ticket keeps.
    Lesson 08, "Question 1".
    """
    dense, tried = small_lottery()
    trial = Trial("", dense, tried, small)
    return next((name for name, sub in tried.items() if all(_Reading().row(sub, trial))), "none")


@dataclass(frozen=True)
class _Reading:
    """A way to read the hypothesis: the right one by default, with a classic mistake on request."""

    size: bool = True
    start: Callable[[Attempt, Attempt], bool] = _begins_from
    time: bool = True
    accuracy: bool = True
    share: Callable[[Mask], float] = _share
    when: Callable[[Attempt], float] = _stop
    reached: Callable[[Attempt], float] = _at_stop
    small_enough: Callable[[float, float], bool] = le
    no_slower: Callable[[float, float], bool] = le
    no_worse: Callable[[float, float], bool] = ge
    fixed: float | None = None
    over: Callable[[list[list[bool]]], bool] = lambda rows: any(map(all, rows))

    def row(self, sub: Attempt, trial: Trial) -> list[bool]:
        """Return which of the four conditions the subnetwork fulfills."""
        small = trial.small if self.fixed is None else self.fixed
        return [
            not self.size or self.small_enough(self.share(sub.mask), small),
            self.start(sub, trial.dense),
            not self.time or self.no_slower(self.when(sub), self.when(trial.dense)),
            not self.accuracy or self.no_worse(self.reached(sub), self.reached(trial.dense)),
        ]

    def says(self, trial: Trial) -> bool:
        """Tell whether the trial supports the hypothesis, read in this way."""
        return self.over([self.row(sub, trial) for sub in trial.subnetworks.values()])


def _at_least(a: float, b: float, less: float) -> bool:
    return a >= b - less


def _no_control(rows: list[list[bool]]) -> bool:
    """Whether there is a ticket, and no network of another start is as good."""
    return any(map(all, rows)) and not any(time and good for size, start, time, good in rows if size and not start)


_SUMMARIES: dict[str, Callable[[Tensor], Tensor]] = {
    "the signs": torch.sign,
    "the sums": torch.sum,
    "the magnitudes": torch.abs,
    "the norms": torch.norm,
    "the sorted values": lambda w: w.flatten().sort().values,
}
_MISREADINGS: dict[str, _Reading] = {
    "your test lets a subnetwork be slower: j′ ≤ j is a condition": _Reading(time=False),
    "your test lets a subnetwork be less accurate: a′ ≥ a is a condition": _Reading(accuracy=False),
    "your test lets a subnetwork be of any size: it must be far smaller": _Reading(size=False),
    "your test lets it begin from any weights: a ticket begins from the dense network's own, m ⊙ θ₀": _Reading(
        start=lambda attempt, dense: True
    ),
    **{
        f"your test compares the initial weights of {which} only: all layers begin from m ⊙ θ₀": _Reading(
            start=_begins_alike(torch.equal, over)
        )
        for which, over in {
            "the first layer": lambda rows: rows[0],
            "the last layer": lambda rows: rows[-1],
            "some layer": any,
        }.items()
    },
    **{
        f"your test compares {what} of the initial weights: compare the weights themselves": _Reading(
            start=_begins_alike(_within(1e-6, f))
        )
        for what, f in _SUMMARIES.items()
    },
    **{
        f"your test lets initial weights differ by {by}: they are the same, bit by bit": _Reading(
            start=_begins_alike(_within(by))
        )
        for by in (0.001, 0.01, 0.05, 0.1)
    },
    "your test wants it faster: at most as many includes equally many": _Reading(no_slower=lt),
    "your test wants it more accurate: at least the accuracy includes the same": _Reading(no_worse=gt),
    "your test wants less than `small`: “at most” includes exactly this share": _Reading(small_enough=lt),
    **{
        f"your test lets a subnetwork be less accurate by {by}: a′ ≥ a allows no difference": _Reading(
            no_worse=functools.partial(_at_least, less=by)
        )
        for by in (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
    },
    "your test reverses a′ ≥ a": _Reading(no_worse=le),
    "your test reverses j′ ≤ j": _Reading(no_slower=ge),
    "your test takes the mean of the layers' shares: count the weights of all layers together": _Reading(
        share=_mean_share
    ),
    **{
        f"your test takes the share of {which} layer alone: count the weights of all layers together": _Reading(
            share=share
        )
        for which, share in {
            "the first": _share_of(0),
            "the last": _share_of(-1),
            "the densest": lambda mask: max(_share_of(i)(mask) for i in range(len(mask))),
            "the sparsest": lambda mask: min(_share_of(i)(mask) for i in range(len(mask))),
        }.items()
    },
    "your test rounds the share: compare it as it is": _Reading(share=_rounded_share(2)),
    "your test rounds the share to whole tenths: compare it as it is": _Reading(share=_rounded_share(1)),
    "your test takes the share pruned: `small` is a share kept": _Reading(share=lambda mask: 1 - _share(mask)),
    "your test counts the biases too: they are no weights, and no mask has them": _Reading(share=_share_with_biases),
    "your test takes the share of all parameters, biases included: it is the share of all weights": _Reading(
        share=_share_of_parameters
    ),
    "your test compares the last accuracies: a and a′ are those at the smallest validation loss": _Reading(
        reached=lambda attempt: attempt.test_accuracy[-1]
    ),
    "your test compares the best test accuracies: that chooses on the test set; the validation loss says when": (
        _Reading(reached=lambda attempt: max(attempt.test_accuracy))
    ),
    "your test compares the ends of the runs: time and accuracy are those at the smallest validation loss": _Reading(
        when=lambda attempt: attempt.iterations[-1], reached=lambda attempt: attempt.test_accuracy[-1]
    ),
    "your test is content with speed or accuracy: both are conditions": _Reading(
        over=lambda rows: any(size and start and (time or good) for size, start, time, good in rows)
    ),
    "your test compares how long the runs went on: j is where the validation loss is smallest": _Reading(
        when=lambda attempt: attempt.iterations[-1]
    ),
    "your test compares positions in the lists: evaluations can be at other iterations": _Reading(
        when=lambda attempt: attempt.early_stop
    ),
    "among equally small losses your test takes the last: the first one counts": _Reading(when=_late_stop),
    "your test stops at the best test accuracy: that chooses on the test set; the validation loss says when": (
        _Reading(when=_best_iteration, reached=lambda attempt: max(attempt.test_accuracy))
    ),
    "your test requires every subnetwork to be a ticket: the hypothesis says that there *is* one": _Reading(
        over=lambda rows: all(map(all, rows))
    ),
    "your test looks at the first subnetwork only": _Reading(over=lambda rows: bool(rows) and all(rows[0])),
    "your test looks at the last subnetwork only": _Reading(over=lambda rows: bool(rows) and all(rows[-1])),
    "your test lets different subnetworks fulfill different conditions: one must fulfill them all": _Reading(
        over=lambda rows: all(map(any, zip(*rows, strict=True))) and bool(rows)
    ),
    "your test wants the controls to fail: that the initial weights matter is another claim": _Reading(
        over=_no_control
    ),
    **{
        f"your test has a size of its own, {size:.0%}: `small` says what is far smaller": _Reading(fixed=size)
        for size in (0.1, 0.15, 0.2, 0.25, 0.5)
    },
}


def _told(trial: Trial, expected: bool) -> str:
    """Say what is so in a trial."""
    for name, sub in trial.subnetworks.items():
        if all(_Reading().row(sub, trial)):
            return f"{name}: a winning ticket, since {', '.join(_conditions(sub, trial))}"
    broken = [
        f"{name}: no ticket, since "
        + ", ".join(
            said for said, holds in zip(_conditions(sub, trial), _Reading().row(sub, trial), strict=True) if not holds
        )
        for name, sub in trial.subnetworks.items()
    ]
    return "; ".join(broken) or "no subnetwork was tried, so nothing supports the hypothesis"


def _count(mask: Mask) -> str:
    return f"{masks.kept(mask):,} of {sum(m.numel() for m in mask.values()):,}"


def _conditions(sub: Attempt, trial: Trial) -> list[str]:
    """Say how it is with each of the four conditions."""
    begins = "begins" if _begins_from(sub, trial.dense) else "does not begin"
    return [
        f"it keeps {percent(masks.density(sub.mask))} of the weights, {_count(sub.mask)} "
        f"(far smaller: at most {percent(trial.small)})",
        f"it {begins} from m ⊙ θ₀",
        f"its smallest validation loss is at iteration {_stop(sub):.0f} (dense: {_stop(trial.dense):.0f})",
        f"{percent(_at_stop(sub), 2)} are right there (dense: {percent(_at_stop(trial.dense), 2)})",
    ]


def _misread(function: Hypothesis) -> str:
    """Name the misreading that gives the same answers in all trials that were made up, "" if none does."""
    trials = list(made_trials())
    try:
        answers = [verdict.truth(function(*trial.given())) for trial in trials]
    except Exception:  # it will be shown in its turn
        return ""
    if len(set(answers)) == 1:
        return f". Your test says {answers[0]} whatever it is given"
    fits = (wrong for wrong, reading in _MISREADINGS.items() if [reading.says(trial) for trial in trials] == answers)
    return next((f". {wrong[:1].upper()}{wrong[1:]}" for wrong in fits), "")


def _real_trials() -> Iterator[Trial]:
    """Yield trials that were really trained."""
    dense, others = _cached_lottery()
    for name, sub in others.items():
        yield Trial(f"really trained on digits: {name}", dense, {name: sub}, small=0.3)
    yield Trial("really trained on digits: all of these", dense, others, small=0.3)


@cache
def _cached_lottery() -> tuple[Attempt, dict[str, Attempt]]:
    return small_lottery()


def _trained_on_digits(network: nn.Module, mask: Mask, begun: State, order: int) -> Attempt:
    _, validation, test = digits()
    iterations, losses, accuracies = [], [], []
    for number in steps(network, mask, order):
        if number % 20 == 0:
            iterations.append(number)
            losses.append(judged(network, validation)[0])
            accuracies.append(judged(network, test)[1])
    return Attempt(mask, begun, tuple(iterations), tuple(losses), tuple(accuracies))
