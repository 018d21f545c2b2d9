"""The figures of when tickets fail: what they draw, and what they write beside it."""

from itertools import pairwise

import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from ltcourse.display import plots, tickets
from ltcourse.experiments.runs import Record

SIZES = (1.0, 0.5, 0.25)


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()
    plt.close("all")


def curve(*accuracies):
    return {size: [a - 0.01, a + 0.01] for size, a in zip(SIZES, accuracies, strict=True)}


def drawn(ax, label):
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return found


@pytest.mark.parametrize(
    "ends", [(0.65, 0.60, 0.75), (0.60, 0.60, 0.60), (0.60, 0.601, 0.602), (0.5, 0.9, 0.501)], ids=str
)
def test_against_dense_writes_each_distance_in_the_color_of_its_line_and_none_over_another(ax, ends):
    methods = ("ticket", "re-initialized", "rewound")
    tickets.against_dense({m: curve(0.70, 0.68, end) for m, end in zip(methods, ends, strict=True)}, ax)
    assert drawn(ax, "dense").get_ydata()[0] == pytest.approx(0.70)
    texts = {to_hex(text.get_color()): text for text in ax.texts}
    for method, end in zip(methods, ends, strict=True):
        assert texts[plots.COLORS[method].lower()].get_text() == f"{100 * (end - 0.70):+.1f} points"
        assert texts[plots.COLORS[method].lower()].xy[0] == 0.25
    ax.figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


def test_the_distance_is_paired_seed_by_seed_and_the_dense_line_is_the_mean_of_the_seeds(ax):
    tickets.against_dense({"ticket": {1.0: [0.6, 0.8], 0.1: [0.5, 0.6]}}, ax)
    assert [text.get_text() for text in ax.texts] == ["-15.0 points"]
    assert drawn(ax, "dense").get_ydata()[0] == pytest.approx(0.7)


def lengths_record(methods):
    trials = []
    for seed in (0, 1):
        rows = [
            {"method": method, "round": number, "length": length, "test_error": 1 - accuracy[number - 1] - seed / 100}
            for method, accuracy in methods.items()
            for number, length in ((1, 500), (2, 1_000))
        ]
        trials.append({"seed": seed, "seconds": 1, "rows": rows})
    return Record("lottery-length", "night", {}, trials, {})


def test_gains_by_length_are_those_over_the_dense_network_of_the_same_length_and_seed(ax):
    methods = {"dense": (0.5, 0.7), "ticket": (0.6, 0.6), "rewound": (0.55, 0.7), "re-initialized": (0.4, 0.3)}
    gains = tickets.gains_by_length(lengths_record(methods))
    assert set(gains) == set(methods) - {"dense"}
    for method, curve in gains.items():
        for number, length in enumerate((500, 1_000)):
            assert curve[length] == pytest.approx([methods[method][number] - methods["dense"][number]] * 2)
    tickets.against_length(gains, ax)
    assert list(drawn(ax, "ticket").get_ydata()) == pytest.approx([0.1, -0.1])
    assert list(drawn(ax, "dense").get_ydata()) == [0, 0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["500", "1,000"]
    ax.figure.canvas.draw()
    signs = {label.get_text() for label in ax.get_yticklabels()}
    assert "0" in signs and any(s.startswith("+") for s in signs) and any(s.startswith("-") for s in signs)


def test_of_a_run_that_was_stopped_the_gains_are_those_that_there_are():
    record = lengths_record({"dense": (0.5, 0.7), "ticket": (0.6, 0.6), "rewound": (0.5, 0.5)})
    del record.trials[1]["rows"][3:]  # its ticket at the second length, and its rewound network
    gains = tickets.gains_by_length(record)
    assert gains["ticket"] == {500: pytest.approx([0.1, 0.1]), 1_000: pytest.approx([-0.1])}
    assert {length: len(found) for length, found in gains["rewound"].items()} == {500: 1, 1_000: 1}
    assert "re-initialized" not in gains


def test_barriers_stand_at_even_distances_in_the_colors_of_the_methods_with_the_line_of_stability(ax):
    heights = {
        "dense": {0: [0.3, 0.4], 400: [0.1], 2_000: [0.01]},
        "ticket": {0: [0.2]},
        "rewound": {400: [0.0], 2_000: [0.0]},
    }
    tickets.barriers(heights, ax)
    assert list(drawn(ax, "dense").get_xdata()) == [0, 1, 2]
    assert list(drawn(ax, "dense").get_ydata()) == pytest.approx([0.35, 0.1, 0.01])
    assert list(drawn(ax, "ticket").get_xdata()) == [0] and list(drawn(ax, "rewound").get_xdata()) == [1, 2]
    for method in heights:
        assert drawn(ax, method).get_color() == plots.COLORS[method]
    assert drawn(ax, "stable below this").get_ydata()[0] == tickets.STABLE
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "400", "2,000"]
    assert ax.get_ylim()[0] == 0
