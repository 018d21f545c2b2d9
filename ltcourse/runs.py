"""Recorded runs: written by the program that made them, with where, when and how, and read back with a check."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ltcourse import data, experiments
from ltcourse.names import choose
from ltcourse.sources import DataError, write

FORMAT = 1
FOLDER = Path(__file__).resolve().parent.parent / "data" / "runs"


class RunError(RuntimeError):
    """A record cannot be read, made or used; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """One recorded (or live) run of an experiment.

    settings: plain data, as the experiment had them. trials: one a seed, {"seed", "seconds", "rows"}. provenance: when,
    on what machine and device, versions, the data's sha256, the code's version. live: not recorded, but run just now.
    Lesson 01, "The slides' two rows".
    """

    experiment: str
    budget: str
    settings: dict[str, Any]
    trials: list[dict[str, Any]]
    provenance: dict[str, Any]
    live: bool = False
    format: int = FORMAT

    @property
    def complete(self) -> bool:
        """Whether every seed of the settings has its trial."""
        return {t["seed"] for t in self.trials} >= set(self.settings["seeds"])

    def rows(self, method: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (seed, row) of one method, by seed and round."""
        for t in self.trials:
            for row in t["rows"]:
                if row["method"] == method:
                    yield t["seed"], row

    def values(self, method: str, number: int, key: str) -> list[float]:
        """Return one value of every trial: `key` of a method at a round.

        Where a method shares its dense network with the others, round 0 is recorded once, under the first.

        Raises ValueError for an unknown method and RunError if it has no such round.
        Lesson 01, "The slides' two rows".
        """
        methods = list(dict.fromkeys(row["method"] for t in self.trials for row in t["rows"]))
        choose("method", method, methods)
        found = [row[key] for _, row in self.rows(method) if row["round"] == number]
        if not found and number == 0:
            found = [row[key] for _, row in self.rows(methods[0]) if row["round"] == 0]
        if not found:
            raise RunError(f"the record of {self.experiment!r} has no round {number} of {method!r}")
        return found

    def curve(self, method: str, key: str) -> dict[float, list[float]]:
        """Return `key` of every trial by P_m, over all rounds of a method.

        Lesson 01, "The slides' two rows".
        """
        rounds = [0, *sorted({row["round"] for _, row in self.rows(method)} - {0})]
        return {self.values(method, i, "density")[0]: self.values(method, i, key) for i in rounds}

    def best(self, methods: Sequence[str], number: int, key: str) -> str:
        """Return the method whose mean of `key` over the trials is smallest at a round.

        Lesson 01, "L1 against L2".
        """
        return min(methods, key=lambda method: sum(self.values(method, number, key)))

    def __str__(self) -> str:
        p = self.provenance
        minutes = sum(t["seconds"] for t in self.trials) / 60
        return (
            f"{'run live' if self.live else 'recorded'} {p['finished'][:10]} at the {self.budget} budget: "
            f"{len(self.trials)} trials, "
            f"{minutes:.1f} minutes of trials on {p['machine']} ({p['device']}), torch {p['versions']['torch']}, "
            f"code {p['code']}"
        )


def path(name: str, at: str | None = None) -> Path:
    """Return where the record of an experiment at a budget is kept."""
    return FOLDER / f"{experiments.get(name).name}.{experiments.budget(at)}.json"


def recorded() -> list[Path]:
    """Return the records that there are, sorted by name."""
    return sorted(p for p in FOLDER.glob("*.json") if not p.name.endswith(".partial.json"))


def load(name: str, at: str) -> Record:
    """Read a record.

    Raises RunError, one sentence, if there is none, if it is damaged, of another format, or not complete.
    Lesson 01, "The slides' two rows".
    """
    file = path(name, at)
    if not file.exists():
        raise RunError(
            f"{name!r} is not recorded at the {at} budget: make it with `ltcourse record {name} --budget {at}`"
        )
    record = _read(file)
    if not record.complete:
        raise RunError(f"{file.name} lacks trials: make it again with `ltcourse record {name} --budget {at}`")
    return record


def load_or_run(name: str, at: str | None = None, *, live: bool = False) -> Record:
    """Return the recorded run, or with `live=True` run it here and now, which writes no record.

    Raises RunError if it is not recorded and `live` was not asked for: a run can take hours.
    Lesson 01, "The slides' two rows".
    """
    at = experiments.budget(at)
    return _run(name, at, done=[], save=None) if live else load(name, at)


def record(name: str, at: str | None = None, *, restart: bool = False, echo: bool = False) -> Path:
    """Run an experiment and write its record; a run that was stopped goes on with the trials that it lacks.

    restart: forget the trials of a stopped run. echo: print each row as it comes.
    Raises RunError if a stopped run of other settings is in the way, or the folder cannot be written.
    """
    at = experiments.budget(at)
    file = path(name, at)
    partial = file.with_suffix(".partial.json")
    if restart:
        partial.unlink(missing_ok=True)
    done = []
    if partial.exists():
        before = _read(partial)
        if before.settings != experiments.settings(name, at).to_dict():
            raise RunError(f"{partial.name} is of other settings: add --restart to begin anew")
        done = before.trials
    finished = _run(name, at, done=done, save=lambda r: _write(partial, r), echo=echo)
    _write(file, finished)
    partial.unlink(missing_ok=True)
    return file


def _run(
    name: str, at: str, done: list[dict[str, Any]], save: Callable[[Record], None] | None, echo: bool = False
) -> Record:
    chosen = experiments.settings(name, at)
    missing = tuple(seed for seed in chosen.seeds if seed not in {t["seed"] for t in done})
    trials = list(done)
    device = experiments.default_device()
    provenance = _provenance(chosen.data, device)
    result = Record(name, at, chosen.to_dict(), trials, provenance, live=save is None)
    if missing:
        for trial in experiments.run(name, at, seeds=missing, device=device, echo=echo):
            trials.append(trial)
            trials.sort(key=lambda t: t["seed"])
            provenance["finished"] = _now()
            if save is not None:
                save(result)
    return result


def _provenance(dataset: str, device: str) -> dict[str, Any]:
    return {
        "started": _now(),
        "finished": _now(),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | {p: version(p) for p in ("torch", "numpy", "ltcourse")},
        "data_sha256": data.load(dataset).sha256,
        "code": _code(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _code() -> str:
    """Return the commit of the code, marked if it was changed since; the package's version outside a clone."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return version("ltcourse")
    return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _read(file: Path) -> Record:
    if file.name.endswith(".partial.json"):
        again = "add --restart to begin anew"
    else:
        again = "make it again with `ltcourse record`, or take it from the repository with `git checkout`"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise RunError(
                f"{file.name} is a record of format {content['format']} and this version reads format {FORMAT}: "
                f"update the course, or {again}"
            )
        found = Record(**content)
        _ = str(found), found.complete, [(row["method"], row["round"]) for t in found.trials for row in t["rows"]]
        return found
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RunError(f"{file.name} is damaged and was not used: {again}") from problem


def _write(file: Path, content: Record) -> None:
    try:
        write(file, (json.dumps(asdict(content), indent=1) + "\n").encode())
    except DataError as problem:
        why = getattr(problem.__cause__, "strerror", None) or problem
        raise RunError(f"cannot write {file} ({why}): make room or give write access, and try again") from problem
