"""Grading: the exercises of submitted notebooks, each passed, failed or not done, with the reply of its check."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ltcourse import files
from ltcourse.stage import lecture
from ltcourse.stage.sandbox import LARGEST_COPY, Sandbox, Stopped, copied

LIMITS = (
    "a process of its own for each submission, a temporary copy, a time limit for each exercise, no network, no other "
    'programs, no changes of other files. It is no wall: read "Grading" in the README, and look at the code that the '
    "last column names."
)
_DEFINED = re.compile(r"^def (\w+)\(", re.MULTILINE)
# What an exercise does not need, and what is needed to meddle with its check: for a person to look at.
_SUSPICIOUS = re.compile(
    r"\b(?:_getframe|f_back|tb_frame|f_locals|f_globals|__globals__|__code__|__builtins__|__subclasses__|gc|ctypes"
    r"|inspect|importlib|__import__|setattr|subprocess|_posixsubprocess|socket|threading|atexit|addaudithook|builtins"
    r"|verdict|Verdict|classroom(?! import checks\b))\b"
    r"|\b(?:sys|os)\.\w+|/proc\b|\bchecks\.\w+(?=\s*=[^=])|(?<![.\w])(?:eval|exec)(?=\()"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


@dataclass(frozen=True)
class Row:
    """What became of one exercise of one submission.

    who: name of the file or folder. result: "passed", "failed" or "not done". look_at: words in the submitted code that
    an exercise has no use for.
    """

    who: str
    notebook: str
    lesson: str
    exercise: str
    result: str
    reply: str
    look_at: str = ""


def exercises(notebook: Path) -> list[str]:
    """Return the names of the functions that a lesson's exercises ask for, in order."""
    cells = [cell for cell in lecture.read(notebook).cells if "exercise" in lecture.tags(cell)]
    return [name for cell in cells for name in _DEFINED.findall(cell.source)]


def submissions(folder: Path) -> list[Path]:
    """Return what was handed in, sorted: notebooks, and folders of one student each.

    Raises ValueError, one sentence, if there is nothing.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: name the one that the submissions lie in")
    found = [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith((".", "__")) and (path.is_dir() or path.suffix == ".ipynb")
    ]
    if not found:
        raise ValueError(f"{folder} has no notebooks and no folders: put the submissions there")
    return found


def grade(submission: Path, sandbox: Sandbox, seconds: float = 60) -> list[Row]:
    """Try the exercises of a submission; return one row for each exercise of each lesson that it is about.

    seconds: of processor time, for each exercise. What is no notebook of a lesson has one row, which says so.
    """
    inside = sorted(submission.rglob("*.ipynb")) if submission.is_dir() else [submission]
    names = [
        file.relative_to(submission if submission.is_dir() else submission.parent).as_posix()
        for file in inside
        if file.is_file()
        and not file.is_symlink()
        and not any(part.startswith(".") for part in file.relative_to(submission.parent).parts)
    ]
    if not names:
        return [Row(submission.name, "", "", "", "not done", "there is no notebook")]
    return [row for name in names for row in _grade(submission, name, sandbox, seconds)]


def write(rows: Iterable[Row], file: Path) -> None:
    """Write rows as CSV, whole or not at all; what a spreadsheet would take for a formula is quoted.

    Raises OSError where the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([field.name.replace("_", " ") for field in fields(Row)])
    for row in rows:
        table.writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in astuple(row)])
    files.write(file, text.getvalue().encode("utf-8"))


def _grade(submission: Path, notebook: str, sandbox: Sandbox, seconds: float) -> list[Row]:
    who = submission.name
    file = submission / notebook if submission.is_dir() else submission
    try:
        if file.stat().st_size > LARGEST_COPY:
            raise ValueError("the notebook is too large: empty its outputs")
        code = [cell.source for cell in lecture.read(file).cells if cell.cell_type == "code"]
        lesson, asked = _lesson(code)
        # only the course's own calls of its checks count
        sources = [source for source in code if not source.lstrip().startswith("checks.")]
        results = _results(submission, sources, asked, sandbox, seconds)
    except (ValueError, OSError, RecursionError) as problem:
        return [Row(who, notebook, "", "", "not done", str(problem).replace(str(submission), who))]
    look_at = ", ".join(dict.fromkeys(_SUSPICIOUS.findall("\n".join(_own(code, lesson)))))
    return [Row(who, notebook, lesson.stem, name, *results[name], look_at) for name in asked]


def _lesson(code: Sequence[str]) -> tuple[Path, list[str]]:
    """The lesson of which a notebook has the most exercises, with their names; raises ValueError if it has none."""
    defined = {name for source in code for name in _DEFINED.findall(source)}
    known = [(notebook, exercises(notebook)) for notebook in lecture.lessons()]
    lesson, asked = max(known, key=lambda pair: len(defined.intersection(pair[1])))
    if not defined.intersection(asked):
        raise ValueError("no function of an exercise is in it: hand in the lesson's notebook")
    return lesson, asked


def _own(code: Sequence[str], lesson: Path) -> list[str]:
    """The cells that are not the lesson's."""
    given = {cell.source.strip() for cell in lecture.read(lesson).cells}
    return [source for source in code if source.strip() not in given]


def _results(
    submission: Path, sources: Sequence[str], asked: Sequence[str], sandbox: Sandbox, seconds: float
) -> dict[str, tuple[str, str]]:
    """Name → (result, reply); after an exercise that ended the process, the next ones get a new one and a new copy."""
    found: dict[str, tuple[str, str]] = {}
    while left := [name for name in asked if name not in found]:
        begun, why = left[0], "its process ended without a verdict"
        with copied(submission) as folder:
            try:
                for said in sandbox.examine(folder, sources, left, seconds):
                    begun = said.get("began", begun)
                    if "result" in said:
                        found[begun] = said["result"], said["reply"]
            except Stopped as stopped:
                why = str(stopped)
        found.setdefault(begun, ("failed", why))
    return found
