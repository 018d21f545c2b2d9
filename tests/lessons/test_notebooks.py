"""Every notebook is its lesson's, was run, and keeps the course's rules.

A rule is a function from a notebook to sentences about what is wrong with it; each rule is tested here
with a planted violation. That the cells still run is nbval's part (`make test`).
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ltcourse.display import alt
from ltcourse.stage import pieces

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
builder = importlib.import_module("build_notebooks")

LESSONS = builder.lesson_files(ROOT / "lessons")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# nbval and nbclient know the first three; the others are the course's own.
TAGS = {
    "nbval-check-output",
    "nbval-skip",
    "raises-exception",
    "exercise",
    "hint",
    "solution",
    "key",
    "key-output",
    "hide-input",
    "hide-output",
    "notes",
    "skip-when-late",
    *(f"picture-{name}" for name in ("opening", "s2", "s6", "s7", "s10", "s11", "closing")),
    *(f"picture-{name}" for name in ("weights", "valleys", "straight-through", "subset-sums")),
}
PARTS = ("**Question**", "**Slides**", "**Before you start**", "**Time**", "**Outline**")
SECTIONS = ("## What we saw", "## Exercises", "## References")
LONGEST_CELL = 25
LARGEST_NOTEBOOK = 1_000_000

# Folders in which somebody's files lie: no output may name one.
MACHINE_PATH = re.compile(r"(?<![\w.…])(?:/(?:home|root|tmp|Users|private|var|mnt|opt|srv)/|[A-Z]:\\|~/)[^\s'\"]*")
CLOCK = re.compile(r"(?<![\d:])\d{1,2}:[0-5]\d:[0-5]\d(?!\d)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE_OR_MATH = re.compile(r"`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
FORBIDDEN_CODE = {
    r"^\s*[!%]+\s*(?:pip|conda|mamba)\b": "installs a package",
    r"^\s*!(?!\s*(?:pip|conda|mamba)\b)": "calls the shell",
    r"^\s*%load_ext\b": "loads an extension",
    r"^\s*from\s+\S+\s+import\s+\*": "imports *",
    r"\.show\(": "calls .show()",
    r"^\s*#\s*(?:NBVAL_|PYTEST_VALIDATE_)": "is marked by a comment: use a lower-case tag",
}


# What the rules look at


def code_cells(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """The code cells, each with words that name it."""
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            yield f"cell {position}", cell


def prose(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """The text of the markdown cells without code and math, each with words that name the cell."""
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            yield f"cell {position}", CODE_OR_MATH.sub("", FENCE.sub("", cell.source))


def headings(notebook: NotebookNode) -> list[str]:
    """All headings in order, with their # signs."""
    lines = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines += re.findall(r"^#{1,6} .*$", FENCE.sub("", cell.source), re.MULTILINE)
    return [line.strip() for line in lines]


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """Every text among a cell's outputs: streams, tracebacks, text, HTML, SVG."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        elif output.output_type == "error":
            yield "\n".join([output.evalue, *output.traceback])
        else:
            yield from (text for text in output.data.values() if is_text(text))


def is_text(content: Any) -> bool:
    """True for text that is no base64 picture."""
    return isinstance(content, str) and not re.fullmatch(r"[A-Za-z0-9+/=\n]{200,}", content)


def tags(cell: NotebookNode) -> list[str]:
    """A cell's tags."""
    return list(cell.metadata.get("tags", []))


# The rules


def cells_not_run(notebook: NotebookNode) -> list[str]:
    """Code cells were run once, top to bottom, in a fresh kernel."""
    return [
        f"{where} has the execution count {cell.execution_count}, not {count}: run `make notebooks`."
        for count, (where, cell) in enumerate(code_cells(notebook), start=1)
        if cell.execution_count != count
    ]


def wrong_errors(notebook: NotebookNode) -> list[str]:
    """Cells tagged raises-exception raise, and no others."""
    sentences = []
    for where, cell in code_cells(notebook):
        raised = any(output.output_type == "error" for output in cell.outputs)
        if raised and "raises-exception" not in tags(cell):
            sentences.append(f"{where} raised an exception.")
        if not raised and "raises-exception" in tags(cell):  # which nbval would let pass
            sentences.append(f"{where} is tagged raises-exception and raised none.")
    return sentences


def stray_tags(notebook: NotebookNode) -> list[str]:
    """Tags are known: nbval ignores a misspelled or upper-case one without a word."""
    return [
        f"cell {position} has the unknown tag {tag!r}."
        for position, cell in enumerate(notebook.cells, start=1)
        for tag in tags(cell)
        if tag not in TAGS
    ]


def vacuous_checks(notebook: NotebookNode) -> list[str]:
    """A cell tagged nbval-check-output has text that nbval can compare.

    nbval compares no PNG, shows the first and not the last state of a live display, and sees what a
    widget's function draws where the stored notebook does not.
    """
    sentences = []
    for where, cell in code_cells(notebook):
        if "nbval-check-output" not in tags(cell):
            continue
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        if not any(text.strip() for text in output_texts(cell)) or len(pictures) == len(cell.outputs):
            sentences.append(f"{where} is tagged nbval-check-output and has no text to compare.")
        if re.search(r"\binteract\w*\(|\bLive\(|\bdisplay_id\b|\bclear_output\(", cell.source):
            sentences.append(f"{where} is tagged nbval-check-output, but nbval cannot follow live displays.")
    return sentences


def too_large(notebook: NotebookNode) -> list[str]:
    """A notebook stays under 1 MB."""
    size = len(nbformat.writes(notebook).encode())
    return [f"the notebook has {size} bytes."] if size >= LARGEST_NOTEBOOK else []


def volatile_metadata(notebook: NotebookNode) -> list[str]:
    """No widget state, no widget views, no timings, no versions."""
    sentences = []
    if notebook.metadata != builder.METADATA:
        sentences.append(f"the notebook's metadata is not the builder's: {sorted(notebook.metadata)}.")
    for where, cell in code_cells(notebook):
        if "execution" in cell.metadata:
            sentences.append(f"{where} stores timings.")
        if any(builder.WIDGET_VIEW in output.get("data", {}) for output in cell.outputs):
            sentences.append(f"{where} stores a widget's view, which means nothing without its kernel.")
    return sentences


def volatile_outputs(notebook: NotebookNode) -> list[str]:
    """Outputs name no folder of a machine, no time of day, no memory address."""
    kinds = {"the path": MACHINE_PATH, "the time": CLOCK, "the memory address": builder.ADDRESS}
    return [
        f"{where} prints {kind} {found.group()!r}."
        for where, cell in code_cells(notebook)
        for text in output_texts(cell)
        for kind, pattern in kinds.items()
        if (found := pattern.search(text))
    ]


def warnings_stored(notebook: NotebookNode) -> list[str]:
    """Nothing was written to stderr: a warning is to be heeded, a progress bar holds timings."""
    return [
        f"{where} wrote to stderr: {output.text[:80]!r}."
        for where, cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


def long_cells(notebook: NotebookNode) -> list[str]:
    """A code cell ends after 25 lines."""
    return [
        f"{where} has {length} lines."
        for where, cell in code_cells(notebook)
        if (length := len(cell.source.splitlines())) > LONGEST_CELL
    ]


def forbidden_code(notebook: NotebookNode) -> list[str]:
    """No installs, no shell, no extensions, no import *, no .show()."""
    return [
        f"{where} {what}."
        for where, cell in code_cells(notebook)
        for pattern, what in FORBIDDEN_CODE.items()
        if re.search(pattern, cell.source, re.MULTILINE)
    ]


def wrong_title(notebook: NotebookNode) -> list[str]:
    """A notebook begins with its title, which is its only one."""
    first = notebook.cells[0] if notebook.cells else None
    sentences = []
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        sentences.append("the notebook does not begin with a title.")
    titles = [line for line in headings(notebook) if line.startswith("# ")]
    if len(titles) > 1:
        sentences.append(f"the notebook has {len(titles)} titles.")
    return sentences


def missing_parts(notebook: NotebookNode) -> list[str]:
    """The first markdown cell says question, slides, what to know before, minutes, outline."""
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    sentences = [f"the first cell lacks {part}." for part in PARTS if part not in first]
    if "{minutes}" in first:
        sentences.append("the minutes are not filled in: run `make notebooks`.")
    return sentences


def missing_sections(notebook: NotebookNode) -> list[str]:
    """The closing sections are there, in order; lesson 00 may lack exercises, and 08 has them in its questions."""
    found = headings(notebook)
    without = bool(notebook.cells) and notebook.cells[0].get("id", "").startswith(("00-", "08-"))
    wanted = [name for name in SECTIONS if name in found or not (without and name == "## Exercises")]
    sentences = [f"the section {name!r} is missing." for name in wanted if name not in found]
    if not sentences and [name for name in found if name in wanted] != wanted:
        sentences.append(f"the closing sections are not in the order {', '.join(wanted)}.")
    return sentences


def images_without_alt_text(notebook: NotebookNode) -> list[str]:
    """Every image says in words what it shows."""
    sentences = []
    for where, text in prose(notebook):
        for mark, words, target in LINK.findall(text):
            if mark and not words.strip():
                sentences.append(f"{where}: the image {target} has no alt text.")
        sentences += [
            f"{where}: {tag} has no alt text."
            for tag in re.findall(r"<img\b[^>]*>", text)
            if not re.search(r"\balt=(?:\"[^\"]*\S[^\"]*\"|'[^']*\S[^']*')", tag)
        ]
    return sentences


def figures_without_words(notebook: NotebookNode) -> list[str]:
    """Every figure that a cell shows has its alt text, each step of a slider, too, and stands in words below, once."""
    sentences = []
    for where, cell in code_cells(notebook):
        figures = [o for o in cell.outputs if any(kind.startswith("image/") for kind in o.get("data", {}))]
        folded = [output for output in cell.outputs if alt.is_folded(output)]
        steps = [step for output in figures for step in output.data.get(pieces.STEPS, [])]
        if not all(map(alt.text_of, figures)):
            sentences.append(f"{where} shows a figure without alt text: run `make notebooks`.")
        if not all(step.get("alt") for step in steps):
            sentences.append(f"{where} has a step without alt text: run `make notebooks`.")
        if len(folded) != bool(figures):
            sentences.append(f"{where} has {len(folded)} folded texts for {len(figures)} figures.")
    return sentences


def broken_links(notebook: NotebookNode, folder: Path = ROOT / "notebooks") -> list[str]:
    """Links to local files and to headings lead somewhere."""
    # JupyterLab's anchors: the heading's text, blanks as hyphens, capitals kept.
    anchors = {re.sub(r"[`*]", "", line.lstrip("#").strip()).replace(" ", "-") for line in headings(notebook)}
    sentences = []
    for where, text in prose(notebook):
        targets = [target for _, _, target in LINK.findall(text)]
        for target in targets + re.findall(r"<(?:img|a)\b[^>]*\b(?:src|href)=[\"']([^\"']*)", text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            if path and not (folder / path.replace("%20", " ")).exists():
                sentences.append(f"{where}: there is no file {path}.")
            if not path and anchor not in anchors:
                sentences.append(f"{where}: no heading has the anchor #{anchor}.")
    return sentences


Rule = Callable[[NotebookNode], list[str]]
RULES: list[Rule] = [
    cells_not_run,
    wrong_errors,
    stray_tags,
    vacuous_checks,
    too_large,
    volatile_metadata,
    volatile_outputs,
    warnings_stored,
    long_cells,
    forbidden_code,
    wrong_title,
    missing_parts,
    missing_sections,
    images_without_alt_text,
    figures_without_words,
    broken_links,
]


def rule_name(rule: Rule) -> str:
    """A rule's name, for the test's."""
    return rule.__name__


# The notebooks


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_notebook_is_its_lessons(lesson: Path) -> None:
    problems = builder.differences(lesson, ROOT / "notebooks")
    assert not problems, "\n".join(problems)


def test_there_are_lessons_and_nothing_belongs_to_none() -> None:
    assert LESSONS
    problems = builder.orphans(ROOT / "lessons", ROOT / "notebooks")
    assert not problems, "\n".join(problems)


def test_every_lesson_was_measured_at_the_class_budget() -> None:
    minutes = builder.read_minutes(ROOT / "notebooks")
    wrong = [lesson.stem for lesson in LESSONS if minutes.get(lesson.stem, {}).get("budget") != "class"]
    assert not wrong, f"not built at the class budget: {', '.join(wrong)}; run `make notebooks`"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_notebook_keeps_the_rule(file: Path, rule: Rule) -> None:
    problems = rule(nbformat.read(file, as_version=4))
    assert not problems, f"{file.name}: {rule.__doc__}\n" + "\n".join(problems)


# The rules themselves


def printed(text: str, name: str = "stdout") -> NotebookNode:
    """An output that prints a text."""
    return new_output("stream", name=name, text=text)


def shown(**data: Any) -> NotebookNode:
    """An output that shows data, mime types written with _ for /."""
    return new_output("display_data", {mime.replace("_", "/", 1): value for mime, value in data.items()})


def figure(says: str = "", **data: Any) -> NotebookNode:
    """An output that shows a figure."""
    bundle = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>", **data}
    return new_output("display_data", bundle, metadata=alt.metadata(says) if says else {})


def below(*texts: str) -> NotebookNode:
    """The folded text below figures."""
    return shown(text_html=alt.folded(texts))


def error() -> NotebookNode:
    """The output of a cell that raised."""
    return new_output("error", ename="ValueError", evalue="no", traceback=["no"])


def notebook_of(*cells: NotebookNode) -> NotebookNode:
    """A notebook with code cells counted in order, ids by position and the builder's metadata."""
    count = 0
    for position, cell in enumerate(cells, start=1):
        cell.id = builder.cell_id("01_small", position)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    return new_notebook(cells=list(cells), metadata=builder.METADATA)


def code(source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    """A code cell."""
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)} if tags else {})


TITLE = (
    "# A small lesson\n\n**Question** What is left?\n\n**Slides** S1\n\n**Before you start** Python.\n\n"
    "**Time** about 2 minutes\n\n**Outline** [`Keep` one](#Keep-one), [What we saw](#What-we-saw)"
)
END = (
    "## What we saw\n\nThree.\n\n## Exercises\n\nNone, `[x](y.z)`, $f[x](t)$.\n\n"
    "## References\n\n[paper](https://example.org/a), [here](README.md), "
    "![a curve](README.md)"
)


def good_notebook() -> NotebookNode:
    """A notebook with which every rule is content."""
    return notebook_of(
        new_markdown_cell(TITLE),
        new_markdown_cell("## `Keep` one\n\n```\n# no title\n![](nothing.png)\n```"),
        code("print(3)", printed("kept 3 of 1/home/2, in 2:30, on 2025-01-02\n"), tags=("nbval-check-output",)),
        code("int('x')", error(), tags=("raises-exception",)),
        code("figure", figure("A curve: 1 at 2."), below("A curve: 1 at 2.")),
        new_markdown_cell(END),
    )


def with_cell(*cells: NotebookNode) -> NotebookNode:
    """The good notebook with more cells before its end."""
    good = good_notebook()
    return notebook_of(*good.cells[:-1], *cells, good.cells[-1])


def with_text(old: str, new: str) -> NotebookNode:
    """The good notebook with other words."""
    good = good_notebook()
    assert any(old in cell.source for cell in good.cells)
    for cell in good.cells:
        cell.source = cell.source.replace(old, new)
    return good


def with_count(count: int | None) -> NotebookNode:
    """The good notebook with another execution count in its last code cell."""
    good = good_notebook()
    good.cells[-2].execution_count = count
    return good


def with_metadata(**metadata: Any) -> NotebookNode:
    """The good notebook with more metadata."""
    good = good_notebook()
    good.metadata.update(metadata)
    return good


def with_timings() -> NotebookNode:
    """The good notebook with timings in a cell."""
    good = good_notebook()
    good.cells[2].metadata["execution"] = {"iopub.status.busy": "x"}
    return good


CHECKED = ("nbval-check-output",)
STEP = {pieces.STEPS: [{"caption": "x 1", "alt": "One."}, {"caption": "x 2"}]}
# Rule, a notebook that breaks it, words of the sentence.
PLANTED: list[tuple[Rule, NotebookNode, str]] = [
    (cells_not_run, with_count(None), "cell 5 has the execution count None, not 3"),
    (cells_not_run, with_count(7), "count 7, not 3"),
    (wrong_errors, with_cell(code("1 / 0", error())), "cell 6 raised an exception"),
    (wrong_errors, with_cell(code("1", tags=("raises-exception",))), "raised none"),
    (stray_tags, with_cell(code("1", tags=("NBVAL_CHECK_OUTPUT",))), "'NBVAL_CHECK_OUTPUT'"),
    (stray_tags, with_cell(code("1", tags=("Solution",))), "'Solution'"),
    (vacuous_checks, with_cell(code("x = 1", tags=CHECKED)), "no text to compare"),
    (vacuous_checks, with_cell(code("figure", figure("A curve."), tags=CHECKED)), "no text to compare"),
    (
        vacuous_checks,
        with_cell(code("interact(draw)", printed("x"), tags=CHECKED)),
        "cannot follow live displays",
    ),
    (
        vacuous_checks,
        with_cell(code("with Live(r) as l:\n    l", printed("x"), tags=CHECKED)),
        "cannot follow",
    ),
    (too_large, with_cell(code("1", printed("x" * 1_000_000))), "bytes"),
    (volatile_metadata, with_metadata(widgets={}), "'widgets'"),
    (volatile_metadata, with_timings(), "stores timings"),
    (
        volatile_metadata,
        with_cell(code("w", new_output("display_data", {builder.WIDGET_VIEW: {"model_id": "a"}}))),
        "stores a widget's view",
    ),
    (volatile_outputs, with_cell(code("p", printed("saved in /home/ann/x.json\n"))), "'/home/ann/x.json'"),
    (volatile_outputs, with_cell(code("p", shown(text_html="<b>/var/a</b>"))), "the path '/var/a"),
    (volatile_outputs, with_cell(code("p", printed("PosixPath('/Users/ann/a')"))), "'/Users/ann/a'"),
    (volatile_outputs, with_cell(code("p", printed("in /opt/a"))), "'/opt/a'"),
    (volatile_outputs, with_cell(code("p", printed(r"in C:\Users\ann"))), "the path"),
    (volatile_outputs, with_cell(code("p", printed("at 12:34:56"))), "the time '12:34:56'"),
    (volatile_outputs, with_cell(code("p", shown(text_plain="<f at 0x7f12ab34cd56>"))), "memory address"),
    (warnings_stored, with_cell(code("w", printed("UserWarning", name="stderr"))), "wrote to stderr"),
    (long_cells, with_cell(code("\n".join("x" * 26))), "has 26 lines"),
    (forbidden_code, with_cell(code("!pip install torch")), "installs a package"),
    (forbidden_code, with_cell(code("%pip install torch")), "installs a package"),
    (forbidden_code, with_cell(code("x = 1\n!ls")), "calls the shell"),
    (forbidden_code, with_cell(code("%load_ext tensorboard")), "loads an extension"),
    (forbidden_code, with_cell(code("from ltcourse.masks import *")), "imports *"),
    (forbidden_code, with_cell(code("plt.show()")), "calls .show()"),
    (forbidden_code, with_cell(code("# NBVAL_CHECK_OUTPUT\n1")), "marked by a comment"),
    (wrong_title, with_text("# A small lesson", "A small lesson"), "does not begin with a title"),
    (wrong_title, notebook_of(code("1"), new_markdown_cell("# Late")), "does not begin with a title"),
    (wrong_title, with_text("## What we saw", "# What we saw"), "has 2 titles"),
    (wrong_title, notebook_of(), "does not begin with a title"),
    *((missing_parts, with_text(part, ""), f"lacks {part}") for part in PARTS),
    (missing_parts, with_text("about 2 minutes", "{minutes}"), "not filled in"),
    *((missing_sections, with_text(name, ""), f"{name!r} is missing") for name in SECTIONS),
    (missing_sections, with_cell(new_markdown_cell("## References")), "not in the order"),
    (images_without_alt_text, with_text("![a curve]", "![ ]"), "has no alt text"),
    (images_without_alt_text, with_text("Three.", '<img src="README.md" alt="">'), "has no alt text"),
    (figures_without_words, with_cell(code("f", figure(), below("A curve."))), "a figure without alt text"),
    (figures_without_words, with_cell(code("f", figure("One.", **STEP), below("One."))), "a step without alt text"),
    (figures_without_words, with_cell(code("f", figure("A curve."))), "0 folded texts for 1 figures"),
    (figures_without_words, with_cell(code("f", below("A curve."))), "1 folded texts for 0 figures"),
    (figures_without_words, with_cell(code("f", figure("A."), below("A."), below("A."))), "2 folded texts"),
    (broken_links, with_text("(README.md)", "(gone.md)"), "there is no file gone.md"),
    (broken_links, with_text("Three.", "<img src='gone.png' alt='x'>"), "there is no file gone.png"),
    (broken_links, with_text("(#What-we-saw)", "(#what-we-saw)"), "no heading has the anchor #what-we-saw"),
]


def apply(rule: Rule, notebook: NotebookNode) -> list[str]:
    """A rule's sentences about a planted notebook, whose links lead into the tests' own folder."""
    return broken_links(notebook, ROOT / "tests") if rule is broken_links else rule(notebook)


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_rule_is_content_with_a_good_notebook(rule: Rule) -> None:
    assert apply(rule, good_notebook()) == []


@pytest.mark.parametrize(
    ("rule", "notebook", "words"), PLANTED, ids=[f"{rule.__name__}-{words}" for rule, _, words in PLANTED]
)
def test_rule_finds_the_planted_violation(rule: Rule, notebook: NotebookNode, words: str) -> None:
    sentences = apply(rule, notebook)
    assert len(sentences) == (2 if "gone.md" in words else 1), sentences
    assert words in sentences[0]


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_lesson_00_may_lack_exercises() -> None:
    start = with_text("## Exercises", "")
    start.cells[0].id = "00-start-here-001"
    assert missing_sections(start) == []
