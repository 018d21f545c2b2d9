"""Draw the figure of the README from the recorded runs: `python tools/readme_figure.py`."""

from pathlib import Path

from matplotlib import pyplot as plt

from ltcourse import papers
from ltcourse.display import plots
from ltcourse.experiments import runs

FILE = Path(__file__).resolve().parent.parent / "notebooks" / "figures" / "han_lenets.png"


def main() -> None:
    """Write the figure; raises RunError where a record is missing."""
    plots.use_style()
    figure, axes = plt.subplots(1, 2, figsize=(13, 5))
    for ax, name in zip(axes, ("lenet-300-100", "lenet-5"), strict=True):
        record = runs.load(f"han-{name}", "desk")
        curves = {method: record.curve(method, "test_error") for method in ("magnitude", "random")}
        reference = {"dense, trained on": record.values("dense", record.settings["rounds"], "test_error")}
        plots.against_density(curves, ax, ylabel="test error", reference=reference)
        ax.set_title(f"{papers.HAN_TABLE_1[name].network}, {len(record.trials)} seeds")
    FILE.parent.mkdir(exist_ok=True)
    figure.savefig(FILE, metadata={"Software": None})


if __name__ == "__main__":
    main()
