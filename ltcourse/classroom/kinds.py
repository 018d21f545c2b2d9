"""What a prediction is: its question, what can be answered, and how far an answer is from what was measured.

All are declared in `predictions.toml`, [[prediction]] after [[prediction]]. What was measured is in none of them: it
comes from the run, or the record, that the lesson shows.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any

from ltcourse.classroom import packed
from ltcourse.names import choose

FILE = Path(__file__).resolve().parent / "predictions.toml"
SHARES = {"%", "points"}  # of which lessons and records have a hundredth
_FIELDS = {
    "choice": {"choices"},
    "order": {"choices"},
    "number": {"low", "high", "step", "unit", "near"},
    "curve": {"low", "high", "step", "unit", "near", "from", "to", "of"},
}
_NAME = re.compile(r"\d\d\.[a-z0-9-]+")


class PredictionError(ValueError):
    """`predictions.toml` is not what it should be; the message says where, and what to write."""


@dataclass(frozen=True)
class _WithOptions:
    name: str
    topic: str
    question: str
    wrong: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class OneOf(_WithOptions):
    """A prediction that is one of several options.

    topic: what it is about, in a few words. question: Markdown. wrong: what a wrong answer usually means, in one
    sentence. options: key → what is read.
    Lesson 01, "Look at the weights".
    """

    def fits(self, answer: Any) -> bool:
        """Whether this is an answer to the question."""
        return isinstance(answer, str) and answer in self.options

    def said(self, answer: Any) -> str:
        """The answer, or what was measured, in few words."""
        return _short(self.options)[answer]

    measured = said

    def right(self, answer: Any, measured: Any) -> bool:
        """Whether the answer is what was measured."""
        return bool(answer == measured)

    def apart(self, answer: Any, measured: Any) -> str:
        """How far the answer is from what was measured, in words."""
        return "the same" if answer == measured else "something else"


@dataclass(frozen=True)
class Ranking(_WithOptions):
    """A prediction that is an order; the fields are those of `OneOf`.

    Lesson 01, "Which layer can spare most?".
    """

    def fits(self, answer: Any) -> bool:
        """Whether this is an order of all that are to be ranked."""
        strings = isinstance(answer, list) and all(isinstance(key, str) for key in answer)
        return strings and sorted(answer) == sorted(self.options)

    def said(self, answer: Sequence[str]) -> str:
        """The order in words, from the top."""
        return " > ".join(_short(self.options)[key] for key in answer)

    measured = said

    def right(self, answer: Sequence[str], measured: Sequence[str]) -> bool:
        """Whether no two are the other way round."""
        return list(answer) == list(measured)

    def apart(self, answer: Sequence[str], measured: Sequence[str]) -> str:
        """How many pairs are the other way round."""
        pairs = list(combinations(measured, 2))
        turned = sum(answer.index(first) > answer.index(second) for first, second in pairs)
        return f"{turned} of {len(pairs)} pairs the other way round"


@dataclass(frozen=True)
class Amount:
    """A prediction that is a number, or the end of a curve; `topic`, `question` and `wrong` are those of `OneOf`.

    low, high, step: of the slider, in the unit; a step of 0 makes it logarithmic. unit: read behind a number; of "%"
    and "points" what is measured is a share, 0 to 1. near: an answer is right that is no further away, and on a
    logarithmic slider no further by this factor. ends: of a curve, what stands below its beginning and its end; () of a
    number. of: what the curve shows.
    Lesson 00, "A first network".
    """

    name: str
    topic: str
    question: str
    wrong: str
    low: float
    high: float
    step: float
    unit: str
    near: float
    ends: tuple[str, ...] = ()
    of: str = ""

    @property
    def log(self) -> bool:
        """Whether distances are factors."""
        return self.step == 0

    def fits(self, answer: Any) -> bool:
        """Whether this is a number within the slider's range."""
        number = isinstance(answer, int | float) and not isinstance(answer, bool)
        return number and isfinite(answer) and self.low <= answer <= self.high

    def said(self, answer: float) -> str:
        """The answer with its unit."""
        return f"{_digits(answer)}{'' if self.unit in ('', '×') else ' '}{self.unit}"

    def measured(self, value: float) -> str:
        """What was measured with its unit."""
        return self.said(self.shown(value))

    def shown(self, value: float) -> float:
        """What was measured, in the unit of the question."""
        return 100 * value if self.unit in SHARES else value

    def drawn(self, answer: float) -> float:
        """An answer, in the units of a lesson's axes."""
        return answer / 100 if self.unit in SHARES else answer

    def right(self, answer: float, measured: float) -> bool:
        """Whether the answer is near enough to what was measured."""
        there = self.shown(measured)
        if self.log:
            return there > 0 and max(answer / there, there / answer) <= self.near
        return abs(answer - there) <= self.near

    def apart(self, answer: float, measured: float) -> str:
        """By how much the answer is too high or too low."""
        there = self.shown(measured)
        if self.said(answer) == self.said(there):
            return "the same"
        way = "high" if answer > there else "low"
        if self.log and there > 0:
            return f"{_digits(max(answer / there, there / answer))}× too {way}"
        unit = "points" if self.unit in SHARES else self.unit
        return f"{_digits(abs(answer - there))} {unit} too {way}".replace("  ", " ")


Prediction = OneOf | Ranking | Amount


def load(file: Path = FILE) -> dict[str, Prediction]:
    """Return all predictions by their names, in the order of the file.

    Raises PredictionError where the file is no TOML, or a prediction is not whole.
    Lesson 00, "A first network".
    """
    try:
        content = tomllib.loads(packed.read(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PredictionError(f"{file.name} is no TOML ({error}): correct that line") from error
    except ValueError as error:
        raise PredictionError(str(error)) from error
    if content.keys() != {"prediction"} or not isinstance(content["prediction"], list):
        raise PredictionError(f"{file.name} should hold [[prediction]] after [[prediction]], and nothing else")
    found: dict[str, Prediction] = {}
    for number, entry in enumerate(content["prediction"], 1):
        one = _read(entry, f"{file.name}, prediction {number} ({entry.get('name', 'without a name')})")
        if one.name in found:
            raise PredictionError(f"{file.name} has two predictions {one.name!r}: rename one of them")
        found[one.name] = one
    return found


_all = cache(load)


def find(name: str) -> Prediction:
    """Return the prediction of that name; raises ValueError, one sentence, where there is none.

    Lesson 00, "A first network".
    """
    return _all()[choose("prediction", name, _all())]


def of_lesson(lesson: str) -> list[Prediction]:
    """Return the predictions of a lesson, "03" say, in order; raises ValueError for a lesson that has none.

    Lesson 01, "What we saw".
    """
    choose("lesson", lesson, dict.fromkeys(name[:2] for name in _all()))
    return [one for name, one in _all().items() if name.startswith(f"{lesson}.")]


def _read(entry: dict[str, Any], where: str) -> Prediction:
    kind = entry.get("kind")
    if kind not in _FIELDS:
        raise PredictionError(f"{where} is of the unknown kind {kind!r}: choose one of {', '.join(_FIELDS)}")
    fields = {"name", "kind", "topic", "question", "wrong"} | _FIELDS[kind]
    if entry.keys() != fields:
        missing, strange = fields - entry.keys(), entry.keys() - fields
        said = [f"lacks {', '.join(sorted(missing))}"] * bool(missing)
        said += [f"has an unknown {', '.join(sorted(strange))}"] * bool(strange)
        raise PredictionError(f"{where} {' and '.join(said)}: its fields are {', '.join(sorted(fields))}")
    texts = {key: _text(entry[key], key, where) for key in ("name", "topic", "question", "wrong")}
    if not _NAME.fullmatch(texts["name"]):
        raise PredictionError(f"{where} is not named after its lesson: write a name like 03.controls")
    if kind in ("choice", "order"):
        options = entry["choices"]
        if not isinstance(options, dict) or len(options) < 2:
            raise PredictionError(f"{where} needs [prediction.choices] with two or more lines of key = text")
        options = {key: _text(text, f"the choice {key}", where) for key, text in options.items()}
        return (OneOf if kind == "choice" else Ranking)(**texts, options=options)
    return _amount(entry, texts, where)


def _amount(entry: dict[str, Any], texts: dict[str, Any], where: str) -> Amount:
    numbers = {key: entry[key] for key in ("low", "high", "step", "near")}
    if not all(_is_number(n) for n in numbers.values()) or not isinstance(entry["unit"], str):
        raise PredictionError(f"{where}: low, high, step and near should be numbers, and unit a text")
    low, high, step, near = numbers.values()
    if low >= high or step < 0 or (step == 0 and (low <= 0 or near < 1)):
        raise PredictionError(f"{where}: low should be below high, and above 0 where a step of 0 asks for factors")
    ends = (_text(entry["from"], "from", where), _text(entry["to"], "to", where)) if entry["kind"] == "curve" else ()
    return Amount(**texts, **numbers, unit=entry["unit"], ends=ends, of=entry.get("of", ""))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _text(value: Any, what: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PredictionError(f"{where}: {what} should be a text")
    return " ".join(value.split())


def _short(options: Mapping[str, str]) -> dict[str, str]:
    """The options up to their first comma, colon or bracket, where that still tells them apart."""
    begun = {key: re.split(r"[,:(]", text)[0].strip() for key, text in options.items()}
    return begun if len(set(begun.values())) == len(begun) else dict(options)


def _digits(number: float) -> str:
    """A number as somebody says it: three digits of it, those before the point all."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) >= 0.01 or number == 0 else f"{number:.2f}"
