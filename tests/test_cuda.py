"""What only a GPU can show, skipped where there is none: the loop, the graph of a step, networks trained as one."""

import copy

import pytest
import torch

from ltcourse.data.augmentation import changes
from ltcourse.experiments import catalog, executors
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import batched, criteria, supermasks
from ltcourse.training import Recipe, evaluate, graphs, train
from ltcourse.training.graphs import Replayed, can_replay

RECIPES = {
    "adam": Recipe(iterations=20, evaluate_every=5, schedule="cosine", warmup=4),
    "adamw": Recipe(iterations=20, evaluate_every=5, optimizer="adamw", weight_decay=0.1),
    "sgd": Recipe(iterations=20, evaluate_every=5, batch=50, optimizer="sgd", lr=0.02, weight_decay=1e-2, l1=1e-4),
    "bfloat16": Recipe(iterations=20, evaluate_every=5, precision="bfloat16"),
    "augmented": Recipe(iterations=20, evaluate_every=5, batch=50, optimizer="sgd", lr=0.02, augment="crop-flip"),
}
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.fixture(autouse=True)
def graphs_are_wanted(monkeypatch):
    monkeypatch.delenv(graphs.SWITCH, raising=False)


def half(network):
    return criteria.magnitude(masks.prunable(network), masks.dense(network), 0.5)


def trained(name, data, recipe, device, *, eager=False, popup=False):
    """A network after training, with its history; a hook is what keeps a step from being replayed."""
    network = models.create(name, shape=data.shape, device=device)
    mask = None if popup else half(network)
    if popup:
        supermasks.edge_popup(network, 0.5)
    if eager:
        network.register_forward_hook(lambda *given: None)
    assert can_replay(network) == (device == "cuda" and not eager)
    return network, train(network, data, recipe, mask=mask, seed=3)


# Without a GPU


def test_on_a_cpu_nothing_is_replayed():
    assert not can_replay(models.create("lenet-300-100"))


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2", "resnet-8", "alexnet-one-tower"])
def test_what_runs_python_in_each_step_is_not_replayed(name, monkeypatch):
    network = models.create(name, width=0.1)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    assert can_replay(network) == (name != "alexnet-one-tower"), "dropout draws in Python"
    assert can_replay(supermasks.edge_popup(models.create("lenet-5"), 0.5))
    network.register_forward_pre_hook(lambda *given: None)
    assert not can_replay(network)


def test_replaying_can_be_turned_off(monkeypatch):
    network = models.create("lenet-300-100")
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    assert can_replay(network)
    monkeypatch.setenv(graphs.SWITCH, "0")
    assert not can_replay(network)


class Recorder:
    """Stands for PyTorch's streams and graphs: a graph records the call that was made inside its capture."""

    def __init__(self):
        self.capturing, self.replays, self.step = False, 0, None

    def wait_stream(self, other):
        pass

    def __enter__(self):
        self.capturing = True

    def __exit__(self, *error):
        self.capturing = False

    def replay(self):
        self.replays += 1
        self.step()


def test_every_call_is_one_step_on_its_own_batch(monkeypatch):
    """The order of things, with a graph that is played by Python: warm-up, capture without a step, replays."""
    recorder, done = Recorder(), []
    still = Recorder()
    for name, value in {
        "Stream": lambda: still, "current_stream": lambda: still, "default_stream": lambda: still,
        "stream": lambda stream: Recorder(),
        "CUDAGraph": lambda: recorder, "graph": lambda graph, stream, capture_error_mode: graph,
    }.items():  # fmt: skip
        monkeypatch.setattr(graphs.torch.cuda, name, value)

    def step(x, y):
        if recorder.capturing:
            recorder.step = lambda: done.append((x.clone(), y.clone()))
        else:
            done.append((x.clone(), y.clone()))

    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
    do = Replayed(step, optimizer)
    batches = [(torch.full((2, 3), float(i)), torch.full((2,), i)) for i in range(8)]
    for i, (x, y) in enumerate(batches):
        do(x, y)
        assert len(done) == i + 1
        assert optimizer.param_groups[0]["capturable"] == (i >= 3)
    assert recorder.replays == 5
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(batches, done, strict=True))


# With one


@on_a_gpu
def test_the_device_is_chosen(monkeypatch):
    monkeypatch.delenv("LTCOURSE_DEVICE", raising=False)
    assert catalog.default_device() == "cuda"


@on_a_gpu
@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
@pytest.mark.parametrize("recipe", [RECIPES["adam"], RECIPES["sgd"], RECIPES["augmented"]])
def test_the_loop_ends_where_it_ends_on_a_cpu(tiny, name, recipe):
    here, history = trained(name, tiny, recipe, "cpu")
    there, other = trained(name, tiny, recipe, "cuda")
    for a, b in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-3, atol=1e-4)
    assert history.validation_loss == pytest.approx(other.validation_loss, rel=1e-3)


@on_a_gpu
@pytest.mark.parametrize("popup", [False, True], ids=["masked", "popup"])
@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2", "resnet-8"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_replayed_step_is_the_step_bit_for_bit_and_a_seed_fixes_every_bit(tiny, name, recipe, popup):
    eager, expected = trained(name, tiny, RECIPES[recipe], "cuda", eager=True, popup=popup)
    for _ in range(2):
        replayed, history = trained(name, tiny, RECIPES[recipe], "cuda", popup=popup)
        assert history == expected
        for (key, a), b in zip(snapshot(eager).items(), snapshot(replayed).values(), strict=True):
            assert torch.equal(a, b), key


@on_a_gpu
@pytest.mark.parametrize("recipe", RECIPES)
def test_pruned_weights_stay_0_under_replay(tiny, recipe):
    network, _ = trained("lenet-300-100", tiny, RECIPES[recipe], "cuda")
    mask = half(models.create("lenet-300-100", shape=tiny.shape, device="cuda"))
    assert not any(p[~mask[name]].any() for name, p in masks.prunable(network).items())


@on_a_gpu
def test_a_run_of_fewer_steps_than_the_warm_up_and_one_in_two_parts(tiny):
    recipe = RECIPES["sgd"].but(momentum=0.0)
    whole, parts = (models.create("lenet-300-100", shape=tiny.shape, device="cuda") for _ in range(2))
    train(whole, tiny, recipe)
    for begin, end in ((0, 2), (2, 5), (5, 20)):
        train(parts, tiny, recipe, begin=begin, end=end)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


@on_a_gpu
@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
@pytest.mark.parametrize("recipe", ["adam", "sgd", "augmented"])
def test_networks_trained_as_one_end_where_each_ends_alone(tiny, name, recipe):
    together = [models.create(name, shape=tiny.shape, seed=seed, device="cuda") for seed in range(3)]
    alone = copy.deepcopy(together)
    each = [half(network) for network in together]
    histories = batched.train(together, tiny, RECIPES[recipe], seeds=range(3), masks=each)
    for i, history in enumerate(histories):
        single = train(alone[i], tiny, RECIPES[recipe], seed=i, mask=each[i])
        assert history.validation_loss == pytest.approx(single.validation_loss, rel=1e-3)
        for (key, p), q in zip(together[i].named_parameters(), alone[i].parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4)
            assert key not in each[i] or not p[~each[i][key]].any()


@on_a_gpu
def test_a_whole_number_is_a_learning_rate(tiny):
    assert trained("lenet-300-100", tiny, Recipe(iterations=2, optimizer="sgd", lr=1, evaluate_every=2), "cuda")


@on_a_gpu
def test_evaluating_networks_as_one_is_as_exact_as_evaluating_one(tiny):
    network = models.create("conv-2", shape=tiny.shape, device="cuda")
    (found,) = batched.evaluate([network], tiny.to("cuda").test)
    assert found == pytest.approx(evaluate(network, tiny.to("cuda").test), rel=1e-6)


@on_a_gpu
def test_augmentation_does_not_wait_for_the_gpu(tiny):
    data = tiny.to("cuda")
    change, images = changes("crop-flip", data, 0), data.train.x[:20]
    change(images)
    torch.cuda.set_sync_debug_mode("error")
    try:
        change(images)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def too_large():
    return torch.empty(2**50, device="cuda")


@on_a_gpu
def test_out_of_memory_is_one_sentence(tiny):
    network = models.create("lenet-300-100", shape=tiny.shape, device="cuda")
    network.fc1.register_forward_hook(lambda layer, *given: too_large() if layer.training else None)
    with pytest.raises(MemoryError, match=r"the GPU has too little memory for .*: lower the batch") as caught:
        train(network, tiny, RECIPES["adam"])
    assert "\n" not in str(caught.value)


@on_a_gpu
@pytest.mark.parametrize("name", ["lottery-lenet-300-100", "hidden-conv-2"])
def test_trials_side_by_side_have_the_rows_that_they_have_alone(name, monkeypatch):
    chosen, found = catalog.settings(name, "smoke"), {}
    for together in (1, 4):
        monkeypatch.setattr(executors, "SIDE_BY_SIDE", together)
        came = executors.side_by_side(name, chosen, tuple(range(6)), "cuda", None)
        found[together] = sorted(
            (seed, sorted((key, str(row[key])) for key in row.keys() - {"seconds"})) for seed, row in came
        )
    assert found[1] == found[4]
