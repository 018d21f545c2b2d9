"""What records say about the claims of the slides: a few numbers each, with one value per seed, that decide.

A seed is one value, whatever was measured of it: its sizes come from one run and are not independent. Where a claim is
about "1–15 %", the largest and the smallest size that the record has between them decide.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import mean

from ltcourse import papers
from ltcourse.claims.verdicts import Comparison, Measure, Measurement, size
from ltcourse.display.tables import percent, points, points_interval, share_interval, spread, times_interval
from ltcourse.experiments import runs
from ltcourse.experiments.runs import Record, RunError
from ltcourse.experiments.transfer_matrix import TransferMatrix
from ltcourse.instruments.statistics import student

SMALL = (0.01, 0.15)  # "far smaller": the sizes that the slides promise (S8), as shares of all weights
EARLY, END = "early_stop_test_accuracy", "test_accuracy"
_AT = {EARLY: "accuracy at the early stop", END: "accuracy at the end of training"}


def _seeds(record: Record) -> tuple[int, ...]:
    return tuple(trial["seed"] for trial in record.trials)


def _minus(a: Sequence[float], b: Sequence[float]) -> tuple[float, ...]:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _over(a: Sequence[float], b: Sequence[float]) -> tuple[float, ...]:
    return tuple(x / y for x, y in zip(a, b, strict=True))


def comparison(record: Record, what: str, values: Sequence[float], claim: str, *, ratio: bool = False) -> Comparison:
    """Return what a record's values say of a claim, one value per seed; `claim` and `ratio` are those of `Comparison`.

    Lesson 08, "The claims table".
    """
    return Comparison(what, tuple(values), _seeds(record), claim, ratio)


def _density(record: Record, method: str, number: int) -> float:
    return record.values(method, number, "density")[0]


def _small(record: Record, numbers: Sequence[int]) -> list[int]:
    """Of some rounds those whose tickets are far smaller, the largest first."""
    return [n for n in numbers if SMALL[0] <= _density(record, "ticket", n) <= SMALL[1]]


def _ends(numbers: Sequence[int]) -> list[int]:
    return list(dict.fromkeys([*numbers[:1], *numbers[-1:]]))


_NONE_SMALL = Measurement(untested="no size of 1–15 % was recorded")


# Pruning and fine-tuning (S2 to S4)


def fine_tuned(record: Record) -> Measurement:
    """Ask how much fine-tuning lowers the error of a network that was pruned in one shot, at each density.

    Of the record of `han`'s penalties; the networks that were trained with none.
    Lesson 01, "L1 against L2".
    """
    numbers = []
    for number, density in enumerate(record.settings["densities"], 1):
        before, after = (record.values("weight_decay 0", number, f"test_error{end}") for end in ("_before", ""))
        what = f"error after minus before fine-tuning, {percent(density, 0)} of the weights"
        numbers.append(comparison(record, what, _minus(after, before), "<"))
    return Measurement(tuple(numbers))


def pruned(compression: int) -> Measure:
    """Return the question how the error of a network that is so many times smaller differs from what it was before.

    Of records of `han` and `han_cifar`: each kind of error that is recorded. A network that was never pruned so far
    cannot decide.
    Lesson 01, "The slides' two rows".
    """

    def measure(record: Record) -> Measurement:
        last = record.settings["rounds"]
        before, after = (record.values("magnitude", i, "kept")[0] for i in (0, last))
        numbers, told = [], [f"{before / after:.1f}× fewer weights"]
        for name, key in (("top-1", "test_error"), ("top-5", "test_top5_error")):
            if key in record.trials[0]["rows"][0]:
                dense, small = (record.values("magnitude", i, key) for i in (0, last))
                numbers.append(comparison(record, f"{name} error after minus before", _minus(small, dense), "≤"))
                told.append(f"{name} error {spread(dense)} → {spread(small)}, mean and range")
        short = round(before / after) < compression
        untested = f"the record ends at {before / after:.1f}×, and the claim is of {compression}×" if short else ""
        return Measurement(tuple(numbers), "; ".join(told), untested)

    return measure


def quality_kept(*records: Record) -> Measurement:
    """Ask how the error of the pruned network differs from that of the dense one that was trained for as long.

    Of records of `han`. Source of the control: Blalock et al. 2020.
    Lesson 01, "The slides' two rows".
    """
    numbers = []
    for record in records:
        name, last = papers.HAN_TABLE_1[record.settings["network"]].network, record.settings["rounds"]
        small, dense = (record.values(method, last, "test_error") for method in ("magnitude", "dense"))
        numbers.append(comparison(record, f"{name}, error, pruned minus dense", _minus(small, dense), "≤"))
    return Measurement(tuple(numbers))


def from_scratch(record: Record) -> Measurement:
    """Ask whether a ticket's mask, trained from newly drawn weights, reaches the dense network's accuracy at the end.

    Lesson 03, "Recorded, at the paper's settings".
    """
    if not (tried := _small(record, record.settings["redrawn"])):
        return _NONE_SMALL
    gains = {n: record.change("re-initialized", n, END) for n in record.settings["redrawn"]}
    numbers = [
        comparison(record, f"{_AT[END]}, from new weights minus dense, {_size(record, n)}", gains[n], "≥")
        for n in _ends(tried)
    ]
    short = [_size(record, n) for n, gain in gains.items() if len(gain) > 1 and student(gain).high < 0]
    sizes = [f"{_size(record, n)} {points_interval(gain)}" for n, gain in gains.items() if n not in _ends(tried)]
    told = [f"from scratch falls short at {', '.join(short) or 'no size'}", *sizes]
    return Measurement(tuple(numbers), "; ".join(told))


def filters_from_scratch(*records: Record) -> Measurement:
    """Ask whether a network of fewer filters, trained from scratch for longer, is as accurate as the fine-tuned one.

    Of records of `structured`, each of one learning rate; the largest and the smallest share of the filters decide.
    Lesson 03, "Filters instead of weights".
    """
    numbers, told = [], []
    for record in records:
        rate, shares = f"rate {record.settings['recipe']['lr']:g}", record.settings["shares"]
        for n, share in enumerate(shares, 1):
            scratch, tuned = (record.values(m, n, "test_accuracy") for m in ("from scratch, longer", "fine-tuned"))
            where, apart = f"{rate}, {percent(share)} of the filters", _minus(scratch, tuned)
            if n in (1, len(shares)):
                numbers.append(comparison(record, f"accuracy, from scratch minus fine-tuned, {where}", apart, "≥"))
            else:
                told.append(f"{where} {points_interval(apart)}")
    return Measurement(tuple(numbers), "; ".join(told))


# Tickets (S6 to S8)


def _size(record: Record, number: int) -> str:
    return size(_density(record, "ticket", number))


def _gain(record: Record, number: int, key: str, method: str = "ticket") -> Comparison:
    what = f"{_AT[key]}, {method} minus dense, {_size(record, number)}"
    return comparison(record, what, record.change(method, number, key), "≥")


def _stop(record: Record, number: int, claim: str) -> Comparison:
    stops = (record.values("ticket", n, "early_stop") for n in (number, 0))
    return comparison(record, f"early stop, ticket : dense, {_size(record, number)}", _over(*stops), claim, ratio=True)


def _tickets(record: Record) -> list[int]:
    return _small(record, range(1, record.settings["rounds"] + 1))


def winning_ticket(record: Record) -> Measurement:
    """Ask of one ticket, the largest that is far smaller, whether it stops no later and is no less accurate there.

    One size, fixed before: the best of many would win by luck. How many seeds have both at once stands beside.
    Lesson 03, "Is it so?".
    """
    if not (tried := _tickets(record)):
        return _NONE_SMALL
    gain, stop = _gain(record, tried[0], EARLY), _stop(record, tried[0], "≤")
    wins = sum(g >= 0 and s <= 1 for g, s in zip(gain.values, stop.values, strict=True))
    return Measurement((gain, stop), f"both at once, seeds: {share_interval(wins, len(gain.values))}")


def small_and_faster(record: Record) -> Measurement:
    """Ask whether the early stop of the largest and of the smallest far smaller ticket comes sooner.

    Lesson 03, "Recorded, at the paper's settings".
    """
    if not (tried := _tickets(record)):
        return _NONE_SMALL
    numbers = tuple(_stop(record, n, "<") for n in _ends(tried))
    larger = [_stop(record, n, "<") for n in range(1, tried[0])]
    sooner = [f"{n.what.rpartition(', ')[2]} ({times_interval(n.values)})" for n in larger if n.interval.high < 1]
    return Measurement(numbers, f"of larger tickets, sooner: {', '.join(sooner) or 'none'}")


def small_and_accurate(*keys: str) -> Measure:
    """Return the question whether the largest and the smallest far smaller ticket is at least as accurate as the whole.

    keys: the accuracies that are meant, at the early stop, at the end, or both.
    Lesson 03, "Recorded, at the paper's settings".
    """

    def measure(record: Record) -> Measurement:
        if not (tried := _tickets(record)):
            return _NONE_SMALL
        beside = [
            f"{method} minus dense, {_size(record, n)}: {points_interval(record.change(method, n, END))}"
            for method in ("re-initialized", "random", "rewound")
            for n in _ends(tried)
            if n in {row["round"] for _, row in record.rows(method)}
        ]
        return Measurement(tuple(_gain(record, n, key) for key in keys for n in _ends(tried)), "; ".join(beside))

    return measure


def _ahead(record: Record, of: str, key: str, numbers: Sequence[int]) -> tuple[Comparison, ...]:
    """How far tickets are ahead of another network of their size."""
    return tuple(
        comparison(
            record,
            f"{_AT[key]}, ticket minus {of}, {_size(record, n)}",
            _minus(record.values("ticket", n, key), record.values(of, n, key)),
            ">",
        )
        for n in numbers
    )


def first_values_matter(record: Record) -> Measurement:
    """Ask whether a far smaller ticket is more accurate than its mask with newly drawn weights.

    Each at its early stop, and at the end.

    Lesson 03, "Recorded, at the paper's settings".
    """
    if not (tried := _small(record, record.settings["redrawn"])):
        return _NONE_SMALL
    later = []
    for n in _ends(tried):
        new, old = (record.values(method, n, "early_stop") for method in ("re-initialized", "ticket"))
        later.append(f"{_size(record, n)}: {times_interval(_over(new, old))}")
    beside = f"early stop, re-initialized : ticket, {'; '.join(later)}"
    return Measurement(
        tuple(n for key in (EARLY, END) for n in _ahead(record, "re-initialized", key, _ends(tried))), beside
    )


def repeated(record: Record) -> Measurement:
    """Ask whether a far smaller ticket that was found in rounds is more accurate than one found in one shot.

    Lesson 03, "Which way to the ticket?".
    """
    tried = _small(record, record.settings["one_shot"])
    return Measurement(_ahead(record, "one shot", END, _ends(tried))) if tried else _NONE_SMALL


def rewound(record: Record) -> Measurement:
    """Ask of a far smaller ticket whose weights return to an early iteration whether it is as accurate as the whole.

    And whether it is more accurate than one whose weights return to iteration 0. Of a record of `lottery` that rewinds.
    Lesson 04, "Rewind a little less far".
    """
    if not (tried := _tickets(record)):
        return _NONE_SMALL
    numbers = tuple(
        comparison(
            record,
            f"{_AT[END]}, rewound minus reset to 0, {_size(record, n)}",
            _minus(record.values("rewound", n, END), record.values("ticket", n, END)),
            ">",
        )
        for n in _ends(tried)
    )
    level = tuple(_gain(record, n, END, "rewound") for n in _ends(tried))
    return Measurement((*numbers, *level), f"rewound to iteration {record.settings['rewind']:,}")


# Supermasks (S10, S13, S14)


def _network(record: Record) -> str:
    name = record.settings["network"]
    return papers.HAN_TABLE_1[name].network if name in papers.HAN_TABLE_1 else name.capitalize()


def _best(record: Record, ks: Iterable[float] | None = None) -> tuple[float, list[float]]:
    """The k, of these, whose supermasks have the best mean validation accuracy, and their test accuracies."""
    first = record.settings["initializers"][0]
    validation, test = (record.by("k", f"{part}_accuracy", first) for part in ("validation", "test"))
    k = max(ks or validation, key=lambda share: mean(validation[share]))
    return k, test[k]


def best_share(*records: Record) -> Measurement:
    """Ask how much better supermasks of the best share k are than those of the smallest and of all the weights.

    Of records of `hidden`; k is chosen on the validation set.
    Lesson 07, "Conv-2 to Conv-8".
    """
    numbers, told = [], []
    for record in records:
        curve = record.by("k", END, record.settings["initializers"][0])
        k, accuracies = _best(record)
        for end in (min(curve), max(curve)):
            what = f"{_network(record)}, k = {percent(k, 0)} minus k = {percent(end, 0)}"
            numbers.append(comparison(record, what, _minus(accuracies, curve[end]), ">"))
        told.append(f"{_network(record)} {', '.join(f'{mean(curve[s]):.1%} at {s:.0%}' for s in curve)}")
    largest = min(max(record.settings["ks"]) for record in records)
    untested = "" if largest == 1 else f"k = 100 % was never run; the largest k is {percent(largest, 0)}"
    return Measurement(tuple(numbers), f"mean accuracy by k: {'; '.join(told)}".replace("%", " %"), untested)


def beside_trained(*records: Record) -> Measurement:
    """Ask how the accuracy of the best supermask differs from that of the trained network.

    Of records of `hidden`; k is chosen on the validation set.
    Lesson 07, "Conv-2 to Conv-8".
    """
    numbers = []
    for record in records:
        k, accuracies = _best(record)
        apart = _minus(accuracies, record.values("trained", 0, END))
        numbers.append(
            comparison(record, f"{_network(record)}, supermask, k = {percent(k, 0)}, minus trained", apart, "≥")
        )
    return Measurement(tuple(numbers), _at_full_length(records, minus_trained=True))


def deeper_is_better(*records: Record) -> Measurement:
    """Ask how much better the best supermasks of each deeper network are.

    Of records of `hidden`, the shallowest network first; of a k that all of them have.
    Lesson 07, "Conv-2 to Conv-8".
    """
    shared = set.intersection(*(set(record.settings["ks"]) for record in records))
    numbers = []
    for flat, deep in pairwise(records):
        fewer = min(flat, deep, key=lambda record: len(record.trials))  # seeds begin with 0 in every record
        before, after = (_best(record, shared)[1][: len(fewer.trials)] for record in (flat, deep))
        what = f"{_network(deep)} minus {_network(flat)}"
        numbers.append(comparison(fewer, what, _minus(after, before), ">"))
    return Measurement(tuple(numbers), _at_full_length(records))


def _at_full_length(records: Sequence[Record], *, minus_trained: bool = False) -> str:
    """What the first seed came to at the paper's length, where shorter records decide; one seed decides nothing."""
    if any(record.budget == "paper" for record in records):
        return ""
    try:
        full = [runs.so_far(record.experiment, "paper") for record in records]
    except RunError:
        return ""
    told = []
    for long in full:
        hidden = long.values(long.settings["initializers"][0], 1, END)[0]
        apart = points([hidden - long.values("trained", 0, END)[0]])
        told.append(f"{_network(long)} {apart if minus_trained else percent(hidden)}")
    what = "supermask minus trained" if minus_trained else "supermasks"
    return f"at the paper's width and length, seed 0, {what}: {', '.join(told)}"


def _by_width(record: Record) -> tuple[dict[float, list[float]], dict[float, list[float]]]:
    """Test accuracies of supermasks and of trained networks by width, narrowest first."""
    first, k = record.settings["initializers"][0], record.settings["k"]
    hidden = record.by("width", END, "by width") | {1.0: record.by("k", END, first)[k]}
    trained = record.by("width", END, "trained")
    return dict(sorted(hidden.items())), dict(sorted(trained.items()))


def wider_is_better(record: Record) -> Measurement:
    """Ask by how much supermasks gain with each step to a wider network.

    Of a record of `hidden` with several widths.
    Lesson 07, "How wide?".
    """
    hidden, trained = _by_width(record)
    narrow, wide = min(hidden), max(hidden)
    numbers = tuple(
        comparison(record, f"accuracy, width {b:g} minus {a:g}", _minus(hidden[b], hidden[a]), ">")
        for a, b in pairwise(hidden)
    )
    behind = [f"{w:g} {points_interval(_minus(hidden[w], trained[w]))}" for w in (narrow, wide)]
    return Measurement(numbers, f"minus trained, width {'; '.join(behind)}")


def as_good_as_a_smaller(record: Record) -> Measurement:
    """Ask how the supermask of the widest random network differs from the narrowest trained network.

    Of a record of `hidden` with several widths.
    Lesson 07, "How wide?".
    """
    hidden, trained = _by_width(record)
    narrow, wide = min(trained), max(hidden)
    what = f"accuracy, τ′ in a network of width {wide:g} minus τ, trained, of width {narrow:g}"
    told = f"τ′ {spread(hidden[wide])}, τ {spread(trained[narrow])}, mean and range"
    return Measurement((comparison(record, what, _minus(hidden[wide], trained[narrow]), "≥"),), told)


def better_from(first: str, second: str) -> Measure:
    """Return the question how supermasks of one initialization differ from those of another, at each k.

    Of a record of `hidden`.
    Lesson 07, "Which random weights?".
    """

    def measure(record: Record) -> Measurement:
        ours, theirs = (record.by("k", END, kind) for kind in (first, second))
        return Measurement(
            tuple(
                comparison(
                    record, f"accuracy, {first} minus {second}, k = {percent(k, 0)}", _minus(ours[k], theirs[k]), ">"
                )
                for k in record.settings["ks"]
            )
        )

    return measure


# Tickets that travel (the slides' second source)


def _far_smaller(matrix: TransferMatrix) -> list[int]:
    return _ends([n for n in matrix.rounds if SMALL[0] <= matrix.density(n) <= SMALL[1]])


def _travels(matrix: TransferMatrix) -> list[tuple[str, str, int]]:
    return [(s, t, n) for n in _far_smaller(matrix) for s, t in matrix.gains(n) if s != t]


def transferred(record: Record) -> Measurement:
    """Ask how much more accurate a ticket from elsewhere is than a random one, at each target.

    How far it is behind the ticket that was found at the target stands beside. Of a record of `transfer`.
    Lesson 05, "Beside the paper".
    """
    matrix = TransferMatrix(record.trials)
    if not (tried := _travels(matrix)):
        return _NONE_SMALL
    numbers, behind = [], []
    for source, target, n in tried:
        what = f"accuracy at {target}, ticket of {source} minus random, {size(matrix.density(n))}"
        numbers.append(comparison(record, what, matrix.gain(source, target, n), ">"))
        if n == tried[-1][2]:
            behind.append(f"{source} → {target} {points_interval(matrix.gain(source, target, n, 'own'))}")
    beside = f"minus the target's own ticket, {size(matrix.density(tried[-1][2]))}: {'; '.join(behind)}"
    return Measurement(tuple(numbers), beside)


def larger_is_better(record: Record) -> Measurement:
    """Ask how much more accurate, elsewhere, tickets found on more of a set are than those found on its smallest part.

    At the set itself nothing is transferred; what comes out there stands beside. Of a record of `transfer` whose first
    three sources are all, a half and a tenth of a set.
    Lesson 05, "Does a larger source help?".
    """
    matrix = TransferMatrix(record.trials)
    if not (tried := _far_smaller(matrix)):
        return _NONE_SMALL
    whole, half, part = matrix.sources[:3]

    def lead(source: str, target: str, n: int) -> tuple[float, ...]:
        return _minus(matrix.gain(source, target, n), matrix.gain(part, target, n))

    numbers = tuple(
        comparison(record, f"accuracy at {t}, {more} minus {part}, {size(matrix.density(n))}", lead(more, t, n), ">")
        for n in tried
        for more in (whole, half)
        for t in matrix.targets
        if t != whole
    )
    own = (f"{s} minus {part} {points_interval(lead(s, whole, tried[-1]))}" for s in (whole, half))
    return Measurement(numbers, f"at {whole} itself: {'; '.join(own)}")


# Not run


def not_run(why: str) -> Callable[[], Measurement]:
    """Return what is said where nothing was run.

    Lesson 08, "The claims table".
    """
    return lambda: Measurement(untested=why)
