"""The command line: exit statuses, one sentence for what is wrong, and the command that opens JupyterLab."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ltcourse import cli, doctor
from ltcourse.data import DataError, sources
from ltcourse.experiments import catalog, machine, runs

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("lab", "slides", "rehearse", "student-copy", "grade", "data", "doctor", "record", "runs")


@pytest.fixture(autouse=True)
def default_environment(monkeypatch):
    monkeypatch.delenv("LTCOURSE_DATA", raising=False)
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)


def refused(capsys, *arguments):
    """The command fails with 1 and one sentence; returns it."""
    assert cli.main(list(arguments)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ltcourse: ") and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


# data


def test_data_verifies_the_embedded_sets(capsys):
    assert cli.main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(len(sources.FILES[name]) for name in sources.EMBEDDED_SETS)
    assert all(line.startswith("✔ ") and "has the recorded checksum" in line for line in lines)


def test_data_tells_of_a_damaged_file_and_fails(capsys, monkeypatch, tmp_path):
    shutil.copytree(ROOT / "data" / "fashion-mnist-mini", tmp_path / "fashion-mnist-mini")
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path)
    monkeypatch.setattr(sources, "EMBEDDED_SETS", ("fashion-mnist-mini",))
    assert cli.main(["data"]) == 0
    file = tmp_path / sources.FILES["fashion-mnist-mini"][3].places[0]
    file.write_bytes(file.read_bytes()[:20])
    capsys.readouterr()
    assert cli.main(["data"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines] == ["✔", "✔", "✔", "✘"]
    assert "is damaged: restore it with `git checkout -- data/fashion-mnist-mini/" in lines[3]


def test_data_by_name(capsys):
    assert cli.main(["data", "fashion-mnist-mini"]) == 0
    assert capsys.readouterr().out == "fashion-mnist-mini: here, and verified\n"


def test_an_unknown_data_set_is_one_sentence(capsys):
    assert "unknown data set 'mnits' (did you mean 'mnist'?): choose one of mnist," in refused(capsys, "data", "mnits")


def test_there_is_no_traceback_in_a_real_process():
    result = subprocess.run(
        [sys.executable, "-m", "ltcourse.cli", "data", "moon"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("ltcourse: unknown data set 'moon'") and result.stderr.count("\n") == 1


def in_a_console_of(encoding, *arguments):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "ltcourse.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding=encoding, check=False)


def test_a_console_that_cannot_write_all_letters_shows_a_question_mark_in_their_place():
    found = in_a_console_of("cp1251", "data")
    assert (found.returncode, found.stderr) == (0, "")
    assert all(line.startswith("? ") and "has the recorded checksum" in line for line in found.stdout.splitlines())


def test_a_place_that_cannot_be_written_to_is_one_sentence(capsys, tmp_path):
    (tmp_path / "file").touch()
    said = refused(capsys, "slides", "00", "--to", str(tmp_path / "file" / "below"))
    assert str(tmp_path) in said and "Not a directory; make room, give access, or name another place" in said


# record, runs


def test_record_refuses_what_it_does_not_know(capsys):
    text = refused(capsys, "record", "han-lenet5", "--budget", "smoke")
    assert "unknown experiment 'han-lenet5' (did you mean 'han-lenet-5'?): choose one of" in text
    assert "unknown budget 'tiny': choose one of smoke, class, desk, night, paper" in refused(
        capsys, "record", "han-lenet-5", "--budget", "tiny"
    )


def test_record_passes_its_options_on(capsys, monkeypatch):
    given = []

    def record(*positional, **named):
        given.append((positional, named))
        return Path("somewhere.json")

    monkeypatch.setattr(runs, "record", record)
    assert cli.main(["record", "han-lenet-5"]) == 0
    assert cli.main(["record", "han-lenet-5", "--budget", "desk", "--restart", "--trials", "3"]) == 0
    assert given == [
        (("han-lenet-5", None), {"trials": None, "restart": False, "echo": True, "journals": None, "workers": None}),
        (("han-lenet-5", "desk"), {"trials": 3, "restart": True, "echo": True, "journals": None, "workers": None}),
    ]
    assert capsys.readouterr().out == "somewhere.json\n" * 2


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_record_refuses_a_number_of_trials_that_is_none(capsys, number):
    with pytest.raises(SystemExit):
        cli.main(["record", "han-lenet-5", f"--trials={number}"])
    assert "is not a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "problem",
    [
        DataError("no room: make some"),
        runs.RunError("other settings: add --restart"),
        ValueError("bad rate"),
        FloatingPointError("training diverged, lower the learning rate"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_every_sentence_of_the_package_is_told_without_a_traceback(capsys, monkeypatch, problem):
    def record(*positional, **named):
        raise problem

    monkeypatch.setattr(runs, "record", record)
    assert refused(capsys, "record", "han-lenet-5") == f"ltcourse: {problem}\n"


def test_ctrl_c_is_130(capsys, monkeypatch):
    def record(*positional, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "record", record)
    assert cli.main(["record", "han-lenet-5"]) == 130
    assert capsys.readouterr().err == "\nltcourse: stopped\n"


def make_record(folder, at="smoke"):
    record = runs.Record(
        "han-lenet-5",
        at,
        catalog.settings("han-lenet-5", at).to_dict(),
        [{"seed": s, "seconds": 90.0, "rows": []} for s in catalog.settings("han-lenet-5", at).seeds],
        {
            "finished": "2026-01-02T03:04:05+00:00",
            "machine": "a machine, 2 cores",
            "device": "cpu",
            "versions": {"torch": "9.9"},
            "code": "abcdef",
        },
    )
    folder.mkdir(exist_ok=True)
    (folder / f"han-lenet-5.{at}.json").write_text(json.dumps(vars(record)))


def test_runs_lists_the_records(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "runs")
    monkeypatch.setattr(runs, "UNFINISHED", tmp_path / "unfinished")
    assert cli.main(["runs"]) == 0
    capsys.readouterr()
    make_record(tmp_path / "runs")
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().out == (
        "han-lenet-5: recorded 2026-01-02 at the smoke budget: 1 trials, 1.5 minutes of trials on a machine, 2 cores "
        "(cpu), torch 9.9, code abcdef\n"
    )


def test_runs_tells_of_a_damaged_record(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    (tmp_path / "han-lenet-5.smoke.json").write_text("{")
    assert "han-lenet-5.smoke.json is damaged and was not used" in refused(capsys, "runs")


def test_the_recorded_runs_of_the_repository_can_be_listed(capsys):
    assert cli.main(["runs"]) == 0, capsys.readouterr().err
    assert len(capsys.readouterr().out.splitlines()) == len([*runs.recorded(), *runs.UNFINISHED.iterdir()])


# doctor


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A machine whose step takes 3 ms, and a lesson that took 100 s where a step took 1.5 ms."""
    monkeypatch.setattr(doctor, "step_milliseconds", lambda: 3.0)
    monkeypatch.setattr(doctor, "bfloat16_share", lambda: 0.6)
    monkeypatch.setattr(doctor, "MINUTES", tmp_path / "minutes.json")
    measured = {"seconds": 100, "budget": "class", "step_ms": 1.5}
    (tmp_path / "minutes.json").write_text(json.dumps({"01_pruning_lenet": measured}))


def test_doctor_examines_everything(capsys, quick):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(line.startswith("✔ ") for line in out.splitlines())
    for part in (f"Python {sys.version.split()[0]}", "torch 2", "jupyterlab 4", "device: ", "data: mnist/", "3.00 ms"):
        assert part in out
    assert "lesson 01_pruning_lenet: about 3.3 minutes at the class budget" in out


@pytest.mark.parametrize(("share", "told"), [(0.6, "in 0.60 of float32's time, which gains\n"), (1.4, "gains nothing")])
def test_doctor_says_whether_bfloat16_gains(capsys, quick, monkeypatch, share, told):
    monkeypatch.setattr(doctor, "bfloat16_share", lambda: share)
    assert cli.main(["doctor"]) == 0
    assert told in capsys.readouterr().out


def test_bfloat16_is_timed_against_float32_by_the_best_of_three(monkeypatch):
    now, took = [0.0], {"float32": iter((9.0, 4.0, 5.0)), "bfloat16": iter((3.0, 8.0, 2.0))}

    def train(network, dataset, recipe, *, end):
        now[0] += next(took[recipe.precision])

    monkeypatch.setattr(doctor, "train", train)
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: now[0])
    assert doctor.bfloat16_share() == 0.5


def test_doctor_finds_a_missing_package_and_a_missing_file(capsys, quick, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path)
    monkeypatch.setattr(doctor, "step_milliseconds", lambda: pytest.fail("measured on data that is not there"))
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "✘ no-such-package is not installed: run `make lab` again" in out
    assert "✘ data: mnist/" in out and "is missing: restore it with `git checkout -- data/mnist/" in out


def test_doctor_works_with_the_minutes_of_the_repository(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "step_milliseconds", lambda: 3.0)
    monkeypatch.setattr(doctor, "bfloat16_share", lambda: 0.6)
    assert cli.main(["doctor"]) == 0
    assert "minutes at the class budget" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", '{"00_start_here": {"seconds": 5}}'], ids=["missing", "cut", "older"])
def test_doctor_needs_no_measured_minutes(capsys, quick, monkeypatch, tmp_path, content):
    file = tmp_path / "other.json"
    monkeypatch.setattr(doctor, "MINUTES", file)
    if content is not None:
        file.write_text(content)
    assert cli.main(["doctor"]) in (0, 1)
    assert "3.00 ms" in capsys.readouterr().out


# lab


@pytest.fixture
def called(monkeypatch):
    calls = []

    def execute(program, command, env):
        assert (Path(env["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0]) / "labconfig" / "page_config.json").is_file()
        assert program == command[0]
        calls.append(command)
        raise SystemExit  # a process that is handed over does not come back

    monkeypatch.setattr(cli.os, "execve", execute)
    monkeypatch.setattr(cli.os, "name", "posix")
    return calls


@pytest.mark.parametrize("extra", [[], ["--no-browser"], ["--port", "9999", "--ServerApp.token=x"]])
def test_lab_opens_the_first_lesson_on_loopback_with_its_token(called, monkeypatch, tmp_path, extra):
    lesson = tmp_path / "notebooks" / "00_start_here.ipynb"
    lesson.parent.mkdir()
    lesson.touch()
    monkeypatch.setattr(cli, "FIRST_LESSON", lesson)
    with pytest.raises(SystemExit):
        cli.main(["lab", *extra])
    (command,) = called
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={tmp_path}" in command
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in command
    (style,) = [part.partition("=")[2] for part in command if part.startswith("--LabApp.extra_labextensions_path=")]
    assert (Path(style) / "ltcourse-style" / "package.json").is_file()
    assert command[7:] == extra, "further arguments come last, and so they win"
    assert not any("token=''" in part or "allow-root" in part for part in command)


def test_lab_keeps_settings_in_a_scratch_folder_where_there_is_no_home(monkeypatch, capsys):
    given = []
    monkeypatch.setattr(machine, "has_home", lambda: False)
    monkeypatch.setenv("IPYTHONDIR", "/chosen")

    def wait_for(command, env):
        given.append(env)
        return Path(env[cli.HOMES[0]]).is_dir()

    monkeypatch.setattr(cli, "_wait_for", wait_for)
    assert cli.main(["lab"]), "the folder is there while JupyterLab runs"
    (environment,) = given
    assert environment["IPYTHONDIR"] == "/chosen", "what the user has set wins"
    assert len({environment[name] for name in cli.HOMES}) == 2 and not Path(environment[cli.HOMES[0]]).exists()
    assert "JupyterLab forgets its settings" in capsys.readouterr().err


def test_where_a_process_cannot_be_handed_over_it_is_waited_for_and_its_exit_status_is_the_commands():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert cli._wait_for([sys.executable, "-c", "raise SystemExit(7)"], dict(os.environ)) == 7
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_lab_opens_a_lesson_that_is_in_the_repository():
    assert (ROOT / "notebooks" / "00_start_here.ipynb") == cli.FIRST_LESSON
    assert (ROOT / "lessons" / "00_start_here.py").exists()


def test_lab_without_the_notebooks_is_one_sentence(called, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(cli, "FIRST_LESSON", tmp_path / "notebooks" / "00_start_here.ipynb")
    assert "00_start_here.ipynb is missing: restore it with `git checkout -- notebooks/" in refused(capsys, "lab")
    assert called == []


# Help


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n    {command} " in out.replace("\n", " \n") for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: ltcourse {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["record", "--help"], ["labb"]])
def test_what_the_parser_answers_does_not_wait_for_pytorch(arguments):
    code = (
        "import sys\n"
        "from ltcourse import cli\n"
        "try:\n"
        f"    cli.main({arguments})\n"
        "except SystemExit:\n"
        "    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize("arguments", [[], ["labb"], ["data", "--all"], ["record"], ["doctor", "now"]], ids=" ".join)
def test_a_wrong_command_is_told(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err
