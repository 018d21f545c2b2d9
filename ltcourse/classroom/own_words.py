"""A review question, and a widget that takes an answer in one's own words and sets it beside a complete one."""

import os
import re
from dataclasses import dataclass

import ipywidgets
from IPython.display import Markdown, display

from ltcourse.classroom.questions import Choice, ChoiceQuestion
from ltcourse.display.markdown import folded, show, shown, text_of


@dataclass(frozen=True)
class Point:
    """One thing that a complete answer says.

    says: in one sentence. needed: why an answer is not complete without it. lesson, heading: where it is taught, as
    "03" and "The hypothesis". source: paper and section.
    Lesson 08, "Question 1".
    """

    says: str
    needed: str
    lesson: str
    heading: str
    source: str

    @property
    def where(self) -> str:
        """Where to look it up."""
        return f"Lesson {self.lesson}, “{self.heading}”; {self.source}."


@dataclass(frozen=True)
class Question:
    """A question of the slides, and what it takes to answer it.

    slide: "S15". prompt: as the slide asks. points: of a complete answer, in order. claims: what wrong answers say,
    each with a reply. answer: a complete one. choices: the same question with answers to choose from.
    Lesson 08, "Question 1".
    """

    slide: str
    prompt: str
    points: tuple[Point, ...]
    claims: tuple[Choice, ...]
    answer: str
    choices: ChoiceQuestion


class OwnWords:
    """An answer in one's own words: write it, see the points of a complete one after another, tick what it says.

    Nothing reads the text: the reader judges it, point by point, and is then told what is missing, why it is needed and
    where to look. A notebook that is being built keeps question, points and answer, folded, as text for readers without
    a kernel. All texts are Markdown outputs, whose formulas JupyterLab draws itself, with no network.
    Lesson 08, "Question 1".
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.text = ipywidgets.Textarea(
            placeholder="Two or three sentences, without looking back.", rows=5, layout={"width": "95%"}
        )
        self.button = ipywidgets.Button(
            description="Show the first point", layout={"width": "auto", "align_self": "flex-start"}
        )
        self.points = [_tick() for _ in question.points]
        self.claims = [_tick() for _ in question.claims]
        self._replies = [shown("") for _ in question.claims]
        self._message, self._summary = shown(""), shown("")
        self._points, self._claims = ipywidgets.VBox(), ipywidgets.VBox()
        texts = shown(f"**{question.prompt}**"), self.text
        # the button stays below what it has brought, where the next click is wanted
        self.box = ipywidgets.VBox([*texts, self._points, self._claims, self._message, self.button, self._summary])
        self.button.on_click(lambda _: self.advance())
        for tick in (*self.points, *self.claims):
            tick.observe(lambda _: self._update(), "value")

    @property
    def message(self) -> str:
        """What is said to a text that is no answer, "" where nothing is."""
        return text_of(self._message)

    @property
    def summary(self) -> str:
        """What is said at the end, "" before it."""
        return text_of(self._summary)

    @property
    def replies(self) -> list[str]:
        """What is said to each wrong claim: "" to one that is not ticked."""
        return [text_of(reply) for reply in self._replies]

    def _ipython_display_(self) -> None:
        display(Markdown(self.as_text()) if os.environ.get("LTCOURSE_BUILD") else self.box)

    def advance(self) -> None:
        """Show the next point; after the last one, what wrong answers say; at the end, what is missing."""
        so_far, points = len(self._points.children), self.question.points
        show(self._message, "" if so_far else self._ignores())
        if self.message:
            return
        if so_far < len(points):
            text = shown(f"**{so_far + 1} of {len(points)}** · {points[so_far].says}")
            self._points.children += (ipywidgets.VBox([text, self.points[so_far]]),)
            last = so_far + 1 == len(points)
            self.button.description = "Does it say anything wrong?" if last else "Show the next point"
        elif not self._claims.children:
            rows = zip(self.question.claims, self.claims, self._replies, strict=True)
            boxes = (ipywidgets.VBox([shown(f"“{claim.text}”"), tick, reply]) for claim, tick, reply in rows)
            self._claims.children = (shown("**Does your answer say one of these?**"), *boxes)
            self.button.description = "What is missing?"
        else:
            self.button.disabled = True
        self._update()

    def missing(self) -> list[Point]:
        """Return the points that are not ticked."""
        return [point for point, tick in zip(self.question.points, self.points, strict=True) if not tick.value]

    def as_text(self) -> str:
        """Return question, points, wrong claims and answer in Markdown, all but the question folded."""
        question, count = self.question, len(self.question.points)
        points = (
            folded(f"Point {i} of {count}", f"{p.says} {p.needed}\n\n*{p.where}*")
            for i, p in enumerate(question.points, 1)
        )
        claims = "\n".join(f"- “{claim.text}” {claim.reply}" for claim in question.claims)
        return "\n\n".join(
            [
                f"**{question.prompt}** Write your answer down before you unfold anything.",
                *points,
                folded("Does your answer say one of these?", claims),
                folded("A complete answer", question.answer),
            ]
        )

    def _ignores(self) -> str:
        """What to say to a text that is no answer, "" to any other: whether it is right is for the reader to judge."""
        words = set(re.findall(r"\w+", self.text.value.lower()))
        asked = set(re.findall(r"\w+", self.question.prompt.lower()))
        headings: dict[str, dict[str, None]] = {}
        for point in self.question.points:
            headings.setdefault(point.lesson, {})[f"“{point.heading}”"] = None
        places = "; ".join(f"lesson {lesson}, {', '.join(found)}" for lesson, found in headings.items())
        look = f"If you cannot, look there first: {places}."
        if len(words) < 5:
            return f"Write your answer first, in a sentence or two. {look}"
        if len(words - asked) < 3:
            return f"This is the question itself. Say what you know of the answer, in a sentence or two. {look}"
        return ""

    def _update(self) -> None:
        for claim, tick, reply in zip(self.question.claims, self.claims, self._replies, strict=True):
            show(reply, f"✘ {claim.reply}" if tick.value else "")
        if not self.button.disabled:
            return
        missing, total = self.missing(), len(self.question.points)
        wrong = sum(tick.value for tick in self.claims)
        parts = [f"**Your answer says {total - len(missing)} of the {total} points.**"]
        if missing:
            rows = "\n".join(f"- {p.says} {p.needed} *{p.where}*" for p in missing)
            parts.append(f"Still missing:\n\n{rows}")
        if wrong:
            parts.append(f"✘ It also says {wrong} of the things that are not so: see the replies above.")
        if not missing and not wrong:
            parts.append("✔ That is complete.")
        parts.append(f"One way to say it: {self.question.answer}")
        show(self._summary, "\n\n".join(parts))


def _tick() -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(description="My answer says this", indent=False)
