"""The transfer matrix: how good the tickets of each source are at each target, read from the rows of trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

ACCURACY = "early_stop_test_accuracy"  # of the weights that the validation set chose; the test set is asked once


@dataclass(frozen=True)
class TransferMatrix:
    """What trials of a transfer experiment say, by kind, source, target and round.

    trials: one per seed, {"seed", "rows"}, as records have them; a run that is not over may lack rows.
    Lesson 05, "The matrix".
    """

    trials: Sequence[Mapping[str, Any]]

    @property
    def sources(self) -> tuple[str, ...]:
        """The tasks at which tickets were found."""
        return tuple(dict.fromkeys(row["source"] for row in self._rows("ticket")))

    @property
    def targets(self) -> tuple[str, ...]:
        """The tasks at which all tickets were tried: those that have a random control."""
        return tuple(dict.fromkeys(row["target"] for row in self._rows("random")))

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds whose tickets were tried."""
        return tuple(sorted({row["round"] for row in self._rows("random")}))

    def density(self, number: int, layer: str = "") -> float:
        """Return P_m of the tickets of a round, 0 to 1, of one layer if it is named, by that of its weight."""
        row = next(row for row in self._rows("ticket") if row["round"] == number)
        return row["layers"][layer] if layer else row["density"]

    def values(self, kind: str, source: str, target: str, number: int) -> dict[int, float]:
        """Return the test accuracy at the early stop by seed; empty where there is no such row.

        kind: "ticket", "re-initialized", or "random", which is of the target alone, whatever the source.
        Round 0 of a task's own ticket is its dense network.
        Lesson 05, "The matrix".
        """
        source = target if kind == "random" else source
        return {
            trial["seed"]: 1 - row[ACCURACY.replace("accuracy", "error")]
            for trial in self.trials
            for row in trial["rows"]
            if (row["kind"], row["source"], row["target"], row["round"]) == (kind, source, target, number)
        }

    def gain(self, source: str, target: str, number: int, over: str = "random", kind: str = "ticket") -> list[float]:
        """Return accuracy minus that of a control, of every seed that has both.

        over: "random", the target's random ticket; "own", the ticket found there; or "dense", its dense network.
        Lesson 05, "The matrix".
        """
        controls = {"random": ("random", number), "own": ("ticket", number), "dense": ("ticket", 0)}
        control, at = controls[over]
        return _apart(self.values(kind, source, target, number), self.values(control, target, target, at))

    def minus(self, kind: str, other: str, source: str, target: str, number: int) -> list[float]:
        """Return the accuracy of one kind minus that of another kind, of every seed that has both.

        Lesson 05, "Photographs and clothes".
        """
        return _apart(self.values(kind, source, target, number), self.values(other, source, target, number))

    def gains(self, number: int, over: str = "random", kind: str = "ticket") -> dict[tuple[str, str], list[float]]:
        """Return `gain` of each (source, target) that has any.

        Lesson 05, "The matrix".
        """
        pairs = [(source, target) for source in self.sources for target in self.targets]
        found = {pair: self.gain(*pair, number, over, kind) for pair in pairs}
        return {pair: values for pair, values in found.items() if values}

    def lead_kept(self, source: str, target: str, number: int) -> float:
        """Return the share of the own ticket's lead over the random one that the source's ticket has at the target.

        1: as good as the ticket found there; 0: no better than a random one. NaN where the own ticket has no lead.
        Lesson 05, "Beside the paper".
        """
        lead = mean(self.gain(target, target, number))
        return mean(self.gain(source, target, number)) / lead if lead > 0 else float("nan")

    def curve(self, kind: str, source: str, target: str) -> dict[float, list[float]]:
        """Return the accuracies of a kind by P_m, over the rounds that were tried.

        Lesson 05, "Pick a source, a target, a density".
        """
        found = {self.density(n): list(self.values(kind, source, target, n).values()) for n in self.rounds}
        return {density: values for density, values in found.items() if values}

    def alike(self, source: str, target: str, number: int) -> dict[str, list[float]]:
        """Return, by layer, how many times as many weights both tickets keep as chance would, one value per seed.

        Lesson 05, "How alike are two tickets?".
        """
        found: dict[str, list[float]] = {}
        for row in self._rows("ticket"):
            if (row["source"], row["target"], row["round"]) == (source, target, number):
                for layer, (common, expected) in row.get("overlap", {}).items():
                    found.setdefault(layer, []).append(common / expected)
        return found

    def _rows(self, kind: str) -> list[Mapping[str, Any]]:
        return [row for trial in self.trials for row in trial["rows"] if row["kind"] == kind]


def _apart(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """The differences of the seeds that are in both."""
    return [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
