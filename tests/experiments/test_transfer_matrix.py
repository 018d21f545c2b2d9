"""The transfer matrix: what it reads from trials, how it is drawn, and every value of its sliders."""

import base64
import math
from itertools import product
from statistics import mean

import pytest
from matplotlib import pyplot as plt
from yardstick import at_once

from ltcourse.display import plots, widgets
from ltcourse.display.tables import percent
from ltcourse.display.widgets import TransferExplorer, explore
from ltcourse.experiments.transfer import method
from ltcourse.experiments.transfer_matrix import TransferMatrix

DENSITY = {0: 1.0, 1: 0.5, 2: 0.1, 3: 0.03}
SOURCES, TARGETS = ("digits", "clothes", "a tenth"), ("digits", "clothes")
TRIED = (1, 3)


def accuracy(kind, source, target, number, seed):
    """A number of its own for each row, known without the matrix."""
    at = (("ticket", "re-initialized", "random").index(kind), SOURCES.index(source), SOURCES.index(target))
    return 0.9 - 0.1 * at[0] - 0.013 * at[1] + 0.007 * at[2] * at[1] - 0.004 * number + 0.0011 * seed * (at[0] + 1)


def row_of(kind, source, target, number, seed):
    row = {"kind": kind, "source": source, "target": target, "round": number, "density": DENSITY[number]}
    row["layers"] = {"fc1.weight": DENSITY[number] / 2}
    row |= {"method": method(kind, source, target), "test_error": 0.99}
    if kind == "ticket" and source != target:
        row["overlap"] = {"fc1": [30 + seed, 10.0], "fc2": [8, 4.0]}
    return row | {"early_stop_test_error": 1 - accuracy(kind, source, target, number, seed)}


def trials(seeds=(0, 1, 2)):
    found = []
    for seed in seeds:
        rows = [row_of("ticket", s, s, n, seed) for s in SOURCES for n in DENSITY]
        for number, target, source in product(TRIED, TARGETS, SOURCES):
            if source == target:
                rows.append(row_of("random", target, target, number, seed))
            else:
                rows.append(row_of("ticket", source, target, number, seed))
            if number == 3:
                rows.append(row_of("re-initialized", source, target, number, seed))
        found.append({"seed": seed, "rows": rows})
    return found


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def matrix():
    return TransferMatrix(trials())


def test_it_knows_its_sources_targets_rounds_and_densities(matrix):
    assert (matrix.sources, matrix.targets, matrix.rounds) == (SOURCES, TARGETS, TRIED)
    assert [matrix.density(n) for n in TRIED] == [0.5, 0.03]
    assert [matrix.density(n, "fc1.weight") for n in TRIED] == [0.25, 0.015], "layers can differ"


@pytest.mark.parametrize(("source", "target", "number"), list(product(SOURCES, TARGETS, TRIED)))
def test_every_value_is_that_of_its_row(matrix, source, target, number):
    for kind in ("ticket", "random"):
        origin = target if kind == "random" else source
        expected = {seed: accuracy(kind, origin, target, number, seed) for seed in range(3)}
        assert matrix.values(kind, source, target, number) == pytest.approx(expected)
    new = matrix.values("re-initialized", source, target, number)
    assert len(new) == (3 if number == 3 else 0)


@pytest.mark.parametrize(("source", "target"), list(product(SOURCES, TARGETS)))
def test_a_gain_is_of_each_seed_over_a_control_at_the_same_target(matrix, source, target):
    for over, (kind, at) in {"random": ("random", 3), "own": ("ticket", 3), "dense": ("ticket", 0)}.items():
        expected = [
            accuracy("ticket", source, target, 3, seed) - accuracy(kind, target, target, at, seed) for seed in range(3)
        ]
        assert matrix.gain(source, target, 3, over) == pytest.approx(expected)
        assert matrix.gains(3, over)[source, target] == pytest.approx(expected)
    alone = [accuracy("re-initialized", source, target, 3, s) - accuracy("random", target, target, 3, s)
             for s in range(3)]  # fmt: skip
    assert matrix.gain(source, target, 3, kind="re-initialized") == pytest.approx(alone)


def test_the_lead_is_kept_in_the_mean_over_the_seeds(matrix):
    lead = mean(matrix.gain("clothes", "clothes", 3))
    assert matrix.lead_kept("digits", "clothes", 3) == pytest.approx(mean(matrix.gain("digits", "clothes", 3)) / lead)
    assert matrix.lead_kept("digits", "digits", 3) == 1


def test_without_a_lead_nothing_is_kept():
    found = trials()
    for trial in found:
        for row in trial["rows"]:
            if row["kind"] == "random":
                row["early_stop_test_error"] = 0.0
    assert math.isnan(TransferMatrix(found).lead_kept("digits", "clothes", 3))


def test_a_run_that_is_not_over_gives_what_there_is():
    found = trials()
    found[1]["rows"] = [r for r in found[1]["rows"] if r["kind"] != "random"]
    del found[2]["rows"][3:]
    matrix = TransferMatrix(found)
    assert len(matrix.gain("digits", "clothes", 3)) == 1, "seed 0 alone has the ticket and its control"
    assert set(matrix.gains(3)) == set(product(SOURCES, TARGETS)) and matrix.gains(2) == {}
    assert TransferMatrix([]).rounds == () and TransferMatrix([{"seed": 0, "rows": []}]).gains(1) == {}


def test_a_curve_has_the_rounds_that_were_tried(matrix):
    assert list(matrix.curve("ticket", "digits", "clothes")) == [0.5, 0.03]
    assert list(matrix.curve("re-initialized", "digits", "clothes")) == [0.03]
    assert [len(v) for v in matrix.curve("random", "digits", "clothes").values()] == [3, 3]


def test_likeness_is_a_multiple_of_chance_by_layer(matrix):
    assert matrix.alike("digits", "clothes", 3) == {"fc1": pytest.approx([3.0, 3.1, 3.2]), "fc2": [2.0, 2.0, 2.0]}
    assert matrix.alike("digits", "digits", 3) == {}


# The figure


def test_each_cell_says_its_mean_and_range_and_is_colored_by_it():
    gains = {("a", "x"): [0.02, 0.04], ("a", "y"): [0.01], ("b", "x"): [-0.03, 0.01]}
    ax = plots.transfer_matrix(gains, plt.subplots()[1], "title")
    assert {t.get_text() for t in ax.texts} == {"+3.0\n+2.0 to +4.0", "+1.0", "-1.0\n-3.0 to +1.0"}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    shown = ax.images[0].get_array()
    assert shown[0, 0] == pytest.approx(0.03) and shown[1, 0] == pytest.approx(-0.01) and shown.mask[1, 1]
    assert ax.images[0].get_clim() == pytest.approx((-0.03, 0.03))
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("trained on", "found on", "title")
    for text in ax.texts:
        x, y = text.get_position()
        assert text.get_text().startswith(f"{100 * shown[y, x]:+.1f}"), "the text is in the cell of its color"


def test_a_scale_can_be_shared_and_zeros_can_be_drawn():
    gains = {("a", "x"): [0.0]}
    assert plots.transfer_matrix(gains, plt.subplots()[1], limit=0.2).images[0].get_clim() == (-0.2, 0.2)
    assert plots.transfer_matrix(gains, plt.subplots()[1]).images[0].get_clim() == (-1, 1)


# The widget


@pytest.fixture(scope="module")
def explorer():
    return TransferExplorer(TransferMatrix(trials()))


def test_the_sliders_go_through_all_there_is(explorer):
    assert (explorer.sources, explorer.targets) == (SOURCES, TARGETS)
    assert explorer.densities == {"50.0 %": 1, "3.0 %": 3}


@pytest.mark.parametrize(("source", "target", "number"), list(product(SOURCES, TARGETS, TRIED)))
def test_every_value_shows_its_cell_and_its_curves(explorer, matrix, source, target, number):
    left, right = explorer.draw(source, target, number).axes
    frame = next(p for p in left.patches if p.get_linewidth() == 4)
    at = round(frame.get_x() + 0.5), round(frame.get_y() + 0.5)
    text = next(t.get_text() for t in left.texts if t.get_position() == at)
    assert text.startswith(f"{100 * mean(matrix.gain(source, target, number)):+.1f}")
    assert percent(DENSITY[number]) in left.get_title()
    assert right.get_title() == f"found on {source}, trained on {target}"
    lines = {line.get_label(): line for line in right.get_lines()}
    assert lines["ticket"].get_color() == plots.COLORS["ticket"]
    assert ("transferred" in lines) == (source != target)
    name = "transferred" if source != target else "ticket"
    expected = {DENSITY[n]: mean(accuracy("ticket", source, target, n, s) for s in range(3)) for n in TRIED}
    assert dict(lines[name].get_xydata()) == pytest.approx(expected)
    lot = {DENSITY[n]: mean(accuracy("random", target, target, n, s) for s in range(3)) for n in TRIED}
    assert dict(lines["random"].get_xydata()) == pytest.approx(lot)
    dense = mean(accuracy("ticket", target, target, 0, s) for s in range(3))
    assert lines["dense"].get_ydata()[0] == pytest.approx(dense)
    assert [label.get_text() for label in right.get_xticklabels()] == ["50.0 %", "3.0 %"]
    circle = right.get_lines()[-1]
    assert circle.get_xdata()[0] == DENSITY[number]
    assert circle.get_ydata()[0] == pytest.approx(expected[DENSITY[number]])


def test_all_densities_share_one_scale_of_colors(explorer):
    assert len({explorer.draw("digits", "clothes", n).axes[0].images[0].get_clim() for n in TRIED}) == 1


def test_it_answers_at_once(explorer):
    at_once(lambda number: explorer.draw("digits", "clothes", number), TRIED)


def test_a_built_notebook_keeps_its_picture(explorer, monkeypatch):
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    shown = []
    monkeypatch.setattr("ltcourse.display.widgets.display", lambda bundle, raw, metadata: shown.append(bundle))
    choices = {"source": explorer.sources, "target": explorer.targets, "density": explorer.densities}
    explore(explorer.draw, **choices)
    middle = {name: list(values.values() if name == "density" else values) for name, values in choices.items()}
    picture, _ = widgets._png(explorer.draw, {name: values[len(values) // 2] for name, values in middle.items()})
    assert base64.b64decode(shown[0]["image/png"]) == picture
    captions = " · ".join(step["caption"] for step in shown[0][widgets.STEPS])
    assert all(str(value) in captions for value in (*explorer.sources, *explorer.targets, *explorer.densities))
