"""A lesson's pieces, on slides: one result a slide, and beside it the text that leads to it or reads it."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from ltcourse.stage.lecture import Section
from ltcourse.stage.pieces import TALL, Block, Pieces, late, titled

_SHRINK = 60  # what a little smaller letters save
_SQUEEZE = 130  # what clearly smaller ones save, for a few printed lines that would else stand alone
_FEW = 160  # printed lines that are no taller stand beside a figure or a text


@dataclass
class Page:
    """A slide. about: the numbers of the lecture's slides, small in its corner. minutes: of the plan, for this page.

    notes: Markdown for the instructor, `unsaid` what the lesson says here and the slide does not, as HTML, `answers`
    what predictions came to. kind: "", "title", "part" or "statement".
    """

    title: str
    blocks: list[Block] = field(default_factory=list)
    about: str = ""
    minutes: float = 0.0
    notes: str = ""
    unsaid: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    skip: bool = False
    kind: str = ""
    stack: str = ""  # pages of one stack stand below each other in the overview

    def has(self, *kinds: str) -> bool:
        """Whether one of its pieces is of one of these kinds."""
        return any(block.kind in kinds for block in self.blocks)

    def room(self) -> float:
        """What is left; a figure makes room for the text that reads it."""
        return TALL - sum(block.needs for block in self.blocks)

    def gives(self) -> float:
        """What smaller letters make room for, so that a few printed lines need not stand alone."""
        return _SHRINK if self.has("figure") else _SQUEEZE


def of_lesson(sections: list[Section], pieces: Pieces) -> list[Page]:
    """Return the slides of a lesson: its title, the plan, and those of each section."""
    pages = [_title(sections[0], pieces)]
    titled_by_text = bool(sections[0].cells) and sections[0].cells[0][1].cell_type == "markdown"
    rest = replace(sections[0], cells=sections[0].cells[titled_by_text:])
    if len(sections) > 2:
        pages.append(Page("The plan", [_plan(sections[1:])]))
    for section in (rest, *sections[1:]):
        found = of_section(section, pieces)
        for page in found:
            page.minutes = section.minutes / len(found)
        pages += found
    return pages


def _title(section: Section, pieces: Pieces) -> Page:
    """The first slide: what the lesson asks. What it covers and how long it runs is for the notebook."""
    cell = section.cells[0][1] if section.cells else new_markdown_cell()
    blocks = pieces.of(cell) if cell.cell_type == "markdown" else []
    wanted = [b for b in blocks if not re.match(r"<p><strong>(Outline|Time|Slides|Before you start)<", b.html)]
    return Page(section.heading, wanted, notes=section.notes, kind="title", stack=section.heading)


def _plan(sections: list[Section]) -> Block:
    """The sections with their numbers and minutes."""
    lines = []
    for section in sections:
        about = f' <span class="number">{section.about}</span>' if section.numbers else ""
        minutes = f' <span class="minutes">{section.minutes:g} min</span>' if section.minutes else ""
        skip = ' <span class="late">skip when late</span>' if section.skip else ""
        lines.append(f"<li>{html.escape(section.heading).replace('`', '')}{about}{minutes}{skip}</li>")
    return Block(f'<ol class="plan">{"".join(lines)}</ol>', 500)


def of_section(section: Section, pieces: Pieces) -> list[Page]:
    """Return the slides of a section: its cells in order, on as many pages as they need.

    A text below an output reads it, and comes at the next key, or is left to the notes where it has no room; what leads
    on to the next cell goes to the next page.
    """
    flow = _Flow(section)
    for _, cell in section.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind in ("skip", "notes"):
            continue
        blocks, answers = pieces.of(cell), pieces.answers(cell)
        if not blocks and not answers:
            continue
        if cell.cell_type == "code":
            if blocks:
                flow.code(cell, blocks)
            flow.answers(answers)
        elif (
            kind == "fragment"
            and not cell.get("asks")
            and flow.page
            and flow.page.has("code", "printed", "table", "figure")
        ):
            flow.reading(blocks)
        else:
            if kind in ("slide", "subslide"):
                flow.turn(cell.metadata.get("title", ""))
            flow.put(blocks)
    return flow.done()


class _Flow:
    """The pages of a section as they fill."""

    def __init__(self, section: Section):
        self._section = section
        self._pages: list[Page] = []
        self._leading: list[Block] = []
        self._full = False

    @property
    def page(self) -> Page | None:
        return self._pages[-1] if self._pages else None

    def turn(self, title: str = "") -> Page:
        """Begin a page with what leads on to it; without a title of its own, it has that of the page before."""
        s = self._section
        name = title or (self.page.title if self.page else s.heading)
        self._pages.append(Page(name, [], s.about, notes=s.notes, skip=s.skip, stack=s.heading))
        leading, self._leading = self._leading, []
        self.put(leading)
        return self._pages[-1]

    def put(self, blocks: list[Block]) -> None:
        """Add pieces one by one, on further pages where the room ends."""
        for block in blocks:
            page = self.page or self.turn()
            if block.kind == "told":
                page.unsaid.append(block.html)
                continue
            if (heading := titled(block)) and not page.blocks:
                page.title = heading
                continue
            room = page.room() + (
                page.gives() if block.kind == "printed" else _SHRINK * (block.late or block.kind != "text")
            )
            if page.blocks and block.needs > room and block.kind != "folded":
                page = self.turn()
            page.blocks.append(replace(block, late=block.late and bool(page.blocks)))

    def code(self, cell: NotebookNode, blocks: list[Block]) -> None:
        """Add a cell of code: what it shows begins a page, unless the page has no result yet or this one is small."""
        page = self.page or self.turn()
        title = cell.metadata.get("title", "")
        tall = sum(block.needs for block in [*self._leading, *blocks])
        small = (
            all(block.kind in ("printed", "told") for block in blocks) and sum(block.tall for block in blocks) <= _FEW
        )
        fits = tall <= page.room() + (page.gives() if small else _SHRINK)
        guess = any("Predict" in block.html for block in self._leading)
        asked = guess or page.has("question")  # a result has a slide of its own behind its question
        if page.blocks and not (fits and not asked and (small or self._free(page))):
            page = self.turn(title)
        elif title and not page.has("code", "printed", "table", "figure"):
            page.title = title
        leading, self._leading = self._leading, []
        self.put(late(leading))
        guess = any("Predict" in block.html for block in page.blocks)
        self.put([replace(block, late=guess and block.kind != "code") for block in blocks])

    def _free(self, page: Page) -> bool:
        """Whether a page has no result yet, or a few printed lines alone, which a figure can have beside it."""
        few = sum(block.tall for block in page.blocks if block.kind == "printed") <= _FEW
        return few and not page.has("code", "table", "figure")

    def answers(self, told: list[str]) -> None:
        """Add what predictions came to, for the notes."""
        if told:
            (self.page or self.turn()).answers += told

    def reading(self, blocks: list[Block]) -> None:
        """Add a text that reads what stands above it, and keep what leads on."""
        page = self.page
        assert page is not None
        end = _reads(blocks)
        self._full = False  # what stands below something that has no room has none
        for block in blocks[:end]:
            fits = block.kind != "told" and not self._full and block.tall <= page.room() + _SHRINK
            if fits:
                page.blocks.append(replace(block, late=True))
            else:
                page.unsaid.append(block.html)
                self._full = block.kind != "told"
        self._leading += blocks[end:]

    def done(self) -> list[Page]:
        """Return the pages; what leads to nothing on a slide is left to the notes."""
        last = self.page
        if self._leading and last and last.blocks:
            last.unsaid += [block.html for block in self._leading]
            self._leading = []
        self.put(self._leading)
        found = _together(self._pages, self._section.heading)
        for title, run in groupby(found, lambda page: page.title):
            same = list(run)
            for number, page in enumerate(same, 1):  # one that goes on says so
                page.title = f"{title} ({number} of {len(same)})" if len(same) > 1 else title
        return found


def _together(pages: list[Page], heading: str) -> list[Page]:
    """Join pages that are half empty, and belong together, while there is room; what an empty one tells is kept."""
    kept: list[Page] = []
    unsaid: list[str] = []
    for page in pages:
        page.unsaid, unsaid = unsaid + page.unsaid, []
        if not page.blocks:
            if kept:
                kept[-1].unsaid += page.unsaid
            else:
                unsaid = page.unsaid
            continue
        before = kept[-1] if kept else None
        if before is None or not _belongs(before, page, heading):
            kept.append(page)
            continue
        asked = any("Predict" in block.html for block in before.blocks)
        before.blocks += [replace(block, late=block.late or asked) for block in page.blocks]
        before.unsaid += page.unsaid
        if page.title != heading and page.has("table", "figure", "printed"):
            before.title = page.title
    return kept


def _belongs(before: Page, page: Page, heading: str) -> bool:
    """Whether a page goes on with the one before it, which has no result and no title of its own, or one of both."""
    needs = sum(block.needs for block in before.blocks + page.blocks)
    if needs > TALL + min(before.gives(), page.gives()):
        return False
    only_code = {block.kind for block in page.blocks} == {"code"}
    only_text = {block.kind for block in before.blocks} <= {"text"}
    goes_on = before.title == page.title and not before.has("figure")
    return only_code or goes_on or (only_text and before.title == heading)


def _reads(blocks: list[Block]) -> int:
    """How many of the pieces of a text read what stands above it: those before the one that leads on, if any does."""
    for i in range(len(blocks) - 1, -1, -1):
        if "Predict" in blocks[i].html or blocks[i].html.endswith(":</p>"):
            return i
    return len(blocks)


def chosen(sections: list[Section], only: list[str], minutes: float) -> list[Section]:
    """Return the sections to show, the title first: those that `only` names, or those that fit into the minutes.

    only: numbers of the lecture's slides ("S6", "S6-S8") or words of headings. What is tagged skip-when-late is left
    out, from the end, until the plan fits. Raises ValueError for a name that no section has.
    """
    title, *rest = sections
    if only:
        found = [section for name in only for section in _named(name, rest)]
        return [title, *(section for section in rest if section in found)]
    spare = [section for section in rest if section.skip]
    while spare and sum(section.minutes for section in rest) > minutes:
        last = spare.pop()
        rest = [section for section in rest if section is not last]
    return [title, *rest]


def _named(name: str, sections: list[Section]) -> Iterator[Section]:
    numbers = numbers_of(name)
    found = [
        s for s in sections if numbers & set(s.numbers) or (not numbers and name.casefold() in s.heading.casefold())
    ]
    if not found:
        headings = ", ".join(section.heading for section in sections)
        raise ValueError(f"no section is {name!r}: name slides, such as S6-S8, or words of {headings}")
    yield from found


def numbers_of(name: str) -> set[int]:
    """Return the numbers that a name such as "S6" or "S6-S8" stands for, none for other words."""
    found = re.fullmatch(r"[Ss](\d+)(?:\s?[-–]\s?[Ss]?(\d+))?", name.strip())
    return set(range(int(found[1]), int(found[2] or found[1]) + 1)) if found else set()
