"""Predict, then see: a small question before a run, its answer drawn into the figure that follows, a sum at the end.

`predict` asks, `mark` draws the answer, `reveal` sets it beside what was measured, `summary` lists a lesson's. A cell
that asks and one that reveals run with or without an answer. A notebook that is being built keeps questions as text,
and what was measured folded, for readers without a kernel; it knows nobody's answers.
"""

import os
from collections.abc import Sequence
from typing import Any

import ipywidgets
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ltcourse.classroom import answers, kinds
from ltcourse.classroom.answers import Kept
from ltcourse.classroom.kinds import Amount, OneOf, Prediction, Ranking
from ltcourse.display import guesses
from ltcourse.display.choosers import EndChosen, NumberChosen, OneChosen, Ranked
from ltcourse.display.markdown import PREDICTION, folded, show, shown, text_of
from ltcourse.display.tables import Table
from ltcourse.instruments.statistics import student

_measured: dict[str, Any] = {}  # what this kernel has shown: a record or a run is not kept twice


class Asked:
    """A question with what answers it, by keyboard or mouse, and a button that keeps the answer.

    begin: of a curve, where it begins, in the units of the lesson's axes.
    Lesson 00, "A first network".
    """

    def __init__(self, prediction: Prediction, begin: float | None = None) -> None:
        self.prediction = prediction
        self.input = _input(prediction, begin)
        self.button = ipywidgets.Button(
            description="Keep my prediction", layout={"width": "auto", "align_self": "flex-start"}
        )
        self._said = shown("")
        self.button.on_click(lambda _: self.keep())
        self.box = ipywidgets.VBox([shown(_asks(prediction)), self.input.box, self.button, self._said])
        self.box.add_class("ltcourse-prediction")
        self._remember()

    @property
    def said(self) -> str:
        """What is said below the button."""
        return text_of(self._said)

    def keep(self) -> None:
        """Keep what is answered now: as the prediction before the result was shown, as a second answer after it."""
        answer = self.input.value
        if answer is None:
            show(self._said, "Choose an answer first.")
            return
        trouble = answers.add(self.prediction.name, answer)
        kept, _ = _kept(self.prediction)
        show(self._said, " ".join([_what_is_kept(self.prediction, kept, answer), trouble]).strip())

    def _remember(self) -> None:
        """Show what was answered earlier."""
        kept, trouble = _kept(self.prediction)
        said = trouble
        if kept.guess is not None:
            self.input.value = kept.guess if kept.second is None else kept.second
            said = f"You predicted **{self.prediction.said(kept.guess)}**."
            if kept.second is not None:
                said += f" Your second answer, after the result: **{self.prediction.said(kept.second)}**."
        show(self._said, said)


class Questions:
    """The questions of one cell, one below the other; as text in a notebook that is being built.

    Lesson 00, "A first network".
    """

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.asked = tuple(asked)

    def _ipython_display_(self) -> None:
        text = "\n\n".join(as_text(one.prediction) for one in self.asked)
        bundle = {} if _building() else ipywidgets.VBox([one.box for one in self.asked])._repr_mimebundle_()
        _display(text, "question", bundle)


class Summary:
    """What the predictions of a lesson came to: a table, and one sentence.

    Lesson 00, "What we saw".
    """

    def __init__(self, lesson: str) -> None:
        self.predictions = kinds.of_lesson(lesson)

    @property
    def table(self) -> Table:
        """A row for each prediction: what was predicted, what was measured, and how far apart they are."""
        return Table(["prediction", "you", "measured", "how far"], [_row(one) for one in self.predictions], words=True)

    @property
    def sentence(self) -> str:
        """How many of the predictions were right."""
        judged = [one for one in self.predictions if _made(one) is not None and _measured.get(one.name) is not None]
        right = sum(one.right(_made(one), _measured[one.name]) for one in judged)
        if not judged:
            return "There is no prediction of yours to compare: answer a question, and run the cells below it."
        left = len(self.predictions) - len(judged)
        rest = f"; {left} cannot be compared." if left else "."
        return f"You were right, or near enough, in {right} of {len(judged)}{rest}"

    def _ipython_display_(self) -> None:
        if _building():
            rows = [[one.topic, _row(one)[2]] for one in self.predictions]
            table = Table(["prediction", "measured"], rows, words=True)._repr_markdown_()
            _display(folded("What was asked, and what was measured", table), "answer")
        else:
            _display(f"{self.table._repr_markdown_()}\n\n{self.sentence}", "answer")


def predict(*names: str, begin: float | None = None) -> Questions:
    """Ask for one or more predictions, by their names in `predictions.toml`.

    begin: where a curve begins, in the units of the lesson's axes.
    Raises ValueError, one sentence, for an unknown name.
    Lesson 00, "A first network".
    """
    return Questions([Asked(kinds.find(name), begin) for name in names])


def mark(
    name: str,
    ax: Axes,
    *,
    along: str = "y",
    x: float | None = None,
    begin: tuple[float, float] | None = None,
    times: float = 1.0,
    of: str = "",
) -> None:
    """Draw what was predicted into the figure that shows the result; nothing where nothing was predicted.

    along: the axis that a number is on. x: where a curve ends, and begin: (x, y) where it begins. times: what a
    predicted factor is a factor of. of: which of several guesses in one figure it is. Whatever is answered from now on
    is a second answer.
    Raises ValueError, one sentence, for an unknown name.
    Lesson 00, "A first network".
    """
    prediction = kinds.find(name)
    if not _building():
        answers.shown(name)
    if (guess := _made(prediction)) is None:
        return
    text = f"you{of and ', '}{of}: {prediction.said(guess)}"
    if (value := _measured.get(name)) is not None:
        text += f"; measured: {prediction.measured(value)}"
    if not isinstance(prediction, Amount):
        guesses.words(ax, text)
    elif x is None:
        guesses.line(ax, prediction.drawn(guess) * times, text, along=along)
    else:
        guesses.end(ax, x, prediction.drawn(guess) * times, text, begin)


def reveal(name: str, measured: Any, ax: Axes | None = None, **where: Any) -> None:
    """Set what was measured beside what was predicted, in words, and in a figure where one is given.

    measured: the key of a choice, the keys of an order from the top, or a number (a share, 0 to 1, where the unit is %
    or points); None where the run does not show it. where: as in `mark`.
    Raises ValueError, one sentence, for an unknown name or choice.
    Lesson 00, "A first network".
    """
    prediction = kinds.find(name)
    if measured is not None:
        measured = _checked(prediction, measured)
    _measured[name] = measured
    if ax is not None:
        mark(name, ax, **where)
    if _building():
        _display(folded("Predicted and measured", _as_answer(prediction, measured)), "answer")
        return
    answers.shown(name)
    _display(_compared(prediction, measured), "answer")


def summary(lesson: str) -> Summary:
    """Return what the predictions of a lesson, "03" say, came to.

    Raises ValueError, one sentence, for a lesson that has none.
    Lesson 00, "What we saw".
    """
    return Summary(lesson)


def toward(differences: Sequence[float], above: str, around: str, below: str) -> str:
    """Return which of three choices differences, one per seed, speak for: above 0, below it, or neither.

    They speak for one side where Student's 95 % interval of their mean lies on it.
    Lesson 04, "A residual network".
    """
    found = student(differences)
    return above if found.low > 0 else below if found.high < 0 else around


def as_text(prediction: Prediction) -> str:
    """Return a question as Markdown, with what can be answered.

    Lesson 00, "A first network".
    """
    if isinstance(prediction, Amount):
        return (
            f"{_asks(prediction)} (Between {prediction.said(prediction.low)} and {prediction.said(prediction.high)}.)"
        )
    return "\n\n".join([_asks(prediction), "\n".join(f"- {text}" for text in prediction.options.values())])


def _asks(prediction: Prediction) -> str:
    return f"*Predict:* {prediction.question}"


def _input(prediction: Prediction, begin: float | None) -> OneChosen | Ranked | NumberChosen | EndChosen:
    if isinstance(prediction, OneOf):
        return OneChosen(prediction.options)
    if isinstance(prediction, Ranking):
        return Ranked(prediction.options)
    p = prediction
    if not p.ends:
        return NumberChosen(p.low, p.high, p.step, p.unit, p.log)
    start = p.high if begin is None else p.shown(begin)
    return EndChosen(lambda end: _curve(p, start, end), p.low, p.high, p.step, p.unit, start)


def _curve(prediction: Amount, begin: float, end: float) -> Figure:
    """The curve of a prediction: its known beginning, and its end as the slider has it."""
    figure, ax = plt.subplots(figsize=(6, 3.75))
    room = 0.05 * (prediction.high - prediction.low)
    ax.set_ylim(min(prediction.low, begin) - room, max(prediction.high, begin) + room)
    ax.set_xlim(-0.1, 1.25)
    ax.plot([0], [begin], marker="o", color=guesses.COLOR)
    guesses.end(ax, 1.0, end, prediction.said(end), (0.0, begin))
    ax.set_xticks([0, 1], prediction.ends)
    ax.set(ylabel=f"{prediction.of}, {prediction.unit}" if prediction.unit else prediction.of)
    return figure


def _kept(prediction: Prediction) -> tuple[Kept, str]:
    """The answers that fit the question, which may have been another one when they were given, and what is wrong."""
    kept, trouble = answers.load(prediction.name)
    return Kept([pair for pair in kept.answers if prediction.fits(pair[0])], kept.shown), trouble


def _made(prediction: Prediction) -> Any:
    """What was predicted, None if nothing was."""
    return None if _building() else _kept(prediction)[0].guess


def _what_is_kept(prediction: Prediction, kept: Kept, answer: Any) -> str:
    now, guess = prediction.said(answer), prediction.said(kept.guess)
    if not kept.shown:
        return f"Kept: **{now}**. You can change it until you have seen the result."
    if kept.late:
        return f"Kept: **{guess}**. You gave it after the result had been shown."
    return f"Your prediction stays **{guess}**. This answer, **{now}**, is kept as a second one."


def _compared(prediction: Prediction, measured: Any) -> str:
    """You and the measurement, side by side, and what a wrong guess usually means."""
    what = "not shown by what was tried" if measured is None else f"**{prediction.measured(measured)}**"
    kept, _ = _kept(prediction)
    topic = f"*{prediction.topic}*"
    if kept.guess is None:
        return f"{topic} · no prediction · measured: {what}"
    parts = [f"{topic} · you: **{prediction.said(kept.guess)}** · measured: {what}"]
    if measured is not None:
        right = prediction.right(kept.guess, measured)
        parts[0] += f" ({prediction.apart(kept.guess, measured)})"
        parts.append("✔ Right, or near enough." if right else prediction.wrong)
    if kept.late:
        parts.append("You answered after the result had been shown.")
    if kept.second is not None:
        parts.append(f"Your second answer, after it: {prediction.said(kept.second)}.")
    return f"{parts[0]}. {' '.join(parts[1:])}".strip()


def _as_answer(prediction: Prediction, measured: Any) -> str:
    """The answer for readers without a kernel."""
    what = "not shown by what was tried" if measured is None else prediction.measured(measured)
    return f"{prediction.question}\n\nMeasured: **{what}**. {prediction.wrong}"


def _row(prediction: Prediction) -> list[str]:
    guess, measured = _made(prediction), _measured.get(prediction.name)
    return [
        prediction.topic,
        "–" if guess is None else prediction.said(guess),
        "–" if measured is None else prediction.measured(measured),
        "–" if guess is None or measured is None else prediction.apart(guess, measured),
    ]


def _checked(prediction: Prediction, measured: Any) -> Any:
    """What was measured, in the prediction's own form; raises ValueError for what is none of its choices."""
    if isinstance(prediction, Amount):
        return float(measured)
    for key in [measured] if isinstance(prediction, OneOf) else measured:
        if key not in prediction.options:
            raise ValueError(f"{prediction.name} has no choice {key!r}: it has {', '.join(prediction.options)}")
    if isinstance(prediction, Ranking) and not prediction.fits(list(measured)):
        raise ValueError(f"{prediction.name} ranks {', '.join(prediction.options)}: give each of them once")
    return measured if isinstance(prediction, OneOf) else list(measured)


def _display(text: str, part: str, bundle: dict[str, Any] | None = None) -> None:
    """Show Markdown that slides and a student copy recognize as a part of a prediction."""
    display({"text/plain": text, **(bundle or {}), "text/markdown": text, PREDICTION: {"part": part}}, raw=True)


def _building() -> bool:
    return bool(os.environ.get("LTCOURSE_BUILD"))
