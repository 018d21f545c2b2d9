"""The figure of accuracy against the total cost: each point is the mean of the seeds, where its cost says."""

import pytest
from made_up_records import made
from matplotlib import pyplot as plt

from ltcourse.display import costs, plots
from ltcourse.experiments.sparse_trainings import AFTER, DURING, method


@pytest.fixture
def record():
    rows = {("dense", n): {"test_error": 0.05 - 0.01 * n, "cost": 2**n, "work": 2**n} for n in range(2)}
    for place, way in enumerate((*DURING, *AFTER)):
        for n in (1, 2):
            error = [0.1 + 0.01 * place - 0.02 * n + seed for seed in (-0.005, 0.0, 0.005)]
            rows[method(way, 0.02), n] = {"test_error": error, "cost": 2 * n, "work": 0.1 * n}
    return made(rows, densities=[0.02])


@pytest.mark.parametrize(("key", "x"), [("cost", [2, 4]), ("work", [0.1, 0.2])])
def test_a_line_per_way_at_its_costs_in_its_color(record, key, x):
    ax = costs.against_cost(record, 0.02, plt.figure().subplots(), key=key)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert lines.keys() == {*DURING, *AFTER, "dense"}
    assert list(lines["RigL"].get_xdata()) == pytest.approx(x)
    assert list(lines["RigL"].get_ydata()) == pytest.approx([0.91, 0.93])
    assert lines["RigL"].get_color() == plots.COLORS["RigL"]
    assert list(lines["dense"].get_xdata()) == [1, 2] and list(lines["dense"].get_ydata()) == pytest.approx(
        [0.95, 0.96]
    )
    assert len({line.get_color() for line in lines.values()}) == len(lines), "no two look alike"


def test_what_was_stopped_before_it_came_to_a_way_is_drawn_without_it(record):
    for trial in record.trials:
        trial["rows"] = [row for row in trial["rows"] if "rewound" not in row["method"]]
    ax = costs.against_cost(record, 0.02, plt.figure().subplots())
    assert {line.get_label() for line in ax.get_lines()} == {*DURING, "fine-tuned", "dense"}
