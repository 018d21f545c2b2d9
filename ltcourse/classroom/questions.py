"""Multiple-choice questions: what one is, and the bank of them over all lessons, read from `bank/`.

One file per lesson, in TOML, packed in a student copy: [[question]] with heading, kind, level, prompt, a
[question.right] and two or more [[question.wrong]].
"""

import random
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltcourse.classroom import packed
from ltcourse.names import choose

FOLDER = Path(__file__).resolve().parent / "bank"
KINDS = ("recall", "understanding", "what would happen if", "spot the flaw")
LEVELS = (1, 2, 3)


class QuestionError(ValueError):
    """A file of the bank is not what it should be; the message says where, and what to write."""


@dataclass(frozen=True)
class Choice:
    """One option of a question, and the reply that a reader gets who chooses it; Markdown, formulas in $…$.

    Lesson 08, "Quiz".
    """

    text: str
    reply: str
    right: bool = False


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question with its options, of which one is right; Markdown, formulas in $…$.

    Lesson 08, "Quiz".
    """

    prompt: str
    choices: tuple[Choice, ...]

    @property
    def right(self) -> Choice:
        """The option that is right."""
        return next(choice for choice in self.choices if choice.right)

    def shuffled(self, seed: int) -> tuple[Choice, ...]:
        """Return the options in an order that depends on the seed and the question alone."""
        return tuple(random.Random(f"{seed} {self.prompt}").sample(self.choices, len(self.choices)))


@dataclass(frozen=True)
class BankQuestion(ChoiceQuestion):
    """A question of the bank, and where its answer is taught.

    lesson: as its file is named, such as "01_pruning_lenet". heading: the section that shows the answer. level: 1 to 3.
    kind: one of KINDS.
    Lesson 08, "Quiz".
    """

    lesson: str
    heading: str
    level: int
    kind: str

    @property
    def link(self) -> str:
        """The section as a link in Markdown, from a notebook beside the lesson's."""
        anchor = self.heading.replace(" ", "-")
        return f"[lesson {self.lesson[:2]}, {self.heading}]({self.lesson}.ipynb#{anchor})"


def load(folder: Path = FOLDER) -> tuple[BankQuestion, ...]:
    """Return all questions of the bank, in the order of the lessons.

    Raises QuestionError where a file is no TOML, or a question is not whole.
    Lesson 08, "Quiz".
    """
    return tuple(question for file in packed.each(folder) for question in _read(file))


def select(
    bank: Iterable[BankQuestion],
    lessons: Sequence[str] | None = None,
    levels: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
) -> tuple[BankQuestion, ...]:
    """Return the questions of these lessons ("01" or the whole name), levels and kinds; None: of all.

    Raises ValueError, one sentence, if one of them is unknown or no question is left.
    Lesson 08, "Quiz".
    """
    bank = tuple(bank)
    known = dict.fromkeys(question.lesson[:2] for question in bank)
    wanted = None if lessons is None else [choose("lesson", str(lesson)[:2], known) for lesson in lessons]
    kinds = None if kinds is None else [choose("kind", kind, KINDS) for kind in kinds]
    for level in levels or ():
        choose("level", str(level), map(str, LEVELS))
    found = tuple(
        question
        for question in bank
        if (wanted is None or question.lesson[:2] in wanted)
        and (levels is None or question.level in levels)
        and (kinds is None or question.kind in kinds)
    )
    if not found:
        raise ValueError("no question is of these lessons, levels and kinds: leave one of the three out")
    return found


def _read(file: Path) -> list[BankQuestion]:
    try:
        content = tomllib.loads(packed.read(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file.name} is no TOML ({error}): correct that line") from error
    except ValueError as error:
        raise QuestionError(str(error)) from error
    if content.keys() != {"question"} or not isinstance(content["question"], list):
        raise QuestionError(f"{file.name} should hold [[question]] after [[question]], and nothing else")
    return [_question(entry, file.stem, f"{file.name}, question {i}") for i, entry in enumerate(content["question"], 1)]


def _question(entry: dict[str, Any], lesson: str, where: str) -> BankQuestion:
    fields = {"heading", "kind", "level", "prompt", "right", "wrong"}
    if entry.keys() != fields:
        missing, strange = fields - entry.keys(), entry.keys() - fields
        said = [f"lacks {', '.join(sorted(missing))}"] * bool(missing)
        said += [f"has an unknown {', '.join(sorted(strange))}"] * bool(strange)
        raise QuestionError(f"{where} {' and '.join(said)}: its fields are {', '.join(sorted(fields))}")
    if entry["kind"] not in KINDS:
        raise QuestionError(f"{where} is of the unknown kind {entry['kind']!r}: choose one of {', '.join(KINDS)}")
    if entry["level"] not in LEVELS or isinstance(entry["level"], bool):
        raise QuestionError(f"{where} has the level {entry['level']!r}: choose 1, 2 or 3")
    if not isinstance(entry["right"], dict) or not isinstance(entry["wrong"], list) or len(entry["wrong"]) < 2:
        raise QuestionError(f"{where} needs one [question.right] and two or more [[question.wrong]]")
    choices = [_choice(entry["right"], True, f"{where}, the right option")]
    choices += [_choice(wrong, False, f"{where}, wrong option {i}") for i, wrong in enumerate(entry["wrong"], 1)]
    heading, prompt = (_text(entry[field], f"{where}, {field}") for field in ("heading", "prompt"))
    return BankQuestion(prompt, tuple(choices), lesson, heading, entry["level"], entry["kind"])


def _choice(entry: Any, right: bool, where: str) -> Choice:
    if not isinstance(entry, dict) or entry.keys() != {"text", "reply"}:
        raise QuestionError(f"{where} should have a text and a reply, and nothing else")
    text, reply = (" ".join(_text(entry[field], f"{where}, {field}").split()) for field in ("text", "reply"))
    return Choice(text, reply, right)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise QuestionError(f"{where} should be a text")
    if strange := re.search(r"[^\S\n ]|[\x00-\x09\x0b-\x1f]", value):
        raise QuestionError(f"{where} holds {strange.group()!r}: write it between ''' and ''', which keep backslashes")
    return value.strip()
