"""What is claimed, each claim on the small network: the ticket (S6), the hidden subnetwork (S10), and the closing."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from ltcourse.data import Dataset
from ltcourse.display.pictures import small
from ltcourse.display.pictures.frames import (
    HEAD,
    NOTE,
    TEXT,
    Frames,
    arrow,
    blank,
    chip,
    gauge,
    head,
    ink,
    note,
)
from ltcourse.display.pictures.loops import CHANCE, largest
from ltcourse.display.pictures.networks import edges, key
from ltcourse.display.plots import BLUE, COLORS, GRAY, PURPLE

_OUTPUTS = [str(d) for d in small.DIGITS]


def hypothesis(digits: Dataset) -> Frames:
    """Return slide S6 as a picture: a network and its trained weights, and below it a subnetwork, trained alone.

    digits: MNIST. The subnetwork is the first ticket of `small.loops`; its numbers are measured.
    Source: Frankle & Carbin 2019, Sec. 1.
    Lesson 03, "The hypothesis".
    """
    _, ticket = small.loops(digits)
    initial, trained, _, back, won = ticket[:5]
    stops = small.early_stops(digits)
    scale = largest(ticket)
    rows = (
        (0.7, initial, trained, "f(x; θ₀)", "j iterations", "a", stops[0], COLORS["dense"]),
        (0.27, back, won, "f(x; m ⊙ θ₀)", "j′ ≤ j iterations", "a′ ≥ a", stops[1], COLORS["ticket"]),
    )
    said = (
        "A network with random weights θ₀",
        "Trained for j iterations, it reaches accuracy a",
        "Hidden in it before training: a subnetwork, the mask m",
        "Trained alone, it is no slower and no less accurate",
    )

    def paint(number: int, figure: Figure) -> None:
        head(figure, said[number], y=0.955)
        for row, (y, before, after, name, how_long, reached, stop, color) in enumerate(rows):
            if number < 2 * row:
                continue
            _net(figure, before, (0.11, y - 0.2, 0.29, 0.38), scale)
            note(figure, name, 0.058, y, size=NOTE + 1, color=ink())
            if number < 2 * row + 1:
                continue
            arrow(figure, (0.415, y), (0.525, y), color, 4)
            note(figure, how_long, 0.47, y + 0.06, size=NOTE, color=ink())
            note(figure, f"here: {stop}", 0.47, y - 0.06)
            _net(figure, after, (0.53, y - 0.2, 0.29, 0.38), scale)
            note(figure, reached, 0.91, y + 0.07, size=HEAD, color=ink())
            note(
                figure,
                f"here: {100 * after.accuracy:.1f} %\n{after.left} of {after.size} weights",
                0.91,
                y - 0.06,
                size=NOTE + 1,
            )
        if number > 1:
            arrow(figure, (0.055, 0.62), (0.055, 0.35), COLORS["ticket"], 4)
            note(figure, "m", 0.08, 0.485, size=HEAD, color=ink())
        key(figure, 0.47, 0.025)

    def says(number: int) -> str:
        parts = [
            "Above: a network with random weights θ₀",
            f"trained, its smallest validation loss is at iteration {stops[0]}, and it ends at {_read(trained)}",
            "below: a subnetwork of θ₀, which the mask m chooses",
            f"trained alone, its smallest loss is at iteration {stops[1]}, and it ends at {_read(won)}",
        ]
        return f"{said[number]}. {'; '.join(parts[: number + 1])}."

    return Frames(("0: θ₀", "1: trained", "2: the mask", "3: the ticket, trained"), paint, (3,), says)


def _read(step: small.Snapshot) -> str:
    """How a network does, and with how many weights."""
    return f"{100 * step.accuracy:.1f} % accuracy with {step.left} of {step.size} weights"


def _net(
    figure: Figure,
    step: small.Snapshot,
    box: tuple[float, float, float, float],
    scale: float,
    kept: Sequence[Tensor] | None = None,
) -> None:
    ax = blank(figure, *box)
    edges(step.weights, ax, kept=kept or step.kept, largest=scale, quarters=True, outputs=_OUTPUTS)


def hidden(digits: Dataset) -> Frames:
    """Return slide S10 as a picture: a trained network τ, a larger random one, N, and a subnetwork τ′ found in N.

    digits: MNIST. τ is the dense network of `small.loops`, τ′ what the edge-popup of `small.search` found.
    Source: Ramanujan et al. 2020, Fig. 1.
    Lesson 07, "What is hidden?".
    """
    τ, found = small.loops(digits)[0][1], small.search(digits)
    whole = [w.abs() >= 0 for w in found.weights]
    first, last = found.moments[0], found.moments[-1]
    wide = 2.2 * max(float(w.abs().max()) for w in found.weights)
    columns = (
        (0.02, "τ", "trained", τ.weights, τ.kept, largest([τ]), COLORS["dense"], τ.accuracy),
        (0.35, "N", "random, larger", found.weights, whole, wide, GRAY, small.untouched(digits)),
        (0.68, "τ′", "a part of N, no weight trained", found.weights, last.kept, wide, BLUE, last.accuracy),
    )
    said = (
        "A trained network τ reads the digits",
        "A larger network N of random weights does not",
        "A subnetwork of N at random does not either",
        "But some subnetwork τ′ of N comes close to τ",
    )

    def paint(number: int, figure: Figure) -> None:
        head(figure, said[number])
        for i, (left, name, what, weights, kept, scale, color, accuracy) in enumerate(columns[: min(number, 2) + 1]):
            at_random = number == 2 and i == 2
            if at_random:
                name, what, kept, color, accuracy = "?", "a part of N at random", first.kept, GRAY, first.accuracy
            head(figure, name, left + 0.15, 0.84, size=HEAD + 4)
            note(figure, what, left + 0.15, 0.765, size=NOTE + 1)
            ax = blank(figure, left, 0.2, 0.29, 0.52)
            edges(weights, ax, kept=kept, largest=scale, quarters=True, outputs=_OUTPUTS)
            gauge(figure, accuracy, left + 0.03, 0.1, 0.27, color, CHANCE)

    def says(number: int) -> str:
        told = [f"{name} ({what}) {100 * accuracy:.1f} %" for _, name, what, _, _, _, _, accuracy in columns]
        told = [*told[:2], f"a part of N at random {100 * first.accuracy:.1f} %", told[2]]
        shown = [part for i, part in enumerate(told[: number + 1]) if i != 2 or number == 2]
        return f"{said[number]}. Accuracy on three digits: {'; '.join(shown)}; chance is {100 * CHANCE:.1f} %."

    return Frames(("0: τ", "1: N", "2: a part at random", "3: τ′"), paint, (3,), says)


def closing(digits: Dataset) -> Frames:
    """Return the lecture in one picture: a network pruned, its ticket, and a supermask, side by side.

    digits: MNIST. All three are those of `small`, the ticket that of the second round.
    Lesson 08, "What we saw".
    """
    han, ticket = small.loops(digits)
    found = small.search(digits)
    supermask = small.Snapshot("supermask", found.weights, found.moments[-1].kept, found.moments[-1].accuracy)
    scale = largest([*han, *ticket])
    wide = 2.2 * max(float(w.abs().max()) for w in found.weights)
    columns = (
        (0.02, "Pruning", han[7], scale, COLORS["fine-tuned"], "trained, then cut", "Many weights can go."),
        (
            0.35,
            "Lottery ticket",
            ticket[7],
            scale,
            COLORS["ticket"],
            "initial, then trained",
            "What is left could have\nbeen trained alone.",
        ),
        (
            0.68,
            "Supermask",
            supermask,
            wide,
            PURPLE,
            "random, never trained",
            "Choosing what is left\ncan be all the training.",
        ),
    )

    def paint(number: int, figure: Figure) -> None:
        for left, name, step, widest, color, weights, lesson in columns[: number + 1]:
            chip(figure, name, left + 0.03, 0.93, 0.24, color, HEAD)
            note(figure, f"weights: {weights}", left + 0.15, 0.83, size=NOTE + 1, color=ink())
            _net(figure, step, (left, 0.33, 0.29, 0.46), widest)
            gauge(figure, step.accuracy, left + 0.02, 0.26, 0.27, color)
            note(figure, f"{step.left} of {step.size} weights", left + 0.02, 0.205, "left")
            note(figure, lesson, left + 0.15, 0.09, size=TEXT, color=ink())

    def says(number: int) -> str:
        shown = columns[: number + 1]
        each = [f"{name} (weights {weights}) {_read(step)}" for _, name, step, _, _, weights, _ in shown]
        return f"The small network, side by side: {'; '.join(each)}."

    return Frames(("0: pruning", "1: the ticket", "2: the supermask"), paint, (2,), says)
