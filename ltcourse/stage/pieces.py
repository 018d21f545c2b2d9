"""A cell as pieces of slides: what a notebook has stored, as HTML that fetches nothing."""

import base64
import html
import math
import mimetypes
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mistune
from nbformat import NotebookNode
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ltcourse.display import alt, vectors
from ltcourse.display.markdown import PREDICTION
from ltcourse.stage import formulas, statements
from ltcourse.stage.lecture import tags

# What a widget's cell stores beside its picture (`widgets.explore`): a caption and an image each.
STEPS = "application/vnd.ltcourse.steps+json"
CODE = ("none", "key", "all")

# The room of a slide, in pixels of 1280 × 720 as in slides.css; what is a little too tall is shrunk when it is opened.
WIDE, TALL = 1252, 580
_DPI = 80  # of the course's pictures
_INCH = 75  # pixels of a slide that an inch of a figure needs, so that 13 points are 20 pixels of 1080 lines
_ROWS = 4  # of a table in HTML, whose cells hold more than a line
_LONG = 76  # letters of a line of code that fit; the remark at the end of a longer one stays in the notebook
_CAPTION = 40  # what a stepper says below its picture
_PIECE = 500  # how tall a piece of what a cell shows may be, so that a line of text has room above it
_TABLE = 700  # how tall a table may be, which is shrunk, before its rows go on another page
_FENCE = re.compile(r"(```.*?^```|<details>.*?</details>)", re.DOTALL | re.MULTILINE)
_IMAGE = re.compile(r"(<img\b[^>]*?\bsrc=[\"'])([^\"']+)", re.IGNORECASE)
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
# "**The slides say** (S6): a random network …": on a slide the statement alone, its number is in the corner.
_VOICE = re.compile(r"\*\*The slides(?:\s\w+)*\*\*(?:\s\w+)?\s\(S[^)]*\):\s(\W*)(\w)")
_DENSITY = re.compile(r"(?<![\w$\\])P_m(?![\w$])")  # as a table of a notebook writes it
# What a run says of itself: where a record was made, or that there is none, and how far a training got. It is told.
_ORIGIN = re.compile(r"(?:[\w.-]+: )?(?:recorded \d{4}-\d\d-\d\d\b|not recorded yet; )")
_NUMBERS = re.compile(r" \(S\d+(?:(?:, ?|[–-])S\d+)*\)")


@dataclass(frozen=True)
class Block:
    """A piece of a slide: its HTML, about how tall it is, what it is, and whether it comes only at the next key.

    kind: "text", "question", "folded", "code", "printed", "table", "figure", or "told" for what the notes alone say.
    least: how tall a figure must stay, so that its letters can be read, when it makes room for a text; 0 for what
    cannot shrink.
    """

    html: str
    tall: float
    kind: str = "text"
    late: bool = False
    least: float = 0.0

    @property
    def needs(self) -> float:
        """How tall it is where room is short."""
        return self.least or self.tall


class Pieces:
    """Turns the cells of one notebook into pieces.

    folder: of the notebook, for the images that it links to. attached: name → (type, base64) of those pasted into it.
    code: "none", "key" (the lines that a cell's `key` marks) or "all". students: without solutions and answers.
    """

    def __init__(self, folder: Path, attached: dict[str, tuple[str, str]], code: str = "key", students: bool = False):
        self.markdown = _markdown(folder, attached)
        self.code, self.students = code, students

    def of(self, cell: NotebookNode) -> list[Block]:
        """Return the pieces of a cell; raises ValueError with its number where it cannot be shown."""
        try:
            return list(self._of(cell))
        except ValueError as error:
            raise ValueError(f"in cell {cell.number}, {error}") from error

    def _of(self, cell: NotebookNode) -> Iterator[Block]:
        if self.students and {"solution", "key"} & set(tags(cell)):
            return
        if cell.cell_type == "markdown":
            source = re.sub(r"^##? .+\n*", "", cell.source)
            whole = cell.get("asks") or {"hint", "solution"} & set(tags(cell))
            yield from self.text(source, whole=bool(whole or re.match("# |## References", cell.source)))
        elif cell.cell_type == "code":
            exercise = "exercise" in tags(cell) or cell.source.startswith("checks.")
            if self.code == "all":
                yield whole_code(cell.source)
            elif exercise:
                return
            elif self.code == "key" and "key" in cell.metadata:
                yield key_lines(cell.source, cell.metadata["key"])
            yield from self.shown(cell)

    def shown(self, cell: NotebookNode) -> Iterator[Block]:
        """Yield what a cell of code has shown."""
        if self.students and "key-output" in tags(cell):
            return
        for output in cell.outputs:
            yield from self._output(output)

    def _output(self, output: NotebookNode) -> Iterator[Block]:
        if output.output_type == "stream":
            lines = re.split(r"\n(?=\S)", output.text.rstrip())
            yield from told("\n".join(line for line in lines if _ORIGIN.match(line)))
            if rest := "\n".join(line for line in lines if not _ORIGIN.match(line)):
                yield from printed(rest)
            return
        if output.output_type == "error":
            yield from printed(f"{output.ename}: {output.evalue}")
            return
        data, says = output.data, alt.text_of(output)
        if alt.is_folded(output):
            return
        if PREDICTION in data:
            if data[PREDICTION]["part"] == "question":  # the answer is for the notes
                yield from (replace(block, kind="question") for block in self.text(data["text/markdown"]))
        elif STEPS in data:
            yield _steps(data, says)
        elif vectors.VECTOR in data:
            yield _figure("image/svg+xml", vectors.unpacked(data[vectors.VECTOR]), says)
        elif kind := next((kind for kind in _PICTURES if kind in data), None):
            yield _figure(kind, data[kind], says)
        elif "text/markdown" in data and "<details" not in data.get("text/html", ""):
            yield from self.text(data["text/markdown"])
        elif "text/html" in data:
            yield from _html_table(data["text/html"])
        elif "text/plain" in data and "<Figure" not in data["text/plain"]:
            # a line that was drawn anew while a training ran says how it ended
            progress = output.output_type == "display_data" and " · " in data["text/plain"]
            yield from (told if progress else printed)(data["text/plain"])

    def answers(self, cell: NotebookNode) -> list[str]:
        """Return, as HTML, what a cell says of predictions: what was measured, and what a wrong guess means."""
        outputs = [output.data for output in cell.get("outputs", []) if "data" in output]
        told = [data["text/markdown"] for data in outputs if data.get(PREDICTION, {}).get("part") == "answer"]
        return [
            block.html for text in told for block in self.text(re.sub(r"</?details>|<summary>.*?</summary>", "", text))
        ]

    def text(self, source: str, whole: bool = True) -> Iterator[Block]:
        """Yield a text as pieces: paragraphs, lists, tables, formulas, and what is folded.

        whole: whether all of its sentences are shown, or those that say it, and the others told.
        """
        parts = [p for part in _FENCE.split(source) for p in ([part] if _FENCE.match(part) else part.split("\n\n"))]
        for piece in (p.strip("\n") for p in parts):
            if piece.strip():
                statement = _VOICE.sub(lambda found: found[1] + found[2].upper(), piece)
                said, rest = _NUMBERS.sub("", statement), ""
                if not whole and not re.match(r"[|$<`#>]|    ", said):
                    said, rest = statements.shortened(said)
                yield from self._piece(said)
                if rest:
                    yield Block(str(self.markdown(rest)).strip(), 0, "told")

    def _piece(self, piece: str) -> Iterator[Block]:
        if found := _DISPLAY.fullmatch(piece.strip()):
            yield Block(f'<div class="display">{formulas.draw(found[1].strip(), display=True)}</div>', 100)
            return
        lines = piece.split("\n")
        if piece.startswith("|") and len(lines) > 2:
            for table, tall in _tables([_DENSITY.sub("$P_m$", line) for line in lines]):
                yield Block(str(self.markdown(table)).strip(), tall, "table")
            return
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
        yield Block(str(self.markdown(piece)).strip(), tall, kind)


# Code


def whole_code(source: str) -> Block:
    """Return all the code of a cell."""
    colored = re.sub(r"\n{3,}", "\n\n", _colored(source))
    return Block(f'<pre class="code"><code>{colored}</code></pre>', 28 + 27 * _lines(source, 92), "code")


def key_lines(source: str, key: str) -> Block:
    """Return the lines that carry the idea, lit up one step after the other.

    key: the steps in the words of reveal.js: "2-3|5" lights lines 2 and 3, then line 5. Raises ValueError where a step
    is not of this form or not within the source.
    """
    steps = [_numbers(step, source) for step in key.split("|")]
    shown = sorted({number for step in steps for number in step})
    lines = source.split("\n")
    bare = (line if len(line) <= _LONG else re.sub(r"  # .*$", "", line) for line in lines)
    dedented = textwrap.dedent("\n".join(line for number, line in enumerate(bare, 1) if number in shown))
    colored = dict(zip(shown, _colored(dedented).split("\n"), strict=True))
    drawn = []
    for i, step in enumerate(steps):
        late = f' fragment" data-fragment-index="{i - 1}' if i else ""
        text = "\n".join(f'<span class="{"lit" if n in step else "dim"}">{colored[n]}</span>' for n in shown)
        drawn.append(f'<pre class="code{late}"><code>{text}</code></pre>')
    return Block(f'<div class="keyed">{"".join(drawn)}</div>', 28 + 27 * _lines(dedented, 92), "code")


def _numbers(step: str, source: str) -> list[int]:
    """The numbers of the lines of a step: "2-3,5" → 2, 3, 5."""
    found: list[int] = []
    for part in step.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not ends or not 1 <= int(ends[1]) <= int(ends[2] or ends[1]) <= source.count("\n") + 1:
            raise ValueError(f"key {step!r} names no lines of the cell: write it like 2-3|5")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return found


def _colored(source: str) -> str:
    return str(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))).rstrip()


# Outputs


def printed(text: str) -> Iterator[Block]:
    """Yield printed lines, in pieces where they are many; indented lines stay with the line that they belong to."""
    parts = [(part, 27.0 * _lines(part, 92)) for part in re.split(r"\n(?=\S)", text.rstrip())]
    for piece, tall in _joined(parts):
        yield Block(f'<pre class="printed">{html.escape(piece)}</pre>', 18 + tall, "printed")


def told(text: str) -> Iterator[Block]:
    """Yield printed lines for the notes."""
    if text:
        yield Block(f'<pre class="printed">{html.escape(text)}</pre>', 0, "told")


def _joined(parts: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
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


def _figure(kind: str, content: str, says: str) -> Block:
    """A figure takes the room that the text leaves; here, what it wants: its size, enlarged to the slide's width."""
    if kind == "image/svg+xml":  # which a notebook keeps as text
        content = base64.b64encode(content.encode()).decode("ascii")
    return _framed(_img(says or "figure", kind, content), *_inches(kind, content))


def _framed(picture: str, width: float, height: float, steps: bool = False) -> Block:
    """The figure with the height that it wants and needs, from its own size in inches."""
    tall = min(height * WIDE / width, 520.0)
    needs = min(height * _INCH, tall) + _CAPTION * steps
    css = "figure steps" if steps else "figure"
    return Block(f'<div class="{css}" style="min-height: {needs:.0f}px">{picture}</div>', tall, "figure", False, needs)


def _inches(kind: str, content: str) -> tuple[float, float]:
    """The size at which a figure was drawn, from its base64."""
    try:
        raw = base64.b64decode(content)
        if kind == "image/svg+xml":  # in points, as matplotlib writes it
            size = re.search(rb'<svg\b[^>]*?\bviewBox="\S+ \S+ ([\d.]+) ([\d.]+)"', raw)
            return (float(size[1]) / 72, float(size[2]) / 72) if size else (9.0, 4.5)
        width, height = Image.open(BytesIO(raw)).size
    except (ValueError, OSError) as error:
        raise ValueError("the figure is damaged: run the cell again") from error
    return width / _DPI, height / _DPI


def _steps(data: dict[str, Any], says: str) -> Block:
    """A widget or a stepper: its picture, and a few other settings, one each time that the page is turned.

    A stepper's picture is its first step, and the last is printed; a widget's is printed as it stands.
    """
    kind, content = _picture(data)
    steps = data[STEPS]
    shown = [
        (
            step.get("alt") or step["caption"],
            _picture(step),
            f"<b>{html.escape(step['caption'])}</b> · {i} of {len(steps)}",
        )
        for i, step in enumerate(steps, 1)
    ]
    stepper = shown[0][1] == (kind, content)
    if not stepper:
        shown.insert(0, (says or "widget", (kind, content), f"{len(steps)} steps"))
    figures = "".join(
        f"<figure{_comes(i, printed=stepper and i == len(shown) - 1)}>{_img(alt, *picture)}"
        f"<figcaption>{caption}</figcaption></figure>"
        for i, (alt, picture, caption) in enumerate(shown)
    )
    return _framed(figures, *_inches(kind, content), steps=True)


def _comes(i: int, printed: bool) -> str:
    """Attributes of the picture i of several: all but the first come at a key."""
    return f' class="fragment{" printed" * printed}" data-fragment-index="{i - 1}"' if i else ""


def _picture(data: dict[str, Any]) -> tuple[str, str]:
    """(type, base64) of the picture in a bundle, drawn rather than in pixels where it is there in both."""
    if vectors.VECTOR in data:
        drawing = vectors.unpacked(data[vectors.VECTOR])
    elif "image/svg+xml" in data:
        drawing = data["image/svg+xml"]
    else:
        kind = next(kind for kind in ("image/webp", "image/png") if kind in data)
        return kind, data[kind]
    return "image/svg+xml", base64.b64encode(drawing.encode()).decode("ascii")


def _img(alt: str, kind: str, content: str) -> str:
    encoded = content.replace("\n", "")
    return f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{encoded}">'


def _lines(text: str, wide: int) -> int:
    """How many lines a text takes where lines have room for so many letters."""
    return sum(max(1, math.ceil(len(line) / wide)) for line in text.split("\n"))


def _tables(lines: list[str]) -> Iterator[tuple[str, float]]:
    """A table with its height, or several with its header each where its rows are many."""
    header, ruler, *rows = lines
    as_shown = (re.sub(r"\]\([^)]*\)", "]", line).removeprefix("|").removesuffix("|") for line in (header, *rows))
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in as_shown]
    longest = [max(1, *map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    # of a line of about 110 letters a column gets its share by its longest cell, as a browser does it
    share = max(1.0, sum(longest) / 110)
    tall = [10 + 31.0 * max(math.ceil(len(c) * share / n) for c, n in zip(row, longest, strict=False)) for row in cells]
    count = 1 if sum(tall) <= _TABLE else math.ceil(sum(tall) / _PIECE)
    for i in range(count):  # of about the same size, so that no row stands alone
        begin, end = (len(rows) * k // count for k in (i, i + 1))
        yield "\n".join([header, ruler, *rows[begin:end]]), tall[0] + sum(tall[1:][begin:end])


def _html_table(source: str) -> Iterator[Block]:
    """A table in HTML, or several with its header each where its rows are many."""
    header, *rows = re.findall(r"<tr\b.*?</tr>", source, re.DOTALL) or [source]
    if source.count("<table") != 1 or len(rows) <= _ROWS:
        yield Block(f'<div class="table">{source}</div>', 40 + 100 * len(rows), "table")
        return
    begin, end = source[: source.index(header)], source[source.rindex(rows[-1]) + len(rows[-1]) :]
    for i in range(0, len(rows), _ROWS):
        piece = rows[i : i + _ROWS]
        table = f'<div class="table">{begin}{header}{"".join(piece)}{end}</div>'
        yield Block(table, 40 + 100 * len(piece), "table")


# Markdown


def late(blocks: list[Block]) -> list[Block]:
    """Return pieces that come at the next key."""
    return [replace(block, late=True) for block in blocks]


def _markdown(folder: Path, attached: dict[str, tuple[str, str]]) -> mistune.Markdown:
    """Markdown → HTML: formulas drawn, images put into the page, links between lessons from slides to slides."""
    markdown = mistune.create_markdown(escape=False, plugins=["table", formulas.drawn, "strikethrough"])
    renderer: Any = markdown.renderer
    plain_link = renderer.link

    def link(text: str, url: str, title: str | None = None) -> str:
        if url.startswith("#") or url.endswith(".md"):  # pages that lie beside the notebooks, and not beside slides
            return text
        return str(plain_link(text, re.sub(r"\.ipynb\b", ".html", url), title))

    def source(url: str) -> str:
        if url.startswith("data:"):
            return url
        if url.startswith("attachment:"):
            if url not in attached:
                raise ValueError(f"the pasted image {url!r} is not in the notebook: paste it again")
            kind, content = attached[url]
            return f"data:{kind};base64,{content}".replace("\n", "")
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
    return markdown


def titled(block: Block) -> str:
    """Return the text of a `###` heading, "" for anything else."""
    found = re.fullmatch(r"<h3>(.*?)</h3>", block.html)
    return found[1] if found else ""
