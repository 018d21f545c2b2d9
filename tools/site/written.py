"""The pages that no notebook holds: home, quiz, claims, how it was measured, glossary, and the package's rooms."""

import base64
import html
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mistune
from docutils.nodes import make_id
from lesson_pages import Lesson, Pages, scrolling, unfolded

import ltcourse
from ltcourse import claims
from ltcourse.claims.verdicts import Direction
from ltcourse.classroom import glossary, questions
from ltcourse.classroom.questions import BankQuestion
from ltcourse.experiments import runs
from ltcourse.stage import formulas

PACKAGE = Path(ltcourse.__file__).resolve().parent
LEAVES = "leaves"  # the page of the modules that are no rooms


@dataclass
class Site:
    """What the pages are written from. students: whether this is the edition without solutions."""

    lessons: list[Lesson]
    pages: Pages
    students: bool

    def home(self) -> str:
        """The first page: what the course asks, its lessons, and what else is here."""
        rows = []
        for lesson in self.lessons:
            asks = lesson.says("Question") or "How do you use the course, and does it run on your machine?"
            rows.append(f"| [{lesson.name[:2]} {lesson.title}](lessons/{lesson.name}.ipynb) | {asks} |")
        edition = _STUDENTS if self.students else _WHOLE
        others = [f"- {{doc}}`{title} <{name}>`: {about}" for name, title, about in self._others()]
        table = "\n".join(["| lesson | what it asks |", "|:--|:--|", *rows])
        below = "\n".join(["lessons/index", *(f"{title} <{name}>" for name, title, _ in self._others())])
        return _HOME.format(edition=edition, table=table, others="\n".join(others), below=below)

    def _others(self) -> Iterator[tuple[str, str, str]]:
        yield "faster", "Why not faster?", "80 % pruned, and neither faster nor smaller: why, and what helps."
        yield "quiz", "Quiz", f"{len(questions.load())} questions, with a reply to each answer."
        yield "claims", "Claims", "what the slides claim, and what the evidence says of it."
        yield "measured", "Measured", "the settings, seeds, machines and minutes of every recorded run."
        yield "glossary", "Glossary", "each term of the course, in English and in the slides' Russian."
        yield "api/index", "Package", "the documentation of `ltcourse`, room by room."

    def lesson_list(self) -> str:
        """The page above the lessons."""
        lines = [f"- [{le.name[:2]} {le.title}]({le.name}.ipynb)<br>{le.says('Question')}" for le in self.lessons]
        below = "\n".join(f"{le.name[:2]} {le.title} <{le.name}>" for le in self.lessons)
        return f"# Lessons\n\n{chr(10).join(lines)}\n\n```{{toctree}}\n:hidden:\n\n{below}\n```\n"

    def quiz(self) -> str:
        """The quiz as a page: its questions packed, as in a student copy, where no look at the page shows an answer."""
        asked = [self._question(question) for question in questions.load()]
        packed = base64.b64encode(zlib.compress(json.dumps(asked).encode(), 9)).decode("ascii")
        links = [le for le in self.lessons if any(q["lesson"] == le.name[:2] for q in asked)]
        options = "".join(
            f'<option value="{le.name[:2]}">{le.name[:2]} {html.escape(le.title)}</option>' for le in links
        )
        return _QUIZ.format(count=len(asked), options=options, packed=packed)

    def _question(self, question: BankQuestion) -> dict[str, Any]:
        choices = [
            {"text": _drawn(c.text), "reply": _drawn(c.reply), "right": c.right} for c in question.shuffled(seed=0)
        ]
        about = f"lesson {question.lesson[:2]} · {question.kind} · level {question.level} of 3"
        where = {"name": f"lesson {question.lesson[:2]}, {question.heading}", "link": self._heading(question)}
        prompt = _drawn(question.prompt)
        return {"lesson": question.lesson[:2], "about": about, "prompt": prompt, "choices": choices, "where": where}

    def _heading(self, question: BankQuestion) -> str:
        return self.pages.link(question.lesson, question.heading)

    def claims(self) -> str:
        """The claims: all in one look, then each with its numbers, by the direction of the evidence."""
        table = claims.table()
        parts = [_CLAIMS, _raw(scrolling(self.pages.text(table.overview._repr_html_(), "lessons/")))]
        for direction in Direction:
            rows = table.of(direction)
            if rows.rows:
                parts += [f"## {direction}", _raw(scrolling(self.pages.text(rows._repr_html_(), "lessons/")))]
        parts += ["## What the course implements", _IMPLEMENTS, claims.implemented()._repr_markdown_()]
        return "\n\n".join(parts) + "\n"

    def measured(self) -> str:
        """How every record was made, one after the other."""
        found = [runs.load(*_named(file)) for file in runs.recorded()]
        minutes = sum(_minutes(record) for record in found)
        parts = [_MEASURED.format(count=len(found), hours=f"{minutes / 60:.0f}"), _overview(found)]
        parts += [self._record(record) for record in found]
        return "\n\n".join(parts) + "\n"

    def _record(self, record: runs.Record) -> str:
        where = record.provenance
        about = {
            "command": f"`ltcourse record {record.experiment} --budget {record.budget}`",
            "seeds": ", ".join(str(trial["seed"]) for trial in record.trials),
            "methods": ", ".join(record.methods),
            "minutes": f"{_minutes(record):.1f}, by seed "
            + ", ".join(f"{trial['seconds'] / 60:.1f}" for trial in record.trials),
            "finished": where["finished"][:16].replace("T", " ") + " UTC",
            "machine": f"{where['machine']} ({where['device']}, {where['system']})",
            "versions": ", ".join(f"{name} {version}" for name, version in where["versions"].items()),
            "commit of the code": f"`{where['code']}`",
            "sha256 of the data": f"`{where['data_sha256']}`",
        }
        for number, before in enumerate(where.get("before", []), 1):
            about[f"earlier part {number}"] = (
                f"finished {before['finished'][:10]} on {before['machine']} ({before['device']}), "
                f"torch {before['versions']['torch']}, commit `{before['code']}`"
            )
        if shown := [le for le in self.lessons if record.experiment in json.dumps(le.notebook)]:
            links = ", ".join(f"[{le.name[:2]} {le.title}](lessons/{le.name}.ipynb)" for le in shown)
            about["shown in"] = links
        settings = "\n".join(f"| {name} | {value} |" for name, value in _flat(record.settings))
        folded = f"<details><summary>Settings</summary>\n\n| setting | value |\n|:--|:--|\n{settings}\n\n</details>"
        rows = "\n".join(f"| {name} | {value} |" for name, value in about.items())
        return f"## {record.experiment}, {record.budget}\n\n| | |\n|:--|:--|\n{rows}\n\n{folded}"

    def glossary(self) -> str:
        """Every term, with the Russian word of the slides and the lesson that teaches it, each with its own address."""
        parts = ["# Glossary", _GLOSSARY]
        for term in glossary.terms():
            name = f'**{term.name}** <span lang="ru">({html.escape(term.russian)})</span>'
            where = f"[lesson {term.lesson}, {term.heading}]({self.pages.source(term.lesson, term.heading)})"
            source = f" {term.source}." if term.source else ""
            begin = f'<div id="{make_id(f"term-{term.name}")}">'
            parts += [_raw(begin), f"{name}<br>{term.meaning} Introduced in {where}.{source}", _raw("</div>")]
        return "\n\n".join(parts) + "\n"

    def rooms(self) -> dict[str, str]:
        """The pages of the package, in reStructuredText: name → text."""
        names = [LEAVES, *sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))]
        below = "\n".join(f"   {name}" for name in names)
        pages = {"index": f"{_title('The package')}\n\n{_ROOMS}\n\n.. toctree::\n   :maxdepth: 1\n\n{below}\n"}
        for name in names:
            folder = PACKAGE if name == LEAVES else PACKAGE / name
            files = folder.glob("*.py") if name == LEAVES else folder.rglob("*.py")
            modules = sorted(
                ".".join(("ltcourse", *f.relative_to(PACKAGE).with_suffix("").parts))
                for f in files
                if f.stem != "__init__"
            )
            begin = _title(name) if name == LEAVES else f"{_title(name)}\n\n.. automodule:: ltcourse.{name}"
            parts = [_title(module, "-") + f"\n\n.. automodule:: {module}\n   :members:\n" for module in modules]
            pages[name] = "\n\n".join([begin, *parts])
        return pages


def _named(file: Path) -> tuple[str, str]:
    """The experiment and the budget that a record's file is named after."""
    name, at = file.stem.rsplit(".", 1)
    return name, at


def _minutes(record: runs.Record) -> float:
    return sum(float(trial["seconds"]) for trial in record.trials) / 60


def _overview(records: list[runs.Record]) -> str:
    lines = ["| record | seeds | minutes | finished | machine |", "|:--|--:|--:|:--|:--|"]
    for record in records:
        name, where = f"{record.experiment}, {record.budget}", record.provenance
        link = f"[{name}](#{record.experiment}-{record.budget})"
        minutes = f"{_minutes(record):.0f}"
        lines.append(f"| {link} | {len(record.trials)} | {minutes} | {where['finished'][:10]} | {where['machine']} |")
    return "\n".join(lines)


def _flat(settings: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{before}{name}", said.replace("|", "\\|") or "none"


def _drawn(text: str) -> str:
    """Markdown as HTML, its formulas drawn."""
    markdown = mistune.create_markdown(escape=False, plugins=["table", formulas.drawn])
    return str(markdown(unfolded(text)))


def _raw(source: str) -> str:
    return f"```{{raw}} html\n{source}\n```"


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}"


_WHOLE = "This is the whole edition: solutions and the instructor's notes are folded."
_STUDENTS = "This is the students' edition: hints are folded, and the solutions are with your instructor."

_HOME = """# Pruning, lottery tickets, supermasks

Nine tenths of a trained network's weights can be removed. The remaining weights could have been trained alone, if they
had started from the right random numbers. And a large random network contains a smaller one that works without any
training. This course examines these three claims.

{edition} Nothing runs on these pages: figures and numbers are those that the lessons stored when they were built, and a
slider moves through stored steps. To run a lesson yourself, install the course, as its README says.

{table}

## What else is here

{others}

```{{toctree}}
:hidden:

{below}
```
"""

_QUIZ = """# Quiz

{count} questions over all lessons. Each answer gets a reply. A question that you miss comes back, until your first
answer to it is right.

```{{raw}} html
<noscript><p>The quiz needs JavaScript. Lesson 08 has all questions as text.</p></noscript>
<div id="course-quiz" hidden>
<form>
<label>Lessons <select name="lesson"><option value="">all</option>{options}</select></label>
<label>Questions <select name="count"><option>5</option><option selected>10</option><option>20</option>
<option value="0">all</option></select></label>
<button type="submit">Begin</button>
</form>
<div class="course-question" role="group" aria-label="Question" tabindex="-1"></div>
</div>
<script type="application/octet-stream" id="course-questions">{packed}</script>
```
"""

_CLAIMS = """# Claims

What the slides claim, checked against the recorded runs or counted on the spot. A claim is **for** if the 95 % interval
of every number that decides it lies where the claim says, **against** if none does and at least one lies wholly on the
other side, and **mixed** otherwise. What was not run at a scale that could decide is **not tested**. Lesson 08 explains
the table, and [how it was measured](measured.md) says where the numbers come from."""

_IMPLEMENTS = "These are definitions, formulas and algorithms. They are no claims, and each has a test."

_MEASURED = """# How it was measured

There are {count} recorded runs, which took {hours} hours of training together. A record is written by the program that
made it, never by hand. Its results depend on the settings and the seeds alone; on another processor the last digits can
differ. The minutes are those of the trials, added up."""

_GLOSSARY = "Each word has one meaning in all lessons. The word that is used in Russian stands beside it."

_ROOMS = """The package is divided into rooms. Each room imports only from rooms below it. Where a function is taught
in a lesson, its documentation ends with a link to that section."""
