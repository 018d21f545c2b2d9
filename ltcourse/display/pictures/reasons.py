"""Why anyone should care: what it costs to fetch a weight and to store them all, and what pruning leaves."""

from matplotlib.figure import Figure

from ltcourse import papers
from ltcourse.display.pictures.frames import HEAD, NOTE, TEXT, Frames, head, ink, mixed, note
from ltcourse.display.plots import BLUE, GRAY, GREEN, RED

BYTES = 4  # of a weight in float32


def opening() -> Frames:
    """Return the lecture's first picture: energy of an operation, memory of a network, and both after pruning.

    All numbers are `papers.HAN_PICOJOULE` and `papers.HAN_TABLE_1`, or follow from them.
    Source: Han et al. 2015, Fig. 1 and Table 1.
    Lesson 01, "Why prune?".
    """
    said = (
        "To fetch a weight costs far more than to compute with it",
        "And there are many weights to fetch",
        "Pruning leaves about a tenth of them",
    )

    def paint(number: int, figure: Figure) -> None:
        head(figure, said[number])
        if number == 0:
            _energy(figure)
        else:
            _sizes(figure, pruned=number == 2)
        source = "Fig. 1" if number == 0 else "Table 1; 4 bytes per weight"
        note(figure, f"Han et al. 2015, {source}", 0.96, 0.035, "right")

    def says(number: int) -> str:
        return f"{said[number]}. {_sizes_said(number == 2) if number else _energy_said()}"

    return Frames(("0: energy", "1: memory", "2: pruned"), paint, (0, 2), says)


def _energy_said() -> str:
    costs = papers.HAN_PICOJOULE
    times = costs["read from DRAM"] / costs["multiplication"]
    listed = ", ".join(f"{name} {cost:g} pJ" for name, cost in costs.items())
    return f"Energy of an operation: {listed}; {times:.0f} multiplications for the energy of one fetch from DRAM."


def _sizes_said(pruned: bool) -> str:
    rows = [papers.HAN_TABLE_1[name] for name in ("alexnet", "vgg-16")]
    sizes = [
        f"{row.network} {' → '.join(row.parameters[: 1 + pruned])} weights, "
        + " → ".join(f"{count(printed) * BYTES / 1e6:.0f}" for printed in row.parameters[: 1 + pruned])
        + (f" MB, top-1 error {' → '.join(f'{100 * e:.2f} %' for e in row.top1)}" if pruned else " MB")
        for row in rows
    ]
    return f"{'; '.join(sizes)}."


def _energy(figure: Figure) -> None:
    """Picojoules of each operation as bars, from 0."""
    costs = papers.HAN_PICOJOULE
    ax = figure.add_axes((0.24, 0.14, 0.68, 0.7))
    colors = [RED if name.endswith("DRAM") else BLUE if "read" in name else GRAY for name in costs]
    ax.barh(range(len(costs)), list(costs.values()), color=colors, height=0.62)
    for i, cost in enumerate(costs.values()):
        inside = cost > max(costs.values()) / 2
        ax.text(
            cost - 8 if inside else cost + 8,
            i,
            f"{cost:g} pJ",
            va="center",
            ha="right" if inside else "left",
            fontsize=HEAD,
            fontweight="bold",
            color="white" if inside else ink(),
        )
    times = costs["read from DRAM"] / costs["multiplication"]
    ax.text(
        640,
        1.5,
        f"{times:.0f} multiplications\nfor the energy of one fetch",
        ha="right",
        va="center",
        fontsize=TEXT,
        color=ink(),
        linespacing=1.4,
    )
    ax.set_yticks(range(len(costs)), list(costs), fontsize=TEXT)
    ax.set(xticks=[], xlim=(0, 660))
    ax.invert_yaxis()
    ax.grid(False)
    for side in ("bottom", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)


def _sizes(figure: Figure, pruned: bool) -> None:
    """Megabytes of the two large networks as bars; what pruning leaves of them in green."""
    ax = figure.add_axes((0.16, 0.14, 0.76, 0.7))
    rows = [papers.HAN_TABLE_1[name] for name in ("alexnet", "vgg-16")]
    for i, row in enumerate(rows):
        before, after = (count(printed) * BYTES / 1e6 for printed in row.parameters)
        dram = count(row.parameters[0]) * papers.HAN_PICOJOULE["read from DRAM"] * 1e-9
        ax.barh(i, before, color=mixed(0.25) if pruned else GRAY, height=0.5)
        text = f"{row.parameters[0]} weights · {before:.0f} MB · {dram:.0f} mJ to fetch them once"
        if pruned:
            ax.barh(i, after, color=GREEN, height=0.5)
            sizes, megabytes = " → ".join(row.parameters), f"{before:.0f} → {after:.0f} MB"
            text = f"{sizes} weights · {megabytes} · {row.compression}× fewer"
        ax.text(0, i - 0.4, text, va="center", fontsize=TEXT, color=ink())
        if pruned:
            errors = " → ".join(f"{100 * e:.2f} %" for e in row.top1)
            ax.text(0, i + 0.37, f"top-1 error {errors}", va="center", fontsize=NOTE, color=mixed(0.8))
    ax.set_yticks(range(len(rows)), [row.network for row in rows], fontsize=HEAD)
    ax.set(xticks=[], ylim=(1.55, -0.6))
    ax.grid(False)
    for side in ("bottom", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)


def count(printed: str) -> float:
    """Return the number that a paper prints as "61M" or "267K".

    Lesson 01, "Why prune?".
    """
    return float(printed[:-1]) * {"K": 1e3, "M": 1e6, "B": 1e9}[printed[-1]]
