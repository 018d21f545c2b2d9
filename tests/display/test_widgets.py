"""Sliders: every value of every slider draws what is true, quickly, and a built notebook keeps a picture."""

import asyncio
import base64

import pytest
import torch
from matplotlib import pyplot as plt
from outlines import counted
from yardstick import at_once

from ltcourse.display import plots, vectors, widgets
from ltcourse.display.pictures import Frames
from ltcourse.display.tables import percent
from ltcourse.display.widgets import (
    PopupExplorer,
    SignalExplorer,
    ThresholdExplorer,
    TicketStepper,
    explore,
)
from ltcourse.instruments import signals
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import kaiming_normal, with_gain
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, prune_iteratively, supermasks
from ltcourse.stage import pieces
from ltcourse.training import Recipe, evaluate, train

SHARES = [k / 20 for k in range(20)] + [0.97, 0.99, 1.0]
LAYERS = ("fc1", "fc2", "fc3")


@pytest.fixture(autouse=True)
def close(monkeypatch):
    monkeypatch.delenv("LTCOURSE_BUILD", raising=False)
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def network(request):
    clothes = request.getfixturevalue("clothes")
    network = models.create("lenet-300-100", seed=1)
    train(network, clothes, Recipe(iterations=60, batch=50, evaluate_every=60))
    return network


@pytest.fixture(scope="module")
def explorer(network, clothes):
    return ThresholdExplorer(network, clothes.validation, SHARES)


# The explorer


def test_the_network_is_left_as_it_was(network, clothes):
    before = snapshot(network)
    ThresholdExplorer(network, clothes.validation, SHARES[::5])
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


def test_ctrl_c_leaves_the_network_as_it_was(network, clothes, monkeypatch):
    """A reader who does not want to wait goes on with the whole network, and with the k that was trained."""
    before, popup = snapshot(network), supermasks.edge_popup(models.create("lenet-300-100"), 0.5)
    for make in (
        lambda: ThresholdExplorer(network, clothes.validation, SHARES),
        lambda: PopupExplorer(popup, clothes.validation, (0.1, 0.3, 0.7), "fc1.weight", (28, 28)),
    ):
        done = []

        def stopped(*given, done=done):
            done.append(given)
            if len(done) == 3:
                raise KeyboardInterrupt
            return 0.0, 0.0

        monkeypatch.setattr(widgets, "evaluate", stopped)
        with pytest.raises(KeyboardInterrupt):
            make()
        assert len(done) == 3
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())
    assert {scores.k for scores in supermasks.scored(popup).values()} == {0.5}


def test_later_training_does_not_change_what_is_shown(network, clothes):
    explorer = ThresholdExplorer(network, clothes.validation, [0.5])
    before = {name: w.clone() for name, w in explorer.weights.items()}
    state = snapshot(network)
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(2)
    network.load_state_dict(state)
    assert all(torch.equal(w, before[name]) for name, w in explorer.weights.items())


@pytest.fixture(scope="module")
def accuracies(network, clothes):
    """What the network gets right, really pruned: by the share pruned."""
    found = {}
    for share in SHARES:
        pruned = models.create("lenet-300-100")
        pruned.load_state_dict(network.state_dict())
        masks.apply(pruned, criteria.magnitude(dict(network.named_parameters()), masks.dense(network), share))
        found[share] = evaluate(pruned, clothes.validation)[1]
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_every_value_shows_the_accuracy_of_the_pruned_network(explorer, accuracies, layer):
    assert accuracies[0.0] > 0.4 > accuracies[1.0], "nothing to see"
    for share, accuracy in accuracies.items():
        figure = explorer.draw(share, layer)
        left, right = figure.axes
        curve, point = right.get_lines()
        assert list(point.get_xdata()) == [share] and list(point.get_ydata()) == [accuracy]
        assert list(curve.get_xdata()) == SHARES and curve.get_ydata()[SHARES.index(share)] == accuracy
        assert right.get_title() == f"{percent(share, 0)} pruned, not retrained: {percent(accuracy)}"
        assert left.get_title().startswith(f"{layer}: threshold ")
        assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
        plt.close(figure)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_the_threshold_in_the_histogram_prunes_the_share(explorer, layer, share):
    left = explorer.draw(share, layer).axes[0]
    cut = left.get_lines()[1].get_xdata()[0]
    weights = explorer.weights[f"{layer}.weight"]
    assert left.get_lines()[0].get_xdata()[0] == -cut
    assert float((weights.abs() < cut * (1 - 1e-6)).float().mean()) == pytest.approx(share, abs=0.001)
    quality = float(left.get_title().split()[2])
    assert quality == pytest.approx(cut / float(weights.std()), abs=0.006)


def test_a_slider_answers_at_once(explorer):
    at_once(lambda share: explorer.draw(share, "fc1"), (0.0, 0.3, 0.6, 0.9, 0.99))


# The stepper


@pytest.fixture(scope="module")
def lottery(clothes):
    """Three rounds of a lottery, and the initial weights."""
    start = models.create("lenet-300-100", seed=2)
    θ0 = snapshot(start)
    recipe = Recipe(iterations=20, batch=50, evaluate_every=20)
    return list(prune_iteratively(start, clothes, recipe, rate=0.5, rounds=3)), θ0


@pytest.fixture(scope="module")
def stepper(lottery):
    return TicketStepper(*lottery, "fc1.weight", (28, 28))


@pytest.mark.parametrize("weights", ["before", "after"])
@pytest.mark.parametrize("number", range(4))
def test_each_round_shows_its_weights_its_mask_and_its_accuracy(lottery, stepper, number, weights):
    rounds, θ0 = lottery
    here = rounds[number]
    mask = here.mask["fc1.weight"]
    left, middle, right = stepper.draw(number, weights).axes[:3]
    assert f"{int(mask.sum()):,} weights {weights} training" in left.get_title()
    values = (θ0 if weights == "before" else here.state)["fc1.weight"][mask]
    limit = left.get_xlim()[1]
    assert sum(counted(p)[1].sum() for p in left.patches) == ((values.abs() <= limit) & (values != 0)).sum()
    assert middle.images[0].get_array().tolist() == mask.sum(0).view(28, 28).tolist()
    marked = right.get_lines()[-1]
    assert marked.get_xdata()[0] == here.density and marked.get_ydata()[0] == here.history.validation_accuracy[-1]
    assert percent(here.density) in right.get_title()
    assert right.get_xlabel() and right.get_ylabel() and left.get_xlabel()


def test_the_stepper_goes_through_all_rounds_on_one_scale(stepper):
    assert stepper.numbers == (0, 1, 2, 3)
    limits = {stepper.draw(n, w).axes[0].get_xlim() for n in stepper.numbers for w in ("before", "after")}
    assert len(limits) == 1, "a scale that jumps hides what changes"


def test_a_step_answers_at_once(stepper):
    at_once(lambda number: stepper.draw(number, "after"), stepper.numbers)


# The signals


GAINS = {"0.5": 0.5, "√2": 2**0.5, "3": 3.0}


@pytest.fixture(scope="module")
def signal_explorer(clothes):
    x, y = clothes.train.x[:20], clothes.train.y[:20]
    return SignalExplorer(x, y, depths=(3, 12), widths=(10, 60), gains=GAINS)


@pytest.mark.parametrize("activation", ["ReLU", "tanh"])
@pytest.mark.parametrize("gain", GAINS.values())
@pytest.mark.parametrize("width", [10, 60])
@pytest.mark.parametrize("depth", [3, 12])
def test_every_choice_shows_the_spreads_of_its_networks(clothes, depth, width, gain, activation):
    x, y = clothes.train.x[:20], clothes.train.y[:20]
    explorer = SignalExplorer(x, y, depths=(depth,), widths=(width,), gains={"it": gain})
    figure = explorer.draw(depth, width, gain, activation)
    for seed in (0, 1):
        draw = with_gain(gain)
        network = signals.plain(depth, width, activation=activation, initializer=draw, seed=seed)
        expected = signals.measure(network, x, y)
        for ax, name in zip(figure.axes, ("activations", "gradients"), strict=True):
            assert list(ax.get_lines()[seed].get_ydata()) == getattr(expected, name)
            assert ax.get_title().startswith(f"{name}: × ") and ax.get_xlabel() and ax.get_yscale() == "log"
    title = figure.get_suptitle()
    assert f"{depth} layers of {width} neurons, {activation}, gain {gain:.3g}" == title
    figure.canvas.draw()
    plt.close(figure)


def test_the_factor_in_the_title_says_which_gain_keeps_the_signal(signal_explorer):
    def shown(gain):
        left, right = signal_explorer.draw(12, 60, gain, "ReLU").axes
        return [float(ax.get_title().split()[2]) for ax in (left, right)]

    assert max(shown(0.5)) < 0.6 and min(shown(3.0)) > 1.7
    assert shown(2**0.5) == pytest.approx([1, 1], abs=0.15), "forward and back"


def test_the_scale_of_the_signals_does_not_jump(signal_explorer):
    limits = {
        ax.get_ylim()
        for gain in GAINS.values()
        for depth in signal_explorer.depths
        for ax in signal_explorer.draw(depth, 10, gain, "ReLU").axes
    }
    assert len(limits) == 1
    assert signal_explorer.activations[len(signal_explorer.activations) // 2] == "ReLU", "what a built notebook shows"


def test_a_signal_answers_at_once(signal_explorer):
    at_once(lambda gain: signal_explorer.draw(12, 60, gain, "tanh"), GAINS.values())


# explore


@pytest.fixture
def shown(monkeypatch):
    """The bundles that were displayed."""
    bundles = []
    monkeypatch.setattr(widgets, "display", lambda bundle, raw, metadata: bundles.append(bundle))
    return bundles


@pytest.fixture
def drawn():
    """A function that draws a point, and the arguments that it was called with."""
    calls = []

    def draw(x, layer="fc1"):
        calls.append((x, layer))
        figure, ax = plt.subplots(figsize=(2, 1))
        ax.plot([x], [0])
        ax.set_title(layer)
        return figure

    return draw, calls


def explorer_of(draw, **choices):
    """The explorer that `explore` would show."""
    first = {name: widgets._values(v)[len(v) // 2] for name, v in choices.items()}
    return widgets._Explorer(draw, choices, first)


def test_a_built_notebook_keeps_a_picture_and_a_few_steps_and_no_widget(monkeypatch, shown, drawn):
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    draw, calls = drawn
    assert explore(draw, x=range(11), layer=("fc1", "fc2")) is None
    (bundle,) = shown
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert calls[-1] == (5, "fc2"), "the picture shows the values in the middle"
    captions = [step["caption"] for step in bundle[widgets.STEPS]]
    assert captions == [*(f"x {x}, layer fc2" for x in (0, 2, 5, 8, 10)), "x 5, layer fc1"], "the ends are among them"
    assert all(base64.b64decode(step["image/webp"])[8:12] == b"WEBP" for step in bundle[widgets.STEPS])
    assert [step["alt"] for step in bundle[widgets.STEPS]][:2] == ["fc2. A point: 0 at 0.", "fc2. A point: 0 at 2."]
    assert set(bundle) == {"image/png", "text/plain", widgets.STEPS}
    assert plt.get_fignums() == [], "an open figure would be shown twice"


def test_slides_look_for_the_steps_where_a_widget_leaves_them():
    assert pieces.STEPS == widgets.STEPS


def test_a_live_widget_is_shown_with_its_picture(shown, drawn):
    explore(drawn[0], x=[1, 2, 3])
    (bundle,) = shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG"), "for whoever opens the notebook later"


def test_every_value_of_every_slider_can_be_set(drawn):
    draw, calls = drawn
    explorer = explorer_of(draw, x=SHARES, layer=LAYERS)
    assert calls == [(SHARES[len(SHARES) // 2], "fc2")]
    for x in SHARES:
        for layer in LAYERS:
            explorer.sliders["x"].value, explorer.sliders["layer"].value = x, layer
            assert (explorer.image.value, explorer.text) == widgets._png(draw, {"x": x, "layer": layer})
    assert plt.get_fignums() == []


def test_what_was_drawn_once_is_not_drawn_again(drawn):
    draw, calls = drawn
    explorer = explorer_of(draw, x=[1, 2, 3])
    for x in (1, 2, 3, 2, 1):
        explorer.sliders["x"].value = x
    assert [x for x, _ in calls] == [2, 1, 3]


def test_of_fifty_fast_moves_the_last_alone_is_drawn(drawn):
    draw, calls = drawn

    async def rush():
        explorer = explorer_of(draw, x=range(60))
        for x in range(50):
            explorer.sliders["x"].value = x
        await asyncio.sleep(0.3)
        return explorer

    explorer = asyncio.run(rush())
    assert [x for x, _ in calls] == [30, 49], "the first picture, and the last"
    assert explorer.image.value == widgets._png(draw, {"x": 49})[0]


def test_what_cannot_be_drawn_is_said_and_the_last_picture_stays():
    def draw(x):
        if x == 3:
            raise ValueError("no such round")
        return plt.figure() if x == 1 else plt.subplots(figsize=(1, 1))[0]

    explorer = explorer_of(draw, x=[1, 2, 3])
    before = explorer.image.value
    explorer.sliders["x"].value = 3
    assert explorer.image.value == before and explorer.problem.value == "ValueError: no such round"
    explorer.sliders["x"].value = 1
    assert explorer.image.value == before and explorer.problem.value == "ValueError: the figure is empty"
    explorer.sliders["x"].value = 2
    assert explorer.problem.value == ""
    assert plt.get_fignums() == []


def test_a_slider_is_named_after_its_argument():
    explorer = explorer_of(lambda weights_kept: plt.figure(figsize=(1, 1)), weights_kept=[1, 2])
    assert explorer.sliders["weights_kept"].description == "weights kept"


def test_choices_can_have_names(monkeypatch, shown, drawn):
    """A mapping: what the slider says → the value that is drawn."""
    draw, calls = drawn
    choices = {"a tenth": 0.1, "half": 0.5, "all": 1.0}
    explorer = explorer_of(draw, x=choices)
    assert (explorer.sliders["x"].label, explorer.sliders["x"].value, calls[-1][0]) == ("half", 0.5, 0.5)
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    explore(draw, x=choices)
    assert [step["caption"] for step in shown[0][widgets.STEPS]] == ["x a tenth", "x half", "x all"]


def test_the_plot_functions_are_those_of_the_course(explorer):
    left = explorer.draw(0.5, "fc1").axes[0]
    assert {t.get_text() for t in left.get_legend().get_texts()} == {"kept", "pruned"}
    assert explorer.draw(0.5, "fc1").axes[1].get_lines()[1].get_color() == plots.ORANGE


# Supermasks


KS = (0.0, 0.05, 0.3, 0.5, 0.9, 1.0)


@pytest.fixture(scope="module")
def hidden(clothes):
    network = supermasks.edge_popup(models.create("lenet-300-100", initializer=kaiming_normal, seed=2), 0.5)
    recipe = Recipe(iterations=60, batch=50, optimizer="sgd", lr=0.1, evaluate_every=60)
    train(network, clothes, recipe)
    return network


@pytest.fixture(scope="module")
def popup(hidden, clothes):
    return PopupExplorer(hidden, clothes.validation, KS, "fc1.weight", (28, 28))


@pytest.mark.parametrize("k", KS)
def test_every_k_shows_its_accuracy_and_its_edges(hidden, popup, clothes, k):
    left, middle, right = popup.draw(k).axes[:3]
    supermasks.set_k(hidden, k)
    accuracy = evaluate(hidden, clothes.validation)[1]
    kept = supermasks.supermask(hidden)["fc1.weight"]
    supermasks.set_k(hidden, 0.5)
    assert left.get_title() == f"k = {percent(k, 0)}: {percent(accuracy)}"
    assert left.get_lines()[-1].get_ydata()[0] == accuracy
    assert f"{int(kept.sum()):,} kept" in [t.get_text() for t in middle.get_legend().get_texts()]
    assert (right.images[0].get_array().ravel() == kept.sum(0).numpy()).all()


def test_exploring_leaves_the_network_at_the_k_that_it_was_trained_at(hidden, popup):
    assert {layer.k for layer in supermasks.scored(hidden).values()} == {0.5}
    assert popup.trained_at == dict.fromkeys(("fc1.weight", "fc2.weight", "fc3.weight"), 0.5)


def test_another_k_is_drawn_at_once(popup):
    at_once(popup.draw, KS)


# Pictures in steps


def told(number, figure):
    figure.text(0.5, 0.5, f"number {number}")
    figure.add_subplot()


THREE = Frames(("one", "two", "three"), told, (0, 2), "step {}".format)


def test_a_built_notebook_keeps_every_step_of_a_picture_as_a_drawing(monkeypatch, shown):
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    explore(THREE)
    explore(THREE)
    bundle, again = shown
    assert [step["caption"] for step in bundle[widgets.STEPS]] == ["one", "two", "three"]
    assert [step["alt"] for step in bundle[widgets.STEPS]] == ["step 0", "step 1", "step 2"]
    drawings = [vectors.unpacked(step[vectors.VECTOR]) for step in bundle[widgets.STEPS]]
    assert all(f"number {i}" in drawing for i, drawing in enumerate(drawings))
    assert vectors.unpacked(bundle[vectors.VECTOR]) == drawings[0], "a slide begins with the first"
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle == again and plt.get_fignums() == []


def test_a_picture_begins_at_its_first_step_and_plays_to_its_last():
    explorer = widgets._Explorer(THREE.draw, {"step": {"one": 0, "two": 1, "three": 2}}, {"step": 0}, playing=True)
    (player,) = explorer.player
    first = explorer.image.value
    assert explorer.sliders["step"].index == 0
    player.value = 2
    assert explorer.sliders["step"].label == "three" and explorer.image.value != first
    explorer.sliders["step"].label = "two"
    assert player.value == 1 and player.max == 2
