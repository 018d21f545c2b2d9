"""Tables that set the tickets of a record beside their dense network: how many win, and by how much at most."""

import operator
from collections.abc import Callable, Mapping, Sequence

from ltcourse.display.tables import Table, percent, points, times
from ltcourse.experiments.runs import Record

_WINS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "sooner (S8)": ("early_stop", operator.lt),
    "no later (S6)": ("early_stop", operator.le),
    "no less accurate at the early stop": ("early_stop_test_accuracy", operator.ge),
    "no less accurate at the end": ("test_accuracy", operator.ge),
}


def wins(record: Record, at_most: float) -> Table:
    """Return a table of the tickets that keep at most a share of the weights: in how many seeds each of them wins.

    record: of a lottery experiment with early stops. Seed by seed, a ticket is set beside the dense network that it was
    found in.
    Raises as `Record.values` does.
    Lesson 03, "Is it so?".
    """
    rows = []
    for number in range(1, record.settings["rounds"] + 1):
        share = record.values("ticket", number, "density")[0]
        if share <= at_most:
            stops, dense = (record.values("ticket", n, "early_stop") for n in (number, 0))
            found = [_in_how_many(record, number, *how) for how in _WINS.values()]
            rows.append([percent(share), f"{sum(stops) / sum(dense):.2f}×", *found])
    return Table(["P_m", "mean early stop, ticket : dense", *_WINS], rows)


def _in_how_many(record: Record, number: int, key: str, wins: Callable[[float, float], bool]) -> str:
    """In how many seeds the ticket of a round wins against its dense network."""
    pairs = zip(record.values("ticket", number, key), record.values("ticket", 0, key), strict=True)
    return f"{sum(wins(ticket, dense) for ticket, dense in pairs)} of {len(record.trials)}"


def largest_leads(record: Record) -> list[str]:
    """Return the largest lead of a record's tickets over the dense network, as mean over the seeds, and at which P_m.

    The first is a ratio: how many times as early they stop. The others are points: how much more accurate they are at
    the early stop, and at the end.
    Lesson 04, "Convolutions".
    """
    stops = record.curve("ticket", "early_stop")
    sooner = {p: [d / t for d, t in zip(stops[1.0], at, strict=True)] for p, at in stops.items()}
    leads = [_largest(sooner, times)]
    for key in ("early_stop_test_accuracy", "test_accuracy"):
        curve = record.curve("ticket", key)
        better = {p: [t - d for d, t in zip(curve[1.0], at, strict=True)] for p, at in curve.items()}
        leads.append(_largest(better, points))
    return leads


def _largest(found: Mapping[float, Sequence[float]], text: Callable[[Sequence[float]], str]) -> str:
    """The largest mean, and the density that has it."""
    mean = {density: sum(values) / len(values) for density, values in found.items()}
    best = max(mean, key=mean.__getitem__)
    return f"{text([mean[best]])} at {percent(best)}"
