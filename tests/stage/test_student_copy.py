"""The notebooks for students hold no solution, key or note, keep the rest as it was, and work."""

import importlib
import re
import runpy
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ltcourse.display.markdown import PREDICTION
from ltcourse.stage import lecture, student_copy

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
builder = importlib.import_module("build_notebooks")

NOTEBOOKS = ROOT / "notebooks"
ANSWER = {"part": "answer"}
LESSONS = sorted((ROOT / "lessons").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "for students"
    return written(NOTEBOOKS, folder)


def written(notebooks, folder):
    """The students' notebooks of a folder, written to another."""
    for name, content in student_copy.notebooks(notebooks).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def words(notebook):
    """All text of a notebook: sources and outputs."""
    parts = []
    for cell in notebook.cells:
        parts.append(cell.source)
        for output in cell.get("outputs", []):
            parts += [output.get("text", ""), *map(str, output.get("data", {}).values())]
    return "\n".join(parts)


def prediction(part):
    """What a cell that asks for a prediction, or one that says what it came to, has shown."""
    text = f"the {part} of the solution" if part == "answer" else "what will it be?"
    return new_output("display_data", {"text/markdown": text, "text/plain": text, PREDICTION: {"part": part}})


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
        new_markdown_cell("<details><summary>Hint 1</summary>\n\na hint\n\n</details>", metadata={"tags": ["hint"]}),
        new_markdown_cell("what to say: the solution", metadata={"tags": ["notes"]}),
        new_code_cell("predict()", metadata={"tags": ["hide-input"]}, execution_count=4,
                      outputs=[prediction("question")]),
        new_code_cell("reveal()", metadata={"tags": ["hide-output"]}, execution_count=5,
                      outputs=[prediction("answer"), new_output("stream", text="a result\n")]),
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
        assert not tags & {"solution", "key", "notes"}
        assert "For the instructor" not in file.read_text(encoding="utf-8")
        assert not any(cell.outputs for cell in notebook.cells if "key-output" in cell.metadata.get("tags", []))


def test_what_is_not_stripped_is_as_it_was(copied):
    for file in copied.rglob("*.ipynb"):
        original = NOTEBOOKS / file.relative_to(copied)
        kept = []
        for cell in nbformat.read(original, as_version=4).cells:
            tags = set(cell.metadata.get("tags", []))
            if "key-output" in tags:
                cell.outputs, cell.execution_count = [], None
            for part in ("title", "key"):  # of slides
                cell.metadata.pop(part, None)
            if cell.cell_type == "markdown":
                cell.source = student_copy.without_answers(cell.source)
            elif cell.cell_type == "code":
                cell.outputs = [one for one in cell.outputs if one.get("data", {}).get(PREDICTION) != ANSWER]
            cell.metadata.pop(lecture.KEPT_NOTES, None)
            kept += [] if {"solution", "key", "notes"} & tags else [cell]
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
    written(folder, tmp_path / "copy")
    names = ["01_lesson.ipynb", "02_next.ipynb", "figures/a b.png", "ru/01_lesson.ipynb"]
    assert sorted(f.relative_to(tmp_path / "copy").as_posix() for f in (tmp_path / "copy").rglob("*.*")) == names
    text = words(nbformat.read(tmp_path / "copy" / "01_lesson.ipynb", as_version=4))
    assert "key" not in text and "solution" not in text and "rubric" not in text
    assert all(kept in text for kept in ("# A lesson", "1 + 1", "two ✔", "ask()", "a hint"))
    assert (tmp_path / "copy" / "figures" / "a b.png").read_bytes() == b"png"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("See.\n\n<details><summary>What one usually sees</summary>It falls.</details>\n\nWhy?", "See.\n\nWhy?"),
        ("<details><summary>Answer</summary>\n\nYes.\n\n</details>\n\nNext.", "Next."),
        ("<details open>\n<summary>What to expect</summary>It falls.</details>", ""),
        ("<details><summary>Outer</summary>a <details><summary>Hint</summary>b</details> c</details>d", "d"),
        ("<details><summary>Hint 1</summary>a <details><summary>More</summary>b</details> c</details>d", None),
        ("a\n<details><summary>Hint 2</summary>b</details>\n<details><summary>Then</summary>c</details>\ne", None),
        ("a <details><summary>Never closed</summary> b", "a "),
        ("No fold, and </details> closes none.", None),
    ],
)
def test_folded_text_goes_unless_it_is_a_hint(text, kept):
    if "Then" in text:
        kept = "a\n<details><summary>Hint 2</summary>b</details>\ne"
    assert student_copy.without_answers(text) == (text if kept is None else kept)


def test_a_cell_of_which_nothing_is_left_goes():
    cells = [new_markdown_cell("<details><summary>What one usually sees</summary>It falls.</details>")]
    assert student_copy.stripped(new_notebook(cells=cells))["cells"] == []


def refused(folder, said):
    with pytest.raises(ValueError, match=said) as told:
        student_copy.notebooks(folder)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cells": [{}]}', '{"cells": 3}', "\udc80"])
def test_a_damaged_notebook_is_told(tmp_path, content):
    folder = planted(tmp_path / "notebooks")
    (folder / "02_next.ipynb").write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(folder, "02_next.ipynb is no notebook: restore it")


@pytest.mark.parametrize("link", ["figures/gone.png", "../outside.png"])
def test_a_link_that_cannot_come_along_is_told(tmp_path, link):
    folder = planted(tmp_path / "notebooks")
    (tmp_path / "outside.png").write_bytes(b"png")
    file = folder / "01_lesson.ipynb"
    file.write_text(file.read_text(encoding="utf-8").replace("figures/a%20b.png", link), encoding="utf-8")
    refused(folder, f"links to {re.escape(link)}, which a copy cannot take along")


def test_a_folder_without_notebooks_is_told(tmp_path):
    refused(tmp_path / "nothing", "there are no notebooks")
