"""Masks without training: each score equals a reference written another way, and the network is left as it was."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models.resnet import BasicBlock
from zoo import SHAPE, Encoder, Recurrent, convolutional, mlp

from ltcourse.networks import masks, models, transformer
from ltcourse.pruning import criteria, foresight, prune_iteratively
from ltcourse.training import Recipe


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 4, 3, padding=1), BasicBlock(4, 4), nn.Linear(4, 10)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))


class Changing(nn.Module):
    """A network that counts its calls, and draws dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.a, self.norm, self.drop, self.b = (
            nn.Linear(768, 12),
            nn.BatchNorm1d(12),
            nn.Dropout(0.5),
            nn.Linear(12, 10),
        )
        self.a.weight.requires_grad_(False)

    def forward(self, x):
        self.calls += 1
        return self.b(self.drop(self.norm(self.a(x.flatten(1))).relu()))


NETWORKS = {
    "dense": lambda: mlp(),
    "batch norm": lambda: mlp(nn.BatchNorm1d(20)),
    "convolutions": lambda: convolutional(),
    "convolutions, batch norm": lambda: convolutional(nn.BatchNorm2d(8)),
    "grouped": lambda: convolutional(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4)),
    "residual": Residual,
    "dropout, frozen, counting": Changing,
}


def built(name):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return NETWORKS[name]()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    return torch.rand(12, *SHAPE, generator=generator), torch.randint(10, (12,), generator=generator)


def given(network):
    return {name: p.detach().clone() for name, p in masks.prunable(network).items()}, masks.dense(network)


def scores_of(make, network, monkeypatch, mask=None):
    """The scores that a criterion ranks by, caught where it hands them over."""
    caught = {}

    def select(scores, mask, rate, scope):
        caught.update(scores)
        return mask

    weights, everything = given(network)
    with monkeypatch.context() as patch:
        patch.setattr(foresight, "select", select)
        make(network)(weights, everything if mask is None else mask, 0.5, "global")
    return caught


def half(network, seed=0):
    return criteria.at_random(seed)({}, masks.dense(network), 0.5, "layer")


def in_double(network, mask):
    """A copy in double precision under a mask; norm layers see the batch, dropout is off."""
    probe = masks.apply(copy.deepcopy(network), mask).double().eval()
    for module in probe.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return probe


def loss_of(probe, weights, x, y, temperature=1.0):
    return cross_entropy(torch.func.functional_call(probe, weights, (x.double(),)) / temperature, y)


# Each score beside its reference


@pytest.mark.parametrize("name", NETWORKS)
def test_snip_is_how_fast_the_loss_changes_as_a_connection_is_switched_off(name, batch, monkeypatch):
    """By finite differences: of the loss in c, where the weight is c · w and c = 1."""
    network = built(name)
    mask = half(network)
    found = scores_of(lambda n: foresight.snip(n, *batch), network, monkeypatch, mask)
    probe = in_double(network, mask)
    weights = {key: p.detach().clone() for key, p in masks.prunable(probe).items()}
    for key, w in weights.items():
        for place in (found[key] * mask[key]).flatten().topk(3).indices.tolist():
            losses = []
            for c in (1 + 1e-5, 1 - 1e-5):
                moved = w.clone()
                moved.view(-1)[place] *= c
                losses.append(loss_of(probe, weights | {key: moved}, *batch).detach())
            reference = abs(float(losses[0] - losses[1])) / 2e-5
            assert float(found[key].flatten()[place]) == pytest.approx(reference, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_grasp_is_the_weight_times_hessian_times_gradient(name, batch, monkeypatch):
    """H g is the derivative of the gradient along g: by a finite difference of gradients, in double precision."""
    network = built(name).double()
    x, y = batch[0].double(), batch[1]
    mask = half(network)
    found = scores_of(lambda n: foresight.grasp(n, x, y, temperature=2), network, monkeypatch, mask)
    probe = in_double(network, mask)
    weights = {key: p.detach().clone().requires_grad_() for key, p in masks.prunable(probe).items()}

    def gradients(at):
        at = {key: w.detach().requires_grad_() for key, w in at.items()}
        return dict(zip(at, torch.autograd.grad(loss_of(probe, at, x, y, 2.0), list(at.values())), strict=True))

    g, step = gradients(weights), 1e-4
    ahead, behind = (gradients({key: w + s * g[key] for key, w in weights.items()}) for s in (step, -step))
    for key, w in weights.items():
        reference = w.detach() * (ahead[key] - behind[key]) / (2 * step)
        assert torch.allclose(found[key], reference, rtol=1e-3, atol=1e-3 * float(reference.abs().max()))
        assert reference.abs().max() > 0


def test_grasp_is_the_whole_hessian_of_a_small_network(batch, monkeypatch):
    network = nn.Sequential(
        nn.Flatten(), nn.AdaptiveAvgPool1d(4), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 10)
    ).double()
    x, y = batch[0].double(), batch[1]
    found = scores_of(lambda n: foresight.grasp(n, x, y), network, monkeypatch)
    names, parts = zip(*given(network)[0].items(), strict=True)

    def loss(*weights):
        return loss_of(network, dict(zip(names, weights, strict=True)), x, y, 200.0)

    hessian = torch.autograd.functional.hessian(loss, parts)
    gradient = torch.autograd.functional.jacobian(loss, parts)
    for i, key in enumerate(names):
        product = sum(torch.tensordot(hessian[i][j], gradient[j], dims=2) for j in range(len(names)))
        assert torch.allclose(found[key], parts[i] * product, rtol=1e-9, atol=1e-18)


def test_grasp_prunes_first_what_lowers_the_norm_of_the_gradient_least(batch):
    """By the norm itself, as each weight is made a little smaller: the one under which it grows most goes first."""
    network = nn.Sequential(
        nn.Flatten(), nn.AdaptiveAvgPool1d(4), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 10)
    ).double()
    x, y = batch[0].double(), batch[1]
    weights, everything = given(network)

    def norm(at):
        at = {key: w.clone().requires_grad_() for key, w in at.items()}
        gradients = torch.autograd.grad(loss_of(network, at, x, y, 200.0), list(at.values()))
        return sum(float((g**2).sum()) for g in gradients)

    growth = {}
    for key, w in weights.items():
        for place in range(w.numel()):
            smaller = w.clone()
            smaller.view(-1)[place] *= 1 - 1e-4
            growth[key, place] = norm(weights | {key: smaller}) - norm(weights)
    mask = foresight.grasp(network, x, y)(weights, everything, 1 / len(growth), "global")
    gone = [(key, int(place)) for key, m in mask.items() for place in (~m).flatten().nonzero()]
    assert gone == [max(growth, key=growth.__getitem__)]


@pytest.mark.parametrize("name", NETWORKS)
def test_synflow_is_how_much_of_the_flow_is_lost_without_a_weight(name, batch, monkeypatch):
    """R is linear in each weight: with the weight removed it is smaller by its score, exactly."""
    network = built(name)
    mask = half(network)
    found = scores_of(lambda n: foresight.synflow(n, SHAPE), network, monkeypatch, mask)
    probe = masks.apply(copy.deepcopy(network), mask).double().eval()
    state = {key: t.abs() if t.is_floating_point() else t for key, t in probe.state_dict().items()}
    ones = torch.ones(1, *SHAPE, dtype=torch.float64)

    def flow(state):
        with torch.no_grad():
            return float(torch.func.functional_call(probe, state, (ones,)).sum())

    for key in masks.prunable(probe):
        place = int(found[key].argmax())
        without = state[key].clone()
        without.view(-1)[place] = 0
        lost = flow(state) - flow(state | {key: without})
        assert float(found[key].flatten()[place]) == pytest.approx(lost, rel=1e-6)
        assert not found[key][~mask[key]].any()


# SynFlow's conservation, and what follows from it


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
def test_the_flow_into_a_layer_is_the_flow_out_of_it(name, monkeypatch):
    network, shape = models.create(name, seed=1), models.usual_shape(name)
    found = scores_of(lambda n: foresight.synflow(n, shape), network, monkeypatch, half(network))
    sums = [float(score.sum()) for score in found.values()]
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-9)
    dense = [(a, b) for a, b in zip(found.values(), list(found.values())[1:], strict=False) if a.dim() == b.dim() == 2]
    for into, out in dense:
        assert torch.allclose(into.sum(1), out.sum(0), rtol=1e-9), "neuron by neuron"


def smallest_layer(mask):
    return min(int(m.sum()) for m in mask.values())


def test_synflow_in_rounds_loses_no_layer_where_the_others_do(batch):
    torch.manual_seed(0)
    layers = [layer for _ in range(5) for layer in (nn.Linear(30, 30), nn.ReLU())]
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 30), nn.ReLU(), *layers, nn.Linear(30, 10))
    for p in network.parameters():
        if p.dim() == 1:  # a bias begins a flow of its own, with which a network does without the layers before
            p.data.zero_()
    weights, everything = given(network)
    rate = 1 - 30 / sum(w.numel() for w in weights.values())
    synflow = foresight.synflow(network, SHAPE)
    assert smallest_layer(foresight.in_rounds(synflow)(weights, everything, rate, "global")) >= 1
    for other in (synflow, foresight.snip(network, *batch), foresight.grasp(network, *batch), criteria.magnitude):
        assert smallest_layer(other(weights, everything, rate, "global")) == 0


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_many_rounds_end_with_as_many_weights_as_one(rate, scope):
    network = mlp()
    weights, mask = given(network)
    mask = criteria.at_random(2)({}, mask, 0.2)
    one = criteria.magnitude(weights, mask, rate, scope)
    many = foresight.in_rounds(criteria.magnitude, 7)(weights, mask, rate, scope)
    assert {n: int(m.sum()) for n, m in one.items()} == {n: int(m.sum()) for n, m in many.items()}
    assert all(torch.equal(one[n], many[n]) for n in one), "and of a score that stays, with the same"


def test_what_is_inverted_keeps_what_would_go_first(batch):
    network = mlp()
    weights, mask = given(network)
    for scope in ("layer", "global"):
        kept = foresight.inverted(criteria.magnitude)(weights, mask, 0.7, scope)
        reference = criteria.small_final(weights, mask, 0.7, scope)
        assert all(torch.equal(kept[n], reference[n]) for n in mask)


# Nothing is changed


def everything_of(network):
    return {
        "state": {k: t.clone() for k, t in network.state_dict().items()},
        "gradients": {k: None if p.grad is None else p.grad.clone() for k, p in network.named_parameters()},
        "trained": {k: p.requires_grad for k, p in network.named_parameters()},
        "modes": [m.training for m in network.modules()],
        "random": torch.get_rng_state(),
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


MAKERS = {
    "snip": lambda n, x, y: foresight.snip(n, x, y),
    "grasp": lambda n, x, y: foresight.grasp(n, x, y),
    "synflow": lambda n, x, y: foresight.in_rounds(foresight.synflow(n, SHAPE), 3),
}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_left_as_it_was_bit_for_bit_and_asked_twice_says_the_same(name, make, batch):
    network = built(name)
    cross_entropy(network(batch[0]), batch[1]).backward()
    network.train()
    next(network.children()).eval()
    weights, mask = given(network)
    before, kept = everything_of(network), {n: w.clone() for n, w in weights.items()}
    criterion = MAKERS[make](network, *batch)
    first, second = (criterion(weights, mask, 0.8, "global") for _ in range(2))
    assert same(everything_of(network), before) and same(weights, kept)
    assert same(first, second) and masks.density(first) == pytest.approx(0.2, abs=0.001)
    assert same(criterion(weights, first, 0.5, "layer"), criterion(weights, first, 0.5, "layer"))


@pytest.mark.parametrize("make", ["snip", "grasp"])
@pytest.mark.parametrize("build", [Encoder, lambda: Recurrent(nn.GRU)], ids=["transformer", "recurrent"])
def test_networks_of_other_kinds_can_be_scored(build, make, batch):
    network = build()
    weights, mask = given(network)
    found = MAKERS[make](network, *batch)(weights, mask, 0.5, "global")
    assert masks.density(found) == pytest.approx(0.5, abs=0.001)


def test_a_criterion_goes_into_the_loop_and_into_a_scan_of_layers(batch, tiny):
    network = models.create("lenet-300-100", shape=tiny.shape, seed=0)
    criterion = foresight.snip(network, tiny.train.x[:20], tiny.train.y[:20])
    recipe = Recipe(iterations=4, batch=10, evaluate_every=4)
    (_, done) = prune_iteratively(network, tiny, recipe, rate=0.9, rounds=1, criterion=criterion, scope="global")
    assert done.density == pytest.approx(0.1, abs=1e-4)
    weights, mask = given(network)
    name = "fc2.weight"
    alone = criterion({name: weights[name]}, {name: mask[name]}, 0.5, "layer")
    assert alone.keys() == {name} and int(alone[name].sum()) == mask[name].numel() // 2


def test_what_cannot_be_scored_is_refused_in_a_sentence(batch):
    with pytest.raises(ValueError, match="nothing to prune"):
        foresight.snip(nn.Sequential(nn.Flatten()), *batch)
    for temperature in (0.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"temperature {temperature} is not above 0"):
            foresight.grasp(mlp(), *batch, temperature=temperature)
    empty = masks.apply(mlp(), {n: m & False for n, m in masks.dense(mlp()).items()})
    nn.init.zeros_(empty[-1].bias)
    for without in (empty, mlp(nn.LayerNorm(20)), nn.Sequential(mlp(), nn.Softmax(1))):
        with pytest.raises(ValueError, match="the flow through this network"):
            foresight.synflow(without, SHAPE)
    with pytest.raises(ValueError, match="rounds is 0"):
        foresight.in_rounds(criteria.magnitude, 0)
    other = masks.dense(mlp(nn.Linear(20, 20)))
    with pytest.raises(ValueError, match="another network"):
        foresight.snip(mlp(), *batch)({}, other, 0.5, "global")


@pytest.mark.parametrize("make", ["snip", "grasp"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x, y: (x[:0], y[:0]), "nothing to evaluate on"),
        (lambda x, y: (x[:, :1], y), r"cannot take examples of shape \(12, 1, 16, 16\), float32: "),
        (lambda x, y: (x.double(), y), "'1.weight' is float32 and the images are float64"),
        (lambda x, y: ((255 * x).to(torch.uint8), y), "cannot take images of uint8"),
        (lambda x, y: (x * torch.nan, y), "on these examples hold NaN or infinity"),
        (lambda x, y: (x, y + 1), "let it return 11 numbers for each image"),
        (lambda x, y: (x, y - 1), "the label -1 is of no class"),
        (lambda x, y: (x, y[:3]), "give each image one label"),
        (lambda x, y: (x, y.float()), "labels are whole numbers"),
    ],
)
def test_a_batch_without_a_loss_is_refused_in_a_sentence(make, change, text, batch):
    x, y = batch[0], torch.arange(12) % 10  # with each label
    with pytest.raises(ValueError, match=text) as problem:
        MAKERS[make](mlp(), *change(x, y))
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("make", ["snip", "grasp"])
def test_what_has_no_logits_or_is_in_half_precision_is_refused(make, batch):
    with pytest.raises(ValueError, match="half precision"):
        MAKERS[make](mlp().half(), batch[0].half(), batch[1])
    network = transformer.decoder(10, width=8, heads=2, depth=1, length=8)
    with pytest.raises(ValueError, match=r"returns numbers of the shape \(2, 8, 10\)"):
        MAKERS[make](network, torch.randint(10, (2, 8)), torch.tensor([1, 2]))


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (768, "the shape is 768: give the sides"),
        (None, "the shape is None: give the sides"),
        ((), r"takes no image of ones of the shape \(\)"),
        ((1, 28, 28), r"takes no image of ones of the shape \(1, 28, 28\)"),
        ((3, 2.5, 16), "a side of the shape is 2.5"),
        ("322", "a side of the shape is '3'"),
    ],
)
def test_a_shape_that_is_of_no_image_is_refused(shape, text):
    with pytest.raises(ValueError, match=text):
        foresight.synflow(mlp(), shape)


def test_an_embedding_has_no_synaptic_flow():
    with pytest.raises(ValueError, match="as an embedding does, has no synaptic flow"):
        foresight.synflow(transformer.decoder(10, width=8, heads=2, depth=1, length=8), (8,))


@pytest.mark.parametrize("make", MAKERS)
def test_weights_and_rates_of_another_network_are_refused(make, batch):
    network = mlp()
    weights, mask = given(network)
    criterion, first = MAKERS[make](network, *batch), next(iter(mask))
    with pytest.raises(ValueError, match="another network"):
        criterion({}, mask, 0.5, "global")
    with pytest.raises(ValueError, match=f"{first!r} has shape"):
        criterion(weights | {first: weights[first][:1]}, mask, 0.5, "global")
    with pytest.raises(ValueError, match="the rates have none for"):
        criterion(weights, mask, {first: 0.5}, "layer")
    with pytest.raises(ValueError, match=r"rate 1\.5 is outside"):
        criterion(weights, mask, 1.5, "global")
    with pytest.raises(ValueError, match="a mask is a dict"):
        criterion(weights, None, 0.5, "layer")


# Shares of the layers


def test_erk_of_a_layer_without_weights_is_that_of_the_others():
    weights = {"a": torch.zeros(0, 3), "b": torch.zeros(4, 5), "c": torch.zeros(2, 4)}
    shares, others = foresight.erk(weights, 0.3), foresight.erk({n: weights[n] for n in "bc"}, 0.3)
    assert {n: shares[n] for n in "bc"} == pytest.approx(others) and 0 <= shares["a"] <= 1


@pytest.mark.parametrize("density", [0.01, 0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("name", ["lenet-300-100", "conv-4", "resnet-8"])
def test_erk_keeps_what_it_is_asked_for_in_the_proportion_of_the_formula(name, density):
    weights = {n: p.detach() for n, p in masks.prunable(models.create(name, device="meta")).items()}
    shares = foresight.erk(weights, density)
    kept = sum(shares[n] * w.numel() for n, w in weights.items())
    assert kept == pytest.approx(density * sum(w.numel() for w in weights.values()))
    assert all(0 <= share <= 1 for share in shares.values())
    ratios = [shares[n] * w.numel() / sum(w.shape) for n, w in weights.items() if shares[n] < 1]
    assert ratios == pytest.approx([ratios[0]] * len(ratios)) if ratios else density == 1.0
