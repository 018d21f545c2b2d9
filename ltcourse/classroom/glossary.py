"""The words of the course: what each means, in English and by the word that is used in Russian.

`terms` reads them from glossary.toml, `page` writes them as a page, and `mark` puts them into a notebook as hover
texts, each at its first use.
"""

import html
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ltcourse.classroom import packed
from ltcourse.files import ROOT
from ltcourse.names import choose

FILE = Path(__file__).resolve().parent / "glossary.toml"
_UNMARKED_TAGS = {"notes", "solution", "key"}  # cells that a reader may not have
_PROTECTED = re.compile(
    r"""
      ^(?P<fence>```|~~~).*?^(?P=fence)[ \t]*$     # code
    | `+[^`]+`+
    | \$\$.*?\$\$ | \$[^$]+\$                      # formulas
    | <details\b.*?</details>                      # what is folded
    | <(?P<tag>a|abbr|summary|code|pre|script|style)\b.*?</(?P=tag)> | <[^<>]+>
    | !?\[(?:[^\[\]]|\[[^\]]*\])*\](?:\([^)]*\)|\[[^\]]*\])  # links and images
    | ^\#{1,6}\ [^\n]*$                            # headings
    | ^\|[^\n]*$                                   # tables
    | \*\*(?P<bold>(?:(?!\*\*).)+)\*\*             # bold leads; a bold word alone is a term that is introduced
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_MARK = re.compile(r'<abbr class="term" title="[^"]*">(.*?)</abbr>', re.DOTALL)


@dataclass(frozen=True)
class Term:
    """A word of the course.

    name: in English. russian: the word of Russian-language teaching. meaning: two sentences at most. lesson, heading:
    which introduce it. source: a paper and its section, "" for none. forms: other forms of the word. instead_of:
    regular expressions of what the lessons never say in its place. only_in: the lessons in which the word always has
    this meaning, none for all.
    """

    name: str
    russian: str
    meaning: str
    lesson: str
    heading: str
    source: str = ""
    forms: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    only_in: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        """Where it is introduced, from the folder of the notebooks: "01_pruning_lenet.ipynb#Why-prune?"."""
        notebook = next((ROOT / "notebooks").glob(f"{self.lesson}_*.ipynb"), Path(f"{self.lesson}.ipynb"))
        return f"{notebook.name}#{self.heading.replace(' ', '-')}"

    def __str__(self) -> str:
        source = f"; {self.source}" if self.source else ""
        return f"{self.name} ({self.russian}): {self.meaning}\n  Lesson {self.lesson}, “{self.heading}”{source}."


@cache
def _read() -> tuple[Term, ...]:
    entries = tomllib.loads(packed.read(FILE))["term"]
    lists = ("forms", "instead_of", "only_in")
    read: list[dict[str, Any]] = [{k: tuple(v) if k in lists else v for k, v in e.items()} for e in entries]
    found = [Term(**entry) for entry in read]
    return tuple(sorted(found, key=lambda term: term.name.lower()))


def terms() -> list[Term]:
    """Return all terms in alphabetical order."""
    return list(_read())


def find(name: str) -> Term:
    """Return a term by its name or another form of it, in capitals or not.

    Raises ValueError, one sentence that guesses which was meant, for a word that is none.
    """
    by_form = {form.lower(): term for term in terms() for form in (*term.forms, term.name)}
    if name.lower() in by_form:
        return by_form[name.lower()]
    return by_form[choose("term", name, [term.name for term in terms()]).lower()]


def page() -> str:
    """Return the glossary as a page in Markdown, for the folder of the notebooks."""
    lines = [
        "# Glossary",
        "",
        "Each word has one meaning in all lessons. The second column is the word that is used in Russian.",
        "",
        "| term | in Russian | meaning | introduced in | source |",
        "|:--|:--|:--|:--|:--|",
    ]
    for term in terms():
        where = f"[{term.lesson}, {term.heading}](<{term.link}>)"
        cells = (f"**{term.name}**", term.russian, term.meaning, where, term.source or "–")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def mark(cells: Iterable[NotebookNode], lesson: str) -> None:
    """Give each term its meaning as a hover text, where a lesson's text uses it first; the cells are changed.

    lesson: its number, "03". The title, headings, tables, formulas, code, links, leads in bold, folded text and the
    references stay as they are, and so do cells for the instructor and solutions.
    """
    left = {term for term in terms() if not term.only_in or lesson in term.only_in}
    by_form = {form.lower(): term for term in left for form in (term.name, *term.forms)}
    longest = sorted(by_form, key=len, reverse=True)
    words = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in longest)
    pattern = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)

    def meaning(found: re.Match[str]) -> str:
        term = by_form[" ".join(found[0].lower().split())]
        if term not in left:
            return found[0]
        left.remove(term)
        title = html.escape(f"{term.name} ({term.russian}): {term.meaning}").replace("|", "&#124;")
        return f'<abbr class="term" title="{title}">{found[0]}</abbr>'

    for number, cell in enumerate(cells):
        if cell.cell_type != "markdown" or not number or _UNMARKED_TAGS & set(cell.metadata.get("tags", [])):
            continue
        if re.match(r"## References\b", cell.source):
            return
        cell.source = _outside(cell.source, pattern, meaning)


def _outside(text: str, pattern: re.Pattern[str], meaning: Callable[[re.Match[str]], str]) -> str:
    """Replace what a pattern finds outside of the protected parts of a text, and where it is a whole bold word."""
    parts, done = [], 0
    for found in _PROTECTED.finditer(text):
        parts.append(pattern.sub(meaning, text[done : found.start()]))
        bold = found["bold"]
        alone = bold is not None and pattern.fullmatch(bold)
        parts.append(f"**{pattern.sub(meaning, bold)}**" if alone else found[0])
        done = found.end()
    return "".join([*parts, pattern.sub(meaning, text[done:])])


def unmarked(text: str) -> str:
    """Return a text without the hover texts that `mark` put in."""
    return _MARK.sub(r"\1", text)
