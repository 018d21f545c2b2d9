"""The pruning loop (S2), and the lottery ticket's beside it (S7): the same small network, step by step."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ltcourse.data import Dataset
from ltcourse.display.pictures import small
from ltcourse.display.pictures.frames import (
    NOTE,
    NUMBER,
    TEXT,
    Frames,
    blank,
    chip,
    chips,
    gauge,
    head,
    ink,
    mixed,
    note,
    paper,
)
from ltcourse.display.pictures.networks import edges, key
from ltcourse.display.pictures.small import Snapshot
from ltcourse.display.plots import BLUE, COLORS

CHANCE = 1 / len(small.DIGITS)


def largest(steps: Sequence[Snapshot]) -> float:
    """Return the largest |w| of all steps: one scale for all their drawings.

    Lesson 01, "The loop as a picture".
    """
    return max(float(w.abs().max()) for step in steps for w in step.weights)


def pruning_loop(digits: Dataset) -> Frames:
    """Return slide S2 as a picture: train, cut the smallest weights, fine-tune what is left, again.

    digits: MNIST. The network and all numbers are those of `small.loops`.
    Source: Han et al. 2015, Fig. 2.
    Lesson 01, "The loop as a picture".
    """
    steps = [step for step in small.loops(digits)[0] if step.name != "keep"]
    scale = largest(steps)
    words = ("train", "cut", "fine-tune")
    said = {
        "draw θ₀": "Random weights: the network guesses",
        "train": "Train: the weights grow where they are needed",
        "cut": "Cut the smallest weights",
        "fine-tune": "Fine-tune what is left",
    }

    def paint(number: int, figure: Figure) -> None:
        step = steps[number]
        head(figure, said[step.name], 0.04, 0.93, "left")
        for i, word in enumerate(words):
            chip(figure, f"{i + 1}  {word}", 0.04, 0.74 - 0.13 * i, 0.17, BLUE if step.name == word else None, TEXT)
        chip(figure, "4  repeat", 0.04, 0.74 - 0.39, 0.17, None, TEXT)
        if number > 1:
            note(figure, f"round {number // 2} of {small.ROUNDS}", 0.04 + 0.085, 0.24, size=TEXT)
        ax = blank(figure, 0.24, 0.14, 0.44, 0.72)
        before = steps[number - 1].kept if step.name == "cut" else None
        edges(
            step.weights,
            ax,
            kept=step.kept,
            before=before,
            largest=scale,
            quarters=True,
            outputs=[str(d) for d in small.DIGITS],
        )
        key(figure, 0.46, 0.06)
        _accuracies(figure, steps, number)

    labels = tuple(f"{i}: {_named(step, i)}" for i, step in enumerate(steps))

    def says(number: int) -> str:
        step = steps[number]
        round = f" (round {number // 2} of {small.ROUNDS})" if number > 1 else ""
        return f"{said[step.name]}{round}: {_read(step)}."

    return Frames(labels, paint, (1, 2, 3, len(steps) - 1), says)


def _read(step: Snapshot) -> str:
    """How many weights are used, and how well the network does with them."""
    return f"{step.left} of {step.size} weights are used, accuracy {100 * step.accuracy:.1f} %"


def _named(step: Snapshot, number: int) -> str:
    return {"draw θ₀": "random weights"}.get(step.name, step.name) + (f", round {number // 2}" if number > 1 else "")


def _accuracies(figure: Figure, steps: Sequence[Snapshot], number: int) -> None:
    """At the right the numbers of the step at hand, over the accuracies of all steps so far."""
    step = steps[number]
    for x, number_, word, color in (
        (0.775, f"{step.left}", f"of {step.size} weights", ink()),
        (0.915, f"{100 * step.accuracy:.1f} %", "accuracy", BLUE),
    ):
        head(figure, number_, x, 0.83, size=NUMBER)
        figure.texts[-1].set_color(color)
        note(figure, word, x, 0.745, size=TEXT)
    ax = figure.add_axes((0.75, 0.2, 0.22, 0.44))
    so_far = [s.accuracy for s in steps[: number + 1]]
    ax.axhline(CHANCE, color=mixed(0.5), linestyle=":", linewidth=1.5)
    ax.plot(so_far, color=mixed(0.55), linewidth=1.8, zorder=1)
    for i, value in enumerate(so_far):
        fill = paper() if steps[i].name == "cut" else BLUE
        size = 12 if i == number else 8
        ax.plot(i, value, "o", markersize=size, color=BLUE, markerfacecolor=fill, markeredgewidth=2, zorder=2)
    ax.set(xlim=(-0.6, len(steps) - 0.4), ylim=(0.28, 1), xticks=[], yticks=[CHANCE, 0.5, 0.75, 1])
    ax.set_yticklabels(["chance", "50 %", "75 %", "100 %"], fontsize=NOTE)
    ax.set_xlabel("● trained   ○ just cut", fontsize=NOTE)


def ticket_loop(digits: Dataset) -> Frames:
    """Return slide S7 as a picture: draw θ₀, train, cut, back to θ₀, again; beside it Han's, which stays.

    digits: MNIST. The networks and all numbers are those of `small.loops`. Where the weights go back, their trained
    values are pale behind them.
    Source: Frankle & Carbin 2019, Sec. 1; Han et al. 2015, Sec. 3.
    Lesson 03, "The algorithm as a picture".
    """
    han, ticket = small.loops(digits)
    scale = largest([*han, *ticket])
    said = {
        "draw θ₀": "Both begin with the same random weights θ₀",
        "train": "Train",
        "cut": "Cut the smallest weights",
        "back to θ₀": "The one difference: the ticket goes back to θ₀",
    }
    sides = (
        (ticket, 0.03, "The lottery ticket", ("draw θ₀", "train", "cut", "back to θ₀"), COLORS["ticket"]),
        (han, 0.53, "Han: fine-tuning", ("draw θ₀", "train", "cut", "keep"), COLORS["fine-tuned"]),
    )

    def paint(number: int, figure: Figure) -> None:
        head(figure, said[ticket[number].name] + (" again" if number > 2 and ticket[number].name == "train" else ""))
        for steps, left, title, words, color in sides:
            step = steps[number]
            name = "train" if step.name == "fine-tune" else step.name
            head(figure, title, left + 0.22, 0.855, size=TEXT)
            chips(figure, words, words.index(name), left, left + 0.44, 0.765, color)
            back = step.name == "back to θ₀"
            edges(
                step.weights,
                blank(figure, left + 0.02, 0.165, 0.4, 0.53),
                kept=step.kept,
                largest=scale,
                before=steps[number - 1].kept if step.name == "cut" else None,
                shadow=steps[number - 1].weights if back else None,
                quarters=True,
                outputs=[str(d) for d in small.DIGITS],
            )
            gauge(figure, step.accuracy, left + 0.1, 0.09, 0.34, color, CHANCE)
            note(figure, "accuracy", left + 0.44, 0.035, "right")
            note(figure, f"{step.left} of {step.size}\nweights", left + 0.04, 0.09)

    labels = tuple(f"{i}: {step.name}" + (f", round {(i + 1) // 3}" if i > 1 else "") for i, step in enumerate(ticket))

    def says(number: int) -> str:
        both = f"the lottery ticket ({ticket[number].name}): {_read(ticket[number])}"
        return f"{said[ticket[number].name]}; {both}; Han ({han[number].name}): {_read(han[number])}."

    return Frames(labels, paint, (1, 2, 3, 4), says)
