"""A lesson as a page: its notebook, with the outputs that it has stored as HTML that works without a kernel."""

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from docutils.nodes import make_id
from PIL import Image

from ltcourse.display import alt, vectors
from ltcourse.display.markdown import PREDICTION
from ltcourse.stage import student_copy
from ltcourse.stage.pieces import STEPS

PICTURES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg", "image/svg+xml": "svg"}
_DPI = 80  # of the course's pictures
_HEADING = re.compile(r"^#{1,4} (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
# links in Markdown and in HTML, which encodes apostrophes
_LINK = re.compile(r"(\]\(|href=\")(?:notebooks/)?(\d\d_\w+)\.ipynb(?:#([^)\"]+))?(?=[)\"])")
_LOCAL = re.compile(r"(\]\(|href=\")#([^)\"]+)(?=[)\"])")
# a hover text, as the glossary puts it in; its title begins with the term
_TERM = re.compile(r'<abbr class="term" title="([^"]*)">(.*?)</abbr>', re.DOTALL)


@dataclass
class Lesson:
    """A notebook as it is stored. headings: the text of each → its id on the page."""

    name: str
    notebook: dict[str, Any]
    headings: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first heading."""
        return next(iter(self.headings), self.name)

    def says(self, word: str) -> str:
        """Return what the first cell says after a bold word, such as "Question"; "" where it does not."""
        found = re.search(rf"\*\*{word}\*\* (.+?)(?:\n\n|$)", _text(self.notebook["cells"][0]), re.DOTALL)
        return " ".join(found[1].split()) if found else ""

    def outputs(self, title: str) -> list[dict[str, Any]]:
        """Return what the cell of a title has shown; raises ValueError where no cell has it."""
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "code" and cell["metadata"].get("title") == title:
                return list(cell["outputs"])
        raise ValueError(f"lesson {self.name} has no cell titled {title!r}: name one that it has")


def read(folder: Path, students: bool) -> list[Lesson]:
    """Return the lessons of a folder in order; students: without solutions, keys and instructor's notes."""
    found = []
    for file in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        notebook = json.loads(file.read_text(encoding="utf-8"))
        if students:
            notebook = student_copy.stripped(notebook)
        texts = (_FENCE.sub("", _text(cell)) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        titles = [plain(title) for text in texts for title in _HEADING.findall(text)]
        found.append(Lesson(file.stem, notebook, {title: make_id(title) for title in titles}))
    return found


def plain(heading: str) -> str:
    """Return a heading's text without the marks of Markdown."""
    return re.sub(r"[`*]", "", heading).strip()


@dataclass
class Pages:
    """Turns lessons into pages. lessons: all that links may lead to. figures: the folder that pictures go to.

    students: in their edition a link to a heading that went with a solution leads to its lesson.
    """

    lessons: list[Lesson]
    figures: Path
    students: bool = False

    def page(self, lesson: Lesson) -> dict[str, Any]:
        """Return the notebook of a lesson's page."""
        heading, cells = lesson.title, []
        for number, cell in enumerate(lesson.notebook["cells"]):
            if cell["cell_type"] == "markdown":
                text = self.text(_text(cell), "")
                heading = ([plain(h) for h in _HEADING.findall(text)] or [heading])[-1]
                cells.append({**cell, "source": text, "metadata": {}})
                continue
            cell_text, about = _text(cell), cell["metadata"].get("title") or heading
            shown = [
                made
                for place, output in enumerate(cell["outputs"])
                for made in self.output(output, f"{lesson.name}-{number}-{place}", about, "")
            ]
            tags = set(cell["metadata"].get("tags", [])) & {"hide-input", "hide-output"}  # which MyST-NB folds
            if re.match(r"(import|from) ", cell_text):
                tags.add("hide-input")
            cells.append({**cell, "outputs": shown, "metadata": {"tags": sorted(tags)}})
        return {**lesson.notebook, "cells": cells}

    def text(self, source: str, folder: str) -> str:
        """Return Markdown or HTML whose links lead to pages; folder: where the lessons lie, seen from the page."""

        def whole(found: re.Match[str]) -> str:
            begin, name, anchor = found.groups()
            suffix = "ipynb" if begin == "](" else "html"  # Sphinx resolves what is Markdown
            return f"{begin}{folder}{name}.{suffix}{self._anchor(name, anchor)}"

        def local(found: re.Match[str]) -> str:
            known = {h.replace(" ", "-"): i for lesson in self.lessons for h, i in lesson.headings.items()}
            return f"{found[1]}#{known.get(found[2], found[2])}"

        def explained(found: re.Match[str]) -> str:
            title, words = found.groups()
            term = make_id("term-" + html.unescape(title).split(" (")[0])
            return f'<a class="course-term" href="{up}glossary.html#{term}" title="{title}">{words}</a>'

        up = "" if folder else "../"
        source = source.replace("](GLOSSARY.md", f"]({up}glossary.md")
        return unfolded(_TERM.sub(explained, _LOCAL.sub(local, _LINK.sub(whole, source))))

    def _anchor(self, name: str, anchor: str | None) -> str:
        """The id of a heading that a link names as JupyterLab does, with hyphens for blanks."""
        if not anchor:
            return ""
        lesson = next((lesson for lesson in self.lessons if lesson.name == name), None)
        for heading, there in (lesson.headings if lesson else {}).items():
            if heading.replace(" ", "-") == html.unescape(anchor).replace("%20", "-"):
                return f"#{there}"
        return "" if self.students else f"#{make_id(html.unescape(anchor))}"

    def link(self, name: str, heading: str) -> str:
        """Return the address of a heading in a lesson, "03" or its whole name, from the top of the site.

        Raises ValueError for one that is not there.
        """
        lesson = next((lesson for lesson in self.lessons if lesson.name.startswith(name)), None)
        if lesson and self.students and plain(heading) not in lesson.headings:
            return f"lessons/{lesson.name}.html"
        if lesson is None or plain(heading) not in lesson.headings:
            raise ValueError(f"lesson {name} has no heading {heading!r}: name one that it has")
        return f"lessons/{lesson.name}.html#{lesson.headings[plain(heading)]}"

    def source(self, name: str, heading: str) -> str:
        """Return what `link` does, as a page in Markdown names it, for Sphinx to resolve."""
        return self.link(name, heading).replace(".html", ".ipynb")

    def output(self, output: dict[str, Any], name: str, about: str, top: str) -> Iterator[dict[str, Any]]:
        """Yield an output for a page. name: of its pictures' files. about: what a figure shows that does not say it.

        top: the way from the page to the folder of the lessons' pages, "" from there.
        """
        data = output.get("data")
        if data is None:
            yield output
            return
        if alt.is_folded(output) or data.get(PREDICTION) == {"part": "fold"}:  # a page has alt texts, and its own folds
            return
        data = {kind: value if kind.endswith("json") else "".join(value) for kind, value in data.items()}
        says = alt.text_of(output) or about
        if STEPS in data:
            yield _html(self._steps(data[STEPS], name, says, top))
        elif vectors.VECTOR in data or PICTURES.keys() & data.keys():
            yield _html(f'<figure class="course-figure">{self._picture(data, name, says, top)}</figure>')
        elif "text/markdown" in data and "text/html" not in data:
            yield _markdown(self.text(unbroken(data["text/markdown"]), top))
        elif "text/html" in data:
            yield _html(scrolling(self.text(data["text/html"], top)))
        elif not data.get("text/plain", "").startswith("<Figure"):
            yield {**output, "data": {"text/plain": data["text/plain"]}, "metadata": {}}

    def _picture(self, data: dict[str, Any], name: str, says: str, top: str) -> str:
        """A picture as a file of its own, which a tap opens alone, and the <img> that shows it."""
        kind, content = _content(data)
        file = self.figures / f"{name}.{PICTURES[kind]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        wide, tall = _size(kind, content)
        source = f"{top}../figures/{file.name}"
        size = f'width="{wide}" height="{tall}" style="--wide: {wide}px"'
        image = f'<img src="{source}" alt="{html.escape(says)}" {size} loading="lazy">'
        group = '<div class="course-wide" tabindex="0" role="group" aria-label="Figure">'
        return f'{group}<a href="{source}">{image}</a></div>'

    def _steps(self, steps: list[dict[str, Any]], name: str, about: str, top: str) -> str:
        """A slider over the settings that a notebook has stored, the first of them shown where no script runs."""
        captions = [step["caption"] for step in steps]
        pictures = [
            self._picture(step, f"{name}-{i}", step.get("alt") or f"{about}: {captions[i]}", top)
            for i, step in enumerate(steps)
        ]
        frames = "".join(
            f'<div class="course-step"{" hidden" * (i > 0)} data-caption="{html.escape(caption)}">{picture}</div>'
            for i, (caption, picture) in enumerate(zip(captions, pictures, strict=True))
        )
        return (
            f'<figure class="course-figure course-steps">{frames}<div class="course-slider" hidden>'
            f'<button type="button" aria-label="the step before">‹</button>'
            f'<input type="range" min="0" max="{len(steps) - 1}" value="0" aria-label="{html.escape(about)}">'
            f'<button type="button" aria-label="the next step">›</button></div>'
            f"<figcaption>{html.escape(captions[0])}</figcaption></figure>"
        )


def unfolded(text: str) -> str:
    """Return Markdown whose folded text is Markdown, too: blank lines set it apart from the tags around it."""
    text = re.sub(r"(<details\b[^>]*>)\s*(<summary>.*?</summary>)[ \t]*\n*", r"\1\2\n\n", text, flags=re.DOTALL)
    return re.sub(r"\n*[ \t]*</details>", "\n\n</details>", text)


def unbroken(table: str) -> str:
    """Return a table in Markdown whose numbers stay whole in a narrow column, with their units, and their ranges.

    $P_m$ is a formula, as it is in the text.
    """

    def whole(cell: str) -> str:
        words = r"\((?:[^()]{1,18})\)|\[[^\[\]]{1,18}\]|[+−-]?[\d.,]+ (?:%|points?|of \d+)"
        return re.sub(words, lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), cell)

    lines = (whole(line) if line.startswith("|") and "`" not in line else line for line in table.split("\n"))
    return "\n".join(lines).replace("| P_m |", "| $P_m$ |")


def scrolling(source: str) -> str:
    """Return HTML whose tables can be moved sideways where a screen is narrow."""
    source = re.sub(r"(?=<table\b)", '<div class="course-table" tabindex="0" role="group" aria-label="Table">', source)
    return source.replace("</table>", "</table></div>")


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _html(source: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/html": source}, "metadata": {}}


def _markdown(source: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/markdown": source}, "metadata": {}}


def _content(data: dict[str, Any]) -> tuple[str, bytes]:
    """(type, bytes) of the picture in a bundle, drawn rather than in pixels where it is there in both."""
    if vectors.VECTOR in data:
        return "image/svg+xml", vectors.unpacked(data[vectors.VECTOR]).encode()
    kind = next(kind for kind in ("image/svg+xml", *PICTURES) if kind in data)
    return kind, data[kind].encode() if kind == "image/svg+xml" else base64.b64decode(data[kind])


def _size(kind: str, content: bytes) -> tuple[int, int]:
    """The pixels that a picture takes on a page."""
    if kind == "image/svg+xml":  # in points, as matplotlib writes it
        found = re.search(rb'viewBox="\S+ \S+ ([\d.]+) ([\d.]+)"', content)
        wide, tall = (float(found[1]), float(found[2])) if found else (648.0, 324.0)
        return round(wide * _DPI / 72), round(tall * _DPI / 72)
    return Image.open(BytesIO(content)).size
