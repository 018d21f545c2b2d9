"""The figure of accuracy against the total cost of training (lesson 09)."""

from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ltcourse.display import alt, plots, sentences
from ltcourse.experiments.runs import Record
from ltcourse.experiments.sparse_trainings import AFTER, DURING, method

_MARKERS = dict(zip((*DURING, *AFTER), plots.MARKERS, strict=False))


def by_cost(record: Record, name: str, key: str = "cost") -> dict[float, list[float]]:
    """Return the test accuracies of a method's rows by what they cost, of every seed.

    record: of `sparse_trainings`. name: of the rows, as `sparse_trainings.method` makes it, or "dense". key: "cost" or
    "work", of which the mean over the seeds is taken.
    Lesson 09, "During training".
    """
    numbers = sorted({row["round"] for _, row in record.rows(name)})
    return {fmean(record.values(name, n, key)): record.values(name, n, "test_accuracy") for n in numbers}


def against_cost(record: Record, density: float, ax: Axes, *, key: str = "cost") -> Axes:
    """Draw accuracy against the total cost of training, a line per way to a density; the dense network is dashed.

    record: of `sparse_trainings`. density: one of its. key: "cost", iterations in multiples of a dense training, or
    "work", the same with each iteration counted by the density that it had. Points are the means of the seeds, bars
    their range.
    Lesson 09, "During training".
    """
    dense = by_cost(record, "dense", key)
    costs = list(dense)
    lines: dict[str, dict[float, float]] = {}
    for way in (*DURING, *AFTER):
        if method(way, density) not in record.methods:
            continue  # of a run that was stopped before it
        found = by_cost(record, method(way, density), key)
        means, color = [fmean(values) for values in found.values()], plots.COLORS[way]
        ax.plot(
            list(found), means, color=color, marker=_MARKERS[way], linestyle=":" if way in AFTER else "-", label=way
        )
        ax.vlines(
            list(found), [min(v) for v in found.values()], [max(v) for v in found.values()], color=color, alpha=0.5
        )
        costs += found
        lines[way] = dict(zip(found, means, strict=True))
    lines["dense"] = {cost: fmean(values) for cost, values in dense.items()}
    ax.plot(list(dense), list(lines["dense"].values()), color="black", linestyle="--", linewidth=1.5, label="dense")
    ticks = [2.0**n for n in range(-8, 9) if min(costs) / 1.1 <= 2.0**n <= max(costs) * 1.1]
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{t:g}×" if t >= 1 else f"1/{1 / t:g}×" for t in ticks])
    ax.minorticks_off()
    what = "all iterations" if key == "cost" else "products, if zeros cost nothing"
    ax.set(xlabel=f"{what}, in dense trainings", ylabel="test accuracy", title=f"{density:.0%} of the weights")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend()
    said = sentences.each(lines, lambda cost: f"{cost:.3g}×", sentences.share)
    about = f"Test accuracy at {density:.0%} of the weights against {what}, in dense trainings".replace("%", " %")
    alt.describe(ax, sentences.sentence(about, *said))
    return ax
