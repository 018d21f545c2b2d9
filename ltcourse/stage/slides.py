"""A lesson, or the lecture, as slides: one HTML file that needs no network, from what the notebooks have stored."""

import html
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import mistune
from nbformat import NotebookNode

from ltcourse.files import place
from ltcourse.stage import lecture, pages, plan
from ltcourse.stage.lecture import MINUTES
from ltcourse.stage.pages import Page
from ltcourse.stage.pieces import Block, Pieces


@dataclass(frozen=True)
class Options:
    """How slides are made. minutes: of the lecture, 45 or 90. only: what to show alone, by number or by words.

    code: "none", "key" (the lines that carry the idea) or "all". students: without notes, solutions and answers.
    byline: author, place and date, for the title.
    """

    minutes: float = MINUTES
    only: tuple[str, ...] = ()
    code: str = "key"
    students: bool = False
    byline: tuple[str, ...] = ()


def write(notebook: Path, folder: Path, options: Options | None = None) -> tuple[Path, int]:
    """Write the slides of a notebook into a folder; return the file, and how many slides there are.

    Nothing is run: the figures are those that the notebook has stored. Where no cell says what it is on the stage, that
    follows from what it holds, as in a lesson. Raises ValueError, one sentence, for a notebook that cannot be read, and
    for notes, a formula or an image that cannot be shown, with the number of its cell.
    """
    notebook, options = place(notebook), options or Options()
    lesson, pieces = _prepared(notebook, options)
    sections = pages.chosen(lecture.sections(lesson), list(options.only), options.minutes)
    sections[0].heading = sections[0].heading or notebook.stem
    made = pages.of_lesson(sections, pieces)
    return _written(made, f"{notebook.stem[:2]} {sections[0].heading}", notebook.stem, folder, options)


def write_lecture(
    folder: Path, options: Options | None = None, notebooks: Path = lecture.NOTEBOOKS, planned: plan.Plan | None = None
) -> tuple[Path, int]:
    """Write the lecture, S1 to S17, from the cells of the lessons; return the file, and how many slides there are.

    notebooks: the folder of the lessons. planned: another plan than `lecture.toml`. Raises ValueError, one sentence,
    where a slide names what its lesson does not have.
    """
    options, planned = options or Options(), planned or plan.read()

    @cache
    def prepared(lesson: str) -> tuple[NotebookNode, Pieces]:
        return _prepared(lecture.find(lesson, notebooks), options)

    chosen = planned.chosen(options.minutes, list(options.only))
    made = plan.pages(chosen, lambda lesson: prepared(lesson)[0], lambda lesson: prepared(lesson)[1])
    title = Page(planned.title, [Block(f"<p>{html.escape(planned.about)}</p>", 60)], kind="title", stack=planned.title)
    shown = [page for page in made if page.blocks or page.kind]
    return _written([title, *shown], planned.title, "lecture", folder, options)


def _prepared(notebook: Path, options: Options) -> tuple[NotebookNode, Pieces]:
    lesson = lecture.read(notebook)
    attached = _name_attachments(lesson)
    if not any("slideshow" in cell.metadata for cell in lesson.cells):
        lesson.cells = list(lecture.in_slides(lesson.cells))
    return lesson, Pieces(notebook.parent, attached, options.code, options.students)


def _name_attachments(lesson: NotebookNode) -> dict[str, tuple[str, str]]:
    """Give images that were pasted into cells names of their own; return (type, base64) of each.

    In the file each cell has its own "image.png".
    """
    found = {}
    for cell in lesson.cells:
        for name, kinds in cell.get("attachments", {}).items():
            for kind, content in kinds.items():
                own = f"attachment:{cell.number}/{quote(name)}"
                found[own] = (kind, content)
                for written in (name, quote(name)):
                    cell.source = re.sub(rf"attachment:{re.escape(written)}(?![\w./%-])", own, cell.source)
    return found


# Pages → HTML


def _written(made: list[Page], title: str, name: str, folder: Path, options: Options) -> tuple[Path, int]:
    """Write the file: `name`.html, and for students a name that does not replace the instructor's."""
    if options.byline:
        made[0].blocks.append(Block(f'<p class="byline">{html.escape(" · ".join(options.byline))}</p>', 50))
    if options.students:
        made = [replace(page, notes="", unsaid=[], answers=[]) for page in made]
    folder = place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}{'-students' if options.students else ''}.html"
    file.write_text(_document(made, title), encoding="utf-8")
    return file, len(made)


def _document(made: list[Page], title: str) -> str:
    """The file: reveal.js and the course's own style and scripts written into it, and nothing that is fetched."""
    reveal = files("pyreveal") / "revealjs" / "dist"
    try:
        style, script = ((reveal / name).read_text(encoding="utf-8") for name in ("reveal.css", "reveal.js"))
    except FileNotFoundError as error:
        raise ValueError(f"reveal.js is not where it was installed ({error}): run `make lab` again") from error
    own = {name: (files("ltcourse") / "stage" / name).read_text(encoding="utf-8") for name in _OWN}
    stacks: list[list[str]] = []
    until, before = 0.0, None
    for page in made:
        until += page.minutes
        if page.stack != before or not stacks:
            stacks.append([])
        before = page.stack
        stacks[-1].append(_html(page, until))
    body = "\n".join(f"<section>{''.join(stack)}</section>" for stack in stacks)
    # The policy lets the browser itself refuse whatever would come from elsewhere.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(title)}</title>
<style>{style}</style>
<style>{own["slides.css"]}</style>
</head>
<body>
<div class="reveal"><div class="slides">
{body}
</div></div>
<script>{script}</script>
<script>{own["slides.js"]}</script>
<script>{own["presenter.js"]}</script>
</body>
</html>
"""


_OWN = ("slides.css", "slides.js", "presenter.js")


def _html(page: Page, until: float) -> str:
    """One slide, with its notes. until: the minute of the plan at which it ends."""
    title = html.escape(html.unescape(page.title)).replace("`", "")
    number = f'<span class="number">{page.about}</span>' if page.about and page.kind != "title" else ""
    blocks = "".join(
        f'<div class="fragment{" wide" if b.kind == "figure" else ""}">{b.html}</div>' if b.late else b.html
        for b in page.blocks
    )
    return (
        f'<section data-until="{until:g}"><div class="page {page.kind}"><header><h2>{title}</h2></header>'
        f'<div class="body">{blocks}</div>{number}</div>{_notes(page)}</section>'
    )


def _notes(page: Page) -> str:
    """What the instructor is told: the notes of the section, then what the lesson says here and the slide does not."""
    if not page.notes and not page.unsaid and not page.answers:
        return ""
    skip = " · <b>skip when late</b>" if page.skip else ""
    minutes = f" · {page.minutes:.2g} minutes" if page.minutes else ""
    unsaid = f"<h2>From the lesson</h2>{''.join(page.unsaid)}" if page.unsaid else ""
    answers = f"<h2>Predicted and measured</h2>{''.join(page.answers)}" if page.answers else ""
    told = str(mistune.html(page.notes)) if page.notes else ""
    return f'<aside class="notes"><p>{page.about or "–"}{minutes}{skip}</p>{told}{answers}{unsaid}</aside>'
