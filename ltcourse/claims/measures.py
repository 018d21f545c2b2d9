"""What records say about the claims of the slides: a question each, asked of every seed and size by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from ltcourse import papers
from ltcourse.claims.verdicts import Case, Measure, Measurement
from ltcourse.display.tables import percent, points, spread, times
from ltcourse.experiments.runs import Record
from ltcourse.experiments.transfer_matrix import TransferMatrix

SMALL = (0.01, 0.15)  # the sizes that the slides promise (S8), as shares of all weights
TESTED = 10_000  # test images of MNIST and of CIFAR-10
GUESS = 0.1  # the accuracy of guessing one of ten classes
EARLY = "early_stop_test_accuracy"


def no_worse(error: float, reference: float) -> bool:
    """Tell whether a test error is at most one standard error of the test set above another.

    Lesson 08, "The claims table".
    """
    return error - reference <= sqrt(reference * (1 - reference) / TESTED) + 1e-12


def _seeds(record: Record) -> list[int]:
    return [trial["seed"] for trial in record.trials]


def _each(record: Record, what: str, found: Sequence[str], met: Sequence[bool]) -> list[Case]:
    """One case a seed."""
    return [Case(what, f, m, s) for s, f, m in zip(_seeds(record), found, met, strict=True)]


def _density(record: Record, method: str, number: int) -> float:
    return record.values(method, number, "density")[0]


def _minus(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def _gains(record: Record, what: str, gains: Sequence[float]) -> list[Case]:
    """One case a seed: is there a gain?"""
    return _each(record, what, [points([g]) for g in gains], [g > 0 for g in gains])


# Pruning and fine-tuning (S1 to S4)


def pruned(compression: int) -> Measure:
    """Return the question whether a network as many times smaller errs no more than it did before.

    Of records of `han` and `compression`: at each seed each kind of error that is recorded. Where fewer weights went
    than so many times, that is a case that is not met.
    Lesson 01, "The slides' two rows".
    """

    def measure(record: Record) -> Measurement:
        last = record.settings["rounds"]
        before, after = (record.values("magnitude", i, "kept")[0] for i in (0, last))
        fewer = f"{before / after:.1f}× fewer weights"
        cases, told = [], [fewer]
        for name, key in (("top-1", "test_error"), ("top-5", "test_top5_error")):
            if key in record.trials[0]["rows"][0]:
                dense, small = (record.values("magnitude", i, key) for i in (0, last))
                pairs = list(zip(dense, small, strict=True))
                found = [f"{percent(d, 2)} → {percent(s, 2)}" for d, s in pairs]
                cases += _each(record, f"{name} error", found, [no_worse(s, d) for d, s in pairs])
                told.append(f"{name} error {spread(dense)} → {spread(small)}")
        if round(before / after) < compression:
            cases.append(Case(f"{compression}× fewer weights", f"{before / after:.1f}×", False))
        return Measurement("; ".join(told), tuple(cases))

    return measure


def quality_kept(*records: Record) -> Measurement:
    """Ask whether the pruned network errs no more than the dense one that was trained for as long.

    Of records of `han`. Source of the control: Blalock et al. 2020.
    Lesson 01, "The slides' two rows".
    """
    cases, told = [], []
    for record in records:
        name = papers.HAN_TABLE_1[record.settings["network"]].network
        last = record.settings["rounds"]
        small, dense = (record.values(method, last, "test_error") for method in ("magnitude", "dense"))
        cases += _each(
            record,
            f"{name}, pruned against dense, trained on",
            [f"{percent(s, 2)} against {percent(d, 2)}" for s, d in zip(small, dense, strict=True)],
            [no_worse(s, d) for s, d in zip(small, dense, strict=True)],
        )
        told.append(f"{name} {points(_minus(small, dense))}")
    return Measurement(f"error, pruned minus dense that was trained for as long: {', '.join(told)}", tuple(cases))


def fine_tuned(record: Record) -> Measurement:
    """Ask whether fine-tuning makes a network better that was pruned in one shot, at each density.

    Of the record of `han`'s penalties; the networks that were trained with none.
    Lesson 01, "L1 against L2".
    """
    cases, told = [], []
    for number, density in enumerate(record.settings["densities"], 1):
        before, after = (record.values("weight_decay 0", number, f"test_error{end}") for end in ("_before", ""))
        cases += _each(
            record,
            f"{percent(density, 0)} of the weights",
            [f"{percent(b, 2)} → {percent(a, 2)}" for b, a in zip(before, after, strict=True)],
            [a < b for b, a in zip(before, after, strict=True)],
        )
        told.append(f"{percent(sum(before) / len(before), 1)} → {percent(sum(after) / len(after), 1)}")
    sizes = [percent(d, 0) for d in (record.settings["densities"][0], record.settings["densities"][-1])]
    return Measurement(f"mean test error, one shot: {told[0]} at {sizes[0]}, {told[-1]} at {sizes[-1]}", tuple(cases))


def from_scratch(record: Record) -> Measurement:
    """Ask whether a pruned network that is trained from newly drawn weights errs no more than the dense one.

    Of a record of `lottery` that has such networks.
    Lesson 03, "Why not train the small network?".
    """
    cases, told = [], []
    for number in record.settings["continued"]:
        what = percent(_density(record, "from scratch", number))
        dense, small = record.values("ticket", 0, "test_error"), record.values("from scratch", number, "test_error")
        found = [points([d - s]) for d, s in zip(dense, small, strict=True)]
        cases += _each(record, f"{what} of the weights", found, list(map(no_worse, small, dense)))
        means = [sum(record.change(m, number, "test_accuracy")) for m in ("from scratch", "fine-tuned")]
        scratch, tuned = (points([m / len(record.trials)]) for m in means)
        told.append(f"at {what} {scratch} (fine-tuned {tuned})")
    return Measurement(f"from new weights, minus dense, mean: {told[0]}, {told[-1]}", tuple(cases))


# Tickets (S6 to S8)


@dataclass(frozen=True)
class _Ticket:
    """A ticket beside its dense network. stop: its early stop divided by that one's. gain: in accuracy."""

    seed: int
    number: int
    density: float
    stop: float
    gain: float

    @property
    def small(self) -> bool:
        return SMALL[0] <= self.density <= SMALL[1]

    @property
    def wins(self) -> bool:
        return self.stop <= 1 and self.gain >= 0


def _tickets(record: Record, key: str) -> list[_Ticket]:
    stops = record.values("ticket", 0, "early_stop")
    return [
        _Ticket(seed, number, _density(record, "ticket", number), stop / dense, gain)
        for number in range(1, record.settings["rounds"] + 1)
        for seed, stop, dense, gain in zip(
            _seeds(record),
            record.values("ticket", number, "early_stop"),
            stops,
            record.change("ticket", number, key),
            strict=True,
        )
    ]


def winning_tickets(record: Record) -> Measurement:
    """Ask at each seed whether a ticket of any size is no slower and no less accurate than the dense network.

    Lesson 03, "Is it so?".
    """
    cases = []
    for seed in _seeds(record):
        own = [t for t in _tickets(record, EARLY) if t.seed == seed]
        wins = [t for t in own if t.wins]
        cases.append(Case("winning tickets", f"{len(wins)} of {len(own)}", bool(wins), seed))
    counts = ", ".join(case.found.split()[0] for case in cases)
    tried = record.settings["rounds"]
    return Measurement(f"of {tried} tickets a seed, no slower and no less accurate: {counts}", tuple(cases))


def small_winners(record: Record) -> Measurement:
    """Ask at each seed whether a ticket of the slides' size is no slower and no less accurate than the dense network.

    Lesson 03, "Is it so?".
    """
    tried = [t for t in _tickets(record, EARLY) if t.small]
    cases = []
    for seed in _seeds(record):
        sizes = [t.density for t in tried if t.seed == seed and t.wins]
        found = percent(min(sizes)) if sizes else "none"
        cases.append(Case("smallest winning ticket of 1–15 %", found, bool(sizes), seed))
    text = ", ".join(case.found for case in cases)
    low = percent(min((t.density for t in tried), default=float("nan")))
    return Measurement(f"smallest winning ticket, seed by seed: {text} (smallest tried: {low})", tuple(cases))


def small_and_faster(record: Record) -> Measurement:
    """Ask of each ticket of the slides' size whether its early stop comes sooner than the dense network's.

    Lesson 03, "Recorded, at the paper's settings".
    """
    tried = [t for t in _tickets(record, EARLY) if t.small]
    cases = [Case(f"P_m = {percent(t.density)}", times([t.stop]), t.stop < 1, t.seed) for t in tried]
    told = _first_and_last(tried, lambda t: t.stop, times)
    return Measurement(f"early stop, ticket : dense {told}", tuple(cases))


def small_and_accurate(key: str) -> Measure:
    """Return the question, of each ticket of the slides' size, whether it is at least as accurate as the dense network.

    key: the accuracy that is meant, at the early stop or at the end.
    Lesson 03, "Recorded, at the paper's settings".
    """

    def measure(record: Record) -> Measurement:
        tried = _tickets(record, key)
        small = [t for t in tried if t.small]
        cases = [Case(f"P_m = {percent(t.density)}", points([t.gain]), t.gain >= 0, t.seed) for t in small]
        told = _first_and_last(small, lambda t: t.gain, points)
        larger = [t for t in tried if t.density > SMALL[1]]
        if key == EARLY:
            end = [t for t in _tickets(record, "test_accuracy") if t.small]
            told += f"; at the end of training no less in {sum(t.gain >= 0 for t in end)} of {len(end)}"
        elif larger:
            next_one = [t for t in larger if t.number == larger[-1].number]
            told += f"; {points([t.gain for t in next_one])} at {percent(next_one[0].density)}"
        return Measurement(f"ticket minus dense {told}", tuple(cases))

    return measure


def _first_and_last(
    tickets: Sequence[_Ticket], value: Callable[[_Ticket], float], words: Callable[[Sequence[float]], str]
) -> str:
    """A value of the largest and of the smallest tickets, with its range over the seeds."""
    numbers = sorted({t.number for t in tickets})
    told = []
    for number in dict.fromkeys([*numbers[:1], *numbers[-1:]]):
        here = [t for t in tickets if t.number == number]
        told.append(f"{words([value(t) for t in here])} at {percent(here[0].density)}")
    return ", ".join(told) or "not tried at 1–15 %"


def first_values_matter(record: Record) -> Measurement:
    """Ask whether a ticket is more accurate than its mask with newly drawn weights, at every size that has both.

    Lesson 03, "Recorded, at the paper's settings".
    """
    cases, told = [], []
    for number in record.settings["redrawn"]:
        what = percent(_density(record, "ticket", number))
        new, old = (record.values(m, number, EARLY) for m in ("re-initialized", "ticket"))
        cases += _gains(record, f"ticket minus re-initialized, P_m = {what}", _minus(old, new))
        later = [
            n / o
            for n, o in zip(
                *(record.values(m, number, "early_stop") for m in ("re-initialized", "ticket")), strict=True
            )
        ]
        told.append(f"{points(_minus(new, old))}, early stop {times(later)}, at {what}")
    return Measurement(f"new weights against the ticket's: {told[0]}; {told[-1]}", tuple(cases))


def repeated(record: Record) -> Measurement:
    """Ask whether a ticket found in rounds is more accurate than one found in one shot, at the slides' sizes.

    Lesson 03, "Which way to the ticket?".
    """
    cases, told = [], []
    for number in record.settings["one_shot"]:
        if SMALL[0] <= (density := _density(record, "ticket", number)) <= SMALL[1]:
            ahead = _minus(*(record.values(m, number, "test_accuracy") for m in ("ticket", "one shot")))
            cases += _gains(record, f"in rounds minus in one shot, P_m = {percent(density)}", ahead)
            told.append(f"{points(ahead)} at {percent(density)}")
    return Measurement(f"in rounds minus in one shot: {', '.join([*told[:1], *told[1:][-1:]])}", tuple(cases))


# Supermasks (S10, S13, S14)


def _network(record: Record) -> str:
    name = record.settings["network"]
    return papers.HAN_TABLE_1[name].network if name in papers.HAN_TABLE_1 else name.capitalize()


def _chosen(record: Record, initializer: str) -> list[tuple[float, float]]:
    """Of every trial: the k that is best on the validation set, and its test accuracy."""
    validation, test = (record.by("k", f"{part}_accuracy", initializer) for part in ("validation", "test"))
    best = [max(validation, key=lambda k: validation[k][i]) for i in range(len(record.trials))]
    return [(k, test[k][i]) for i, k in enumerate(best)]


def best_share(*records: Record) -> Measurement:
    """Ask at each seed whether the best share k is neither the smallest nor the largest that was tried.

    Of records of `hidden`; k is chosen on the validation set.
    Lesson 07, "Conv-2 to Conv-8".
    """
    cases, told = [], []
    for record in records:
        ks = record.settings["ks"]
        initializer = record.settings["initializers"][0]
        chosen = _chosen(record, initializer)
        found = [f"best k {percent(k, 0)}: {percent(a)}" for k, a in chosen]
        cases += _each(record, _network(record), found, [min(ks) < k < max(ks) for k, _ in chosen])
        curve = record.by("k", "test_accuracy", initializer)
        line = ", ".join(f"{percent(sum(curve[k]) / len(curve[k]), 0)} at {percent(k, 0)}" for k in ks)
        told.append(f"{_network(record)}: {line}")
    return Measurement(f"mean accuracy by k: {'; '.join(told)}", tuple(cases))


def beside_trained(*records: Record) -> Measurement:
    """Ask at each seed how the best supermask stands beside the trained network: two cases, half-way, and as good.

    Half-way is meant from guessing to the trained network's accuracy. Of records of `hidden`; k is chosen on the
    validation set.
    Lesson 07, "Conv-2 to Conv-8".
    """
    cases, told = [], []
    for record in records:
        accuracies = [a for _, a in _chosen(record, record.settings["initializers"][0])]
        trained = record.values("trained", 0, "test_accuracy")
        pairs = list(zip(accuracies, trained, strict=True))
        found = [f"{percent(a)} against {percent(t)}" for a, t in pairs]
        half = [a - GUESS >= (t - GUESS) / 2 for a, t in pairs]
        cases += _each(record, f"{_network(record)}: at least half-way from guessing", found, half)
        level = [no_worse(1 - a, 1 - t) for a, t in pairs]
        cases += _each(record, f"{_network(record)}: no worse than trained", found, level)
        told.append(f"{_network(record)} {spread(accuracies, 1)}, trained {spread(trained, 1)}")
    lengths = ", ".join(dict.fromkeys(f"{r.settings['recipe']['iterations']:,}" for r in records))
    return Measurement(f"supermask {'; '.join(told)}, after {lengths} iterations", tuple(cases))


def deeper_is_better(*records: Record) -> Measurement:
    """Ask at each seed whether the deeper network has the better supermask; only runs of the paper's length can say.

    Of records of `hidden`, the shallowest network first.
    Lesson 07, "Conv-2 to Conv-8".
    """
    best = {_network(r): [a for _, a in _chosen(r, r.settings["initializers"][0])] for r in records}
    told = ", ".join(f"{name} {spread(values, 1)}" for name, values in best.items())
    if short := [r for r in records if r.budget != "paper"]:
        length = f"{min(r.settings['recipe']['iterations'] for r in short):,}"
        return Measurement(f"{told} after {length} iterations, in which each image is seen less than once")
    cases = [
        case
        for (small, large), record in zip(pairwise(best), records[1:], strict=True)
        for case in _gains(record, f"{large} minus {small}", _minus(best[large], best[small]))
    ]
    return Measurement(told, tuple(cases))


def _by_width(record: Record) -> tuple[dict[float, list[float]], dict[float, list[float]]]:
    """Test accuracies of supermasks and of trained networks by width, narrowest first."""
    first, k = record.settings["initializers"][0], record.settings["k"]
    hidden = record.by("width", "test_accuracy", "by width") | {1.0: record.by("k", "test_accuracy", first)[k]}
    trained = record.by("width", "test_accuracy", "trained")
    return dict(sorted(hidden.items())), dict(sorted(trained.items()))


def wider_is_better(record: Record) -> Measurement:
    """Ask at each seed whether each wider network has the better supermask, and is closer to the trained one.

    Of a record of `hidden` with several widths.
    Lesson 07, "How wide?".
    """
    hidden, trained = _by_width(record)
    cases = [
        case
        for a, b in pairwise(hidden)
        for case in _gains(record, f"width {b:g} minus width {a:g}", _minus(hidden[b], hidden[a]))
    ]
    narrow, wide = min(hidden), max(hidden)
    behind = {w: _minus(trained[w], hidden[w]) for w in (narrow, wide)}
    found = [f"{points([-a])} → {points([-b])}" for a, b in zip(behind[narrow], behind[wide], strict=True)]
    closer = [b < a for a, b in zip(behind[narrow], behind[wide], strict=True)]
    cases += _each(record, "distance to the trained network, narrowest → widest", found, closer)
    told = ", ".join(f"{spread(hidden[w], 1)} at width {w:g}" for w in (narrow, wide))
    left = " and ".join(points([-b for b in behind[w]]) for w in (narrow, wide))
    return Measurement(f"{told}; minus trained at that width {left}", tuple(cases))


def as_good_as_a_smaller(record: Record) -> Measurement:
    """Ask at each seed whether the widest random network has a supermask no worse than the narrowest trained network.

    Of a record of `hidden` with several widths.
    Lesson 07, "How wide?".
    """
    hidden, trained = _by_width(record)
    narrow, wide = min(trained), max(hidden)
    pairs = list(zip(hidden[wide], trained[narrow], strict=True))
    found = [f"{percent(a, 2)} against {percent(t, 2)}" for a, t in pairs]
    what = f"τ′ in a network of width {wide:g} against τ, trained, of width {narrow:g}"
    told = f"τ′, width {wide:g}: {spread(hidden[wide])}; τ, trained, width {narrow:g}: {spread(trained[narrow])}"
    return Measurement(told, tuple(_each(record, what, found, [no_worse(1 - a, 1 - t) for a, t in pairs])))


def better_from(first: str, second: str) -> Measure:
    """Return the question, at each seed and k, whether supermasks of one initialization are better than of another.

    Of records of `hidden`.
    Lesson 07, "Which random weights?".
    """

    def measure(*records: Record) -> Measurement:
        cases, told = [], []
        for record in records:
            ours, theirs = (record.by("k", "test_accuracy", kind) for kind in (first, second))
            ahead = {k: _minus(ours[k], theirs[k]) for k in record.settings["ks"]}
            for k, gains in ahead.items():
                cases += _gains(record, f"{_network(record)}, k = {percent(k, 0)}", gains)
            low, high = (choose(ahead, key=lambda k: sum(ahead[k])) for choose in (min, max))
            ends = " to ".join(f"{points(ahead[k])} at k = {percent(k, 0)}" for k in (low, high))
            told.append(f"{_network(record)} {ends}")
        return Measurement(f"{first} minus {second}: {'; '.join(told)}", tuple(cases))

    return measure


# Tickets that travel (the slides' second source)


def transferred(record: Record) -> Measurement:
    """Ask of each pair of tasks, at each size, whether a ticket keeps half of the own ticket's lead over a random one.

    Of a record of `transfer`; where the own ticket has no lead there is nothing to ask.
    Lesson 05, "Beside the paper".
    """
    matrix = TransferMatrix(record.trials)
    cases, kept = [], {}
    for number in matrix.rounds:
        size = percent(matrix.density(number))
        for source, target in matrix.gains(number):
            share = matrix.lead_kept(source, target, number)
            if source != target and share == share:  # NaN, where there is no lead, differs from itself
                found = f"{percent(share, 0)} of {points(matrix.gain(target, target, number))}"
                cases.append(Case(f"{source} → {target}, P_m = {size}", found, share >= 0.5))
                kept[f"{source} → {target}"] = f"{percent(share, 0)} at {size}"
    told = ", ".join(f"{pair} {share}" for pair, share in kept.items())
    return Measurement(f"lead kept by the smallest: {told or 'no ticket had one'}", tuple(cases))


def larger_is_better(record: Record) -> Measurement:
    """Ask at each target and size whether tickets lead a random one by more, the more data they were found on.

    Of a record of `transfer` whose first three sources are all, a half and a tenth of a set.
    Lesson 05, "Does a larger source help?".
    """
    matrix = TransferMatrix(record.trials)
    sources = matrix.sources[:3]
    cases, told = [], []
    for number in matrix.rounds:
        size = percent(matrix.density(number))
        for target in matrix.targets:
            gains = [matrix.gain(source, target, number) for source in sources]
            means = [sum(values) / len(values) for values in gains]
            found = ", ".join(f"{source} {points(values)}" for source, values in zip(sources, gains, strict=True))
            cases.append(Case(f"at {target}, P_m = {size}", found, means == sorted(means, reverse=True)))
            if number == matrix.rounds[-1]:
                told.append(f"at {target} {points(_minus(gains[0], gains[-1]))}")
    return Measurement(f"{sources[0]} minus {sources[-1]}, at {size}: {', '.join(told)}", tuple(cases))


# Not run


def not_run(why: str) -> Measure:
    """Return what is said where nothing was run.

    Lesson 08, "The claims table".
    """
    return lambda: Measurement(why)
