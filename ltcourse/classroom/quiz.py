"""Quizzes from the bank of questions: with a kernel as buttons, without one as text with folded answers.

All texts are shown as Markdown outputs, whose formulas JupyterLab draws itself, with no network. Buttons are worked by
Tab and Enter or Space, and the focus goes where the next key is wanted.
"""

import os
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import ipywidgets
from IPython.display import Markdown, display

from ltcourse.classroom import questions
from ltcourse.classroom.questions import BankQuestion, Choice, ChoiceQuestion
from ltcourse.display.markdown import folded, show, shown, text_of
from ltcourse.quantities import whole

LETTERS = "ABCDEFGH"


class MultipleChoice:
    """A question with a button for each option; the reply to the option that was chosen is shown below.

    seed: of the order of the options. answered: is told each choice. answers: the choices so far, the first one first.
    A notebook that is being built keeps the question as text, with its answer and the replies folded.
    Lesson 08, "Quiz".
    """

    def __init__(
        self, question: ChoiceQuestion, *, seed: int = 0, answered: Callable[[Choice], None] | None = None
    ) -> None:
        self.question, self.choices = question, question.shuffled(seed)
        self.answers: list[Choice] = []
        self._answered = answered
        self._reply = shown("")
        self.buttons = [
            ipywidgets.Button(
                description=letter, tooltip=f"choose {letter}", layout={"width": "4em", "height": "2.4em"}
            )
            for letter, _ in zip(LETTERS, self.choices, strict=False)
        ]
        for button, choice in zip(self.buttons, self.choices, strict=True):
            button.on_click(lambda _, choice=choice: self.choose(choice))
        self.row = ipywidgets.HBox(self.buttons)
        self.box = ipywidgets.VBox([shown(self.text), self.row, self._reply])

    @property
    def text(self) -> str:
        """The question and its options, in the order in which they are shown."""
        return "\n\n".join([self.question.prompt, _options(self.choices)])

    @property
    def reply(self) -> str:
        """What is shown below the buttons, "" before the first answer."""
        return text_of(self._reply)

    def choose(self, choice: Choice) -> None:
        """Answer: the button is marked, the reply shown."""
        self.answers.append(choice)
        place = self.choices.index(choice)
        self.buttons[place].button_style = "success" if choice.right else "danger"
        show(self._reply, f"{'✔' if choice.right else '✘'} **{LETTERS[place]}** · {choice.reply}")
        if self._answered:
            self._answered(choice)

    def _ipython_display_(self) -> None:
        built = f"{self.text}\n\n{_answer(self.question, self.choices)}"
        display(Markdown(built) if os.environ.get("LTCOURSE_BUILD") else self.box)


class Session:
    """One way through some questions: what is missed comes back at the end, until the first answer is right.

    seed: of the order of the questions. tries: question → the first answer at each time that it was asked.
    Lesson 08, "Quiz".
    """

    def __init__(self, asked: Iterable[BankQuestion], seed: int = 0) -> None:
        asked = list(asked)
        self._waiting = deque(random.Random(whole("seed", seed)).sample(asked, len(asked)))
        self.tries: dict[BankQuestion, list[Choice]] = {question: [] for question in self._waiting}
        self._open = True

    @property
    def current(self) -> BankQuestion | None:
        """The question that is asked now, None at the end."""
        return self._waiting[0] if self._waiting else None

    @property
    def left(self) -> int:
        """How many questions are still to come, those that come back included."""
        return len(self._waiting)

    @property
    def missed(self) -> tuple[BankQuestion, ...]:
        """The questions of which some first answer was wrong."""
        return tuple(q for q, answers in self.tries.items() if not all(answer.right for answer in answers))

    def answer(self, choice: Choice) -> None:
        """Take an answer to the current question; of several, the first counts."""
        if self._open and self.current:
            self.tries[self.current].append(choice)
            self._open = False

    def advance(self) -> None:
        """Go on to the next question; the current one must have been answered."""
        if self._open or not self.current:
            return
        question = self._waiting.popleft()
        if not self.tries[question][-1].right:
            self._waiting.append(question)
        self._open = True

    def summary(self) -> str:
        """Return what was right at once and what was missed, with links to where it is taught, as Markdown."""
        asked = [q for q, answers in self.tries.items() if answers]
        missed = self.missed
        lines = [f"**{len(asked) - len(missed)} of {len(asked)} right at the first answer.**"]
        for question in missed:
            often = len(self.tries[question])
            lines.append(f"- {' '.join(question.prompt.split())} *(asked {often} times)* See {question.link}.")
        return "\n\n".join([lines[0], "\n".join(lines[1:])]).strip()


class Quiz:
    """Questions of the bank one after the other; what is missed comes back, and is listed at the end.

    bank, lessons, levels, kinds: as in `questions.select`. count: how many of these, drawn by the seed; None: all.
    `missed` can be given to another quiz. Nothing is remembered when the kernel stops. A notebook that is being built
    keeps the first question alone, as text, with no reply.
    Raises ValueError, one sentence, where no question is left.
    Lesson 08, "Quiz".
    """

    def __init__(
        self,
        bank: Iterable[BankQuestion],
        *,
        lessons: Sequence[str] | None = None,
        levels: Sequence[int] | None = None,
        kinds: Sequence[str] | None = None,
        count: int | None = None,
        seed: int = 0,
    ) -> None:
        found = questions.select(bank, lessons, levels, kinds)
        if count is not None and count < 1:
            raise ValueError(f"a quiz of {count} questions: ask for at least 1")
        self._seed = seed
        self._go_on = ipywidgets.Button(
            layout={"width": "auto", "min_width": "10em", "height": "2.4em", "align_self": "flex-start"}
        )
        self._go_on.on_click(lambda _: self.advance())
        self._where, self._link = shown(""), shown("")
        self.box = ipywidgets.VBox([])
        self._begin(random.Random(whole("seed", seed)).sample(found, min(count or len(found), len(found))))

    @property
    def missed(self) -> tuple[BankQuestion, ...]:
        """The questions of this quiz of which some first answer was wrong."""
        return self.session.missed

    def advance(self) -> None:
        """Go on: to the next question, to the summary behind the last one, and from there to what was missed."""
        if not self.session.current:
            self._begin(self.missed)
        elif not self.asked.answers:
            return
        else:
            self.session.advance()
            self._ask()
        if self.session.current:
            self.asked.buttons[0].focus()
        elif self.missed:
            self._go_on.focus()

    def _begin(self, asked: Sequence[BankQuestion]) -> None:
        if asked:
            self.session = Session(asked, self._seed)
            self._ask()

    def _ask(self) -> None:
        question = self.session.current
        if question is None:
            show(self._where, self.session.summary())
            self._go_on.description, self._go_on.disabled = "Once more: what was missed", not self.missed
            self.box.children = [self._where, *([self._go_on] if self.missed else [])]
            return
        again = len(self.session.tries[question])
        self.asked = MultipleChoice(question, seed=self._seed + again, answered=self._heard)
        show(self._where, self._heading(question))
        show(self._link, "")
        self._go_on.description, self._go_on.disabled = "Next", True
        self.box.children = [self._where, *self.asked.box.children, self._link, self._go_on]

    def _heading(self, question: BankQuestion) -> str:
        left, again = self.session.left, " · once more" if self.session.tries[question] else ""
        return f"*{left} to go · lesson {question.lesson[:2]} · {question.kind} · level {question.level} of 3{again}*"

    def _heard(self, choice: Choice) -> None:
        self.session.answer(choice)
        question = self.session.current
        if question and choice.right:
            show(self._link, f"Shown in {question.link}.")
        else:
            show(self._link, "Try another option, or go on.")
        self._go_on.disabled = False
        if choice.right:
            self._go_on.focus()

    def _ipython_display_(self) -> None:
        display(Markdown(self.asked.text) if os.environ.get("LTCOURSE_BUILD") else self.box)


@dataclass(frozen=True)
class FoldedAnswers:
    """Questions as text, each with its answer and all replies folded below it: readable where no kernel runs.

    Lesson 08, "All the questions, with answers folded".
    """

    questions: tuple[BankQuestion, ...]
    seed: int = 0

    def _repr_markdown_(self) -> str:
        parts, lesson = [], ""
        for number, question in enumerate(self.questions, 1):
            if question.lesson != lesson:
                lesson = question.lesson
                parts.append(f"### Lesson {lesson[:2]}, {lesson[3:].replace('_', ' ')}")
            parts.append(_folded(question, number, self.seed))
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return f"{len(self.questions)} questions with answers, shown where Markdown is"


def _folded(question: BankQuestion, number: int, seed: int) -> str:
    choices = question.shuffled(seed)
    head = f"**{number}** · *{question.kind}, level {question.level}*"
    return "\n\n".join([head, question.prompt, _options(choices), _answer(question, choices, question.link)])


def _answer(question: ChoiceQuestion, choices: Sequence[Choice], link: str = "") -> str:
    """The right option with its reply, then the others, folded; link: where the answer is shown."""
    letter = dict(zip(choices, LETTERS, strict=False))
    replies = "\n".join(f"- **{letter[c]}** {c.reply}" for c in choices if not c.right)
    right = f"**{letter[question.right]}** is right. {question.right.reply}"
    return folded("Answer", "\n\n".join([right, replies, *([f"Shown in {link}."] if link else [])]))


def _options(choices: Iterable[Choice]) -> str:
    return "\n".join(f"- **{letter}** {choice.text}" for letter, choice in zip(LETTERS, choices, strict=False))
