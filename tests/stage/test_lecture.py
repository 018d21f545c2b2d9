"""A lesson as a lecture: cells become slides, notes are planned minutes, and every lesson has its own."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ltcourse.stage import lecture

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = lecture.lessons()
NOTES = "<details><summary>For the instructor, 2.5 minutes</summary>\n\n**Say** this.\n\n</details>"


def kinds(*cells):
    """(slide type, first line) of what the cells become."""
    return [(cell.metadata["slideshow"]["slide_type"], cell.source.split("\n")[0]) for cell in lecture.in_slides(cells)]


def noted(source, *more):
    return new_markdown_cell(source, metadata={"tags": ["notes", *more]})


# Cells → slides


def test_a_heading_begins_a_slide_wherever_it_stands():
    text = new_markdown_cell("It was so.\n\n## Next\n\nWhat now?\n\n### 1. This\n\nDo it.")
    assert kinds(new_code_cell("x = 1"), text) == [
        ("subslide", "x = 1"), ("fragment", "It was so."), ("slide", "## Next"), ("subslide", "### 1. This")
    ]  # fmt: skip


def test_a_heading_alone_stays_with_the_next():
    (cell,) = lecture.in_slides([new_markdown_cell("## Exercises\n\n### 1. This\n\nDo it.")])
    assert cell.source == "## Exercises\n\n### 1. This\n\nDo it."


def test_a_comment_in_a_block_of_code_is_no_heading():
    text = "Text\n\n```python\n# no heading\n## nor this\n```"
    assert [cell.source for cell in lecture.in_slides([new_markdown_cell(text)])] == [text]


def test_what_a_cell_is_follows_from_what_it_holds():
    assert kinds(
        new_markdown_cell("# Title"),
        new_code_cell("import torch"),
        new_markdown_cell("## One"),
        noted(NOTES),
        new_markdown_cell("No code was shown yet."),
        new_code_cell("print(1)"),
        new_markdown_cell("It reads the output."),
        new_code_cell("def f():\n    return None", metadata={"tags": ["exercise"]}),
        new_code_cell("checks.f(f)"),
        new_markdown_cell("<details></details>", metadata={"tags": ["hint"]}),
    ) == [
        ("slide", "# Title"),
        ("skip", "import torch"),
        ("slide", "## One"),
        ("notes", NOTES.split("\n")[0]),
        ("-", "No code was shown yet."),
        ("subslide", "print(1)"),
        ("fragment", "It reads the output."),
        ("-", "def f():"),
        ("-", "checks.f(f)"),
        ("-", "<details></details>"),
    ]


def test_what_a_lesson_says_itself_holds():
    cell = new_code_cell("print(1)", metadata={"slideshow": {"slide_type": "skip"}})
    assert kinds(cell) == [("skip", "print(1)")]


# Sections


def test_sections_have_their_numbers_notes_minutes_and_cells():
    title, one, two = lecture.sections(
        new_notebook(
            cells=[
                new_markdown_cell("# Title\n\nS4–S6"),
                new_markdown_cell("## One\n\n**The slides say** (S7, S9)"),
                noted(NOTES, "skip-when-late"),
                new_code_cell("x"),
                new_markdown_cell("## Two"),
                new_markdown_cell("### A part of it"),
            ]
        )
    )
    assert (title.heading, title.numbers, title.minutes, title.skip) == ("Title", [4, 5, 6], 0, False)
    assert (one.about, one.minutes, one.notes, one.skip) == ("S7, S9", 2.5, "**Say** this.", True)
    assert [index for index, _ in one.cells] == [1, 3], "notes are no cell to show"
    assert [index for index, _ in two.cells] == [4, 5]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([3], "S3"),
        ([3, 4], "S3, S4"),
        ([9, 10, 11, 13, 14], "S9–S11, S13, S14"),
        ([1, 2, 3, 17], "S1–S3, S17"),
    ],
)
def test_three_slides_in_a_row_are_one_range(numbers, text):
    assert lecture.Section("Heading", numbers=numbers).about == text


@pytest.mark.parametrize("source", ["Say this.", NOTES.replace("2.5", "some"), NOTES.replace("</details>", "")])
def test_notes_of_another_form_are_refused(source):
    with pytest.raises(ValueError, match="notes begin with <details><summary>For the instructor, 4 minutes"):
        lecture.read_notes(source)


# The lessons


@pytest.mark.parametrize(
    "text", [ROOT / "README.md", ROOT / "lessons" / "00_start_here.py"], ids=lambda file: file.name
)
def test_the_lists_of_lessons_name_every_lesson_and_no_other(text):
    listed = re.findall(r"^(?:# )?\| \[(.+)\]\((?:notebooks/)?(.+)\.ipynb\)", text.read_text(encoding="utf-8"), re.M)
    others = [file.stem for file in NOTEBOOKS if text.name == "README.md" or file.stem != text.stem]
    assert [stem for _, stem in listed] == others
    assert all(name.split()[0] == stem[:2] for name, stem in listed)


def test_a_lesson_is_found_by_number_name_or_path(tmp_path):
    assert {lecture.find(name).stem for name in ("03", "3", "03_lottery_ticket", "03_lottery_ticket.ipynb")} == {
        "03_lottery_ticket"
    }
    other = tmp_path / "a talk.ipynb"
    other.write_text("{}")
    assert lecture.find(str(other)) == other
    with pytest.raises(ValueError, match="unknown lesson '77': choose one of 00_start_here"):
        lecture.find("77")
    with pytest.raises(ValueError, match="nowhere has no lessons: restore it"):
        lecture.lessons(tmp_path / "nowhere")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_the_imports_of_a_lesson_are_no_slide(file):
    first = next(cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code")
    assert first.metadata["slideshow"]["slide_type"] == "skip"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_section_of_every_lesson_has_its_notes_and_the_plan_fits_the_lecture(file):
    sections = lecture.sections(lecture.read(file))[1:]
    silent = [s.heading for s in sections if not s.notes and s.heading != "References"]
    assert not silent, f"without a cell tagged notes: {silent}"
    for section in sections:
        if section.notes:
            assert all(f"**{word}** " in section.notes for word in ("Say", "Ask", "Expect")), section.heading
    assert 20 <= sum(s.minutes for s in sections) <= lecture.MINUTES
    assert any(s.skip for s in sections), "nothing can be left out when late"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_section_has_one_cell_of_notes(file):
    lesson = jupytext.read(file.parent.parent / "lessons" / f"{file.stem}.py")
    notes = [cell for cell in lesson.cells if "notes" in cell.metadata.get("tags", [])]
    sections = lecture.sections(lecture.read(file))
    assert len(notes) == sum(bool(s.notes) for s in sections)


def test_notes_are_in_metadata_where_no_reader_meets_them_and_come_back_where_they_were(tmp_path):
    cells = [
        new_markdown_cell("# Talk"),
        noted(NOTES),
        new_markdown_cell("## One"),
        noted(NOTES, "skip-when-late"),
        new_markdown_cell("Some words."),
    ]
    shown = lecture.tucked(cells)
    assert [cell.source for cell in shown] == ["# Talk", "## One", "Some words."]
    nbformat.write(new_notebook(cells=shown), tmp_path / "talk.ipynb")
    again = lecture.read(tmp_path / "talk.ipynb").cells
    assert [(cell.source, lecture.tags(cell)) for cell in again] == [
        (cell.source, lecture.tags(cell)) for cell in cells
    ]
    assert [cell.number for cell in again] == [1, 1, 2, 2, 3], "a note has the number of the cell that keeps it"
