"""A lesson's notebook as slides: one HTML file that opens with no network, from what the notebook has stored."""

import base64
import html
import math
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.resources import files
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import mistune
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ltcourse.files import place
from ltcourse.stage import formulas, lecture
from ltcourse.stage.lecture import Section

# What a widget's cell stores beside its picture (`widgets.explore`): {"caption": …, "image/webp": base64} each.
STEPS = "application/vnd.ltcourse.steps+json"

# The room of a slide, in pixels of 1280 × 720 as in slides.css; what is a little too tall is shrunk when it is opened.
_WIDE, _TALL = 1192, 590
_SMALLEST = 330  # how tall a figure must at least stay
_SHRINK = 60  # what a little smaller letters save
_PIECE = 500  # how tall a piece of what a cell shows may be, so that a line of code has room above it
_FENCE = re.compile(r"(```.*?^```|<details>.*?</details>)", re.DOTALL | re.MULTILINE)
_IMAGE = re.compile(r"(<img\b[^>]*?\bsrc=[\"'])([^\"']+)", re.IGNORECASE)
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)


@dataclass(frozen=True)
class _Block:
    """A piece of a slide: its HTML, about how tall it is, what it is, and whether it comes only at the next key.

    kind: "text", "folded", "code", "shown" or "figure".
    """

    html: str
    tall: float
    kind: str = "text"
    late: bool = False


@dataclass
class _Page:
    section: Section
    blocks: list[_Block] = field(default_factory=list)
    until: float = 0.0
    kind: str = ""

    def has(self, *kinds: str) -> bool:
        return any(block.kind in kinds for block in self.blocks)

    def room(self) -> float:
        """What is left; a figure makes room for the text that reads it."""
        return _TALL - sum(
            min(block.tall, _SMALLEST) if block.kind == "figure" else block.tall for block in self.blocks
        )


def write(notebook: Path, folder: Path) -> tuple[Path, int]:
    """Write the slides of a notebook into a folder; return the file, and how many slides there are.

    Nothing is run: the figures are those that the notebook has stored. Where no cell says what it is on the stage, that
    follows from what it holds, as in a lesson. Raises ValueError, one sentence, for a notebook that cannot be read, and
    for notes, a formula or an image that cannot be shown, with the number of its cell.
    """
    notebook, folder = place(notebook), place(folder)
    lesson = lecture.read(notebook)
    attached = _name_attachments(lesson)
    if not any("slideshow" in cell.metadata for cell in lesson.cells):
        lesson.cells = list(lecture.in_slides(lesson.cells))
    sections = lecture.sections(lesson)
    sections[0].heading = sections[0].heading or notebook.stem
    pages = list(_pages(sections, _markdown(notebook.parent, attached)))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{notebook.stem}.html"
    file.write_text(_document(pages, f"{notebook.stem[:2]} {pages[0].section.heading}"), encoding="utf-8")
    return file, len(pages)


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


# Cells → pages


def _pages(sections: list[Section], markdown: mistune.Markdown) -> Iterator[_Page]:
    """The slides: title, plan, and each section's."""
    until = 0.0
    for number, section in enumerate(sections):
        until += section.minutes
        pages = _title(section, markdown) if number == 0 else _of_section(section, markdown)
        if number == 0 and len(sections) > 2:
            pages.append(_Page(replace(section, heading="The plan", numbers=[]), [_plan(sections[1:])]))
        for page in pages:
            page.until = until
            yield page


def _title(section: Section, markdown: mistune.Markdown) -> list[_Page]:
    """The first slide: what the lesson asks. Its outline is the plan, and how long it runs is for the notebook."""
    first, *others = section.cells or [(0, new_markdown_cell())]
    if first[1].cell_type == "code":
        first, others = (0, new_markdown_cell()), section.cells
    wanted = [b for b in _blocks(first[1], markdown) if not re.match(r"<p><strong>(Outline|Time)<", b.html)]
    return [_Page(section, wanted, kind="title"), *_of_section(replace(section, cells=others), markdown)]


def _of_section(section: Section, markdown: mistune.Markdown) -> list[_Page]:
    """The slides of a section: its cells in order, on as many pages as they need.

    A text below an output reads it, and comes at the next key; what leads on to the next cell goes to the next page.
    """
    pages: list[_Page] = []
    leading: list[_Block] = []

    def put(blocks: list[_Block], late: bool = False) -> None:
        for block in blocks:
            room = pages[-1].room() + _SHRINK * (late or block.kind in ("code", "shown")) if pages else 0.0
            if not pages or (pages[-1].blocks and block.tall > room and block.kind != "folded"):
                pages.append(_Page(section))
            pages[-1].blocks.append(replace(block, late=late and bool(pages[-1].blocks)))

    for _, cell in section.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind in ("skip", "notes"):
            continue
        blocks = _blocks(cell, markdown)
        if cell.cell_type == "code" and kind == "subslide":
            tall = sum(block.tall for block in blocks if block.kind != "figure")
            if tall > _TALL:  # with what it shows it needs two pages anyway
                tall = sum(block.tall for block in blocks if block.kind == "code")
            if leading or not pages or pages[-1].has("code", "shown", "figure") or tall > pages[-1].room() + _SHRINK:
                pages.append(_Page(section))
                put(leading)
                leading = []
            guess = any("Predict" in block.html for block in pages[-1].blocks)
            put([block for block in blocks if block.kind == "code"])
            put([block for block in blocks if block.kind != "code"], late=guess)
            continue
        if kind in ("slide", "subslide"):
            put(leading)
            leading = []
            pages.append(_Page(section))
        if kind == "fragment" and pages and pages[-1].has("code", "shown", "figure"):
            end = _reading(blocks) if pages[-1].blocks[-1].kind != "code" else 0
            # What has no room below its figure stands above what follows.
            while end and sum(block.tall for block in blocks[:end]) > pages[-1].room() + _SHRINK:
                end -= 1
            put(blocks[:end], late=True)
            leading = blocks[end:]
        elif cell.cell_type == "code":
            if leading:
                pages.append(_Page(section))
                put(leading)
                leading = []
            if not pages:
                pages.append(_Page(section))
            pages[-1].blocks += blocks
        else:
            put(blocks)
    put(leading)
    return [page for page in pages if page.blocks]


def _reading(blocks: list[_Block]) -> int:
    """How many of the pieces of a text read what stands above it: those before the one that leads on, if any does."""
    for i in range(len(blocks) - 1, -1, -1):
        if "Predict" in blocks[i].html or blocks[i].html.endswith(":</p>"):
            return i
    return len(blocks)


def _plan(sections: list[Section]) -> _Block:
    """The sections with their numbers and minutes."""
    lines = []
    for section in sections:
        about = f' <span class="chip">{section.about}</span>' if section.numbers else ""
        minutes = f' <span class="minutes">{section.minutes:g} min</span>' if section.minutes else ""
        late = ' <span class="late">skip when late</span>' if section.skip else ""
        lines.append(f"<li>{html.escape(section.heading).replace('`', '')}{about}{minutes}{late}</li>")
    return _Block(f'<ol class="plan">{"".join(lines)}</ol>', 500)


def _blocks(cell: NotebookNode, markdown: mistune.Markdown) -> list[_Block]:
    """A cell as pieces of slides; raises ValueError with its number where it cannot be shown."""
    try:
        return list(_pieces_of(cell, markdown))
    except ValueError as error:
        raise ValueError(f"in cell {cell.number}, {error}") from error


def _pieces_of(cell: NotebookNode, markdown: mistune.Markdown) -> Iterator[_Block]:
    if cell.cell_type == "markdown":
        yield from _blocks_of(re.sub(r"^##? .+\n*", "", cell.source), markdown)
    elif cell.cell_type == "code":
        colored = highlight(cell.source, PythonLexer(), HtmlFormatter(nowrap=True))
        colored = re.sub(r"\n{3,}", "\n\n", colored.rstrip())
        yield _Block(f'<pre class="code"><code>{colored}</code></pre>', 28 + 27 * _lines(cell.source, 92), "code")
        for output in cell.outputs:
            yield from _output(output, markdown)


def _output(output: NotebookNode, markdown: mistune.Markdown) -> Iterator[_Block]:
    """What a cell has shown."""
    if output.output_type == "stream":
        yield from _printed(output.text)
    elif output.output_type == "error":
        yield from _printed(f"{output.ename}: {output.evalue}")
    elif STEPS in output.data:
        yield _steps(output.data["image/png"], output.data[STEPS])
    elif kind := next((kind for kind in _PICTURES if kind in output.data), None):
        yield _figure(kind, output.data[kind])
    elif "text/markdown" in output.data:
        yield from (replace(b, kind="shown") for b in _blocks_of(output.data["text/markdown"], markdown))
    elif "text/html" in output.data:
        yield _Block(f"<div>{output.data['text/html']}</div>", 200, "shown")
    elif "text/plain" in output.data:
        yield from _printed(output.data["text/plain"])


def _printed(text: str) -> Iterator[_Block]:
    """Printed lines, in pieces where they are many; indented lines stay with the line that they belong to."""
    parts = [(part, 27.0 * _lines(part, 92)) for part in re.split(r"\n(?=\S)", text.rstrip())]
    for piece, tall in _pieces(parts):
        yield _Block(f'<pre class="printed">{html.escape(piece)}</pre>', 18 + tall, "shown")


def _pieces(parts: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Join lines, each with its height, into pieces that are not too tall; where they all fit, into one."""
    piece: list[str] = []
    tall = 0.0
    for text, height in parts:
        if piece and tall + height > _PIECE:
            yield "\n".join(piece), tall
            piece, tall = [], 0.0
        piece.append(text)
        tall += height
    yield "\n".join(piece), tall


def _figure(kind: str, content: str) -> _Block:
    """A figure takes the room that the text leaves; here, what it wants: its size, enlarged to the slide's width."""
    tall = 520.0
    if kind == "image/svg+xml":  # which a notebook keeps as text
        content = base64.b64encode(content.encode()).decode("ascii")
    else:
        try:
            width, height = Image.open(BytesIO(base64.b64decode(content))).size
        except (ValueError, OSError) as error:
            raise ValueError("the figure is damaged: run the cell again") from error
        tall = min(height * min(_WIDE / width, 1.25), tall)
    picture = f'<img alt="figure" src="data:{kind};base64,{_line(content)}">'
    return _Block(f'<div class="figure">{picture}</div>', tall, "figure")


def _steps(png: str, steps: list[dict[str, str]]) -> _Block:
    """A widget: its picture, and a few other settings, one each time that the page is turned."""
    picture = f'<img alt="widget" src="data:image/png;base64,{_line(png)}">'
    first = f"<figure>{picture}<figcaption>the next key moves it</figcaption></figure>"
    others = "".join(
        f'<figure class="fragment" data-fragment-index="{i}"><img alt="{html.escape(step["caption"])}" '
        f'src="data:image/webp;base64,{step["image/webp"]}">'
        f"<figcaption><b>{html.escape(step['caption'])}</b> · {i + 1} of {len(steps)}</figcaption></figure>"
        for i, step in enumerate(steps)
    )
    return _Block(f'<div class="figure steps">{first}{others}</div>', 430, "figure")


def _lines(text: str, wide: int) -> int:
    """How many lines a text takes where lines have room for so many letters."""
    return sum(max(1, math.ceil(len(line) / wide)) for line in text.split("\n"))


def _line(encoded: str) -> str:
    return encoded.replace("\n", "")


# Markdown


def _blocks_of(source: str, markdown: mistune.Markdown) -> Iterator[_Block]:
    """A text as pieces: paragraphs, lists, tables, formulas, and what is folded."""
    pieces = [p for part in _FENCE.split(source) for p in ([part] if _FENCE.match(part) else part.split("\n\n"))]
    for piece in (p.strip("\n") for p in pieces):
        if not piece.strip():
            continue
        if found := _DISPLAY.fullmatch(piece.strip()):
            yield _Block(f'<div class="display">{formulas.draw(found[1].strip(), display=True)}</div>', 100)
            continue
        lines = piece.split("\n")
        if piece.startswith("|") and len(lines) > 2:
            for table, tall in _tables(lines):
                yield _Block(str(markdown(table)).strip(), tall)
            continue
        kind = "text"
        if piece.startswith("<details>"):
            tall, kind = 48.0, "folded"
        elif piece.startswith("```"):
            tall = 20 + 27 * _lines(piece, 92)
        elif re.match(r"[-*\d]", piece):
            items = re.split(r"\n(?=[-*\d])", piece)
            tall = 15 + sum(8 + 36 * _lines(" ".join(item.split()), 88) for item in items)
        else:
            tall = 15 + 36 * _lines(" ".join(lines), 92)
        yield _Block(str(markdown(piece)).strip(), tall, kind)


def _tables(lines: list[str]) -> Iterator[tuple[str, float]]:
    """A table with its height, or several with its header each where its rows are many."""
    header, ruler, *rows = lines
    as_shown = (re.sub(r"\]\([^)]*\)", "]", line).removeprefix("|").removesuffix("|") for line in (header, *rows))
    cells = [re.split(r"(?<!\\)\|", line) for line in as_shown]
    longest = [max(1, *map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    # of a line of about 100 letters a column gets its share by its longest cell, as a browser does it
    share = max(1.0, sum(longest) / 100)
    tall = [12 + 28.0 * max(math.ceil(len(c) * share / n) for c, n in zip(row, longest, strict=False)) for row in cells]
    for piece, height in _pieces(list(zip(rows, tall[1:], strict=True))):
        yield "\n".join([header, ruler, piece]), height + tall[0]


def _markdown(folder: Path, attached: dict[str, tuple[str, str]]) -> mistune.Markdown:
    """Markdown → HTML: formulas drawn, images put into the page, links between lessons from slides to slides."""
    markdown = mistune.create_markdown(escape=False, plugins=["table", "math", "strikethrough"])
    renderer: Any = markdown.renderer
    plain_link = renderer.link

    def link(text: str, url: str, title: str | None = None) -> str:
        if url.startswith("#"):
            return text
        return str(plain_link(text, re.sub(r"\.ipynb\b", ".html", url), title))

    def source(url: str) -> str:
        if url.startswith("data:"):
            return url
        if url.startswith("attachment:"):
            if url not in attached:
                raise ValueError(f"the pasted image {url!r} is not in the notebook: paste it again")
            kind, content = attached[url]
            return f"data:{kind};base64,{_line(content)}"
        file = folder / unquote(url)
        if not file.is_file():
            raise ValueError(f"there is no image {file}: a slide can show only what is here")
        content = base64.b64encode(file.read_bytes()).decode("ascii")
        return f"data:{mimetypes.guess_type(file.name)[0]};base64,{content}"

    def image(text: str, url: str, title: str | None = None) -> str:
        return f'<img alt="{html.escape(text)}" src="{source(url)}">'

    def as_written(code: str) -> str:
        return _IMAGE.sub(lambda found: found[1] + source(html.unescape(found[2])), code)

    renderer.link, renderer.image = link, image
    renderer.inline_html = as_written
    renderer.block_html = lambda code: as_written(code) + "\n"
    renderer.register("inline_math", lambda _, tex: formulas.draw(tex))
    return markdown


# Pages → HTML


def _document(pages: list[_Page], title: str) -> str:
    """The file: reveal.js and the course's own style and script written into it, and nothing that is fetched."""
    reveal = files("pyreveal") / "revealjs" / "dist"
    try:
        style, script = ((reveal / name).read_text(encoding="utf-8") for name in ("reveal.css", "reveal.js"))
    except FileNotFoundError as error:
        raise ValueError(f"reveal.js is not where it was installed ({error}): run `make lab` again") from error
    own = files("ltcourse") / "stage"
    stacks: list[list[_Page]] = []
    for page in pages:
        if not stacks or stacks[-1][0].section is not page.section:
            stacks.append([])
        stacks[-1].append(page)
    body = "\n".join(f"<section>{''.join(map(_html, stack))}</section>" for stack in stacks)
    # The policy lets the browser itself refuse whatever would come from elsewhere.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(title)}</title>
<style>{style}</style>
<style>{(own / "slides.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<div class="reveal"><div class="slides">
{body}
</div></div>
<script>{script}</script>
<script>{(own / "slides.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def _html(page: _Page) -> str:
    """One slide, with the notes of its section."""
    section = page.section
    chip = f'<span class="chip">{section.about}</span>' if section.numbers and page.kind != "title" else ""
    heading = html.escape(section.heading).replace("`", "")
    blocks = "".join(
        f'<div class="fragment{" wide" if b.kind == "figure" else ""}">{b.html}</div>' if b.late else b.html
        for b in page.blocks
    )
    minutes = f" · {section.minutes:g} minutes" if section.minutes else ""
    late = " · <b>skip when late</b>" if section.skip else ""
    notes = mistune.html(section.notes) if section.notes else ""
    told = f'<aside class="notes"><p>{section.about or "–"}{minutes}{late}</p>{notes}</aside>' if section.notes else ""
    return (
        f'<section data-until="{page.until:g}"><div class="page {page.kind}"><header><h2>{heading}</h2>{chip}</header>'
        f'<div class="body">{blocks}</div></div>{told}</section>'
    )
