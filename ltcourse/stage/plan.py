"""The lecture: S1 to S17 in one deck, assembled from the lessons' own cells as `lecture.toml` plans it."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from nbformat import NotebookNode

from ltcourse.display.markdown import PREDICTION
from ltcourse.stage import lecture, statements, wall
from ltcourse.stage.lecture import clock
from ltcourse.stage.pages import Page, numbers_of
from ltcourse.stage.pieces import Block, Pieces, late, printed

MINUTES = (45, 90)
ITEMS = ("text", "figure", "table", "wall", "printed", "shown", "code")
_KEYS = {"at", "title", "minutes", "lesson", "show", "part", "look", "long", "notes", "answer"}
_OF_ITEM = {*ITEMS, "lesson", "or", "maybe", "sentences", "rows", "columns", "lines", "late", "first"}

Lessons = Callable[[str], NotebookNode]  # "03" → its notebook


@dataclass(frozen=True)
class Entry:
    """A slide of the plan.

    at: the slide of the lecture that it stands for, "S6". title: the assertion; "" takes that of the first cell shown.
    minutes: planned. lesson: whose cells it shows. show: what of them, each item a dict with one of `ITEMS`. part:
    whether it is the title of a part. look: "statement" for a sentence alone. long: only in the lecture of 90 minutes.
    notes: the heading of the section whose notes are told, "" takes that of the first cell. answer: a cell whose output
    is told in the notes alone.
    """

    at: str
    title: str = ""
    minutes: float = 1.0
    lesson: str = ""
    show: tuple[dict[str, Any], ...] = ()
    part: bool = False
    look: str = ""
    long: bool = False
    notes: str = ""
    answer: str = ""

    @property
    def numbers(self) -> set[int]:
        """The numbers of the lecture's slides that it stands for."""
        return numbers_of(self.at)


@dataclass(frozen=True)
class Plan:
    """The lecture: its title, what it is about, and its slides in order."""

    title: str
    about: str
    slides: tuple[Entry, ...]

    def chosen(self, minutes: float, only: list[str]) -> list[Entry]:
        """Return the slides of a lecture of so many minutes, of the named slides alone where some are named.

        Raises ValueError for a name that the plan does not have.
        """
        entries = [e for e in self.slides if minutes >= MINUTES[1] or not e.long]
        for name in only:
            if not any(_is(name, entry) for entry in entries):
                raise ValueError(
                    f"the lecture has no slide {name!r}: name slides, such as S6-S8, or words of their titles"
                )
        return [e for e in entries if any(_is(name, e) for name in only)] if only else entries


def _is(name: str, entry: Entry) -> bool:
    numbers = numbers_of(name)
    return bool(numbers & entry.numbers) if numbers else name.casefold() in entry.title.casefold()


def read(text: str | None = None) -> Plan:
    """Return the lecture's plan; raises ValueError, one sentence, for a plan of another form."""
    if text is None:
        try:
            text = (files("ltcourse") / "stage" / "lecture.toml").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ValueError("a student copy has no lecture: name a lesson, as in `ltcourse slides 03`") from None
    told = tomllib.loads(text)
    entries = []
    for number, slide in enumerate(told["slide"], 1):
        where = f"slide {number} of the plan ({slide.get('title', slide.get('at'))})"
        if strange := set(slide) - _KEYS:
            raise ValueError(f"{where} has the unknown key {min(strange)!r}: choose among {', '.join(sorted(_KEYS))}")
        for item in slide.get("show", []):
            for one in (item, *([item["or"]] if "or" in item else [])):
                if set(one) - _OF_ITEM or len(set(one) & set(ITEMS)) != 1:
                    raise ValueError(f"{where} shows {one}: name one of {', '.join(ITEMS)} and what of it")
        entries.append(Entry(**{**slide, "show": tuple(slide.get("show", []))}))
    return Plan(told["title"], told["about"], tuple(entries))


def problems(plan: Plan, lessons: Lessons) -> Iterator[str]:
    """Yield a sentence for each thing that the plan names and no lesson has."""
    for entry in plan.slides:
        for item in entry.show:
            try:
                if not item.get("maybe"):
                    _found(item, entry.lesson, lessons)
            except ValueError as error:
                yield f"{entry.at}, {entry.title!r}: {error}"
        try:
            if entry.answer:
                _cell(entry.answer, entry.lesson, lessons)
            _notes(entry, lessons)
        except ValueError as error:
            yield f"{entry.at}, {entry.title!r}: {error}"


def timetable(plan: Plan, minutes: float) -> Iterator[str]:
    """Yield a line for each slide of the lecture, with the minute at which it begins, and the sum."""
    begin = 0.0
    for entry in plan.chosen(minutes, []):
        title = entry.title or next(
            str(item[k]) for item in entry.show for k in ("figure", "table", "code") if k in item
        )
        yield f"{clock(60 * begin):>6}  {entry.at:4s} {title}"
        begin += entry.minutes
    yield f"plan {clock(60 * begin)} of {minutes:g} minutes; nothing runs, the figures are stored"


# What the plan names, in the lessons


def _cell(name: str, lesson: str, lessons: Lessons) -> NotebookNode:
    """The cell of a lesson that has this title or this tag."""
    for cell in lessons(lesson).cells:
        if name == cell.metadata.get("title") or name in lecture.tags(cell):
            return cell
    raise ValueError(f"lesson {lesson} has no cell with the title or the tag {name!r}")


def _paragraph(words: str, lesson: str, lessons: Lessons) -> tuple[NotebookNode, str]:
    """The paragraph of a lesson in which these words stand."""
    for cell in lessons(lesson).cells:
        if cell.cell_type == "markdown" and "notes" not in lecture.tags(cell):
            for piece in cell.source.split("\n\n"):
                if words in " ".join(piece.split()):
                    return cell, piece
    raise ValueError(f"lesson {lesson} has no paragraph with the words {words!r}")


def _found(item: Mapping[str, Any], lesson: str, lessons: Lessons) -> tuple[Mapping[str, Any], NotebookNode]:
    """An item and the cell that it names; what stands under `or` where there is no such cell."""
    where = item.get("lesson", lesson)
    kind = next(kind for kind in ITEMS if kind in item)
    try:
        if kind == "text":
            return item, _paragraph(item["text"], where, lessons)[0]
        return item, _cell(item[kind], where, lessons)
    except ValueError:
        if "or" not in item:
            raise
        return _found(item["or"], lesson, lessons)


def _notes(entry: Entry, lessons: Lessons) -> str:
    """What the instructor is told: the notes of the section that the slide is from."""
    if not entry.lesson:
        return ""
    sections = lecture.sections(lessons(entry.lesson))
    if entry.notes:
        if found := [section for section in sections if section.heading == entry.notes]:
            return found[0].notes
        raise ValueError(f"lesson {entry.lesson} has no section {entry.notes!r}")
    if entry.show and "lesson" not in entry.show[0] and not entry.show[0].get("maybe"):
        _, shown = _found(entry.show[0], entry.lesson, lessons)
        return next((s.notes for s in sections if any(cell is shown for _, cell in s.cells)), "")
    return ""


# Slides


def pages(entries: list[Entry], lessons: Lessons, pieces: Callable[[str], Pieces]) -> list[Page]:
    """Return the slides; pieces: lesson → what turns its cells into pieces. Raises ValueError for what is not there."""
    made = []
    for entry in entries:
        try:
            made.append(_page(entry, lessons, pieces))
        except ValueError as error:
            raise ValueError(f"the lecture's slide {entry.at}, {entry.title!r}: {error}") from error
    stack = ""
    for page in made:  # the title of a part begins a column of the overview
        stack = page.title if page.kind == "part" or not stack else stack
        page.stack = stack
    return made


def _page(entry: Entry, lessons: Lessons, pieces: Callable[[str], Pieces]) -> Page:
    kind = "part" if entry.part else entry.look
    page = Page(entry.title, [], entry.at, entry.minutes, _notes(entry, lessons), kind=kind)
    for wanted in entry.show:
        try:
            item, cell = _found(wanted, entry.lesson, lessons)
        except ValueError:
            if wanted.get("maybe"):
                continue
            raise
        of = pieces(item.get("lesson", entry.lesson))
        blocks = list(_shown(item, cell, of))
        if not blocks and not item.get("maybe") and "code" not in item:
            raise ValueError(f"{item} shows nothing")
        page.unsaid += [block.html for block in blocks if block.kind == "told"]
        blocks = [block for block in blocks if block.kind != "told"]
        page.blocks += late(blocks) if item.get("late") else blocks
        if "printed" not in item:  # which is the result on a figure that has a title of its own
            page.title = page.title or cell.metadata.get("title", "")
    if entry.answer:
        of = pieces(entry.lesson)
        page.unsaid += [block.html for block in of.shown(_cell(entry.answer, entry.lesson, lessons))]
    return page


def _shown(item: Mapping[str, Any], cell: NotebookNode, pieces: Pieces) -> Iterator[Block]:
    """The pieces that an item of the plan asks for."""
    if "text" in item:
        piece = next(p for p in cell.source.split("\n\n") if item["text"] in " ".join(p.split()))
        if "sentences" in item:
            piece = sentences(piece, item["text"], item["sentences"])
        yield from pieces.text(piece)
    elif "code" in item:
        yield from (block for block in pieces.of(cell) if block.kind == "code")
    elif "printed" in item:
        text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        yield from _result(text, item.get("lines", [""]))
    elif "table" in item or "wall" in item:
        for output in cell.outputs:
            data = output.get("data", {})
            if PREDICTION in data or not (source := data.get("text/markdown")):
                continue
            if "wall" in item:
                yield Block(wall.of_claims(source), 560, "table")
            else:
                yield from pieces.text(of_table(source, item.get("rows"), item.get("columns")))
    else:
        found = [block for block in pieces.shown(cell) if block.kind == "figure" or "shown" in item]
        yield from found[: 1 if item.get("first") else None]


def sentences(paragraph: str, words: str, count: int) -> str:
    """Return so many sentences of a paragraph, or of an item of a list, from the one in which the words stand."""
    items = re.split(r"^[-*] ", paragraph, flags=re.MULTILINE)
    paragraph = next((item for item in items if words in " ".join(item.split())), paragraph)
    every = statements.split(paragraph)
    start = next((i for i, sentence in enumerate(every) if words in sentence), 0)
    return " ".join(every[start : start + count])


def _result(text: str, words: list[str]) -> Iterator[Block]:
    """The printed lines in which these words stand, large; raises ValueError where there are none."""
    lines = [line.strip() for line in text.splitlines() if any(word in line for word in words)]
    if not lines:
        raise ValueError(f"no line that was printed has the words {words}")
    for block in printed("\n".join(lines)):
        yield replace(block, html=block.html.replace('class="printed"', 'class="printed result"'))


def of_table(source: str, rows: list[str] | None, columns: list[str] | None) -> str:
    """Return a Markdown table with the rows in whose first cell one of the words stands, and with the named columns.

    A row's words, ", slides" say, are left out of its cell. Raises ValueError for a column that is not there.
    """
    cells = [[c.strip() for c in line.strip().strip("|").split("|")] for line in source.strip().split("\n")]
    header, ruler, *body = cells
    if rows:
        body = [[row[0].replace(word, "", 1), *row[1:]] for row in body for word in rows if word in row[0]]
        if not body:
            raise ValueError(f"the table has no row with the words {rows}")
    if columns:
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"the table has no column {missing[0]!r}: it has {', '.join(header)}")
        places = [header.index(name) for name in columns]
        header, ruler, *body = ([row[i] for i in places] for row in (header, ruler, *body))
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ruler, *body))
