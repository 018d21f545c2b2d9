"""Records: what is written is read back, a stopped run loses nothing, and nothing damaged is ever used."""

import dataclasses
import errno
import functools
import json
import re
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ltcourse import experiments, runs
from ltcourse.experiments import Experiment, Settings
from ltcourse.runs import RunError
from ltcourse.training import Recipe

NAME = "cheap"
RUN = experiments.run


class OneAfterAnother(Executor):
    """Does the work at once, in this process; an error ends the caller's loop as a lost machine would."""

    def submit(self, function, /, *given, **named):
        future = Future()
        try:
            future.set_result(function(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future


def rows_of(settings, seed, device):
    """A dense network, two rounds, a control: numbers that no binary fraction hits, which JSON must keep."""
    for method in ("magnitude", "random"):
        for number in range(0 if method == "magnitude" else 1, settings.rounds + 1):
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
    small = Settings("lenet-300-100", "fashion-mnist-mini", Recipe(), Recipe(), 2, {"fc1.weight": 0.1}, seeds=(0, 1, 2))
    budgets = dict.fromkeys(experiments.BUDGETS, small)
    cheap = Experiment(NAME, "Does a record hold?", "01_pruning_lenet", budgets, rows_of)
    monkeypatch.setitem(experiments.EXPERIMENTS, NAME, cheap)
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "runs")
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)
    monkeypatch.setattr(experiments, "run", functools.partial(RUN, executor=OneAfterAnother()))
    return tmp_path / "runs"


def set_trial(monkeypatch, trial):
    cheap = experiments.EXPERIMENTS[NAME]
    monkeypatch.setitem(
        experiments.EXPERIMENTS, NAME, Experiment(cheap.name, cheap.question, cheap.lesson, cheap.budgets, trial)
    )


def count_trials(monkeypatch):
    """Let the trials run as they are, and return the list that their seeds go to."""
    tried = []

    def counting(settings, seed, device):
        tried.append(seed)
        yield from rows_of(settings, seed, device)

    set_trial(monkeypatch, counting)
    return tried


def results(record):
    """What a record says, but for how long it took."""
    return [(t["seed"], t["rows"]) for t in record.trials]


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
    settings = experiments.settings(NAME, "smoke")
    assert results(record) == [(seed, list(rows_of(settings, seed, "cpu"))) for seed in (0, 1, 2)]
    assert (record.experiment, record.budget, record.format) == (NAME, "smoke", runs.FORMAT)
    assert record.settings == settings.to_dict()
    assert record.complete
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
    monkeypatch.setattr(experiments, "run", lambda *given, **named: pytest.fail("it ran"))
    with pytest.raises(RunError) as problem:
        runs.load_or_run(NAME, "desk")
    assert "make it with `ltcourse record cheap --budget desk`" in one_sentence(problem.value)


def test_a_live_run_writes_nothing(folder):
    record = runs.load_or_run(NAME, "smoke", live=True)
    assert record.complete and [seed for seed, _ in results(record)] == [0, 1, 2]
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

    def more_rows(settings, seed, device):
        yield from rows_of(dataclasses.replace(settings, rounds=4), seed, device)

    set_trial(monkeypatch, more_rows)
    record = runs.load_or_run(NAME, "smoke", live=True)
    assert list(record.curve("magnitude", "kept")) == [1 / 3**i for i in range(5)]


def test_best_takes_the_mean_over_the_trials(folder):
    record = runs.load_or_run(NAME, "smoke", live=True)
    for t in record.trials:
        for row in t["rows"]:
            if row["method"] == "magnitude" and t["seed"] == 2:
                row["validation_error"] = 50.0  # one bad seed
    assert record.best(["magnitude", "random"], 1, "validation_error") == "random"


# A run that is stopped


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError("the machine went away"), MemoryError()], ids=repr)
def test_a_stopped_run_goes_on_to_the_identical_result(folder, monkeypatch, stop):
    runs.record(NAME, "smoke")
    unbroken = runs.load(NAME, "smoke")
    runs.path(NAME, "smoke").unlink()

    monkeypatch.setattr(experiments, "run", one_trial_then(stop))
    with pytest.raises(type(stop)):
        runs.record(NAME, "smoke")
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.partial.json"]
    partial = json.loads((folder / "cheap.smoke.partial.json").read_text())
    assert [t["seed"] for t in partial["trials"]] == [0]
    assert runs.recorded() == [], "a partial record is no record"
    with pytest.raises(RunError, match="not recorded at the smoke budget: make it with `ltcourse record cheap"):
        runs.load(NAME, "smoke")

    tried = count_trials(monkeypatch)
    monkeypatch.setattr(experiments, "run", one_trial_then(None))
    runs.record(NAME, "smoke")
    assert tried == [1, 2], "the trial that was done is not done again"
    assert results(runs.load(NAME, "smoke")) == results(unbroken)
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.json"]


def one_trial_then(stop):
    """Stand-in for experiments.run that raises `stop`, if any, after its first trial."""

    def run(name, at, *, seeds, device, echo):
        for seed in seeds:
            yield experiments.trial(name, experiments.settings(name, at), seed, device, echo)
            if stop:
                raise stop

    return run


def test_trials_that_finish_in_another_order_give_the_same_record(folder, monkeypatch):
    runs.record(NAME, "smoke")
    first = results(runs.load(NAME, "smoke"))

    def backwards(name, at, *, seeds, device, echo):
        for seed in reversed(seeds):
            yield experiments.trial(name, experiments.settings(name, at), seed, device, echo)

    monkeypatch.setattr(experiments, "run", backwards)
    runs.record(NAME, "smoke")
    assert results(runs.load(NAME, "smoke")) == first


def test_a_trial_that_fails_costs_only_itself(folder, monkeypatch):
    """Seed 1 fails at once, while the others run; they are finished all the same, and kept."""

    def fails(settings, seed, device):
        if seed == 1:
            raise MemoryError("seed 1")
        time.sleep(0.2)
        yield from rows_of(settings, seed, device)

    set_trial(monkeypatch, fails)
    with ThreadPoolExecutor(3) as pool:
        monkeypatch.setattr(experiments, "run", functools.partial(RUN, executor=pool))
        with pytest.raises(MemoryError, match="seed 1"):
            runs.record(NAME, "smoke")
    partial = folder / "cheap.smoke.partial.json"
    assert partial.exists(), "what the other trials found is lost"
    assert [t["seed"] for t in json.loads(partial.read_text())["trials"]] == [0, 2]


def make_partial(folder, monkeypatch):
    run = experiments.run
    monkeypatch.setattr(experiments, "run", one_trial_then(OSError("stopped")))
    with pytest.raises(OSError, match="stopped"):
        runs.record(NAME, "smoke")
    monkeypatch.setattr(experiments, "run", run)
    return folder / "cheap.smoke.partial.json"


def test_a_stopped_run_of_other_settings_is_refused_until_told(folder, monkeypatch):
    partial = make_partial(folder, monkeypatch)
    content = json.loads(partial.read_text())
    content["settings"]["rounds"] = 7
    content["trials"][0]["rows"] = []
    partial.write_text(json.dumps(content))
    before = partial.read_bytes()
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert "other settings: add --restart to begin anew" in one_sentence(problem.value)
    assert partial.read_bytes() == before and not runs.path(NAME, "smoke").exists()
    runs.record(NAME, "smoke", restart=True)
    assert [len(rows) for _, rows in results(runs.load(NAME, "smoke"))] == [5, 5, 5]
    assert not partial.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 99}'], ids=["empty", "cut", "other format"])
def test_a_partial_record_that_cannot_be_used_is_told_with_a_way_out(folder, monkeypatch, damage):
    partial = make_partial(folder, monkeypatch)
    partial.write_bytes(damage)
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert partial.read_bytes() == damage
    assert "--restart" in one_sentence(problem.value), "`ltcourse record` alone would fail the same way again"


# A record that cannot be used


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


def test_a_record_of_another_format_is_told(file):
    content = json.loads(file.read_text()) | {"format": 2, "novelty": True}
    text = refuses(file, json.dumps(content).encode())
    assert "format 2" in text and "reads format 1" in text and "update the course" in text


def test_a_record_that_lacks_trials_is_told(file):
    content = json.loads(file.read_text())
    del content["trials"][1]
    text = refuses(file, json.dumps(content).encode())
    assert "lacks trials" in text and "ltcourse record cheap --budget smoke" in text
    with pytest.raises(RunError, match="lacks trials"):
        runs.load_or_run(NAME, "smoke")


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
        runs.record(NAME, "smoke")
    assert str(folder) in one_sentence(problem.value) and "no luck" in str(problem.value)
    assert [p.name for p in folder.iterdir()] == ["cheap.smoke.json"]
    assert runs.path(NAME, "smoke").read_bytes() == before


def test_the_advice_for_a_folder_of_records_would_help(folder, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", lambda self, content: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(RunError) as problem:
        runs.record(NAME, "smoke")
    assert "LTCOURSE_DATA" not in str(problem.value), "that variable does not move the records"
