"""Paths as people write them, files that are brought back, and a package that was installed without its clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from folders import make_folders

from ltcourse import cli, data, doctor, files
from ltcourse.data import DataError, sources, streams
from ltcourse.experiments import cluster, runs
from ltcourse.networks import models
from ltcourse.pruning import tickets
from ltcourse.stage import bundle, lecture, slides, student_copy

MINI = "fashion-mnist-mini"
TICKET = tickets.Ticket(
    {"fc1.weight": models.create("lenet-300-100").fc1.weight.detach() > 0},
    models.snapshot(models.create("lenet-300-100")),
)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home folder, and another working directory, in which nothing may appear."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    for variable in ("LTCOURSE_DATA", streams.ROOT):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield tmp_path / "home"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_tickets(home):
    assert tickets.save(TICKET, "~/a/b.ticket") == home / "a" / "b.ticket"
    assert tickets.load("~/a/b.ticket") == tickets.load(Path("~/a/b.ticket")) == TICKET


def test_the_folder_of_the_data(home, monkeypatch):
    shutil.copytree(files.ROOT / "data" / MINI, home / "d" / MINI)
    monkeypatch.setattr(sources, "EMBEDDED", home / "nothing")
    monkeypatch.setattr(sources, "EMBEDDED_SETS", (MINI,))
    assert len(data.load(MINI, folder="~/d", download=False).test) == 2000
    assert all(check.ok for check in data.verify("~/d"))
    monkeypatch.setenv("LTCOURSE_DATA", "~/d")
    data.obtain(MINI)


def test_the_folder_of_images(home, monkeypatch):
    make_folders(home / "images", train=1, test=1)
    assert len(data.load("imagenet", root="~/images").test) == 4
    monkeypatch.setenv(streams.ROOT, "~/images")
    assert streams.load().root == home / "images"
    given = []
    monkeypatch.setattr(runs, "record", lambda *_, **__: given.append(os.environ[streams.ROOT]))
    assert cli.main(["record", "hidden-resnet50", "--budget", "smoke", "--data", "~/images"]) == 0
    assert given == [str(home / "images")]


def test_slides_and_copies(home):
    assert cli.main(["slides", "00", "--to", "~/talk"]) == 0
    shutil.copy(lecture.find("00"), home / "mine.ipynb")
    assert cli.main(["slides", "~/mine.ipynb", "--to", "~/talk"]) == 0
    slides.write(Path("~/mine.ipynb"), Path("~/other"))
    assert {file.name for file in home.glob("*/*.html")} == {"00_start_here.html", "mine.html"}
    (home / "course").mkdir()
    shutil.copy(lecture.find("00").parent / "GLOSSARY.md", home / "course")
    shutil.copy(home / "mine.ipynb", home / "course" / "mine.ipynb")
    assert "notebooks/mine.ipynb" in bundle.write(Path("~/copy"), notebooks=Path("~/course"))
    assert (home / "copy" / "notebooks" / "mine.ipynb").is_file()
    assert cli.main(["student-copy", "~/handout.zip"]) == 0
    assert (home / "handout.zip").is_file()


def test_the_file_of_a_scheduler(home):
    with pytest.raises(cluster.ClusterError) as caught, cluster.connect("~/scheduler.json"):
        pass
    assert f"there is no scheduler file {home / 'scheduler.json'}" in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows takes the home of any name for a folder beside one's own")
def test_the_home_of_nobody_is_one_sentence(home, capsys):
    for call in (
        lambda: tickets.save(TICKET, "~nobody-of-this-name/a"),
        lambda: tickets.load("~nobody-of-this-name/a"),
        lambda: data.load(MINI, folder="~nobody-of-this-name/a"),
        lambda: streams.load("~nobody-of-this-name/a"),
    ):
        with pytest.raises(ValueError, match=r"^there is no home folder ~nobody-of-this-name: write the whole path$"):
            call()
    assert cli.main(["student-copy", "~nobody-of-this-name/a"]) == 1
    assert capsys.readouterr().err == "ltcourse: there is no home folder ~nobody-of-this-name: write the whole path\n"


# What brings a file back


@pytest.mark.parametrize("without", ["git", "the repository's history"])
def test_without_git_a_damaged_file_comes_from_a_fresh_download(monkeypatch, tmp_path, without):
    if without == "git":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    else:
        monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path / "data")
    words = "from a fresh download of the course"
    assert all(check.sentence.endswith(f"is missing: copy data/{check.file} {words}") for check in data.verify())
    with pytest.raises(DataError, match=rf"copy data/{MINI} {words}, or connect to a network"):
        data.load(MINI, folder=tmp_path, download=False)
    (tmp_path / "lottery-resnet.desk.json").write_text("{")
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    with pytest.raises(runs.RunError, match=rf"copy data/runs/lottery-resnet.desk.json {words}$"):
        runs.load("lottery-resnet", "desk")
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "a.ipynb").write_text("{")
    with pytest.raises(ValueError, match=rf"a.ipynb is no notebook: copy notebooks/a.ipynb {words}$"):
        student_copy.notebooks(tmp_path / "course")


# Without a clone


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What `pip install .` puts into site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    shutil.copytree(files.ROOT / "ltcourse", folder / "ltcourse", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "record lottery-lenet-300-100 --budget smoke",
        "lab",
        "slides 03",
        f"data {MINI}",
        "doctor",
    ],
)
def test_without_a_clone_one_sentence_says_how_to_install(installed, tmp_path, command):
    before = sorted(installed.rglob("*"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTCOURSE")}
    environment |= {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ltcourse.cli", *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    said = done.stdout if command == "doctor" else done.stderr
    assert done.returncode == 1 and files.NO_CLONE in said and "Traceback" not in done.stderr
    assert sorted(installed.rglob("*")) == before and list(tmp_path.iterdir()) == []


# The doctor


def told(capsys, name):
    cli.main(["doctor"])
    return [line for line in capsys.readouterr().out.splitlines() if name in line]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(doctor, "step_milliseconds", lambda: 3.0)
    monkeypatch.setattr(doctor.data, "verify", list)
    for name in list(os.environ):
        if name.startswith("LTCOURSE_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LTCOURSE_BUDGET", "desks", "unknown budget 'desks' (did you mean 'desk'?): choose one of smoke, class"),
        ("LTCOURSE_DEVICE", "tpu", "unknown device 'tpu' (did you mean 'cpu'?): choose one of cpu, cuda"),
        ("LTCOURSE_DEVICE", "cuda:0", "unknown device 'cuda:0' (did you mean 'cuda'?)"),
        ("LTCOURSE_DATA", "{file}", "is a file, name a folder"),
        ("LTCOURSE_ANSWERS", "{file}", "is a file, name a folder"),
        ("LTCOURSE_DATA", "{file}/below", "is a file, name a folder"),
        ("LTCOURSE_DATA", "downloads", "each working directory has another folder of that name, write the whole path"),
        ("LTCOURSE_DATA", "~nobody-of-this-name/a", "there is no home folder ~nobody-of-this-name"),
        ("LTCOURSE_IMAGENET", "{file}", "it is no folder, name the one that holds train/ and val/"),
        ("LTCOURSE_GRAPHS", "no", "unknown value 'no': choose one of 0, 1"),
        ("LTCOURSE_KILLS", "many", "it must be a whole number"),
        ("LTCOURSE_BUGET", "smoke", "unknown variable 'LTCOURSE_BUGET' (did you mean 'LTCOURSE_BUDGET'?)"),
        ("MPLBACKEND", "qtt", "Matplotlib knows no such backend, unset it"),
    ],
)
def test_the_doctor_finds_a_variable_that_makes_no_sense(capsys, quick, monkeypatch, tmp_path, name, value, words):
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, value.format(file=tmp_path / "file"))
    if name == "MPLBACKEND":
        for module in [module for module in sys.modules if module.split(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, module)
    (line,) = told(capsys, f"{name}=")
    assert line.startswith("✘ ") and words in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LTCOURSE_BUDGET", "desk", "the budget of the lessons is desk"),
        ("LTCOURSE_DEVICE", "cpu", "experiments run on cpu"),
        ("LTCOURSE_DATA", "{folder}", "the folder of downloads"),
        ("LTCOURSE_DATA", "{folder}/below/it", "the folder of downloads, which the first one makes"),
        ("LTCOURSE_IMAGENET", "{folder}", "the folder of ImageNet"),
        ("LTCOURSE_GRAPHS", "0", "0"),
    ],
)
def test_the_doctor_says_what_a_variable_does(capsys, quick, monkeypatch, tmp_path, name, value, words):
    monkeypatch.setenv(name, value.format(folder=tmp_path))
    (line,) = told(capsys, f"{name}=")
    assert line.startswith("✔ ") and line.endswith(f": {words}")


def test_the_doctor_finds_that_another_clone_runs(capsys, quick, monkeypatch, tmp_path):
    monkeypatch.chdir(files.ROOT / "tests")
    assert told(capsys, "this clone is") == []
    for part in ("ltcourse/files.py", "pyproject.toml", "lessons/00_start_here.py", "data/README.md"):
        (tmp_path / "moved" / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "moved" / part).touch()
    monkeypatch.chdir(tmp_path / "moved" / "lessons")
    (line,) = told(capsys, "this clone is")
    assert line.startswith("✘ ") and f"{files.ROOT}: run `make lab` here, or `pip install -e .`" in line
