"""Recorded runs: written by the program that made them, with where, when and how, and read back with a check."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from ltcourse import data, files
from ltcourse.experiments import catalog, executors, lock, machine
from ltcourse.experiments.cluster import Cluster
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import describe
from ltcourse.names import choose
from ltcourse.quantities import whole

FORMAT = 1
FOLDER = files.ROOT / "data" / "runs"
UNFINISHED = files.ROOT / "data" / "unfinished"  # journals that wait for a machine: `ltcourse record … --journals`


class RunError(RuntimeError):
    """A record cannot be read, made or used; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """One recorded (or live) run of an experiment.

    settings: plain data, as the experiment had them. trials: one per seed, {"seed", "seconds", "rows"}, of as many of
    the settings' seeds as were run. provenance: when, on what machine and device, versions, the data's sha256, the
    code's version; under "before", the same of earlier parts, where a run was stopped and went on elsewhere. live: not
    recorded, but run just now.
    Lesson 01, "The slides' two rows".
    """

    experiment: str
    budget: str
    settings: dict[str, Any]
    trials: list[dict[str, Any]]
    provenance: dict[str, Any]
    live: bool = False
    format: int = FORMAT
    whole: ClassVar[bool] = True

    @property
    def results(self) -> dict[str, Any]:
        """What was found, without when, where and how long: two records are of identical runs if these are equal.

        Experiment, budget, settings, the data's sha256, and of each trial its seed and its rows, all but "seconds".
        """
        rows = [
            {"seed": t["seed"], "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in t["rows"]]}
            for t in self.trials
        ]
        about = {key: getattr(self, key) for key in ("experiment", "budget", "settings")}
        return about | {"data_sha256": self.provenance["data_sha256"], "trials": rows}

    @property
    def methods(self) -> list[str]:
        """The methods that there are rows of, in the order of the first trial."""
        return list(dict.fromkeys(row["method"] for t in self.trials for row in t["rows"]))

    def rows(self, method: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (seed, row) of one method, by seed and round."""
        for t in self.trials:
            for row in t["rows"]:
                if row["method"] == method:
                    yield t["seed"], row

    def values(self, method: str, number: int, key: str) -> list[Any]:
        """Return one value of every trial: `key` of a method at a round.

        Where a method shares its dense network with the others, round 0 is recorded once, under the first. Where a
        record holds an error, it can be asked for the accuracy: "test_accuracy" is 1 − "test_error".

        Raises ValueError for an unknown method and RunError if it has no such round.
        Lesson 01, "The slides' two rows".
        """
        return list(self._by_seed(method, number, key).values())

    def _by_seed(self, method: str, number: int, key: str) -> dict[int, Any]:
        """The values of `values`, by the seed of the trial."""
        methods = self.methods
        if self.whole:
            choose("method", method, methods)
        found = {seed: row for seed, row in self.rows(method) if row["round"] == number}
        if not found and number == 0 and methods:
            found = {seed: row for seed, row in self.rows(methods[0]) if row["round"] == 0}
        if not found:
            raise RunError(f"{self._without} round {number} of {method!r}")
        if key.endswith("accuracy"):
            return {seed: 1 - row[key.replace("accuracy", "error")] for seed, row in found.items()}
        return {seed: row[key] for seed, row in found.items()}

    @property
    def _without(self) -> str:
        return f"the record of {self.experiment!r} has no"

    def change(self, method: str, number: int, key: str) -> list[float]:
        """Return, of every trial that has both, `key` of a method at a round minus that of its dense network.

        Raises as `values` does, and ValueError where a trial of a whole record has one and not the other.
        Lesson 03, "The experiment".
        """
        dense, there = self._by_seed(method, 0, key), self._by_seed(method, number, key)
        if self.whole and dense.keys() != there.keys():
            raise ValueError(f"{self._without} round 0 and round {number} of {method!r} of the same trials")
        return [there[seed] - dense[seed] for seed in dense if seed in there]

    def curve(self, method: str, key: str) -> dict[float, list[float]]:
        """Return `key` of every trial by P_m, over all rounds of a method.

        Lesson 01, "The slides' two rows".
        """
        dense = {0} if self.whole or any(row["round"] == 0 for t in self.trials for row in t["rows"]) else set()
        rounds = sorted(dense | {row["round"] for _, row in self.rows(method)})
        return {self.values(method, i, "density")[0]: self.values(method, i, key) for i in rounds}

    def by(self, x: str, key: str, method: str) -> dict[Any, list[Any]]:
        """Return `key` of every trial by what a method's rows have as `x`: `by("k", "test_accuracy", "kaiming")`.

        Raises as `values` does.
        Lesson 07, "How many edges?".
        """
        if self.whole:
            choose("method", method, self.methods)
        numbers = {row[x]: row["round"] for _, row in self.rows(method)}
        return {value: self.values(method, number, key) for value, number in numbers.items()}

    def best(self, methods: Sequence[str], number: int, key: str) -> str:
        """Return the method whose mean of `key` over the trials is smallest at a round.

        Lesson 01, "L1 against L2".
        """
        return min(methods, key=lambda method: sum(self.values(method, number, key)))

    def __str__(self) -> str:
        p = self.provenance
        minutes = sum(t["seconds"] for t in self.trials) / 60
        planned = len(self.settings["seeds"])
        return (
            f"{'run live' if self.live else 'recorded'} {p['finished'][:10]} at the {self.budget} budget: "
            f"{len(self.trials)} {f'of {planned} ' if len(self.trials) < planned else ''}trials, "
            f"{minutes:.1f} minutes of trials on {p['machine']} ({p['device']}), torch {p['versions']['torch']}, "
            f"code {p['code']}"
        )


class Unfinished(Record):
    """A live run that goes on, or was stopped: it gives the trials, methods and rounds that have come.

    Raises RunError where nothing that is asked for has come.
    Lesson 03, "The experiment".
    """

    whole: ClassVar[bool] = False

    @property
    def _without(self) -> str:
        return f"the run of {self.experiment!r} has not come to"

    def __str__(self) -> str:
        return f"{super().__str__()}; so far"


def _trial(seed: int, rows: list[Row]) -> dict[str, Any]:
    return {"seed": seed, "seconds": round(sum(row["seconds"] for row in rows), 1), "rows": rows}


def _partial(folder: Path, name: str, at: str) -> Path:
    """Return where the journals of a stopped run are kept, below a folder."""
    return folder / f"{name}.{at}.partial"


def path(name: str, at: str | None = None) -> Path:
    """Return where the record of an experiment at a budget is kept."""
    return FOLDER / f"{catalog.get(name).name}.{catalog.budget(at)}.json"


def recorded() -> list[Path]:
    """Return the records that there are, sorted by name."""
    return sorted(FOLDER.glob("*.json"))


def load(name: str, at: str) -> Record:
    """Read a record.

    Raises RunError, one sentence, if there is none, if it is damaged, or of another format.
    Lesson 01, "The slides' two rows".
    """
    file = path(name, at)
    if not file.exists():
        raise RunError(
            f"{name!r} is not recorded at the {at} budget: make it with `ltcourse record {name} --budget {at}`"
        )
    return _read(file)


def so_far(name: str, at: str) -> Record:
    """Return the record, and with it, as `Unfinished`, what the trials in the folder `UNFINISHED` have come to.

    Raises RunError if there is neither, or what there is cannot be read.
    Lesson 07, "At the paper's length".
    """
    folder = _partial(UNFINISHED, name, catalog.budget(at))
    note = folder / "run.json"
    if not note.exists():
        return load(name, at)
    begun = _read(note)
    earlier = _earlier(path(name, at), begun.settings)
    rows = {seed: Journal.read(executors.journal_of(folder, seed)).rows for seed in begun.settings["seeds"]}
    stopped = [_trial(seed, found) for seed, found in rows.items() if found]
    whole = earlier.trials if earlier else []
    return Unfinished(name, begun.budget, begun.settings, [*whole, *stopped], begun.provenance)


def if_recorded(name: str, at: str) -> Record | None:
    """Return the record and print what it is; where there is none, print how it is made, and return None.

    Raises RunError for a record that cannot be read.
    Lesson 05, "The matrix".
    """
    if not path(name, at).exists():
        print(f"{name}: not recorded yet; `ltcourse record {name} --budget {at}` makes the record")
        return None
    found = load(name, at)
    print(f"{name}: {found}")
    return found


class Runner:
    """A run of an experiment, row by row: iterate over it, and then, or at any time, ask for its `record`.

    workers: a cluster that its trials run on, instead of this machine. Its items are `Arrival`s, in the order of
    `experiments.run`. Nothing is written to the records.
    Lesson 03, "The experiment".
    """

    def __init__(
        self,
        name: str,
        at: str | None = None,
        *,
        seeds: tuple[int, ...] | None = None,
        folder: Path | None = None,
        workers: Cluster | None = None,
    ) -> None:
        self.name, self.at = name, catalog.budget(at)
        self._chosen, self._folder = catalog.settings(name, self.at), folder
        self._seeds = self._chosen.seeds if seeds is None else seeds
        self._device = workers.device if workers else catalog.default_device()
        self._workers = workers
        self._provenance = _provenance(self._chosen.data, self._device)
        self._rows: dict[int, dict[tuple[str, int], Row]] = {}
        self._whole = False

    def __iter__(self) -> Iterator["Arrival"]:
        for seed, row in self._arriving():
            # a row that comes again, of a trial that a lost worker had begun, takes the place of the first
            self._rows.setdefault(seed, {})[row["method"], row["round"]] = row
            self._provenance["finished"] = _now()
            yield Arrival(self.name, seed, row)
        self._whole = True

    def _arriving(self) -> Iterator[tuple[int, Row]]:
        if self._workers is None:
            return executors.run(self.name, self.at, seeds=self._seeds, device=self._device, folder=self._folder)
        digest = self._provenance["data_sha256"]
        return self._workers.run(self.name, self.at, seeds=self._seeds, sha256=digest, folder=self._folder)

    @property
    def summary(self) -> str:
        """One line for the end, whichever row came last."""
        return f"{sum(map(len, self._rows.values()))} networks trained, seeds {', '.join(map(str, sorted(self._rows)))}"

    @property
    def record(self) -> Record:
        """What has come so far, as a record: `Unfinished` until all has."""
        trials = [_trial(seed, list(rows.values())) for seed, rows in sorted(self._rows.items())]
        if self._workers:
            self._provenance.update(self._workers.where)
        kind = Record if self._whole else Unfinished
        return kind(self.name, self.at, self._chosen.to_dict(), trials, self._provenance, live=True)


@dataclass(frozen=True)
class Arrival:
    """One row of a run, as it comes; its text is one line."""

    experiment: str
    seed: int
    row: Row

    def __str__(self) -> str:
        return f"{self.experiment} · seed {self.seed} · {describe(self.row)}"


def load_or_run(name: str, at: str | None = None, *, live: bool = False) -> Record:
    """Return the recorded run, or with `live=True` run it here and now, which writes no record.

    Raises RunError if it is not recorded and `live` was not asked for: a run can take hours.
    Lesson 01, "The slides' two rows".
    """
    at = catalog.budget(at)
    if not live:
        return load(name, at)
    runner = Runner(name, at)
    for _ in runner:
        pass
    return runner.record


def record(
    name: str,
    at: str | None = None,
    *,
    trials: int | None = None,
    restart: bool = False,
    echo: bool = False,
    workers: Cluster | None = None,
    journals: Path | None = None,
) -> Path:
    """Run an experiment and write its record; a stopped run continues where it was, in the middle of a trial.

    Each trial keeps a journal in a folder beside the record, written after every row; the folder goes when the record
    is written. trials: how many, by default all that the settings ask for; those of an earlier record of the same
    settings count, and stay in it. restart: forget the journals and the earlier record. echo: print each row. workers:
    a cluster that the trials run on, whose journals are written trial by trial. journals: the folder for unfinished
    trials, instead of that of the records; carried to another machine, it goes on there, and the record names both.
    Raises OutOfTime where a time limit passes (`checkpoints`), all that was computed kept, and RunError if journals of
    other settings are in the way, the folder cannot be written, or another process records the same run.
    """
    at = catalog.budget(at)
    chosen = catalog.settings(name, at)
    trials = None if trials is None else whole("trials", trials, 1)
    if not files.in_clone():
        raise RunError(files.NO_CLONE)
    file, folder = path(name, at), _partial(journals or FOLDER, name, at)
    with _alone(name, at, file):
        if restart:
            shutil.rmtree(folder, ignore_errors=True)
        earlier = None if restart else _earlier(file, chosen.to_dict())
        done = {t["seed"] for t in earlier.trials} if earlier else set()
        seeds = tuple(seed for seed in chosen.seeds[:trials] if seed not in done)
        if earlier and not seeds:
            if done.issuperset(chosen.seeds):
                shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed when its record was written
            return file
        runner = Runner(name, at, seeds=seeds, folder=folder, workers=workers)
        parts = _sign(folder, runner.record)
        for arrival in runner:
            if echo:
                print(arrival, flush=True)
        result = runner.record
        if earlier:
            result.trials[:] = sorted([*earlier.trials, *result.trials], key=lambda t: t["seed"])
            parts = _parts(earlier, result) + parts
        result.provenance.update({"before": parts} if parts else {})
        _write(file, replace(result, live=False))
        shutil.rmtree(folder)
        return file


@contextmanager
def _alone(name: str, at: str, file: Path) -> Iterator[None]:
    """Keep other processes from recording the same run for as long as the block lasts."""
    with ExitStack() as held:
        try:
            held.enter_context(lock.hold(FOLDER / f".{name}.{at}.lock"))
        except lock.Taken as problem:
            raise RunError(
                f"another process records {name!r} at the {at} budget just now: wait for it, or stop it"
            ) from problem
        except OSError as problem:
            raise RunError(files.unwritable(file, problem)) from problem
        yield


def _earlier(file: Path, chosen: dict[str, Any]) -> Record | None:
    """Return the record that is there already, if it is of the same settings and so can be added to.

    Its plan may have had fewer seeds: a trial is of one seed, and knows nothing of the others.
    """
    if not file.exists():
        return None
    found = _read(file)
    fewer = set(found.settings["seeds"]) <= set(chosen["seeds"])
    return found if fewer and found.settings | {"seeds": chosen["seeds"]} == chosen else None


def _sign(folder: Path, begun: Record) -> list[dict[str, Any]]:
    """Note in the folder of the journals what they are of; return the provenance of earlier parts made differently.

    Raises RunError if the journals there are of other settings.
    """
    note = folder / "run.json"
    parts: list[dict[str, Any]] = []
    if note.exists():
        before = _read(note)
        if before.settings != begun.settings:
            raise RunError(f"{folder.name} holds a stopped run of other settings: add --restart to begin anew")
        parts = _parts(before, begun)
    _write(note, replace(begun, provenance=begun.provenance | ({"before": parts} if parts else {})))
    return parts


def _parts(earlier: Record, later: Record) -> list[dict[str, Any]]:
    """Return the provenance of the parts before a later one; one made in the same way becomes one with it."""
    before = dict(earlier.provenance)
    parts = before.pop("before", [])
    if any(before[key] != later.provenance[key] for key in ("machine", "device", "versions", "code")):
        return [*parts, before]
    later.provenance["started"] = before["started"]
    return parts


def _provenance(dataset: str, device: str) -> dict[str, Any]:
    return {
        "started": _now(),
        "finished": _now(),
        **machine.here(device),
        "versions": machine.versions(),
        "data_sha256": data.load(dataset).sha256,
        "code": machine.code(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(file: Path) -> Record:
    name, at = file.name.split(".")[0], file.name.split(".")[-2]
    if file.name == "run.json":
        again = "add --restart to begin anew"
    else:
        again = (
            f"make it again with `ltcourse record {name} --budget {at} --restart`, "
            f"or {files.restore(f'data/runs/{file.name}')}"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise RunError(
                f"{file.name} is a record of format {content['format']} and this version reads format {FORMAT}: "
                f"update the course, or {again}"
            )
        signed = content.pop("sha256", None)
        if signed is not None and signed != _digest(content):
            raise RunError(f"{file.name} was changed after it was recorded and was not used: {again}")
        found = Record(**content)
        _ = (
            str(found),
            found.settings["seeds"],
            [(row["method"], row["round"]) for t in found.trials for row in t["rows"]],
        )
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RunError(f"{file.name} is damaged and was not used: {again}") from problem


def _write(file: Path, content: Record) -> None:
    plain = asdict(content)
    try:
        # a list of numbers is one line, so that a curve does not fill a screen
        signed = plain if file.name == "run.json" else plain | {"sha256": _digest(plain)}
        text = re.sub(r"\[[-\d.,e\s]+\]", lambda m: " ".join(m[0].split()), json.dumps(signed, indent=1))
        files.write(file, (text + "\n").encode())
    except OSError as problem:
        raise RunError(files.unwritable(file, problem)) from problem


def _digest(content: dict[str, Any]) -> str:
    """Return the digest of a record as plain data, which tells whether it was changed by hand."""
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()
