"""The copy for students holds no solution and no key, and is a set of notebooks that work."""

import importlib
import json
import re
import runpy
import shutil
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ltcourse import cli
from ltcourse.classroom import questions, review
from ltcourse.stage import student_copy

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
builder = importlib.import_module("build_notebooks")

NOTEBOOKS = ROOT / "notebooks"
LESSONS = sorted((ROOT / "lessons").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "for students"
    student_copy.write(NOTEBOOKS, folder)
    return folder


def words(notebook):
    """All text of a notebook: sources and outputs."""
    parts = []
    for cell in notebook.cells:
        parts.append(cell.source)
        for output in cell.get("outputs", []):
            parts += [output.get("text", ""), *map(str, output.get("data", {}).values())]
    return "\n".join(parts)


def solutions():
    """The bodies of the solutions: what stands below `def …`."""
    for lesson in LESSONS:
        for cell in jupytext.read(lesson).cells:
            if "solution" in cell.metadata.get("tags", []):
                for block in BLOCK.findall(cell.source):
                    yield block.split("\n", 1)[1].strip()


def planted(folder):
    """A folder with a notebook that has a solution, a key with its output, a figure, and cells to keep."""
    cells = [
        new_markdown_cell("# A lesson\n\n[next](02_next.ipynb), ![curve](figures/a%20b.png), [web](https://x.org/a.png)"),
        new_code_cell("1 + 1", outputs=[new_output("stream", text="two ✔\n")], execution_count=1),
        new_markdown_cell("the solution's words", metadata={"tags": ["solution"]}),
        new_markdown_cell("the key's heading", metadata={"tags": ["key"]}),
        new_code_cell("rubric", metadata={"tags": ["hide-input", "key"]}, execution_count=2,
                      outputs=[new_output("stream", text="the key's output")]),
        new_code_cell("ask()", metadata={"tags": ["key-output"]}, execution_count=3,
                      outputs=[new_output("stream", text="it was the rubric")]),
        new_markdown_cell("a hint", metadata={"tags": ["hint"]}),
    ]  # fmt: skip
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a b.png").write_bytes(b"png")
    (folder / "figures" / "other.png").write_bytes(b"png")
    (folder / "minutes.json").write_text("{}")
    nbformat.write(new_notebook(cells=cells), folder / "01_lesson.ipynb")
    nbformat.write(new_notebook(cells=cells[:2]), folder / "02_next.ipynb")
    (folder / "ru").mkdir()
    russian = new_notebook(cells=[new_markdown_cell("![k](../figures/a%20b.png)"), cells[2]])
    nbformat.write(russian, folder / "ru" / "01_lesson.ipynb")
    (folder / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "01_lesson.ipynb", folder / ".ipynb_checkpoints" / "01_lesson-checkpoint.ipynb")
    return folder


# The course's own notebooks


def test_every_notebook_is_there_and_valid(copied):
    names = sorted(f.relative_to(NOTEBOOKS) for f in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in f.parts)
    assert sorted(file.relative_to(copied) for file in copied.rglob("*.ipynb")) == names
    for file in copied.rglob("*.ipynb"):
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
        tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
        assert not tags & {"solution", "key"}
        assert not any(cell.outputs for cell in notebook.cells if "key-output" in cell.metadata.get("tags", []))


def test_no_solution_is_in_the_copy(copied):
    bodies = list(solutions())
    assert len(bodies) > 20, "the solutions are not read"
    for file in copied.rglob("*.ipynb"):
        text = words(nbformat.read(file, as_version=4))
        assert "<summary>Solution" not in text
        for body in bodies:
            assert body not in text, f"{file.name} holds\n{body}"


def test_no_sentence_of_the_key_is_in_the_copy(copied):
    asked = [*questions.load(), *(question.choices for question in review.QUESTIONS)]
    replies = [choice.reply for question in asked for choice in question.choices]
    replies += [text for question in review.QUESTIONS for text in (question.answer, *(p.says for p in question.points))]
    assert len(replies) > 150
    for file in copied.rglob("*.ipynb"):
        text = words(nbformat.read(file, as_version=4))
        assert [reply for reply in replies if reply in text] == []


def test_what_is_not_stripped_is_as_it_was(copied):
    for file in copied.rglob("*.ipynb"):
        original = NOTEBOOKS / file.relative_to(copied)
        kept = []
        for cell in nbformat.read(original, as_version=4).cells:
            tags = set(cell.metadata.get("tags", []))
            if "key-output" in tags:
                cell.outputs, cell.execution_count = [], None
            kept += [] if {"solution", "key"} & tags else [cell]
        assert nbformat.read(file, as_version=4).cells == kept
        if kept == nbformat.read(original, as_version=4).cells:
            assert file.read_bytes() == original.read_bytes()


def test_links_and_figures_lead_somewhere(copied):
    rules = runpy.run_path(str(ROOT / "tests" / "lessons" / "test_notebooks.py"))
    for file in copied.glob("*.ipynb"):
        assert rules["broken_links"](nbformat.read(file, as_version=4), copied) == []
    assert not (copied / "minutes.json").exists()


def test_it_runs_top_to_bottom(copied):
    notebook = nbformat.read(copied / "00_start_here.ipynb", as_version=4)
    builder.execute(notebook, copied, "smoke")  # raises where a cell does
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


# Planted ones


def test_solutions_and_keys_go_whole_and_the_rest_stays(tmp_path):
    folder = planted(tmp_path / "notebooks")
    written = student_copy.write(folder, tmp_path / "copy")
    names = ["01_lesson.ipynb", "02_next.ipynb", "figures/a b.png", "ru/01_lesson.ipynb"]
    assert sorted(file.relative_to(tmp_path / "copy").as_posix() for file in written) == names
    assert sorted(f.relative_to(tmp_path / "copy").as_posix() for f in (tmp_path / "copy").rglob("*.*")) == names
    text = words(nbformat.read(tmp_path / "copy" / "01_lesson.ipynb", as_version=4))
    assert "key" not in text and "solution" not in text and "rubric" not in text
    assert all(kept in text for kept in ("# A lesson", "1 + 1", "two ✔", "ask()", "a hint"))
    assert (tmp_path / "copy" / "figures" / "a b.png").read_bytes() == b"png"


def refused(folder, target, said):
    with pytest.raises(ValueError, match=said) as told:
        student_copy.write(folder, target)
    assert "\n" not in str(told.value)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    folder, target = planted(tmp_path / "notebooks"), tmp_path / "copy"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    refused(folder, target, "is not empty, and nothing in it was changed")
    assert [file.name for file in target.iterdir()] == ["mine.txt"]
    refused(folder, target / "mine.txt", "is a file: name a folder")
    (target / "mine.txt").unlink()
    assert student_copy.write(folder, target), "an empty one will do"
    refused(folder, target, "is not empty")


def test_a_folder_among_the_notebooks_is_refused(tmp_path):
    folder = planted(tmp_path / "notebooks")
    for target in (folder, folder / "copy"):
        refused(folder, target, "inside of the notebooks' own folder")
    assert not (folder / "copy").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cells": [{}]}', '{"cells": 3}', "\udc80"])
def test_a_damaged_notebook_is_told_before_anything_is_written(tmp_path, content):
    folder = planted(tmp_path / "notebooks")
    (folder / "02_next.ipynb").write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(folder, tmp_path / "copy", "02_next.ipynb is no notebook: restore it")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("link", ["figures/gone.png", "../outside.png"])
def test_a_link_that_cannot_come_along_is_told(tmp_path, link):
    folder = planted(tmp_path / "notebooks")
    (tmp_path / "outside.png").write_bytes(b"png")
    file = folder / "01_lesson.ipynb"
    file.write_text(file.read_text(encoding="utf-8").replace("figures/a%20b.png", link), encoding="utf-8")
    refused(folder, tmp_path / "copy", f"links to {re.escape(link)}, which a copy cannot take along")
    assert not (tmp_path / "copy").exists()


def test_a_folder_without_notebooks_is_told(tmp_path):
    refused(tmp_path / "nothing", tmp_path / "copy", "there are no notebooks")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    folder = planted(tmp_path / "notebooks")
    refused(folder, tmp_path / "file" / "copy", "cannot be written")


# The command


def test_the_command_writes_and_says_what(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cli, "FIRST_LESSON", planted(tmp_path / "notebooks") / "00_start_here.ipynb")
    assert cli.main(["student-copy", str(tmp_path / "copy")]) == 0
    assert capsys.readouterr().out == "3 notebooks without solutions and key, and 1 files that they show\n"
    assert json.loads((tmp_path / "copy" / "02_next.ipynb").read_text(encoding="utf-8"))["nbformat"] == 4
    assert cli.main(["student-copy", str(tmp_path / "copy")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ltcourse: ") and "is not empty" in said and said.count("\n") == 1
