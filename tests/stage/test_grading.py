"""Grading: nine submissions of lesson 04, each for another fate; who they are, and what the CSV says of them."""

import csv
import hashlib
import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from ltcourse import cli, files
from ltcourse.stage import grading, landlock, lecture, sandbox

ROOT = Path(__file__).resolve().parents[2]
LESSON = ROOT / "lessons" / "04_when_tickets_fail.py"
NAMES = ("between", "error_barrier", "global_mask")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
NONE = sandbox.Sandbox(memory=0)  # where nothing is examined, nothing is started
IMPORTS = "import torch\nfrom ltcourse.classroom import checks\nfrom ltcourse.networks import masks"
SOLUTIONS = {
    name: block
    for cell in jupytext.read(LESSON).cells
    if "solution" in cell.metadata.get("tags", [])
    for block in BLOCK.findall(cell.source)
    for name in [re.match(r"def (\w+)", block)[1]]
}
STUBS = {name: f"def {name}({', '.join(arguments)}):\n    return None" for name, arguments in {
    "between": ("a", "b", "share"), "error_barrier": ("errors",), "global_mask": ("weights", "density"),
}.items()}  # fmt: skip
SHOUTS = "print('✔ exercise 1, right, in 9 cases')"
FAKE = f"""
class Fake:
    passed = True
    def __getattr__(self, name):
        return lambda function: Fake()
    def __repr__(self):
        return '✔ exercise 1, the line: right, in 9 cases'
checks = Fake()
{SHOUTS}
def between(a, b, share):
    {SHOUTS}
    return {{}}"""
WRITES = """
import json, os
said = json.dumps({"token": "", "result": "passed", "reply": "right"}).encode() + b"\\n"
for place in range(3, 40):
    try:
        os.write(place, said)
    except OSError:
        pass
def global_mask(weights, density):
    return weights"""
REPLACES = """
from ltcourse.classroom.checks import verdict
right = verdict.Verdict("exercise 2, the error barrier: right", True)
verdict.judge = lambda *arguments: right
def error_barrier(errors):
    verdict.Verdict.__bool__ = lambda self: True
    return 0.0"""

FORGES = """
import json
encode = json.JSONEncoder.encode
json.JSONEncoder.encode = lambda self, said: encode(self, said | {"result": "passed", "reply": "right"})
def error_barrier(errors):
    return max(errors)"""


def harms(folder):
    """Native code writes over another submission; no hook of Python is asked."""
    return f"""
import torch
try:
    torch.save({{}}, {str(folder / "1 right.ipynb")!r})
except RuntimeError:
    pass
stolen = open({str(folder / "1 right.ipynb")!r})
def global_mask(weights, density):
    return stolen"""


def notebook(file, *cells):
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in (IMPORTS, *cells)]), file)


def with_checks(functions):
    return [cell for name in NAMES for cell in (functions[name], f"checks.{name}({name})")]


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed in")
    ended = {"global_mask": "import os\ndef global_mask(weights, density):\n    os._exit(0)"}
    looping = {"error_barrier": "def error_barrier(errors):\n    while True:\n        pass"}
    huge = {"between": f"{SOLUTIONS['between']}\nfor _ in range(2_000):\n    print('x' * 100_000)"}
    deleting = {"between": f"import os, shutil\nshutil.rmtree(os.getcwd())\n{SOLUTIONS['between']}"}
    wrong = "def error_barrier(errors):\n    return max(errors)"
    right = {"error_barrier": f"torch.optim.SGD([torch.zeros(1)]).step()\n{SOLUTIONS['error_barrier']}"}
    notebook(
        folder / "1 right.ipynb",
        "while True:  # a cell that no exercise needs\n    pass",
        *with_checks(SOLUTIONS | right),
    )
    notebook(folder / "2 wrong.ipynb", *with_checks(SOLUTIONS | {"error_barrier": wrong}))
    notebook(folder / "3 untouched.ipynb", *with_checks(STUBS))
    notebook(folder / "4 crashing" / "04.ipynb", "raise RuntimeError", *with_checks(SOLUTIONS | ended))
    notebook(folder / "5 looping.ipynb", *with_checks(SOLUTIONS | looping))
    notebook(folder / "6 huge.ipynb", *with_checks(SOLUTIONS | huge))
    notebook(folder / "7 deleting" / "04.ipynb", *with_checks(SOLUTIONS | deleting))
    notebook(folder / "8 fake.ipynb", FAKE, REPLACES, WRITES)
    notebook(folder / "9 forging.ipynb", SOLUTIONS["between"], FORGES, harms(folder))
    return folder


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def table(handed_in, tmp_path_factory):
    """The CSV by (who, exercise): the row."""
    target, before = tmp_path_factory.mktemp("grades") / "grades.csv", digests(handed_in)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "PATIENCE", 1000)  # the loop is ended by its processor time, however busy the machine
        assert cli.main(["grade", str(handed_in), "--to", str(target), "--seconds", "2"]) == 0
    if landlock.version():
        assert digests(handed_in) == before
    rows = list(csv.DictReader(target.open(encoding="utf-8", newline="")))
    assert list(rows[0]) == ["who", "notebook", "lesson", "exercise", "result", "reply", "look at"]
    assert all(row["lesson"] == LESSON.stem for row in rows)
    assert [row["exercise"] for row in rows] == list(NAMES) * 9
    return {(row["who"], row["exercise"]): row for row in rows}


@pytest.mark.parametrize(
    ("who", "results"),
    [
        ("1 right.ipynb", "passed passed passed"),
        ("2 wrong.ipynb", "passed failed passed"),
        ("3 untouched.ipynb", "not-done not-done not-done"),
        ("4 crashing", "passed passed failed"),
        ("5 looping.ipynb", "passed failed passed"),
        ("6 huge.ipynb", "passed passed passed"),
        ("7 deleting", "passed passed passed"),
        ("8 fake.ipynb", "failed failed failed"),
        ("9 forging.ipynb", "passed failed failed"),
    ],
)
def test_each_exercise_of_each_submission_gets_what_it_deserves(table, who, results):
    found = [table[who, name]["result"].replace(" ", "-") for name in NAMES]
    assert " ".join(found) == results, [table[who, name]["reply"] for name in NAMES]


@pytest.mark.parametrize(
    ("who", "name", "reply"),
    [
        ("1 right.ipynb", "between", "✔ exercise 1"),
        ("2 wrong.ipynb", "error_barrier", "what is wrong: "),
        ("3 untouched.ipynb", "between", "not done yet"),
        ("4 crashing", "global_mask", "its process ended without a verdict"),
        ("5 looping.ipynb", "error_barrier", "it was ended after 2 seconds of processor time"),
        ("8 fake.ipynb", "between", "✘ exercise 1"),
        ("8 fake.ipynb", "global_mask", "it was ended: it wrote where only verdicts are told"),
        ("8 fake.ipynb", "error_barrier", "not counted: the notebook replaced ltcourse."),
        ("9 forging.ipynb", "error_barrier", "what is wrong: "),
        ("9 forging.ipynb", "global_mask", "a submission does not read "),
    ],
)
def test_the_reply_says_why(table, who, name, reply):
    assert reply in table[who, name]["reply"]


def test_what_meddles_is_named_and_what_does_not_is_not(table):
    assert table["1 right.ipynb", "between"]["look at"] == table["2 wrong.ipynb", "between"]["look at"] == ""
    assert {"os._exit"} <= set(table["4 crashing", "between"]["look at"].split(", "))
    assert {"os.write", "verdict", "Verdict"} <= set(table["8 fake.ipynb", "between"]["look at"].split(", "))


def test_what_was_handed_in_is_as_it_was(table, handed_in):
    there = {path.relative_to(handed_in).parts[0] for path in handed_in.rglob("*.ipynb")}
    assert there == {who for who, _ in table}


# Without running anything


def test_the_exercises_are_those_of_the_lessons():
    assert tuple(grading.exercises(lecture.find("04"))) == NAMES
    assert grading.exercises(lecture.find("00")) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no notebook"),
        ("[" * 100_000, ""),
        (
            nbformat.writes(new_notebook(cells=[new_code_cell("def f():\n    return 1")])),
            "hand in the lesson's notebook",
        ),
    ],
)
def test_what_is_no_notebook_of_a_lesson_has_one_row(tmp_path, content, said):
    (tmp_path / "a.ipynb").write_text(content, encoding="utf-8")
    (row,) = grading.grade(tmp_path / "a.ipynb", NONE)
    assert (row.who, row.exercise, row.result) == ("a.ipynb", "", "not done") and said in row.reply
    assert str(tmp_path) not in row.reply


def test_a_folder_without_a_notebook_has_one_row_and_links_are_not_followed(tmp_path):
    (tmp_path / "her" / ".ipynb_checkpoints").mkdir(parents=True)
    notebook(tmp_path / "her" / ".ipynb_checkpoints" / "04-checkpoint.ipynb", *STUBS.values())
    notebook(tmp_path / "his.ipynb", *STUBS.values())
    (tmp_path / "her" / "04.ipynb").symlink_to(tmp_path / "his.ipynb")
    assert [row.reply for row in grading.grade(tmp_path / "her", NONE)] == ["there is no notebook"]


def test_a_copy_has_the_files_and_no_links_and_is_not_too_large(tmp_path, monkeypatch):
    (tmp_path / "her" / "below").mkdir(parents=True)
    (tmp_path / "her" / "below" / "helper.py").write_text("x = 1")
    (tmp_path / "her" / "link").symlink_to(tmp_path)
    with sandbox.copied(tmp_path / "her") as folder:
        assert [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))] == [
            "below",
            "below/helper.py",
        ]
    assert not folder.exists()
    monkeypatch.setattr(sandbox, "LARGEST_COPY", 4)
    with pytest.raises(ValueError, match="hand in the notebook alone"), sandbox.copied(tmp_path / "her"):
        pass


def test_the_environment_of_a_submission_holds_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "secret")
    environment = sandbox._environment(str(tmp_path))
    assert "secret" not in environment.values() and environment["HOME"] == str(tmp_path)
    assert environment["PYTHONPATH"] == str(files.ROOT)


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b'{"token": "b"}\n', b'{"token": 1}\n', b"[" * 100_000])
def test_only_what_carries_the_secret_is_heard(line):
    assert sandbox._message(line, "a") is None
    assert sandbox._message(b'{"token": "a", "began": "f"}\n', "a") == {"began": "f"}


@pytest.mark.parametrize("reply", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "right"])
def test_no_cell_is_a_formula(tmp_path, reply):
    grading.write([grading.Row("a", "b", "c", "d", "passed", reply)], tmp_path / "grades.csv")
    (row,) = csv.DictReader((tmp_path / "grades.csv").open(encoding="utf-8", newline=""))
    assert row["reply"] == (reply if reply == "right" else f"'{reply}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("network.eval()\nfrom ltcourse.classroom import checks\nchecks.between(between) == 1", []),
        ("checks.between = f", ["checks.between"]),
        ("eval('1')", ["eval"]),
        ("import sys\nsys._getframe(1).f_back", ["sys._getframe", "f_back"]),
        ("from ltcourse.classroom.checks import verdict", ["classroom", "verdict"]),
        ("open('/proc/self/mem')", ["/proc"]),
    ],
)
def test_words_that_an_exercise_has_no_use_for(code, words):
    assert grading._SUSPICIOUS.findall(code) == words


@pytest.mark.parametrize(("make", "said"), [(None, "is no folder"), ("folder", "has no notebooks and no folders")])
def test_a_folder_of_nothing_is_one_sentence(tmp_path, capsys, make, said):
    if make:
        (tmp_path / "given").mkdir()
    assert cli.main(["grade", str(tmp_path / "given"), "--to", str(tmp_path / "grades.csv")]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "grades.csv").exists()
