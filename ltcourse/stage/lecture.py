"""A lesson as a lecture: its sections, what is said and asked in each, and which of its cells begin a slide."""

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ltcourse.classroom import glossary
from ltcourse.files import NO_CLONE, ROOT, in_clone, place, restore
from ltcourse.names import choose

NOTEBOOKS = ROOT / "notebooks"
MINUTES = 45  # of a lecture, where nobody says otherwise
KEPT_NOTES = "ltcourse_notes"  # in a cell's metadata: the cells of notes that come behind it

HEADING = re.compile(r"^(#{1,3}) (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_SLIDE_NUMBERS = re.compile(r"\bS(\d+)(?:\s?[–-]\s?S(\d+))?\b")
_SUMMARY = re.compile(r"\s*<details><summary>(.*?)</summary>(.*)</details>\s*", re.DOTALL)


@dataclass
class Section:
    """A part of a lesson under one `##` heading; the first one is the lesson's title.

    numbers: of the lecture's slides that it is about. minutes: that it is planned to take, 0 where no notes say. notes:
    Markdown for the instructor. skip: whether it can be left out when late. cells: (index in the notebook, cell).
    """

    heading: str
    numbers: list[int] = field(default_factory=list)
    minutes: float = 0.0
    notes: str = ""
    skip: bool = False
    cells: list[tuple[int, NotebookNode]] = field(default_factory=list)

    @property
    def about(self) -> str:
        """The numbers of the lecture's slides as text: "S6, S7", three in a row or more as "S9–S11"."""
        runs: list[list[int]] = []
        for n in self.numbers:
            if runs and n == runs[-1][-1] + 1:
                runs[-1].append(n)
            else:
                runs.append([n])
        return ", ".join(f"S{run[0]}–S{run[-1]}" if len(run) > 2 else ", ".join(f"S{n}" for n in run) for run in runs)


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags", []))


# Cells → slides


def in_slides(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield cells that can be shown slide by slide: each heading begins one, and each says what it is on the stage.

    A heading begins a slide, as does a cell of code with what it shows; the text that reads a figure appears below it.
    Imports are left out, notes are for the instructor alone. Where a lesson says itself what a cell is (`slideshow` in
    its metadata), that holds.
    """
    before = ""
    for cell in cells:
        for part in _parts(cell):
            kind = _slide_type(part, before)
            part.metadata.setdefault("slideshow", {"slide_type": kind})
            if kind not in ("notes", "skip"):
                before = part.cell_type
            yield part


def _parts(cell: NotebookNode) -> list[NotebookNode]:
    """The cell, or, where headings stand in the middle of its text, the cells that begin with them."""
    if cell.cell_type != "markdown":
        return [cell]
    hidden = [found.span() for found in _FENCE.finditer(cell.source)]
    starts = [
        found.start()
        for found in HEADING.finditer(cell.source)
        if found.start() and not any(a <= found.start() < b for a, b in hidden)
    ]
    pieces = [cell.source[a:b].strip("\n") for a, b in zip([0, *starts], [*starts, None], strict=True)]
    # A heading with nothing under it is one with the heading that follows: "Exercises", and the first of them.
    for i in range(len(pieces) - 1, 0, -1):
        if HEADING.fullmatch(pieces[i - 1]):
            pieces[i - 1 : i + 1] = [f"{pieces[i - 1]}\n\n{pieces[i]}"]
    untitled = {key: value for key, value in cell.metadata.items() if key != "title"}  # it is that of the first part
    others = [nbformat.from_dict({**cell, "source": piece, "metadata": untitled}) for piece in pieces[1:]]
    return [nbformat.from_dict({**cell, "source": pieces[0]}), *others]


def _slide_type(cell: NotebookNode, before: str) -> str:
    """What a cell is on the stage, in the words of nbconvert and RISE; `before`: the type of the cell before it."""
    if "notes" in tags(cell):
        return "notes"
    if cell.cell_type == "code":
        if re.match(r"(import|from) ", cell.source):
            return "skip"
        return "-" if "exercise" in tags(cell) or re.match(r"checks\.", cell.source) else "subslide"
    if found := HEADING.match(cell.source):
        return "slide" if len(found[1]) < 3 else "subslide"
    return "fragment" if before == "code" and not {"hint", "solution"} & set(tags(cell)) else "-"


# The lecture


def read(notebook: Path) -> NotebookNode:
    """Read a notebook, of an older format too, without its hover texts.

    Each cell has its number in the file, from 1, as `number`, and `asks` where it leads to the code of an exercise.
    The instructor's notes are cells again, each behind the one that kept it.
    Raises ValueError, one sentence, for what is no notebook, or one without a cell.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nbformat.warnings.MissingIDFieldWarning)  # slides need no ids
            lesson = nbformat.read(notebook, as_version=4)
    except (ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(f"{notebook} is no notebook ({said}): open it in JupyterLab and save it again") from error
    if not lesson.cells:
        raise ValueError(f"{notebook} has no cells: write something in it first")
    asks = False
    for number, cell in reversed(list(enumerate(lesson.cells, start=1))):
        cell.number = number
        asks = "exercise" in tags(cell) if cell.cell_type == "code" else asks
        cell.asks = asks
        if cell.cell_type == "markdown":
            cell.source = glossary.unmarked(cell.source)
    lesson.cells = list(_with_notes(lesson.cells))
    return lesson


def tucked(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return cells without those of notes, each of which is kept in the metadata of the cell before it.

    JupyterLab shows a Markdown cell whenever it is run, whatever its metadata say, and no metadata of a cell.
    """
    found: list[NotebookNode] = []
    for cell in cells:
        if found and "notes" in tags(cell):
            note = {"metadata": dict(cell.metadata), "source": cell.source}
            found[-1].metadata[KEPT_NOTES] = [*found[-1].metadata.get(KEPT_NOTES, []), note]
        else:
            found.append(cell)
    return found


def _with_notes(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield cells and, behind each, the cells of notes that it keeps."""
    for cell in cells:
        notes = cell.metadata.pop(KEPT_NOTES, [])
        yield cell
        for note in notes:
            again = nbformat.v4.new_markdown_cell(note["source"], metadata=note["metadata"])
            again.number = cell.number
            yield again


def find(name: str, folder: Path = NOTEBOOKS) -> Path:
    """Return the notebook of a lesson: by its number ("03"), by its name, or by the path of a file.

    Raises ValueError where there is none.
    """
    if name.endswith(".ipynb") and place(name).is_file():
        return place(name)
    files = {file.stem: file for file in lessons(folder)}
    by_number = {stem[:2]: stem for stem in files}
    stem = Path(name).stem
    return files[choose("lesson", by_number.get(stem and stem.zfill(2), stem), files)]


def lessons(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the notebooks of all lessons, in order; raises ValueError outside a clone of the course."""
    if files := sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        return files
    raise ValueError(f"{folder} has no lessons: {restore('notebooks/')}" if in_clone() else NO_CLONE)


def sections(notebook: NotebookNode) -> list[Section]:
    """Return the sections of a lesson, its title first."""
    found: list[Section] = []
    for index, cell in enumerate(notebook.cells):
        heading = HEADING.match(cell.source) if cell.cell_type == "markdown" else None
        if (heading and len(heading[1]) < 3) or not found:
            found.append(Section(heading[2] if heading else ""))
        here = found[-1]
        if "notes" in tags(cell):
            try:
                here.minutes, here.notes = read_notes(cell.source)
            except ValueError as error:
                raise ValueError(f"in cell {cell.get('number', index + 1)}, {error}") from None
            here.skip = here.skip or "skip-when-late" in tags(cell)
            continue
        here.cells.append((index, cell))
        if cell.cell_type == "markdown":
            here.numbers = sorted({*here.numbers, *slide_numbers(cell.source)})
    return found


def read_notes(source: str) -> tuple[float, str]:
    """Return the minutes that folded notes plan, and what they say.

    The first number of the summary is the minutes: `<details><summary>For the instructor, 4 minutes</summary>`. Raises
    ValueError where notes are not of this form.
    """
    found = _SUMMARY.fullmatch(source)
    minutes = re.search(r"\d+(?:\.\d+)?", found[1]) if found else None
    if not found or not minutes:
        raise ValueError(
            f"notes begin with <details><summary>For the instructor, 4 minutes</summary>, not {source[:60]!r}"
        )
    return float(minutes[0]), found[2].strip()


def slide_numbers(text: str) -> set[int]:
    """Return the numbers of the lecture's slides that a text names: "S4, S6–S8" → 4, 6, 7, 8."""
    return {n for a, b in _SLIDE_NUMBERS.findall(text) for n in range(int(a), int(b or a) + 1)}


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds: 125 → "2:05"."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d}"
