"""What records say about the claims of the papers that came after the slides (lesson 09), as `measures` does.

Where a claim is about several sizes, fixed ones decide: those at which the sanity checks were run, or the smallest.
"""

from collections.abc import Sequence
from functools import cache

from ltcourse.claims.measures import END, comparison
from ltcourse.claims.verdicts import Comparison, Count, Measure, Measurement, size
from ltcourse.data import load
from ltcourse.display.tables import points_interval
from ltcourse.experiments import catalog, foresight, sparse_trainings
from ltcourse.experiments.foresight import SCORED
from ltcourse.experiments.runs import Record
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot

DRAWS = (0, 1, 2)  # seeds of the networks in which vanished layers are counted


def _apart(record: Record, one: tuple[str, int], other: tuple[str, int], claim: str, what: str) -> Comparison:
    """The accuracies of one method and round minus those of another, of every seed."""
    first, second = (record.values(method, number, END) for method, number in (one, other))
    return comparison(record, what, [a - b for a, b in zip(first, second, strict=True)], claim)


def _size(record: Record, number: int) -> str:
    return size(record.values("ticket", number, "density")[0])


def _scored(record: Record, methods: Sequence[str]) -> list[str]:
    return [method for method in methods if method in record.methods]


def ahead(first: str, others: Sequence[str], claim: str = ">") -> Measure:
    """Return the question how much more accurate one method is than each of some others, at the smallest size.

    Of a record of `foresight`. claim: as of `Comparison`. What comes out at the largest checked size stands beside.
    Lesson 09, "Before training".
    """

    def measure(record: Record) -> Measurement:
        last, checked = record.settings["sizes"], record.settings["checked"][0]
        there = _scored(record, others)
        numbers = [
            _apart(record, (first, last), (m, last), claim, f"accuracy, {first} minus {m}, {_size(record, last)}")
            for m in there
        ]
        beside = [
            f"minus {m} {points_interval(_apart(record, (first, checked), (m, checked), claim, m).values)}"
            for m in there
        ]
        return Measurement(tuple(numbers), f"at {_size(record, checked)}: {', '.join(beside)}")

    return measure


def beside_dense(method: str) -> Measure:
    """Return the question whether a method's networks are as accurate as the dense one, at the sizes that are checked.

    Of a record of `foresight`.
    Lesson 09, "Before training".
    """

    def measure(record: Record) -> Measurement:
        return Measurement(
            tuple(
                _apart(record, (method, n), ("ticket", 0), "≥", f"accuracy, {method} minus dense, {_size(record, n)}")
                for n in record.settings["checked"]
            )
        )

    return measure


def checked(check: str) -> Measure:
    """Return the question what a sanity check costs each method that prunes before training.

    check: one of `foresight.CHECKS`. What it costs the ticket, for which the papers claim the opposite, stands beside.
    Of a record of `foresight`.
    Lesson 09, "Who needs the particular weights?".
    """

    def change(record: Record, method: str, n: int) -> Comparison:
        what = f"accuracy, {method}, {check} minus as found, {_size(record, n)}"
        return _apart(record, (f"{method}: {check}", n), (method, n), "≥", what)

    def measure(record: Record) -> Measurement:
        sizes = record.settings["checked"]
        numbers = [change(record, m, n) for m in _scored(record, SCORED) for n in sizes]
        ticket = [f"{_size(record, n)} {points_interval(change(record, 'ticket', n).values)}" for n in sizes]
        return Measurement(tuple(numbers), f"of the ticket: {'; '.join(ticket)}")

    return measure


def ticket_shuffled(record: Record) -> Measurement:
    """Ask whether the ticket's mask loses accuracy when it is shuffled within its layers, and with new weights.

    Of a record of `foresight`.
    Lesson 09, "Who needs the particular weights?".
    """
    return Measurement(
        tuple(
            _apart(
                record,
                (f"ticket: {check}", n),
                ("ticket", n),
                "<",
                f"accuracy, ticket, {check} minus as found, {_size(record, n)}",
            )
            for check in ("shuffled", "redrawn")
            for n in record.settings["checked"]
        )
    )


@cache
def emptied() -> Measurement:
    """Ask of each method in how many of some networks LeNet-300-100 it empties a layer, at 0.1 % of the weights.

    The networks and the batches are those of `DRAWS`; nothing is trained.
    Lesson 09, "Layers that vanish".
    """
    drawn, counts = [collapse("foresight-lenet-300-100", 0.001, seed) for seed in DRAWS], []
    for method in SCORED:
        n = sum(not all(m.any() for m in masks_of[method].values()) for masks_of in drawn)
        what = f"{size(0.001)}, {method}: networks in which a layer is emptied"
        counts.append(Count(what, f"{n} of {len(DRAWS)}", (n == 0) == (method == "SynFlow")))
    return Measurement(tuple(counts))


@cache
def collapse(name: str, density: float, seed: int = 0) -> dict[str, masks.Mask]:
    """Return the masks of the methods that score weights at initialization, for the network of an experiment.

    name: of an experiment of `foresight`; its class budget says network and data. density: 0 to 1. seed: of the
    network, and of the batch that SNIP and GraSP see.
    Lesson 09, "Layers that vanish".
    """
    chosen = catalog.settings(name, "class")
    data = load(chosen.data)
    network = models.create(chosen.network, shape=data.shape, seed=seed)
    weights = {n: p.detach() for n, p in masks.prunable(network).items()}
    by_name = foresight.named(snapshot(network), chosen, data, seed)
    return {m: foresight.mask_of(m, by_name, weights, density, seed) for m in SCORED}


def at_one_cost(first: str, others: Sequence[str], claim: str) -> Measure:
    """Return the question how much more accurate one way of sparse training is than others, at equal length.

    The shortest length decides, at each density. Of a record of `sparse_trainings`.
    Lesson 09, "During training".
    """

    def measure(record: Record) -> Measurement:
        numbers, longer = [], []
        for density in record.settings["densities"]:
            for other in others:
                names = (sparse_trainings.method(way, density) for way in (first, other))
                one, two = names
                what = f"accuracy, {first} minus {other}, {size(density)}"
                numbers.append(_apart(record, (one, 1), (two, 1), claim, what))
                last = max(row["round"] for _, row in record.rows(one))
                found = points_interval(_apart(record, (one, last), (two, last), claim, what).values)
                longer.append(f"minus {other}, {size(density)} {found}")
        return Measurement(tuple(numbers), f"in the longest trainings, or searches: {'; '.join(longer)}")

    return measure


def rewound_beats_tuned(record: Record) -> Measurement:
    """Ask how much more accurate both ways to rewind are than fine-tuning, after one pruning, at each density.

    What comes out in rounds stands beside. Of a record of `sparse_trainings`.
    Lesson 09, "During training".
    """
    parts = [at_one_cost(way, ("fine-tuned",), ">")(record) for way in ("rate rewound", "weights rewound")]
    ways = ("rate", "weights")
    beside = "; ".join(f"{way} rewound, {part.also}" for way, part in zip(ways, parts, strict=True))
    return Measurement(tuple(n for part in parts for n in part.numbers), beside)
