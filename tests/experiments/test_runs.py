"""Records: what is written is read back, a stopped run loses nothing, and nothing damaged is ever used."""

import dataclasses
import errno
import functools
import json
import re
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from executors import OneAfterAnother

from ltcourse.data import DataError
from ltcourse.experiments import catalog, executors, machine, runs
from ltcourse.experiments.han import Pruning
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.runs import RunError
from ltcourse.experiments.trials import Experiment
from ltcourse.training import Recipe

NAME = "cheap"
RUN = executors.run


def rows_of(settings, seed, device, journal):
    """A dense network, two rounds, a control: numbers that no binary fraction hits, which JSON must keep."""
    for method in ("magnitude", "random"):
        for number in range(0 if method == "magnitude" else 1, settings.rounds + 1):
            if not journal.lacks(method, number):
                continue
            yield {
                "method": method,
                "round": number,
                "kept": 1000 // (number + 1),
                "density": 1 / 3**number,
                "layers": {"fc1.weight": 0.1 + 0.2},
                "validation_error": (seed + 1) / 7 + number / 10 + (method == "random") / 9,
                "test_error": (seed + 1) / 11 + number / 10 + (method == "random") / 9,
                "early_stop": 10,
            }


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder for records, and an experiment of three cheap trials that run in this process."""
    names = {"network": "lenet-300-100", "data": "fashion-mnist-mini"}
    small = Pruning(**names, recipe=Recipe(), retrain=Recipe(), rounds=2, shares={"fc1.weight": 0.1}, seeds=(0, 1, 2))
    budgets = dict.fromkeys(catalog.BUDGETS, small)
    cheap = Experiment(NAME, "Does a record hold?", "01_pruning_lenet", budgets, rows_of)
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, cheap)
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "runs")
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=OneAfterAnother()))
    return tmp_path / "runs"


def set_trial(monkeypatch, trial):
    cheap = catalog.EXPERIMENTS[NAME]
    monkeypatch.setitem(
        catalog.EXPERIMENTS, NAME, Experiment(cheap.name, cheap.question, cheap.lesson, cheap.budgets, trial)
    )


def count_trials(monkeypatch):
    """Let the trials run as they are, and return the list that their seeds go to."""
    tried = []

    def counting(settings, seed, device, journal):
        tried.append(seed)
        yield from rows_of(settings, seed, device, journal)

    set_trial(monkeypatch, counting)
    return tried


def results(record):
    """What a record says, but for how long it took."""
    return [(t["seed"], [{k: v for k, v in row.items() if k != "seconds"} for row in t["rows"]]) for t in record.trials]


def one_sentence(problem):
    text = str(problem)
    assert "\n" not in text and "Traceback" not in text and 20 < len(text) < 400, text
    return text


# There and back


def test_a_record_comes_back_as_it_was_made(folder):
    file = runs.record(NAME, "smoke")
    assert file == folder / "cheap.smoke.json" == runs.path(NAME, "smoke")
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.json"], "something was left beside the record"
    record = runs.load(NAME, "smoke")
    settings = catalog.settings(NAME, "smoke")
    assert results(record) == [(seed, list(rows_of(settings, seed, "cpu", Journal()))) for seed in (0, 1, 2)]
    assert (record.experiment, record.budget, record.format) == (NAME, "smoke", runs.FORMAT)
    assert record.settings == settings.to_dict()
    assert runs.load_or_run(NAME, "smoke") == record
    assert runs.recorded() == [file]


def test_provenance_says_when_where_and_with_what(folder):
    runs.record(NAME, "smoke")
    record = runs.load(NAME, "smoke")
    p = record.provenance
    assert set(p) == {
        "started", "finished", "machine", "device", "system", "versions", "data_sha256", "code",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", p["started"]) and p["started"] <= p["finished"]
    assert set(p["versions"]) == {"python", "torch", "numpy", "ltcourse"} and all(p["versions"].values())
    assert re.fullmatch(r"[0-9a-f]{64}", p["data_sha256"])
    assert re.fullmatch(r".+, \d+ cores", p["machine"]) and p["device"] and p["system"] and p["code"]
    text = str(record)
    for part in (p["finished"][:10], "smoke", "3 trials", p["machine"], p["device"], p["versions"]["torch"], p["code"]):
        assert part in text
    assert str(folder) not in json.dumps(p), "a record must not name folders of the machine"


def test_load_or_run_does_not_run_for_hours_unasked(folder, monkeypatch):
    monkeypatch.setattr(executors, "run", lambda *given, **named: pytest.fail("it ran"))
    with pytest.raises(RunError) as problem:
        runs.load_or_run(NAME, "desk")
    assert "make it with `ltcourse record cheap --budget desk`" in one_sentence(problem.value)


def test_a_live_run_writes_nothing(folder):
    record = runs.load_or_run(NAME, "smoke", live=True)
    assert [seed for seed, _ in results(record)] == [0, 1, 2]
    assert not folder.exists()


def test_load_or_run_live_runs_although_there_is_a_record(folder, monkeypatch):
    runs.record(NAME, "smoke")
    tried = count_trials(monkeypatch)
    before = runs.path(NAME, "smoke").read_bytes()
    assert runs.load_or_run(NAME, "smoke") and tried == []
    assert results(runs.load_or_run(NAME, "smoke", live=True)) == results(runs.load(NAME, "smoke"))
    assert sorted(tried) == [0, 1, 2]
    assert runs.path(NAME, "smoke").read_bytes() == before


def test_what_ran_here_is_not_called_recorded(folder):
    assert not str(runs.load_or_run(NAME, "smoke", live=True)).startswith("recorded")


def test_the_budget_of_the_environment_is_used(folder, monkeypatch):
    monkeypatch.setenv("LTCOURSE_BUDGET", "smoke")
    assert runs.record(NAME).name == "cheap.smoke.json"
    assert runs.load_or_run(NAME).budget == runs.load_or_run(NAME, live=True).budget == "smoke"


# Questions to a record


def test_values_best_and_curve(folder):
    runs.record(NAME, "smoke")
    record = runs.load(NAME, "smoke")
    assert record.values("magnitude", 2, "test_error") == [(s + 1) / 11 + 0.2 for s in (0, 1, 2)]
    assert record.values("random", 0, "kept") == [1000] * 3  # its dense network is that of the first method
    for method in ("magnitude", "random"):
        assert record.curve(method, "test_error") == {
            1 / 3**i: record.values(method, i, "test_error") for i in (0, 1, 2)
        }
    assert record.best(["random", "magnitude"], 1, "validation_error") == "magnitude"
    assert [seed for seed, _ in record.rows("random")] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("method", "number"), [("magnitude", 3), ("random", 4)])
def test_what_is_not_in_a_record_is_told(folder, method, number):
    record = runs.load_or_run(NAME, "smoke", live=True)
    with pytest.raises(RunError) as problem:
        record.values(method, number, "test_error")
    assert f"round {number}" in one_sentence(problem.value) and repr(method) in str(problem.value)


@pytest.mark.parametrize("number", [0, 1])
def test_an_unknown_method_is_told(folder, number):
    record = runs.load_or_run(NAME, "smoke", live=True)
    with pytest.raises(ValueError, match=r"unknown method 'magnitud' \(did you mean 'magnitude'\?\): choose one of"):
        record.values("magnitud", number, "test_error")


def test_a_curve_goes_over_all_rounds_of_the_rows(folder, monkeypatch):
    """One-shot experiments (settings.densities) have more numbered rows than rounds."""

    def more_rows(settings, seed, device, journal):
        yield from rows_of(dataclasses.replace(settings, rounds=4), seed, device, journal)

    set_trial(monkeypatch, more_rows)
    record = runs.load_or_run(NAME, "smoke", live=True)
    assert list(record.curve("magnitude", "kept")) == [1 / 3**i for i in range(5)]


def test_an_error_can_be_asked_for_as_an_accuracy_and_for_its_change(folder):
    record = runs.load_or_run(NAME, "smoke", live=True)
    errors = record.values("random", 2, "test_error")
    assert record.values("random", 2, "test_accuracy") == [1 - e for e in errors]
    dense = record.values("magnitude", 0, "test_accuracy")
    expected = [(1 - e) - d for e, d in zip(errors, dense, strict=True)]
    assert record.change("random", 2, "test_accuracy") == expected
    assert record.change("magnitude", 0, "kept") == [0, 0, 0]


def test_best_takes_the_mean_over_the_trials(folder):
    record = runs.load_or_run(NAME, "smoke", live=True)
    for t in record.trials:
        for row in t["rows"]:
            if row["method"] == "magnitude" and t["seed"] == 2:
                row["validation_error"] = 50.0  # one bad seed
    assert record.best(["magnitude", "random"], 1, "validation_error") == "random"


# A run that is stopped


class Stops(OneAfterAnother):
    """Does as much of the work as a machine that stops in the middle of the second trial."""

    def __init__(self, stop):
        self.stop, self.begun = stop, 0

    def submit(self, function, /, *given, **named):
        self.begun += 1
        if self.begun > 2:
            future = Future()
            future.set_exception(self.stop)
            return future
        return super().submit(function, *given, **named)


def stopping(monkeypatch, stop):
    """Let the second trial stop with an error after its third row, and the third not begin."""

    def trial(settings, seed, device, journal):
        for count, row in enumerate(rows_of(settings, seed, device, journal)):
            if seed == 1 and count == 3:
                raise stop
            yield row

    set_trial(monkeypatch, trial)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=Stops(stop)))


@pytest.mark.parametrize("stop", [OSError("the machine went away"), MemoryError("full")], ids=repr)
def test_a_stopped_run_goes_on_in_the_middle_of_a_trial_to_the_identical_result(folder, monkeypatch, stop):
    runs.record(NAME, "smoke")
    unbroken = runs.load(NAME, "smoke")
    runs.path(NAME, "smoke").unlink()

    stopping(monkeypatch, stop)
    with pytest.raises(type(stop)):
        runs.record(NAME, "smoke")
    partial = folder / "cheap.smoke.partial"
    assert sorted(p.name for p in partial.iterdir()) == ["run.json", "seed-0.safetensors", "seed-1.safetensors"]
    assert [len(Journal.read(partial / f"seed-{seed}.safetensors").rows) for seed in (0, 1)] == [5, 3]
    assert runs.recorded() == [], "a partial record is no record"
    with pytest.raises(RunError, match="not recorded at the smoke budget: make it with `ltcourse record cheap"):
        runs.load(NAME, "smoke")

    made = []

    def counting(settings, seed, device, journal):
        for row in rows_of(settings, seed, device, journal):
            made.append((seed, row["method"], row["round"]))
            yield row

    set_trial(monkeypatch, counting)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=OneAfterAnother()))
    runs.record(NAME, "smoke")
    assert made[:2] == [(1, "random", 1), (1, "random", 2)] and len(made) == 2 + 5, "what was done is not done again"
    assert results(runs.load(NAME, "smoke")) == results(unbroken)
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.json"]


def test_trials_that_finish_in_another_order_give_the_same_record(folder, monkeypatch):
    runs.record(NAME, "smoke")
    first = results(runs.load(NAME, "smoke"))

    def backwards(name, at, *, seeds, **choices):
        yield from RUN(name, at, seeds=tuple(reversed(seeds)), executor=OneAfterAnother(), **choices)

    monkeypatch.setattr(executors, "run", backwards)
    runs.record(NAME, "smoke", restart=True)
    assert results(runs.load(NAME, "smoke")) == first


def test_a_trial_that_fails_costs_only_itself(folder, monkeypatch):
    """Seed 1 fails at once, while the others run; they are finished all the same, and kept."""

    def fails(settings, seed, device, journal):
        if seed == 1:
            raise MemoryError("seed 1")
        time.sleep(0.2)
        yield from rows_of(settings, seed, device, journal)

    set_trial(monkeypatch, fails)
    with ThreadPoolExecutor(3) as pool:
        monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=pool))
        with pytest.raises(MemoryError, match="seed 1"):
            runs.record(NAME, "smoke")
    partial = folder / "cheap.smoke.partial"
    found = {p.name: len(Journal.read(p).rows) for p in partial.glob("seed-*")}
    assert found == {"seed-0.safetensors": 5, "seed-2.safetensors": 5}, "what the other trials found is lost"


def make_partial(monkeypatch):
    stopping(monkeypatch, OSError("stopped"))
    with pytest.raises(OSError, match="stopped"):
        runs.record(NAME, "smoke")
    set_trial(monkeypatch, rows_of)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=OneAfterAnother()))
    return runs.FOLDER / "cheap.smoke.partial"


def test_what_waits_for_a_machine_is_read_beside_the_record_and_is_gone_on_with(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "UNFINISHED", tmp_path / "waiting")
    with pytest.raises(RunError, match="not recorded"):
        runs.so_far(NAME, "smoke")
    runs.record(NAME, "smoke", trials=1)
    first = runs.load(NAME, "smoke")
    ((_, rows),) = results(first)
    assert runs.so_far(NAME, "smoke") == first
    stopping(monkeypatch, OSError("stopped"))
    with pytest.raises(OSError, match="stopped"):
        runs.record(NAME, "smoke", journals=runs.UNFINISHED)
    found = runs.so_far(NAME, "smoke")
    assert isinstance(found, runs.Unfinished) and str(found).endswith("so far")
    begun = [*rows_of(catalog.settings(NAME, "smoke"), 1, "cpu", Journal())][:3]
    assert results(found)[:2] == [*results(first), (1, begun)]
    assert found.values("magnitude", 2, "test_error")[:2] == [row["test_error"] for row in (rows[2], begun[2])]
    assert runs.load(NAME, "smoke") == first

    set_trial(monkeypatch, rows_of)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=OneAfterAnother()))
    runs.record(NAME, "smoke", journals=runs.UNFINISHED)
    assert runs.so_far(NAME, "smoke") == runs.load(NAME, "smoke") and len(runs.load(NAME, "smoke").trials) == 3
    assert not list(runs.UNFINISHED.iterdir())


@pytest.mark.parametrize("note", sorted(runs.UNFINISHED.glob("*/run.json")), ids=lambda note: note.parent.name)
def test_what_waits_in_the_repository_can_be_gone_on_with(note):
    name, at = note.parent.name.split(".")[:2]
    found = runs.so_far(name, at)
    assert found.settings == catalog.settings(name, at).to_dict(), "of other settings: it would be refused"
    assert not [f for f in note.parent.iterdir() if f.stat().st_size > 10_000], "weights are not kept in git"


def test_a_stopped_run_of_other_settings_is_refused_until_told(folder, monkeypatch):
    note = make_partial(monkeypatch) / "run.json"
    content = json.loads(note.read_text())
    content["settings"]["rounds"] = 7
    note.write_text(json.dumps(content))
    before = note.read_bytes()
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert "other settings: add --restart to begin anew" in one_sentence(problem.value)
    assert note.read_bytes() == before and not runs.path(NAME, "smoke").exists()
    runs.record(NAME, "smoke", restart=True)
    assert [len(rows) for _, rows in results(runs.load(NAME, "smoke"))] == [5, 5, 5]
    assert not note.parent.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 99}'], ids=["empty", "cut", "other format"])
def test_a_partial_record_that_cannot_be_used_is_told_with_a_way_out(folder, monkeypatch, damage):
    note = make_partial(monkeypatch) / "run.json"
    note.write_bytes(damage)
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert note.read_bytes() == damage
    assert "--restart" in one_sentence(problem.value), "`ltcourse record` alone would fail the same way again"


def test_a_damaged_journal_is_told_with_a_way_out(folder, monkeypatch):
    journal = make_partial(monkeypatch) / "seed-1.safetensors"
    journal.write_bytes(journal.read_bytes()[:-3])
    with pytest.raises(DataError) as problem:
        runs.record(NAME, "smoke")
    assert "--restart" in one_sentence(problem.value)
    runs.record(NAME, "smoke", restart=True)
    assert len(runs.load(NAME, "smoke").trials) == 3


def test_a_run_that_went_on_elsewhere_says_where_it_was_before(folder, monkeypatch):
    note = make_partial(monkeypatch) / "run.json"
    content = json.loads(note.read_text())
    content["provenance"] |= {"machine": "another machine", "started": "2026-01-02T03:04:05+00:00"}
    note.write_text(json.dumps(content))
    stopping(monkeypatch, OSError("stopped again"))
    with pytest.raises(OSError, match="stopped again"):
        runs.record(NAME, "smoke")
    set_trial(monkeypatch, rows_of)
    monkeypatch.setattr(executors, "run", functools.partial(RUN, executor=OneAfterAnother()))
    runs.record(NAME, "smoke")
    provenance = runs.load(NAME, "smoke").provenance
    (part,) = provenance["before"]
    assert (part["machine"], part["started"]) == ("another machine", "2026-01-02T03:04:05+00:00")
    assert "before" not in part and provenance["machine"] != part["machine"]


def test_a_run_that_went_on_where_it_was_began_when_its_first_part_did(folder, monkeypatch):
    note = make_partial(monkeypatch) / "run.json"
    content = json.loads(note.read_text())
    content["provenance"]["started"] = "2026-01-02T03:04:05+00:00"
    note.write_text(json.dumps(content))
    runs.record(NAME, "smoke")
    provenance = runs.load(NAME, "smoke").provenance
    assert provenance["started"] == "2026-01-02T03:04:05+00:00" < provenance["finished"]
    assert "before" not in provenance


def test_what_a_run_leaves_that_is_killed_when_its_record_is_written_goes_the_next_time(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(runs, "shutil", SimpleNamespace(rmtree=lambda folder: (_ for _ in ()).throw(KeyboardInterrupt)))
        with pytest.raises(KeyboardInterrupt):
            runs.record(NAME, "smoke")
    file, before = runs.path(NAME, "smoke"), runs.path(NAME, "smoke").read_bytes()
    assert (folder / "cheap.smoke.partial").exists()
    tried = count_trials(monkeypatch)
    assert runs.record(NAME, "smoke") == file
    assert tried == [] and file.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.json"]


def test_a_stopped_run_of_more_trials_outlives_a_wish_for_fewer(folder, monkeypatch):
    runs.record(NAME, "smoke", trials=1)
    partial = make_partial(monkeypatch)
    runs.record(NAME, "smoke", trials=1)
    assert (partial / "seed-1.safetensors").exists(), "what was done is lost"


# Some of the trials


def test_a_record_can_hold_fewer_trials_and_be_added_to(folder, monkeypatch):
    runs.record(NAME, "smoke")
    whole = results(runs.load(NAME, "smoke"))
    runs.record(NAME, "smoke", trials=2, restart=True)
    some = runs.load(NAME, "smoke")
    assert results(some) == whole[:2]
    assert "2 of 3 trials" in str(some)
    tried = count_trials(monkeypatch)
    runs.record(NAME, "smoke", trials=1)
    runs.record(NAME, "smoke", trials=2)
    assert tried == [] and results(runs.load(NAME, "smoke")) == whole[:2], "what is recorded stays"
    runs.record(NAME, "smoke")
    assert tried == [2] and results(runs.load(NAME, "smoke")) == whole
    assert "3 trials" in str(runs.load(NAME, "smoke"))


def repository(folder):
    """A git repository with one commit, and how to run git there."""

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", "-C", folder, *who, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    folder.mkdir()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    return git


@pytest.mark.parametrize("where", [".", "homework/course"])
@pytest.mark.parametrize("committed", [False, True])
def test_the_commit_is_of_a_clone_of_the_course_and_of_no_other_repository(tmp_path, monkeypatch, where, committed):
    """A zip of the course that is unpacked in another repository, at its top or deeper, has no commit of its own."""
    git = repository(tmp_path / "other")
    code = tmp_path / "other" / where / "ltcourse" / "experiments" / "runs.py"
    code.parent.mkdir(parents=True)
    code.write_text("# the code")
    if committed:
        git("add", ".")
        git("commit", "-q", "-m", "second")
    monkeypatch.setattr(machine, "__file__", str(code))
    if where == "." and committed:  # a clone
        assert machine.code() == git("rev-parse", "--short", "HEAD")
        code.write_text("# other code")
        assert machine.code() == git("rev-parse", "--short", "HEAD") + "+changes"
    else:
        assert machine.code() == version("ltcourse")


@pytest.mark.parametrize("change", ["edited", "new", "removed", "staged"])
@pytest.mark.parametrize("file", ["names.py", "pruning/criteria.py", "experiments/runs.py", "data/sets.py"])
def test_a_change_anywhere_in_the_package_marks_the_commit(tmp_path, monkeypatch, file, change):
    git, package = repository(tmp_path / "clone"), tmp_path / "clone" / "ltcourse"
    for name in ("experiments/runs.py", "names.py", "pruning/criteria.py", "data/sets.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("# the code")
    (tmp_path / "clone" / "notes.md").write_text("no code")
    git("add", ".")
    git("commit", "-q", "-m", "second")
    monkeypatch.setattr(machine, "__file__", str(package / "experiments" / "runs.py"))
    (tmp_path / "clone" / "notes.md").write_text("other words, and still no code")
    commit = git("rev-parse", "--short", "HEAD")
    assert machine.code() == commit
    if change == "removed" and file != "experiments/runs.py":  # which is the code that runs
        (package / file).unlink()
    else:
        (package / file).with_stem("more" if change == "new" else (package / file).stem).write_text("# other code")
    if change == "staged":
        git("add", ".")
    assert machine.code() == f"{commit}+changes"


def test_parts_made_in_different_ways_are_told_apart(folder, monkeypatch):
    monkeypatch.setattr(machine, "code", lambda: "first")
    runs.record(NAME, "smoke", trials=1)
    begun = runs.load(NAME, "smoke").provenance["started"]
    runs.record(NAME, "smoke", trials=2)
    same = runs.load(NAME, "smoke").provenance
    assert "before" not in same and same["started"] == begun
    monkeypatch.setattr(machine, "code", lambda: "second")
    runs.record(NAME, "smoke")
    provenance = runs.load(NAME, "smoke").provenance
    assert provenance["code"] == "second" and [part["code"] for part in provenance["before"]] == ["first"]


def test_an_earlier_record_of_other_settings_is_replaced_whole(folder, monkeypatch):
    file = runs.record(NAME, "smoke")
    content = json.loads(file.read_text())
    content["settings"]["rounds"] = 7
    del content["sha256"]  # as in a record from before records were signed
    file.write_text(json.dumps(content))
    tried = count_trials(monkeypatch)
    runs.record(NAME, "smoke", trials=1)
    assert tried == [0] and len(runs.load(NAME, "smoke").trials) == 1


def test_a_plan_of_more_seeds_keeps_the_trials_that_are_recorded_and_adds_the_rest(folder, monkeypatch):
    more = catalog.settings(NAME, "smoke")
    monkeypatch.setitem(catalog.get(NAME).budgets, "smoke", dataclasses.replace(more, seeds=more.seeds[:2]))
    runs.record(NAME, "smoke")
    monkeypatch.setitem(catalog.get(NAME).budgets, "smoke", more)
    tried = count_trials(monkeypatch)
    runs.record(NAME, "smoke")
    record = runs.load(NAME, "smoke")
    assert tried == [more.seeds[2]] and record.settings == more.to_dict()
    assert [trial["seed"] for trial in record.trials] == list(more.seeds)
    monkeypatch.setitem(catalog.get(NAME).budgets, "smoke", dataclasses.replace(more, seeds=more.seeds[1:]))
    runs.record(NAME, "smoke")
    assert tried == [more.seeds[2], *more.seeds[1:]], "a plan without a seed that is recorded is another plan"


# Row by row


def test_a_runner_has_its_record_at_any_time(folder):
    runner = runs.Runner(NAME, "smoke")
    assert runner.record.trials == []
    for count, arrival in enumerate(runner, 1):
        record = runner.record
        assert sum(len(t["rows"]) for t in record.trials) == count
        (trial,) = [t for t in record.trials if t["seed"] == arrival.seed]
        assert arrival.row == trial["rows"][-1]
        assert NAME in str(arrival) and f"seed {arrival.seed}" in str(arrival)
    assert results(runner.record) == results(runs.load_or_run(NAME, "smoke", live=True))
    assert runner.summary == "15 networks trained, seeds 0, 1, 2"
    assert not folder.exists()


# A record that cannot be used


def test_values_can_be_asked_for_by_what_the_rows_have(folder):
    runs.record(NAME, "smoke")
    record = runs.load(NAME, "smoke")
    by_density = record.by("density", "test_error", "random")
    assert by_density == {1 / 3**n: record.values("random", n, "test_error") for n in (1, 2)}
    assert record.by("round", "test_accuracy", "magnitude")[0] == record.values("magnitude", 0, "test_accuracy")
    with pytest.raises(ValueError, match="unknown method"):
        record.by("density", "test_error", "no such")


@pytest.fixture
def file(folder):
    return runs.record(NAME, "smoke")


def refuses(file, content):
    """Loading this content raises one sentence and leaves the file alone."""
    file.write_bytes(content)
    with pytest.raises(RunError) as problem:
        runs.load(NAME, "smoke")
    assert file.read_bytes() == content
    text = one_sentence(problem.value)
    assert file.name in text and "`ltcourse record" in text
    return text


def test_a_record_cut_anywhere_is_refused(file):
    whole = file.read_bytes()
    for length in [0, 1, 2, *range(3, len(whole) - 2, len(whole) // 60), len(whole) - 2]:
        assert "is damaged and was not used" in refuses(file, whole[:length])


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"[]", b"3", b"null", b'"text"', b"{}", b'{"format": 1}', b'{"format": 1, "more": 2}'],
    ids=lambda content: content.decode("latin-1"),
)
def test_a_file_that_is_no_record_is_refused(file, content):
    assert "is damaged and was not used" in refuses(file, content)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {}},
        {"settings": None},
        {"settings": []},
        {"trials": None},
        {"trials": [{}]},
        {"trials": {"0": 1}},
        {"trials": [1]},
        {"provenance": {}},
        {"provenance": None},
    ],
    ids=json.dumps,
)
def test_a_record_with_damaged_parts_is_refused_and_not_stumbled_over(file, change):
    content = json.loads(file.read_text()) | change
    file.write_text(json.dumps(content))
    with pytest.raises(RunError) as problem:
        str(runs.load(NAME, "smoke"))
    one_sentence(problem.value)


def test_a_record_that_was_edited_by_hand_is_told_and_not_used(file):
    whole = file.read_bytes()
    for old, new in (
        (b'"kept": 500', b'"kept": 501'),
        (b'"device": "', b'"device": "x'),
        (b'"round": 2', b'"round": 1'),
    ):
        assert old in whole
        assert "was changed after it was recorded and was not used" in refuses(file, whole.replace(old, new, 1))
        with pytest.raises(RunError, match="--restart"):
            runs.record(NAME, "smoke")
    runs.record(NAME, "smoke", restart=True)
    assert len(runs.load(NAME, "smoke").trials) == 3


def test_white_space_is_no_edit_and_a_record_from_before_there_was_a_signature_is_read(file):
    before, content = runs.load(NAME, "smoke"), json.loads(file.read_text())
    file.write_text(json.dumps(content))
    assert runs.load(NAME, "smoke") == before
    del content["sha256"]
    file.write_text(json.dumps(content))
    assert runs.load(NAME, "smoke") == before


def test_a_record_of_another_format_is_told(file):
    content = json.loads(file.read_text()) | {"format": 2, "novelty": True}
    text = refuses(file, json.dumps(content).encode())
    assert "format 2" in text and "reads format 1" in text and "update the course" in text


def test_an_unknown_experiment_or_budget_is_told(folder):
    for call in (runs.record, runs.load, runs.load_or_run):
        with pytest.raises(ValueError, match=r"unknown experiment 'cheep' \(did you mean 'cheap'\?\): choose one of"):
            call("cheep", "smoke")
        with pytest.raises(ValueError, match=r"unknown budget 'smokey' \(did you mean 'smoke'\?\): choose one of"):
            call(NAME, "smokey")


# A disk that refuses


@pytest.mark.parametrize("method", ["mkdir", "write_bytes", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_written_is_one_sentence_and_leaves_nothing_half_written(
    folder, monkeypatch, method, number
):
    runs.record(NAME, "smoke")
    before = runs.path(NAME, "smoke").read_bytes()
    real = getattr(Path, method)

    def refuse(self, *given, **named):
        if method == "write_bytes":
            real(self, given[0][:100])  # the disk is full in the middle of it
        raise OSError(number, "no luck")

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke", restart=True)
    assert str(folder) in one_sentence(problem.value) and "no luck" in str(problem.value)
    left = [p for p in folder.rglob("*") if p.is_file()]
    assert [p.name for p in left] == ["cheap.smoke.json"]
    assert runs.path(NAME, "smoke").read_bytes() == before


def test_a_journal_that_cannot_be_written_stops_the_run_in_one_sentence_and_the_run_goes_on_later(folder, monkeypatch):
    real = Path.write_bytes

    def full(self, content):
        if "seed-1" in self.name:
            raise OSError(errno.ENOSPC, "no luck")
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError) as problem:
            runs.record(NAME, "smoke")
    assert "seed-1.safetensors" in one_sentence(problem.value) and "no luck" in str(problem.value)
    assert "LTCOURSE_DATA" not in str(problem.value), "that variable does not move the records"
    assert runs.recorded() == []
    runs.record(NAME, "smoke")
    assert [len(rows) for _, rows in results(runs.load(NAME, "smoke"))] == [5, 5, 5]


def test_the_advice_for_a_folder_of_records_would_help(folder, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert "LTCOURSE_DATA" not in str(problem.value), "that variable does not move the records"


def test_a_record_that_may_be_missing_is_told_or_asked_for(folder, capsys):
    assert runs.if_recorded(NAME, "smoke") is None
    assert f"{NAME}: not recorded yet; `ltcourse record {NAME} --budget smoke`" in capsys.readouterr().out
    runs.record(NAME, "smoke")
    record = runs.if_recorded(NAME, "smoke")
    assert record == runs.load(NAME, "smoke")
    assert capsys.readouterr().out == f"{NAME}: {record}\n"
    runs.path(NAME, "smoke").write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        runs.if_recorded(NAME, "smoke")


# A run that is not over


def test_an_unfinished_run_gives_what_has_come_and_says_what_has_not():
    runner = runs.Runner("lottery-lenet-300-100", "smoke", seeds=(0, 1))
    row = {"seconds": 1.0, "density": 1.0}
    runner._rows = {
        0: {("ticket", n): row | {"method": "ticket", "round": n, "test_error": 0.5 - n / 10} for n in (0, 1)},
        1: {("ticket", 0): row | {"method": "ticket", "round": 0, "test_error": 0.4}},
    }
    record = runner.record
    assert isinstance(record, runs.Unfinished) and not record.whole
    assert record.values("ticket", 0, "test_accuracy") == [0.5, 0.6]
    assert record.values("ticket", 1, "test_error") == [0.4]
    assert record.change("ticket", 1, "test_error") == [pytest.approx(-0.1)], "of the trial that has both"
    assert record.by("round", "test_error", "ticket") == {0: [0.5, 0.4], 1: [0.4]}
    assert record.curve("random", "test_error") == {1.0: [0.5, 0.4]}, "the dense network, which methods share"
    assert record.by("round", "test_error", "random") == {}
    with pytest.raises(RunError, match="has not come to round 1 of 'random'"):
        record.values("random", 1, "test_error")
    runner._rows = {}
    assert runner.record.methods == [] and runner.record.curve("ticket", "test_error") == {}
    with pytest.raises(RunError, match="the run of 'lottery-lenet-300-100' has not come to round 0 of 'ticket'"):
        runner.record.values("ticket", 0, "test_error")


def test_a_run_that_is_over_is_whole_and_refuses_what_it_does_not_have(folder):
    runner = runs.Runner(NAME, "smoke")
    arrivals = iter(runner)
    next(arrivals)
    assert not runner.record.whole
    list(arrivals)
    assert runner.record.whole and type(runner.record) is runs.Record
    with pytest.raises(ValueError, match="unknown method 'none'"):
        runner.record.curve("none", "test_error")
