"""What a trial is: one seed of one experiment, a plain function of its settings, so that it runs anywhere."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ltcourse import quantities
from ltcourse.experiments.journal import Journal, Row
from ltcourse.networks import masks
from ltcourse.pruning import Round
from ltcourse.training import Recipe, checkpoints
from ltcourse.training.checkpoints import OutOfTime

BUDGETS = ("smoke", "class", "desk", "night", "paper")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides the result of an experiment, but the seed of the trial.

    network, data: their names. recipe: of the dense network. seeds: one per trial. Each kind of experiment adds its
    own.
    Lesson 00, "Budgets".
    """

    network: str
    data: str
    recipe: Recipe
    seeds: tuple[int, ...] = (0,)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; what a recipe sets to None is left out, as if there were no such setting."""
        plain = json.loads(json.dumps(asdict(self), default=quantities.plain))
        for name, part in vars(self).items():
            if isinstance(part, Recipe):
                plain[name] = {setting: value for setting, value in plain[name].items() if value is not None}
        return plain


Run = Callable[[Any, int, str, Journal], Iterator[Row]]


@dataclass(frozen=True)
class Experiment:
    """One experiment of the course.

    question: one sentence. lesson: where it is taught. budgets: the settings at each of
    `BUDGETS` that it has. trial: maps settings, a seed, a device and the journal of what is done already to the rows
    that are still to come.
    Lesson 00, "Budgets".
    """

    name: str
    question: str
    lesson: str
    budgets: Mapping[str, Settings]
    trial: Run


def rows(experiment: Experiment, chosen: Settings, seed: int, device: str, file: Path | None = None) -> Iterator[Row]:
    """Run one trial and yield its rows as they come, each with the seconds that it took.

    file: where the journal is kept. What it holds is yielded first and not done again; beside it, until the next row,
    lie the checkpoints of trainings. Raises DataError for a journal that cannot be read or written, and OutOfTime where
    a time limit has passed.
    """
    journal = Journal.read(file, device)
    yield from list(journal.rows)
    if journal.complete:
        return
    folder = None if file is None else file.with_suffix(".checkpoints")
    begun = time.perf_counter()
    trial = experiment.trial(chosen, seed, device, journal)
    while (row := _next(trial, folder)) is not None:
        row["seconds"] = round(time.perf_counter() - begun, 1)
        journal.note(row)
        checkpoints.forget(folder)
        yield row
        begun = time.perf_counter()  # what is done with the row is not a part of the next
    journal.close()


def _next(trial: Iterator[Row], folder: Path | None) -> Row | None:
    """Return the next row of a trial, whose trainings keep checkpoints; None when there is none any more.

    Raises OutOfTime where there is a time limit and it has passed.
    """
    if checkpoints.out_of_time():
        raise OutOfTime("the time is over")
    with checkpoints.kept_in(folder):
        return next(trial, None)


def small_data(at: str, usual: str) -> str:
    """Return the data set of a budget: a small one for smoke, which must be quick and whose numbers mean nothing."""
    return "fashion-mnist-mini" if at == "smoke" else usual


def row_of(method: str, done: Round, *, points: int = 0) -> Row:
    """Return the results of one training as plain data: errors are shares, iterations are counted from 1.

    points: how many points of the validation curve to keep, at most; 0 for none.
    Raises ValueError for a training that did not reach its end.
    """
    history = done.history
    if history.test_accuracy is None or history.early_stop_test_accuracy is None:
        raise ValueError(f"{method}, round {done.number}: the training was stopped before its end")
    result: Row = {
        "method": method,
        "round": done.number,
        "kept": masks.kept(done.mask),
        "density": done.density,
        "layers": {name: masks.density({name: m}) for name, m in done.mask.items()},
        "validation_error": 1 - history.validation_accuracy[-1],
        "test_error": 1 - history.test_accuracy,
        "early_stop": history.early_stop,
        "early_stop_test_error": 1 - history.early_stop_test_accuracy,
    }
    if points:
        every = -(-len(history.iterations) // points)
        # from the end, so that the last evaluation is there; 5 digits are more than 5,000 examples resolve
        chosen = slice((len(history.iterations) - 1) % every, None, every)
        result["curve"] = {
            "iterations": history.iterations[chosen],
            "validation_error": [round(1 - a, 5) for a in history.validation_accuracy[chosen]],
            "validation_loss": [round(loss, 5) for loss in history.validation_loss[chosen]],
        }
    return result


def describe(row: Row) -> str:
    """Return a row of results in one line, for whoever watches the run: of the validation set, not of the test set.

    Lesson 00, "The data".
    """
    error = f"validation error {row['validation_error']:.2%}"
    return f"{row['method']} · round {row['round']} · P_m {row['density']:.2%} · {error}"
