"""Sliders: every value of every slider draws what is true, quickly, and a built notebook keeps a picture."""

import time

import ipywidgets
import pytest
import torch
from matplotlib import pyplot as plt

from ltcourse import masks, models, plots, signals, supermasks, widgets
from ltcourse.initializers import kaiming_normal, with_gain
from ltcourse.models import snapshot
from ltcourse.pruning import prune_iteratively
from ltcourse.tables import percent
from ltcourse.training import Recipe, evaluate, train
from ltcourse.widgets import EdgeStepper, PopupExplorer, SignalExplorer, ThresholdExplorer, TicketStepper, explore

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


def fastest(draw, values):
    """The seconds of this process that the fastest draw takes: other work on the machine does not count."""
    seconds = []
    for value in values:
        begun = time.process_time()
        plt.close(draw(value))
        seconds.append(time.process_time() - begun)
    return min(seconds)


# The explorer


def test_the_network_is_left_as_it_was(network, clothes):
    before = snapshot(network)
    ThresholdExplorer(network, clothes.validation, SHARES[::5])
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


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
        masks.apply(pruned, masks.magnitude(dict(network.named_parameters()), masks.dense(network), share))
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
    assert fastest(lambda share: explorer.draw(share, "fc1"), (0.0, 0.3, 0.6, 0.9, 0.99)) < 0.3


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
    assert sum(p.get_height() for p in left.patches) == ((values.abs() <= limit) & (values != 0)).sum()
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
    assert fastest(lambda number: stepper.draw(number, "after"), stepper.numbers) < 0.3


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
    seconds = []
    for gain in GAINS.values():
        begun = time.process_time()
        plt.close(signal_explorer.draw(12, 60, gain, "tanh"))
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.3, f"one draw takes {min(seconds):.2f} s"


# explore


@pytest.fixture
def screen(monkeypatch):
    """What was displayed, and the interactive widgets that were made."""
    shown, made = [], []
    monkeypatch.setattr(widgets, "display", shown.append)
    real = ipywidgets.interact

    def interact(function, **sliders):
        made.append((function, sliders))

    monkeypatch.setattr(ipywidgets, "interact", interact)
    assert real is not ipywidgets.interact
    return shown, made


def draw_point(x, layer="fc1"):
    figure, ax = plt.subplots()
    ax.plot([x], [0])
    ax.set_title(layer)
    return figure


def test_a_built_notebook_keeps_one_picture_and_no_widget(monkeypatch, screen):
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    shown, made = screen
    assert explore(draw_point, x=[1, 2, 3], layer=("fc1", "fc2")) is None
    assert len(shown) == 1 and not made
    ax = shown[0].axes[0]
    assert (list(ax.get_lines()[0].get_xdata()), ax.get_title()) == ([2], "fc2"), "the values in the middle"
    assert plt.get_fignums() == [], "an open figure would be shown twice"


def test_every_value_of_every_slider_can_be_set(screen):
    shown, made = screen
    explore(draw_point, x=SHARES, layer=LAYERS)
    ((function, sliders),) = made
    assert not shown, "interact draws first"
    assert (sliders["x"].value, sliders["layer"].value) == (SHARES[len(SHARES) // 2], "fc2")
    for name, values in (("x", SHARES), ("layer", LAYERS)):
        for value in values:
            sliders[name].value = value
            function(**{key: slider.value for key, slider in sliders.items()})
            ax = shown.pop().axes[0]
            drawn = {"x": ax.get_lines()[0].get_xdata()[0], "layer": ax.get_title()}
            assert drawn[name] == value
    assert plt.get_fignums() == []


def test_a_slider_is_named_after_its_argument(screen):
    explore(lambda weights_kept: plt.figure(), weights_kept=[1, 2])
    assert screen[1][0][1]["weights_kept"].description == "weights kept"


@pytest.mark.parametrize("building", [False, True])
def test_choices_can_have_names(monkeypatch, screen, building):
    """A mapping: what the slider says → the value that is drawn."""
    shown, made = screen
    if building:
        monkeypatch.setenv("LTCOURSE_BUILD", "1")
    explore(draw_point, x={"a tenth": 0.1, "half": 0.5, "all": 1.0})
    if building:
        assert list(shown[0].axes[0].get_lines()[0].get_xdata()) == [0.5]
    else:
        slider = made[0][1]["x"]
        assert (slider.label, slider.value) == ("half", 0.5)


def test_the_real_interact_draws_the_explorer(explorer, capsys):
    explore(explorer.draw, pruned=explorer.shares, layer=LAYERS)
    assert "Error" not in (out := capsys.readouterr()).out and "Traceback" not in out.err
    assert plt.get_fignums() == []


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
    assert fastest(popup.draw, KS) < 0.3


def test_each_step_shows_which_edges_came_and_went():
    weights = [torch.tensor([[1.0, -1.0], [2.0, 3.0]])]
    masks_of = {
        "first": [torch.tensor([[True, False], [True, False]])],
        "then": [torch.tensor([[True, True], [False, False]])],
    }
    stepper = EdgeStepper(weights, masks_of)
    assert stepper.labels == ("first", "then")
    assert stepper.draw("first").axes[0].get_title() == "first"
    assert stepper.draw("then").axes[0].get_title() == "then   (1 came, 1 went)"
