"""Checks of the review questions of lesson 08, answered by code; `checks` offers them beside its own.

Whole algorithms, and a hypothesis as a test: the pieces have checks of their own (lessons 03 and 07). An answer that is
wrong is set beside the classic mistakes, so that the one that it fits can be named.
"""

import copy
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, pairwise
from operator import ge, gt, le, lt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, linear, relu

from ltcourse import data, masks, verdicts
from ltcourse.data import Split
from ltcourse.initializers import initialize, kaiming_normal, xavier_normal
from ltcourse.masks import Mask, Weights
from ltcourse.models import snapshot
from ltcourse.restarts import State
from ltcourse.supermask_checks import wrong_mask
from ltcourse.tables import percent
from ltcourse.ticket_checks import Batches, Train, before_a_round, wrong_choice, wrong_parameters
from ltcourse.verdicts import Finding, Verdict


@dataclass(frozen=True, eq=False)
class Attempt:
    """One training of a network, or of a subnetwork of it.

    mask: name → booleans. initial: the weights that it began from, name → tensor, 0 where they are pruned.
    iterations: when it was evaluated. validation_loss, test_accuracy (0 to 1): at each of these.
    Lesson 08, "Question 1".
    """

    mask: Mask
    initial: State
    iterations: tuple[int, ...]
    validation_loss: tuple[float, ...]
    test_accuracy: tuple[float, ...]

    @property
    def early_stop(self) -> int:
        """The position of the smallest validation loss, the first of equally small ones."""
        return self.validation_loss.index(min(self.validation_loss))


Hypothesis = Callable[[Attempt, list[Attempt], float], bool]
Forward = Callable[[Weights, Tensor], Tensor]
Popup = Callable[[Forward, State, State, float, float, Batches], tuple[Mask, State]]


def supports(function: Hypothesis) -> Verdict:
    """Check question 1 of lesson 08: (dense, subnetworks, small) → whether one of them is a winning ticket."""

    def findings() -> Iterator[Finding]:
        for trials in (_made_trials, _real_trials):
            for trial in trials():
                yours = verdicts.ask(function, *trial.given())
                expected = _Reading().says(trial)
                wrong = ""
                if (answer := _truth(yours)) is None:
                    wrong = f"the result is True or False, and this is {type(yours).__name__}"
                elif answer is not expected:
                    wrong = _told(trial, expected) + _misread(function)
                yield Finding(trial.case, f"{yours}"[:80], f"{expected}", wrong)

    return verdicts.judge("exercise 1, the hypothesis as a test", findings())


def find_ticket(function: Callable[[nn.Module, Train, float, int], Mask]) -> Verdict:
    """Check question 2 of lesson 08: (network, train, rate, rounds) → the mask, and the network as the ticket."""
    # no count of weights is a half, in no round
    cases = [((3, 2), 0.5, 1), ((4, 6, 3), 0.3, 2), ((5, 8, 4), 0.2, 3)]

    def findings() -> Iterator[Finding]:
        for sizes, rate, rounds in cases:
            network, _, _, train = before_a_round(sizes, 1.0)
            case = f"{' → '.join(map(str, sizes))} neurons, rate {rate}, {rounds} round{'s' * (rounds > 1)}"
            yield from _compare_search(case, function, network, train, rate, rounds)
        rate, rounds = 0.2, 6
        network, train = _reader_of_digits(seed=0), _training_on_digits()
        initial = snapshot(network)
        case = f"handwritten digits, {' → '.join(map(str, _SIZES))} neurons, rate {rate}, {rounds} rounds"
        mask = yield from _compare_search(case, function, network, train, rate, rounds)
        yield _compare_ticket(f"{case}: trained once more", network, initial, mask, train)

    return verdicts.judge("exercise 2, finding a ticket", findings())


def find_supermask(function: Popup) -> Verdict:
    """Check question 3 of lesson 08: (forward, weights, scores, k, lr, batches) → the supermask and the scores."""
    # no count is a half, and no k: a share kept must not look like a share pruned
    cases = [((3, 2), 0.3, 0.1, 1), ((4, 6, 3), 0.3, 0.2, 3), ((5, 8, 4), 0.65, 0.3, 6)]

    def findings() -> Iterator[Finding]:
        for sizes, k, lr, steps in cases:
            search = _search(sizes, k, lr, steps)
            case = f"{' → '.join(map(str, sizes))} neurons, k = {k}, {steps} step{'s' * (steps > 1)}"
            yield from _compare_popup(case, function, search)
        yield _compare_on_digits(function)

    return verdicts.judge("exercise 3, finding a supermask", findings())


def small_lottery(seed: int = 0) -> tuple[Attempt, dict[str, Attempt]]:
    """Train a small network that reads digits, and subnetworks of it: return the dense one, and the others by name.

    seed: of the weights that are drawn. Its images are averaged to 7 × 7 pixels.
    Lesson 08, "Question 1".
    """
    network = _reader_of_digits(seed)
    initial = snapshot(network)
    train = _training_on_digits()
    mask = whole = masks.dense(network)
    for _ in range(6):
        network.load_state_dict(initial)
        train(network, mask)
        mask = masks.magnitude(masks.prunable(network), mask, 0.2)
    anew = snapshot(_reader_of_digits(seed + 100))

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


@dataclass(frozen=True)
class _Trial:
    """A dense network and the subnetworks of it that were tried."""

    case: str
    dense: Attempt
    subnetworks: Mapping[str, Attempt]
    small: float

    def given(self) -> tuple[Attempt, list[Attempt], float]:
        """Return what the reader's function is asked about: copies, so that nothing of it can change."""
        return *copy.deepcopy((self.dense, list(self.subnetworks.values()))), self.small


def _share(mask: Mask) -> float:
    return masks.density(mask)


def _mean_share(mask: Mask) -> float:
    return sum(float(m.double().mean()) for m in mask.values()) / len(mask)


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


def _begins_from(attempt: Attempt, dense: Attempt) -> bool:
    return verdicts.close(attempt.initial, {name: w * attempt.mask[name] for name, w in dense.initial.items()})


@dataclass(frozen=True)
class _Reading:
    """A way to read the hypothesis: the right one by default, with a classic mistake on request."""

    size: bool = True
    start: bool = True
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

    def row(self, sub: Attempt, trial: _Trial) -> list[bool]:
        """Return which of the four conditions the subnetwork fulfills."""
        small = trial.small if self.fixed is None else self.fixed
        return [
            not self.size or self.small_enough(self.share(sub.mask), small),
            not self.start or _begins_from(sub, trial.dense),
            not self.time or self.no_slower(self.when(sub), self.when(trial.dense)),
            not self.accuracy or self.no_worse(self.reached(sub), self.reached(trial.dense)),
        ]

    def says(self, trial: _Trial) -> bool:
        """Tell whether the trial supports the hypothesis, read in this way."""
        return self.over([self.row(sub, trial) for sub in trial.subnetworks.values()])


def _no_control(rows: list[list[bool]]) -> bool:
    """Whether there is a ticket, and no network of another start is as good."""
    return any(map(all, rows)) and not any(time and good for size, start, time, good in rows if size and not start)


_MISREADINGS: dict[str, _Reading] = {
    "your test lets a subnetwork be slower: j′ ≤ j is a condition": _Reading(time=False),
    "your test lets a subnetwork be less accurate: a′ ≥ a is a condition": _Reading(accuracy=False),
    "your test lets a subnetwork be of any size: it must be far smaller": _Reading(size=False),
    "your test lets it begin from any weights: a ticket begins from the dense network's own, m ⊙ θ₀": _Reading(
        start=False
    ),
    "your test wants it faster: at most as many iterations includes as many": _Reading(no_slower=lt),
    "your test wants it more accurate: at least the accuracy includes the same": _Reading(no_worse=gt),
    "your test wants less than `small`: at most includes exactly so many": _Reading(small_enough=lt),
    "your test has the two sides of a′ ≥ a the other way round": _Reading(no_worse=le),
    "your test has the two sides of j′ ≤ j the other way round": _Reading(no_slower=ge),
    "your test takes the mean of the layers' shares: count the weights of all layers together": _Reading(
        share=_mean_share
    ),
    "your test compares the last accuracies: a and a′ are those at the smallest validation loss": _Reading(
        reached=lambda attempt: attempt.test_accuracy[-1]
    ),
    "your test compares the best test accuracies: that chooses on the test set; the validation loss says when": (
        _Reading(reached=lambda attempt: max(attempt.test_accuracy))
    ),
    "your test compares how long the runs went on: j is where the validation loss is smallest": _Reading(
        when=lambda attempt: attempt.iterations[-1]
    ),
    "your test compares positions in the lists: evaluations can be at other iterations": _Reading(
        when=lambda attempt: attempt.early_stop
    ),
    "of equally small losses your test takes the last: the first one counts": _Reading(when=_late_stop),
    "your test stops at the best test accuracy: that chooses on the test set; the validation loss says when": (
        _Reading(when=_best_iteration, reached=lambda attempt: max(attempt.test_accuracy))
    ),
    "your test asks every subnetwork: there *is* one, the hypothesis says": _Reading(
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


def _truth(value: Any) -> bool | None:
    if isinstance(value, (bool, np.bool_)) or (
        isinstance(value, Tensor) and value.dtype == torch.bool and value.numel() == 1
    ):
        return bool(value)
    return None


def _told(trial: _Trial, expected: bool) -> str:
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
    return "; ".join(broken) or "nothing was tried, so that nothing supports it"


def _conditions(sub: Attempt, trial: _Trial) -> list[str]:
    """Say how it is with each of the four conditions."""
    begins = "begins" if _begins_from(sub, trial.dense) else "does not begin"
    return [
        f"it keeps {percent(masks.density(sub.mask))} of the weights (far smaller: at most {percent(trial.small)})",
        f"it {begins} from m ⊙ θ₀",
        f"its smallest validation loss is at iteration {_stop(sub):.0f} (dense: {_stop(trial.dense):.0f})",
        f"{percent(_at_stop(sub))} are right there (dense: {percent(_at_stop(trial.dense))})",
    ]


def _misread(function: Hypothesis) -> str:
    """Name the misreading that gives the same answers in all trials that were made up, "" if none does."""
    trials = list(_made_trials())
    try:
        answers = [_truth(function(*trial.given())) for trial in trials]
    except Exception:  # it will be shown in its turn
        return ""
    if len(set(answers)) == 1:
        return f". Your test says {answers[0]} whatever it is given"
    fits = (wrong for wrong, reading in _MISREADINGS.items() if [reading.says(trial) for trial in trials] == answers)
    return next((f". {wrong[:1].upper()}{wrong[1:]}" for wrong in fits), "")


_FIRST = {"fc1.weight": (8, 10), "fc2.weight": (4, 5)}  # 80 and 20 weights


def _made(
    kept: tuple[int, int] = (16, 4),
    stop: int = 200,
    reached: float = 0.95,
    *,
    every: int = 100,
    evaluations: int = 6,
    later: float = 0.0,
    peak: float = 0.0,
    seed: int = 0,
    trained: float = 0.0,
    also: int | None = None,
) -> Attempt:
    """Make up a training: its smallest loss at `stop`, its accuracy there, and how it began.

    later, peak: what the accuracy gains after that, for good and for one evaluation. also: an iteration at which the
    loss is as small. seed, trained: of the weights, and how far they had moved.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(shape, generator=generator) + trained for name, shape in _FIRST.items()}
    mask = {}
    for (name, w), count in zip(drawn.items(), kept, strict=True):
        mask[name] = masks.keep_largest(torch.rand(w.shape, generator=torch.Generator().manual_seed(1)), count)
    iterations = tuple(every * i for i in range(1, evaluations + 1))
    losses = tuple(0.2 if i == also else round(0.2 + abs(i - stop) / 4000, 4) for i in iterations)
    accuracies = tuple(
        round(reached - (stop - i) / 10_000 if i <= stop else reached + later + peak * (i == stop + every), 4)
        for i in iterations
    )
    return Attempt(mask, {name: w * mask[name] for name, w in drawn.items()}, iterations, losses, accuracies)


def _made_trials() -> Iterator[_Trial]:
    """Yield trials in which one condition after the other decides."""
    dense = _made((80, 20), 300, 0.94)
    small = 0.25

    def trial(case: str, *subnetworks: Attempt, dense: Attempt = dense, small: float = small) -> _Trial:
        names = ["subnetwork"] if len(subnetworks) == 1 else ["first subnetwork", "second subnetwork"]
        return _Trial(case, dense, dict(zip(names, subnetworks, strict=False)), small)

    yield trial("a fifth of the weights, faster, more accurate", _made())
    yield trial("a fifth of the weights, more accurate, but slower", _made(stop=400))
    yield trial("a fifth of the weights, faster, but 0.1 points less accurate", _made(reached=0.939))
    yield trial("all weights, in another order of the examples: faster, more accurate", _made((80, 20)))
    yield trial("a fifth of the weights, drawn anew: faster, more accurate", _made(seed=1))
    yield trial("a fifth of the weights, as they were after some training: faster, more accurate", _made(trained=0.1))
    yield trial("as many iterations, more accurate", _made(stop=300))
    yield trial("faster, the same accuracy", _made(reached=0.94))
    yield trial("exactly `small`, faster, more accurate", _made((16, 9)))
    yield trial("0.26 of the weights: 24 of 80 and 2 of 20", _made((24, 2)))
    yield trial("0.2 of the weights: 10 of 80 and 10 of 20", _made((10, 10)))
    yield trial("two fifths of the weights, and `small` is 0.5", _made((32, 8)), small=0.5)
    yield trial("a fifth of the weights, and `small` is 0.125", _made(), small=0.125)
    yield trial("more accurate at the end, but not at the smallest validation loss", _made(reached=0.93, later=0.03))
    yield trial(
        "the dense network is more accurate at its end, but not at its smallest validation loss",
        _made(),
        dense=_made((80, 20), 300, 0.94, later=0.03),
    )
    yield trial("more accurate for a moment, but not at the smallest validation loss", _made(reached=0.93, peak=0.03))
    yield trial("faster, though it went on for longer", _made(evaluations=9))
    yield trial("slower, though it went on for less long", _made(stop=400, evaluations=4))
    yield trial("faster, and evaluated more often", _made(stop=250, every=50, evaluations=8))
    yield trial("slower, and evaluated less often", _made(stop=400, every=200))
    yield trial("its loss is as small once more, later", _made(also=500))
    yield trial("a first one that is slower, a second one that is not", _made(stop=400), _made())
    yield trial("a first one that is faster, a second one that is less accurate", _made(), _made(reached=0.9))
    yield trial("one that is faster, another that is more accurate", _made(reached=0.9), _made(stop=400))
    yield trial("a ticket, and beside it one of weights drawn anew that is as good", _made(), _made(seed=1))
    yield trial("no subnetwork was tried")


def _real_trials() -> Iterator[_Trial]:
    """Yield trials that were really trained."""
    dense, others = _cached_lottery()
    for name, sub in others.items():
        yield _Trial(f"really trained on digits: {name}", dense, {name: sub}, small=0.3)
    yield _Trial("really trained on digits: all of these", dense, others, small=0.3)


@cache
def _cached_lottery() -> tuple[Attempt, dict[str, Attempt]]:
    return small_lottery()


# A small real problem: digits of 7 × 7 pixels


_SIZES = (49, 200, 10)


@cache
def _digits() -> tuple[Split, Split, Split]:
    """Return 1,000 images to train on, 1,000 to validate on, 1,000 to test on."""

    def average(split: Split, start: int) -> Split:
        chosen = slice(start, start + 1000)
        return Split(avg_pool2d(split.x[chosen], 4).flatten(1), split.y[chosen])

    mnist = data.load("mnist")
    return average(mnist.train, 0), average(mnist.validation, 0), average(mnist.test, 0)


def _reader_of_digits(seed: int) -> nn.Sequential:
    """Build a network without biases: a hypothesis about weights is then about all of its parameters."""
    into, hidden, out = _SIZES
    layers = nn.Linear(into, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, out, bias=False)
    initialize(network := nn.Sequential(*layers), xavier_normal, seed)
    return network


def _steps(network: nn.Module, mask: Mask, order: int = 0) -> Iterator[int]:
    """Train under a mask, and yield the number of each step."""
    train, _, _ = _digits()
    generator = torch.Generator().manual_seed(order)
    masks.apply(network, mask)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    for number in range(1, 61):
        chosen = torch.randint(len(train), (100,), generator=generator)
        verdicts.step(network, optimizer, mask, train.x[chosen], train.y[chosen])
        yield number


def _training_on_digits() -> Train:
    def train(network: nn.Module, mask: Mask) -> float:
        for _ in _steps(network, mask):
            pass
        return _judged(network, _digits()[1])[0]

    return train


def _judged(network: Callable[[Tensor], Tensor], split: Split) -> tuple[float, float]:
    """Return the loss and the accuracy on some images."""
    with torch.no_grad():
        logits = network(split.x)
    return float(cross_entropy(logits, split.y)), float((logits.argmax(1) == split.y).float().mean())


def _trained_on_digits(network: nn.Module, mask: Mask, begun: State, order: int) -> Attempt:
    _, validation, test = _digits()
    iterations, losses, accuracies = [], [], []
    for number in _steps(network, mask, order):
        if number % 20 == 0:
            iterations.append(number)
            losses.append(_judged(network, validation)[0])
            accuracies.append(_judged(network, test)[1])
    return Attempt(mask, begun, tuple(iterations), tuple(losses), tuple(accuracies))


# Question 2: the algorithm that finds the ticket


@dataclass(frozen=True, eq=False)
class _Training:
    """A call of `train`: the mask that it was given, and the parameters before and after."""

    mask: Mask
    before: State
    after: State


def _compare_search(
    case: str,
    function: Callable[[nn.Module, Train, float, int], Mask],
    network: nn.Module,
    train: Train,
    rate: float,
    rounds: int,
) -> Generator[Finding, None, Mask]:
    """Compare the trainings of a search, the mask, and what is left in the network; return the right mask."""
    θ0, whole, calls = snapshot(network), masks.dense(network), list[_Training]()
    mask, densities = whole, []
    for _ in range(rounds):
        right = copy.deepcopy(network)
        right.load_state_dict(θ0)
        train(right, mask)
        densities.append(masks.density(mask))
        mask = masks.magnitude(snapshot(right), mask, rate)

    def noted(network: nn.Module, mask: Mask) -> float:
        given, before = verdicts.copied(mask), snapshot(network)
        loss = train(network, mask)
        calls.append(_Training(given, before, snapshot(network)))
        return loss

    yours = verdicts.ask(function, network, noted, rate, rounds)
    wrong = _wrong_mask_of(yours, whole) or _wrong_trainings(calls, θ0, whole)
    wrong = wrong or _wrong_search([*(c.mask for c in calls), yours], calls, rate, rounds, θ0)
    trained = _show_trainings([masks.density(c.mask) for c in calls])
    yield Finding(f"{case}: the trainings", trained, _show_trainings(densities), wrong)
    wrong = "" if verdicts.same(yours, mask) else "it is not the mask that these trainings lead to"
    yield Finding(f"{case}: the mask", verdicts.show(yours), verdicts.show(mask), wrong)
    wrong = _wrong_left(network, mask, θ0, calls[-1].after)
    expected = "the initial weights under the mask, bit by bit"
    yield Finding(f"{case}: the network afterwards", "something else" if wrong else expected, expected, wrong)
    return mask


def _show_trainings(densities: Sequence[float]) -> str:
    return f"at P_m = {', '.join(map(percent, densities))}" if densities else "none"


def _wrong_mask_of(yours: Any, whole: Mask) -> str:
    wrong = verdicts.wrong_masks(yours, whole)
    if not wrong and all(bool(m.all()) for m in yours.values()):
        wrong = "the mask keeps every weight: that is the dense network, and no subnetwork was found"
    return wrong


def _wrong_trainings(calls: Sequence[_Training], θ0: State, whole: Mask) -> str:
    """What is wrong with how the trainings began, "" if nothing is."""
    if not calls:
        return "`train` was never called: magnitudes say something after training, not before"
    for number, call in enumerate(calls, 1):
        survivors = {name: call.before[name][m] for name, m in call.mask.items()}
        first = {name: θ0[name][m] for name, m in call.mask.items()}
        biases = {name: w for name, w in call.before.items() if name not in whole}
        if number == 1 and not verdicts.same(call.mask, whole):
            return "the first training is of the whole network: you pruned before it"
        if verdicts.same(survivors, first) and verdicts.same(biases, {name: θ0[name] for name in biases}):
            continue
        if number == 1:
            return "the network was changed before the first training: it begins as it is given"
        if verdicts.same(call.mask, calls[number - 2].mask):
            return f"training {number} was under the mask of training {number - 1}: train under the one chosen since"
        before = calls[number - 2].after
        if verdicts.same(survivors, {name: before[name][m] for name, m in call.mask.items()}):
            return (
                f"training {number} begins where training {number - 1} ended: return the survivors to their initial "
                "values in every round, from a copy (state_dict() shares its tensors with the network: clone them)"
            )
        if verdicts.same(survivors, first):
            return f"training {number} begins from initial weights, but not from the initial biases: return them, too"
        return (
            f"training {number} begins from other weights than the initial ones, bit by bit: copy them before the "
            "first training, and do not draw them anew"
        )
    return ""


def _wrong_search(chain: Sequence[Mask], calls: Sequence[_Training], rate: float, rounds: int, θ0: State) -> str:
    """What is wrong with the masks, from the whole network to the one that was returned, "" if nothing is."""
    prunings = [(a, b, call) for a, b, call in zip(chain, chain[1:], calls, strict=False)]
    if prunings and verdicts.same(prunings[-1][0], prunings[-1][1]) and len(prunings) > 1:
        prunings.pop()  # the ticket itself was trained, to see whether it is one
    for number, (old, new, call) in enumerate(prunings, 1):
        if verdicts.same(old, new):
            return f"nothing was pruned after training {number}: each round trains, prunes and resets"
        last = number == len(prunings)
        if last and rounds > 1 and number < rounds and masks.kept(new) < masks.kept(old) * (1 - rate) ** 1.5:
            return (
                f"one shot: after training {number} it prunes at once what {rounds - number + 1} rounds should prune; "
                "train again before each pruning"
            )
        if wrong := wrong_choice(new, old, rate, call.after, θ0):
            return f"after training {number}: {wrong}"
    if len(prunings) != rounds:
        return f"`rounds` is {rounds}, and it pruned in {len(prunings)}: each round trains, prunes and resets once"
    return ""


def _wrong_left(network: nn.Module, mask: Mask, θ0: State, trained: State) -> str:
    """What keeps the network from being the ticket m ⊙ θ₀, "" if it is."""
    if wrong := wrong_parameters(network, θ0):
        return wrong
    now = snapshot(network)
    if verdicts.same(now, {name: w * mask.get(name, True) for name, w in θ0.items()}):
        return ""

    def survivors(state: State) -> State:
        return {name: state[name][m] for name, m in mask.items()}

    if verdicts.same(survivors(now), survivors(trained)):
        return "it is left as the last training left it: each round ends with the reset, the last one too"
    if not verdicts.same(survivors(now), survivors(θ0)):
        return "the survivors are not at their initial values, bit by bit: copy them before the first training"
    if any(not torch.equal(now[name], w) for name, w in θ0.items() if name not in mask):
        return "the weights are reset, but not the biases: they go back to their initial values, too"
    return "pruned weights are not 0: the ticket is m ⊙ θ₀"


def _compare_ticket(case: str, network: nn.Module, θ0: State, mask: Mask, train: Train) -> Finding:
    """Show what the ticket is worth: on images that no training has seen, beside all weights and a random mask."""
    begun = snapshot(network)
    right = {}
    for name, (state, under) in {
        "ticket": (begun, mask),
        "all weights": (θ0, masks.dense(network)),
        "random mask": (θ0, masks.shuffle(mask, 0)),
    }.items():
        trained = copy.deepcopy(network)
        trained.load_state_dict(state)
        train(trained, under)
        right[name] = _judged(trained, _digits()[2])[1]
    found = ", ".join(f"{name} {percent(share)}" for name, share in right.items())
    wrong = "" if right["ticket"] > right["random mask"] else "your ticket is not better than a random mask of its size"
    size = percent(masks.density(mask))
    return Finding(f"{case}, {size} kept, unseen digits right", found, "more than a random mask of this size", wrong)


# Question 3: the algorithm that finds the supermask


@dataclass(frozen=True, eq=False)
class _Search:
    """What edge-popup is given."""

    weights: State
    scores: State
    k: float
    lr: float
    batches: Batches = field(default_factory=list)

    def count(self, name: str) -> int:
        return round(self.k * self.weights[name].numel())


def _forward(weights: Weights, x: Tensor) -> Tensor:
    *hidden, last = weights.values()
    for w in hidden:
        x = relu(linear(x, w))
    return linear(x, last)


def _drawn(sizes: Sequence[int], seed: int) -> tuple[State, State]:
    """Draw the weights and the scores of a network of dense layers."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {f"fc{i}.weight": (out, into) for i, (into, out) in enumerate(pairwise(sizes), 1)}
    weights = {name: kaiming_normal(torch.empty(shape), generator) for name, shape in shapes.items()}
    scores = {name: (2 * torch.rand(s, generator=generator) - 1) * s[1] ** -0.5 for name, s in shapes.items()}
    return weights, scores


def _search(sizes: Sequence[int], k: float, lr: float, steps: int) -> _Search:
    generator = torch.Generator().manual_seed(12)
    x, y = (
        torch.randn(steps, 8, sizes[0], generator=generator),
        torch.randint(0, sizes[-1], (steps, 8), generator=generator),
    )
    return _Search(*_drawn(sizes, seed=13), k, lr, list(zip(x, y, strict=True)))


def _popup(search: _Search, bugs: Collection[str] = ()) -> tuple[Mask, State]:
    """Return the supermask and the scores: the right ones, or those with some of the bugs."""
    weights, scores = verdicts.copied(search.weights), verdicts.copied(search.scores)
    mask = _chosen(search, scores, weights, bugs)
    for x, y in search.batches[: 1 if "one batch" in bugs else None]:
        mask = _chosen(search, scores, weights, bugs)
        used = {name: w if "all used" in bugs else w.where(mask[name], 0) for name, w in weights.items()}
        for w in used.values():
            w.requires_grad_()
        loss = cross_entropy(_forward(used, x), y)
        for (name, w), g in zip(used.items(), torch.autograd.grad(loss, list(used.values())), strict=True):
            w.requires_grad_(False)
            step = g if "weight" in bugs else g * weights[name]
            if "sign" not in bugs:
                step = step * scores[name].sign()
            if "dead" in bugs:
                step = step.where(mask[name], 0)
            scores[name] = scores[name] + (search.lr if "up" in bugs else -search.lr) * step
    return (mask if "late" in bugs else _chosen(search, scores, weights, bugs)), scores


def _chosen(search: _Search, scores: State, weights: State, bugs: Collection[str]) -> Mask:
    ranked = {name: s if "signed" in bugs else s.abs() for name, s in scores.items()}
    return {
        name: masks.top(s, s.numel() - search.count(name) if "share" in bugs else search.count(name))
        for name, s in ranked.items()
    }


_BUGS = {
    "sign": "what is ranked is |s|, and its gradient is handed to s as it is, without sign(s)",
    "dead": "the scores of edges that are not in use stay where they are, so that none can come back",
    "all used": "all weights are in use in the forward pass: only those of the largest |scores| may be",
    "weight": "the weight is missing in the gradient of its score: |s| acts on the loss through weight · |s|",
    "up": "the scores go up the gradient: subtract it",
    "share": "k is taken as the share pruned, and is the share kept",
    "signed": "the scores are ranked as they are, where |score| counts",
    "one batch": "it learns from the first batch only",
    "late": "the mask is of the scores before the last step: choose it from those that you return",
}


def _compare_popup(case: str, function: Popup, search: _Search) -> Iterator[Finding]:
    weights, scores = verdicts.copied(search.weights), verdicts.copied(search.scores)
    seen: list[State] = []

    def noted(given: Weights, x: Tensor) -> Tensor:
        seen.append({name: w.detach().clone() for name, w in given.items()})
        return _forward(given, x)

    yours = verdicts.ask(function, noted, weights, scores, search.k, search.lr, list(search.batches))
    mask, learned = _popup(search)
    wrong = _wrong_pair(yours, search)
    if not wrong and not verdicts.same(weights, search.weights):
        wrong = "your function changed the random weights: they stay as they are drawn, only scores learn"
    shown = verdicts.show(yours) if wrong else f"scores {verdicts.show(yours[1])}"
    wrong = wrong or _wrong_forward(seen, search) or _wrong_scores(yours, search)
    yield Finding(f"{case}: the scores", shown, f"scores {verdicts.show(learned)}", wrong)
    shown = f"{verdicts.show(yours[0])}, no weight changed"
    yield Finding(f"{case}: the mask", shown, verdicts.show(mask), _wrong_supermask(yours, search))


def _wrong_pair(yours: Any, search: _Search) -> str:
    """What keeps a result from being a mask and the scores, "" if it is."""
    if not isinstance(yours, (tuple, list)) or len(yours) != 2:
        return f"return two dicts, the mask and the scores: this is {type(yours).__name__}"
    mask, scores = yours
    if wrong := verdicts.wrong_masks(mask, search.weights):
        return wrong
    if not isinstance(scores, dict) or scores.keys() != search.scores.keys():
        return f"the scores are a dict of {sorted(search.scores)}, and this is {verdicts.show(scores)}"
    for name, s in search.scores.items():
        if not isinstance(scores[name], Tensor) or scores[name].shape != s.shape:
            return f"the scores of {name} are a tensor of shape {tuple(s.shape)}"
        if not scores[name].is_floating_point():
            return f"the scores of {name} should be {s.dtype}, and are {scores[name].dtype}"
    return ""


def _wrong_forward(seen: Sequence[State], search: _Search) -> str:
    """What is wrong with the weights that `forward` was given, "" if nothing is, or if it was never called."""
    right = {name: search.count(name) for name in search.weights}
    for number, given in enumerate(seen, 1):
        where = f"step {number}, in the forward pass"
        in_use = {}
        for name, w in search.weights.items():
            if name not in given or given[name].shape != w.shape:
                return f"{where}: there is no weight {name} of shape {tuple(w.shape)}"
            in_use[name] = given[name].abs() > 1e-6
            if not (far := verdicts.distance(given[name][in_use[name]], w[in_use[name]])) <= 1e-4:
                return (
                    f"{where}: a weight of {name} is {far:.2g} away from the random one: a weight is in use as it was "
                    "drawn, or not at all"
                )
        counts = {name: int(m.sum()) for name, m in in_use.items()}
        if all(bool(m.all()) for m in in_use.values()):
            return f"{where}: {_BUGS['all used']}"
        if counts != right and sum(counts.values()) == _together(search):
            return f"{where}: the layers are ranked together: each keeps its own share k"
        for name, m in in_use.items():
            if number == 1 and (wrong := wrong_mask(m, search.scores[name], search.k, right[name])):
                return f"{where}, {name}: {wrong}"
            if counts[name] != right[name]:
                return f"{where}: {counts[name]} weights of {name} are in use, and should be {right[name]}"
    return ""


def _together(search: _Search) -> int:
    """How many weights are kept where all layers are ranked together."""
    return round(search.k * sum(w.numel() for w in search.weights.values()))


def _wrong_scores(yours: tuple[Mask, State], search: _Search) -> str:
    if _near(yours[1], _popup(search)[1]):
        return ""
    if _near(yours[1], search.scores):
        return "no score has moved: nothing was learned"
    for many in (1, 2, 3):
        for bugs in combinations([bug for bug in _BUGS if bug != "late"], many):
            if _near(yours[1], _popup(search, bugs)[1]):
                return "; ".join(_BUGS[bug] for bug in bugs)
    far, worst = verdicts.furthest(yours[1], _popup(search)[1])
    still = {name: int((yours[1][name] == s).sum()) for name, s in search.scores.items()}
    return f"largest difference {far:.3g}, in {worst} (scores that did not move: {still})"


def _near(a: State, b: State) -> bool:
    return all(verdicts.distance(a[name], b[name]) <= 1e-4 for name in b)


def _wrong_supermask(yours: tuple[Mask, State], search: _Search) -> str:
    mask, scores = yours
    counts = {name: int(m.sum()) for name, m in mask.items()}
    right = {name: search.count(name) for name in mask}
    if counts != right and sum(counts.values()) == _together(search):
        return f"the layers are ranked together, and keep {counts}: each layer keeps its own share k, {right}"
    if verdicts.same(mask, {name: masks.top(w.abs(), right[name]) for name, w in search.weights.items()}):
        return "this is the mask of the largest weights: the scores say which edges stay"
    wrong = {name: wrong_mask(m, scores[name].detach(), search.k, right[name]) for name, m in mask.items()}
    name = next((name for name, said in wrong.items() if said), "")
    if not name:
        return ""
    if verdicts.same(mask, _popup(search, ["late"])[0]):
        return _BUGS["late"]
    if verdicts.same(mask, _chosen(search, search.scores, search.weights, ())):
        return "this is the mask of the scores as they were drawn: choose it from those that were learned"
    return f"{name}: {wrong[name]}"


def _compare_on_digits(function: Popup) -> Finding:
    """Find a supermask of digits, and show what it is worth on images that were not searched with."""
    train, _, test = _digits()
    sizes, k = (49, 100, 10), 0.4
    order = torch.randint(len(train), (200, 100), generator=torch.Generator().manual_seed(14))
    search = _Search(*_drawn(sizes, seed=15), k, 1.0, [(train.x[i], train.y[i]) for i in order])
    weights = verdicts.copied(search.weights)
    scores = verdicts.copied(search.scores)
    yours = verdicts.ask(function, _forward, weights, scores, k, search.lr, list(search.batches))
    case = f"handwritten digits, {' → '.join(map(str, sizes))} neurons, k = {k}, {len(search.batches)} steps"
    if not (wrong := _wrong_pair(yours, search)) and not verdicts.same(weights, search.weights):
        wrong = "your function changed the random weights"
    if wrong := wrong or _wrong_supermask(yours, search):
        return Finding(case, verdicts.show(yours), "a mask and the scores", wrong)

    def right(mask: Mask) -> float:
        return _judged(lambda x: _forward({name: w * mask[name] for name, w in search.weights.items()}, x), test)[1]

    found, lot, ours = right(yours[0]), right(masks.shuffle(yours[0], 0)), right(_popup(search)[0])
    enough = (lot + ours) / 2
    moved = [float((yours[1][n] != s)[~yours[0][n]].float().mean()) for n, s in search.scores.items()]
    shown = f"{percent(found)} of unseen digits right with no weight changed, a mask by lot {percent(lot)}"
    wrong = (
        ""
        if found >= enough
        else f"this mask is hardly better than one by lot; with these steps {percent(ours)} is possible"
    )
    if not wrong and min(moved) == 0:
        wrong = _BUGS["dead"]
    return Finding(case, shown, f"at least {percent(enough)}", wrong)
