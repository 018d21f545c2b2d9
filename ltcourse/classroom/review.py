"""The three review questions of the slides (S15 to S17): what a complete answer says, what is often said."""

import tomllib
from pathlib import Path
from typing import Any

from ltcourse.classroom import packed
from ltcourse.classroom.own_words import Point, Question
from ltcourse.classroom.questions import Choice, ChoiceQuestion

FILE = Path(__file__).resolve().parent / "review.toml"


def load(file: Path = FILE) -> tuple[Question, ...]:
    """Return the review questions, in the order of the slides.

    Lesson 08, "Question 1".
    """
    return tuple(_question(entry) for entry in tomllib.loads(packed.read(file))["question"])


def _question(entry: dict[str, Any]) -> Question:
    points, claims, choices = (
        [{key: _line(value) for key, value in part.items()} for part in entry[parts]]
        for parts in ("points", "claims", "choices")
    )
    return Question(
        slide=entry["slide"],
        prompt=_line(entry["prompt"]),
        points=tuple(Point(**point) for point in points),
        claims=tuple(Choice(**claim) for claim in claims),
        answer=_line(entry["answer"]),
        choices=ChoiceQuestion(_line(entry["asks"]), tuple(Choice(**choice) for choice in choices)),
    )


def _line(value: Any) -> Any:
    """A text in one line; True, of a choice that is right, as it is."""
    return " ".join(value.split()) if isinstance(value, str) else value


QUESTIONS = HYPOTHESIS, TICKET_SEARCH, SUPERMASK_SEARCH = load()
