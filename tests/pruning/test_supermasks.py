"""Supermasks: weights that never move, scores that do, the gradient that moves them, and masks of exactly k."""

import copy
import math
from functools import cache

import pytest
import torch
import torchvision
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from ltcourse.networks import masks, models
from ltcourse.networks.initializers import fans, initialize, kaiming_normal
from ltcourse.networks.models import snapshot
from ltcourse.pruning import supermasks
from ltcourse.pruning.supermasks import edge_popup
from ltcourse.training import Recipe, evaluate, train

SMALL = (3, 8, 8)
LAYERS = ("fc1.weight", "fc2.weight", "fc3.weight")  # of LeNet-300-100


@cache
def drawn_resnet(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = torchvision.models.resnet18(num_classes=10)
    with torch.no_grad():
        network.fc.bias.zero_()  # a supermask has no biases: without this one the two networks are comparable
    return network


def torchvisions_resnet(seed):
    return copy.deepcopy(drawn_resnet(seed))


NETWORKS = {
    "lenet-300-100": (lambda seed: models.create("lenet-300-100", shape=(1, 7, 7), seed=seed), (1, 7, 7)),
    "conv-2": (lambda seed: models.create("conv-2", shape=SMALL, seed=seed), SMALL),
    "resnet-8": (lambda seed: models.create("resnet-8", shape=SMALL, seed=seed), SMALL),
    "torchvision's resnet18": (torchvisions_resnet, (3, 32, 32)),
}
OURS = ("lenet-300-100", "conv-2", "resnet-8")


def plain(name="lenet-300-100", seed=0):
    return NETWORKS[name][0](seed)


def images(name="lenet-300-100", n=6, seed=1):
    return torch.randn(n, *NETWORKS[name][1], generator=torch.Generator().manual_seed(seed))


def labels(n=6):
    return torch.arange(n) % 10


def scores(network):
    return {name: layer.scores for name, layer in supermasks.scored(network).items()}


def reference(score, k):
    """The mask as anybody would write it: sort |s|, keep the last round(k · n); of equal ones the later."""
    order = score.detach().abs().flatten().sort(stable=True).indices
    mask = torch.zeros(score.numel(), dtype=torch.bool)
    mask[order[score.numel() - round(k * score.numel()) :]] = True
    return mask.view(score.shape)


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def used(network):
    """The weights that the layers compute with, by the name that they have in the plain network."""
    return {name: network.get_submodule(name.rpartition(".")[0]).weight for name in scores(network)}


def one_sentence(caught):
    assert str(caught.value) and "\n" not in str(caught.value)


# --- forward


@pytest.mark.parametrize("k", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize("name", OURS)
def test_a_layer_uses_its_weights_times_the_mask_of_the_largest_scores(name, k):
    weights = {key: p.detach().clone() for key, p in masks.prunable(plain(name)).items()}
    network = edge_popup(plain(name), k)
    assert list(scores(network)) == list(weights)
    for key, w in used(network).items():
        mask = reference(scores(network)[key], k)
        assert int(mask.sum()) == round(k * w.numel()) == supermasks.scored(network)[key].count
        assert torch.equal(w, weights[key] * mask)
        assert torch.equal(supermasks.supermask(network)[key], mask)


@pytest.mark.parametrize(
    ("name", "training"), [*((name, True) for name in OURS), *((name, False) for name in NETWORKS)]
)
def test_the_network_with_scores_is_the_plain_network_under_the_mask(name, training):
    network = edge_popup(plain(name), 0.4, seed=2).train(training)
    mask = supermasks.supermask(network)
    masked = plain(name).train(training)
    masks.check(mask, masked)
    masks.apply(masked, mask)
    x = images(name)
    assert torch.equal(network(x), masked(x))
    assert not torch.equal(masked(x), plain(name).train(training)(x))


def test_all_edges_are_the_plain_network_and_none_are_silence():
    x = images()
    assert torch.equal(edge_popup(plain(), 1)(x), plain()(x))
    assert not edge_popup(plain(), 0)(x).any()


# --- backward


@pytest.mark.parametrize("k", [0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize("name", OURS)
def test_the_gradient_of_the_scores_is_that_of_autograd_with_the_mask_as_the_identity(name, k):
    network = edge_popup(plain(name), k, seed=4).double()
    with torch.no_grad():  # zeros of both signs: their |s| has no slope
        for s in scores(network).values():
            s.view(-1)[:4] = torch.tensor([0.0, -0.0, 0.0, -0.0])
    x, y = images(name).double(), labels()
    cross_entropy(network(x), y).backward()

    leaves = {key: s.detach().clone().requires_grad_() for key, s in scores(network).items()}
    weights = supermasks.frozen(network)
    through = {key: weights[key] * (reference(s, k).double() + s.abs() - s.abs().detach()) for key, s in leaves.items()}
    bare = plain(name).double()
    cross_entropy(functional_call(bare, through, (x,)), y).backward()

    for key, s in scores(network).items():
        assert s.grad.isfinite().all()
        torch.testing.assert_close(s.grad, leaves[key].grad, rtol=1e-7, atol=1e-12)
        assert not s.grad.view(-1)[:4].any()
        dead = ~reference(s, k)
        assert k == 1 or s.grad[dead].any(), f"no gradient reaches the dead edges of {key}"
    assert all(p.grad is None for key, p in network.named_parameters() if not key.endswith(".scores"))


def test_the_gradient_is_the_papers_product_for_every_edge_dead_or_not():
    """Ramanujan et al. 2020, Eq. 5: ∂L/∂I_v · Z_u · w_uv, here with the sign of the score."""
    layer = edge_popup(nn.Sequential(nn.Linear(5, 3)), 0.4)
    z = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    to_inputs = torch.tensor([[2.0, -1.0, 0.5]])  # ∂L/∂I
    layer(z).backward(to_inputs)
    s, w = scores(layer)["0.weight"], supermasks.frozen(layer)["0.weight"]
    torch.testing.assert_close(s.grad, to_inputs.T * z * w * s.detach().sign())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dead_edge_can_come_back(sign):
    """Two edges, one used: the output is 1 and 2 is wanted, which the other edge, of weight 2, would give."""
    layer = nn.Sequential(nn.Linear(2, 1))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([[1.0, 2.0]]))
    edge_popup(layer, 0.5)
    s = scores(layer)["0.weight"]
    with torch.no_grad():
        s.copy_(torch.tensor([[0.5, sign * 0.1]]))
    x = torch.ones(1, 2)
    assert supermasks.supermask(layer)["0.weight"].tolist() == [[True, False]]
    assert layer(x).item() == 1
    optimizer = torch.optim.SGD([s], lr=0.5)
    ((layer(x) - 2) ** 2 / 2).sum().backward()
    optimizer.step()
    assert supermasks.supermask(layer)["0.weight"].tolist() == [[False, True]]
    assert layer(x).item() == 2


# --- training


EACH_OPTIMIZER = [
    Recipe(optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=1e-2, schedule="cosine"),
    Recipe(optimizer="sgd", lr=0.1, momentum=0.9, l1=1e-3),
    Recipe(optimizer="adam", lr=1e-2, weight_decay=1e-2),
    Recipe(optimizer="adamw", lr=1e-2, weight_decay=1e-1),
]


@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-8"])
@pytest.mark.parametrize("recipe", EACH_OPTIMIZER, ids=lambda r: f"{r.optimizer}-{r.weight_decay}-{r.l1}")
def test_no_weight_moves_and_every_layers_scores_do(tiny, recipe, name):
    fresh = models.create(name, shape=tiny.shape, seed=3)
    weights = {key: p.detach().clone() for key, p in masks.prunable(fresh).items()}
    network = edge_popup(fresh, 0.5)
    before, at_first = supermasks.checksum(network), {key: s.detach().clone() for key, s in scores(network).items()}
    mask = supermasks.supermask(network)
    train(network, tiny, recipe.but(iterations=5, batch=30, evaluate_every=2))
    assert same(weights, supermasks.frozen(network))
    assert supermasks.checksum(network) == before
    assert all(not torch.equal(s, at_first[key]) for key, s in scores(network).items())
    assert not same(mask, supermasks.supermask(network))
    assert masks.density(supermasks.supermask(network)) == masks.density(mask)


def test_a_network_learns_by_its_scores_alone(clothes):
    network = edge_popup(models.create("lenet-300-100", initializer=kaiming_normal), 0.5)
    before, at_first = supermasks.checksum(network), evaluate(network, clothes.test)[1]
    recipe = Recipe(iterations=60, batch=60, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine")
    history = train(network, clothes, recipe)
    assert at_first < 0.3
    assert history.test_accuracy > 0.55
    assert supermasks.checksum(network) == before


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_on_any_network_moves_scores_and_nothing_else(name):
    network = edge_popup(plain(name), 0.3)
    assert all(p.requires_grad == key.endswith(".scores") for key, p in network.named_parameters())
    before = supermasks.checksum(network)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    cross_entropy(network(images(name)), labels()).backward()
    at_first = {key: s.detach().clone() for key, s in scores(network).items()}
    optimizer.step()
    assert supermasks.checksum(network) == before
    assert all(not torch.equal(s, at_first[key]) for key, s in scores(network).items())


def test_a_search_repeats_to_the_bit_and_goes_on_where_it_was(tiny):
    recipe = Recipe(iterations=9, batch=60, optimizer="sgd", momentum=0.0, lr=0.1, evaluate_every=3)
    ends = []
    for spans in ([(0, None)], [(0, None)], [(0, 4), (4, None)]):
        network = edge_popup(plain(), 0.5)
        for begin, end in spans:
            train(network, tiny, recipe, seed=1, begin=begin, end=end)
        ends.append(snapshot(network))
    assert same(ends[0], ends[1]) and same(ends[0], ends[2])


def test_mixed_precision_moves_no_weight_either(tiny):
    network = edge_popup(plain(), 0.5)
    before = supermasks.checksum(network)
    train(network, tiny, Recipe(iterations=3, precision="bfloat16"))
    assert supermasks.checksum(network) == before
    assert all(s.dtype == torch.float32 and s.isfinite().all() for s in scores(network).values())


def test_scores_that_are_not_numbers_make_no_mask():
    network = edge_popup(plain(), 0.5)
    with torch.no_grad():
        scores(network)["fc2.weight"][0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN, so training has diverged"):
        supermasks.supermask(network)


# --- what is frozen and what is gone


@pytest.mark.parametrize("name", OURS)
def test_only_scores_are_trained_and_there_are_no_biases(name):
    network = edge_popup(plain(name), 0.5)
    for key, p in network.named_parameters():
        assert p.requires_grad == key.endswith(".scores"), key
        assert p.requires_grad or key.endswith(".weight.original"), key
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert bool(norms) == ("resnet" in name)
    for norm in norms:
        assert norm.weight is None and norm.bias is None and norm.running_mean is not None


def test_a_layers_learned_bias_is_gone_and_not_frozen():
    network = plain()
    with torch.no_grad():
        network.fc1.bias.fill_(5)
    assert torch.equal(edge_popup(network, 1)(images()), plain()(images()))


def test_batch_norm_keeps_its_statistics_in_training_and_uses_them_in_evaluation(tiny):
    network = edge_popup(models.create("resnet-8", shape=tiny.shape), 0.5)
    norm = network.norm1
    x = tiny.train.x[:50]
    network.train()(x)
    inner = network.conv1(x)
    torch.testing.assert_close(norm.running_mean, 0.1 * inner.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * inner.var((0, 2, 3)))
    train(network, tiny, Recipe(iterations=3, batch=50, optimizer="sgd", lr=0.1))
    kept = norm.running_mean.clone()
    assert norm.num_batches_tracked == 4
    network.eval()
    together = network(x)
    torch.testing.assert_close(together[:1], network(x[:1]), rtol=1e-4, atol=1e-5)  # whatever else is in the batch
    assert torch.equal(norm.running_mean, kept)


NORMS = {"batch": nn.BatchNorm1d(4), "layer": nn.LayerNorm(4), "group": nn.GroupNorm(2, 4)}


@pytest.mark.parametrize("kind", NORMS)
def test_every_norm_loses_scale_and_shift_says_so_and_can_be_reset(kind):
    network = nn.Sequential(nn.Linear(4, 4), copy.deepcopy(NORMS[kind]))
    with torch.no_grad():
        network[1].weight.fill_(3)
        network[1].bias.fill_(7)
    edge_popup(network, 0.5)
    assert "affine=False" in repr(network[1])
    assert network(torch.randn(8, 4, generator=torch.Generator().manual_seed(0))).mean().abs() < 1e-6
    supermasks.release(network)
    initialize(network, kaiming_normal, 0)  # as the control does that draws the weights anew
    assert network[1].weight is None and network[1].bias is None


# --- the checksum


def test_the_checksum_changes_with_any_single_bit_of_any_weight():
    network = edge_popup(plain(), 0.5)
    before = supermasks.checksum(network)
    found = {before}
    for name, w in supermasks.frozen(network).items():
        bits = w.view(torch.int32).view(-1)  # the same memory
        for place, bit in ((0, 0), (len(bits) // 2, 13), (len(bits) - 1, 30), (1, 31)):
            flip = torch.tensor(1 << bit).to(torch.int64).to(torch.int32) if bit < 31 else torch.tensor(-(2**31)).int()
            bits[place] ^= flip
            found.add(supermasks.checksum(network))
            bits[place] ^= flip
        assert supermasks.checksum(network) == before, name
    assert len(found) == 1 + 4 * 3


def test_the_checksum_is_of_the_weights_and_of_nothing_else():
    network = plain("resnet-8")
    before = supermasks.checksum(network)
    assert len(before) == 64 and supermasks.checksum(plain("resnet-8", seed=1)) != before
    edge_popup(network, 0.5)
    assert supermasks.checksum(network) == before
    network.train()(images("resnet-8"))  # moves the statistics of batch norm
    with torch.no_grad():
        for s in scores(network).values():
            s.add_(1)
    supermasks.set_k(network, 0.1)
    assert supermasks.checksum(network) == before
    assert supermasks.checksum(copy.deepcopy(network)) == before
    assert supermasks.checksum(network.to(memory_format=torch.channels_last)) == before
    supermasks.release(network)
    assert supermasks.checksum(network) == before


def test_the_checksum_tells_zeros_of_either_sign_and_precisions_apart():
    network = plain()
    with torch.no_grad():
        network.fc1.weight[0, 0] = 0.0
    positive = supermasks.checksum(network)
    with torch.no_grad():
        network.fc1.weight[0, 0] = -0.0
    assert len({positive, supermasks.checksum(network), supermasks.checksum(network.bfloat16())}) == 3


@pytest.mark.parametrize("name", OURS)
def test_frozen_weights_have_the_names_and_values_of_the_plain_network(name):
    weights = {key: p.detach() for key, p in masks.prunable(plain(name)).items()}
    assert same(weights, supermasks.frozen(plain(name)))
    assert same(weights, supermasks.frozen(edge_popup(plain(name), 0.2)))


# --- taking the scores off


@pytest.mark.parametrize("name", NETWORKS)
def test_a_released_network_is_the_plain_one_and_under_the_mask_it_is_the_subnetwork(name):
    network = edge_popup(plain(name), 0.3, seed=5).eval()
    x, mask = images(name), supermasks.supermask(network)
    subnetwork = network(x)
    assert same(supermasks.release(network), mask)
    masks.check(mask, network)
    assert not supermasks.scored(network)
    assert same(
        {key: p.detach() for key, p in masks.prunable(network).items()},
        {key: p.detach() for key, p in masks.prunable(plain(name)).items()},
    )
    assert all(p.requires_grad for p in network.parameters())
    assert [type(module) for module in network.modules()] == [type(module) for module in plain(name).modules()]
    masks.apply(network, mask)
    assert torch.equal(network(x), subnetwork)


def test_a_released_network_trains_under_its_mask_and_can_get_scores_again(tiny):
    network = edge_popup(plain(), 0.5)
    mask = supermasks.release(network)
    before = supermasks.checksum(network)
    train(network, tiny, Recipe(iterations=3), mask=mask)
    assert supermasks.checksum(network) != before
    assert not any(p[~mask[name]].any() for name, p in masks.prunable(network).items())
    assert list(scores(edge_popup(network, 0.2))) == list(LAYERS)


@pytest.mark.parametrize("ask", [supermasks.supermask, supermasks.release, lambda n: supermasks.set_k(n, 0.5)])
def test_a_network_without_scores_is_refused(ask):
    with pytest.raises(ValueError, match=r"no scores: give it some with supermasks\.edge_popup") as caught:
        ask(plain())
    one_sentence(caught)


# --- k


def test_k_of_each_layer():
    ks = dict(zip(LAYERS, (0.1, 0.5, 1), strict=True))
    mask = supermasks.supermask(edge_popup(plain(), ks))
    assert {name: int(m.sum()) for name, m in mask.items()} == {
        name: round(ks[name] * mask[name].numel()) for name in ks
    }


@pytest.mark.parametrize("k", [0.2, 0.9, dict.fromkeys(LAYERS, 0.3), dict(zip(LAYERS, (0, 0.4, 1), strict=True))])
def test_another_k_is_what_it_would_have_been_from_the_beginning(k):
    network = edge_popup(plain(), 0.5)
    before = snapshot(network)
    assert supermasks.set_k(network, k) is network
    assert same(before, snapshot(network))
    asked = edge_popup(plain(), k)
    assert same(supermasks.supermask(network), supermasks.supermask(asked))
    assert torch.equal(network(images()), asked(images()))


def test_the_mask_of_a_smaller_k_is_part_of_that_of_a_larger():
    network = edge_popup(plain(), 0)
    larger = supermasks.supermask(network)
    for k in (0.01, 0.3, 0.5, 0.77, 1):
        smaller, larger = larger, supermasks.supermask(supermasks.set_k(network, k))
        assert all((smaller[name] <= larger[name]).all() for name in LAYERS)


BAD = [
    (-0.1, r"k -0\.1 is outside 0 to 1"),
    (30, "k 30 is outside 0 to 1"),
    (math.nan, "k nan is outside 0 to 1"),
    (dict.fromkeys(LAYERS, 0.5) | {"fc2.weight": 1.5}, r"k 1\.5 is outside 0 to 1"),
    (dict.fromkeys(LAYERS, 0.5) | {"fc4.weight": 0.5}, r"unknown layer 'fc4\.weight' .did you mean 'fc\d\.weight'"),
    (dict.fromkeys(LAYERS[1:], 0.5), r"k gives no share for 'fc1\.weight'"),
    ({}, r"k gives no share for 'fc1\.weight'"),
]


@pytest.mark.parametrize(("k", "words"), BAD)
def test_a_k_that_cannot_be_is_refused_and_nothing_is_changed(k, words):
    network = plain()
    before, keys = snapshot(network), list(network.state_dict())
    with pytest.raises(ValueError, match=words) as caught:
        edge_popup(network, k)
    one_sentence(caught)
    assert list(network.state_dict()) == keys and same(before, snapshot(network))
    assert all(p.requires_grad for p in network.parameters())

    edge_popup(network, 0.5)
    mask = supermasks.supermask(network)
    with pytest.raises(ValueError, match=words) as caught:
        supermasks.set_k(network, k)
    one_sentence(caught)
    assert same(mask, supermasks.supermask(network))


def test_scores_are_not_put_on_twice():
    network = edge_popup(plain(), 0.5)
    before = snapshot(network)
    with pytest.raises(ValueError, match=r"has scores already: .*supermasks\.set_k") as caught:
        edge_popup(network, 0.3)
    one_sentence(caught)
    assert same(before, snapshot(network))


# --- where the scores begin


def test_a_seed_fixes_the_scores_and_has_no_part_in_the_weights(global_randomness_untouched):
    first, again, other = (edge_popup(plain(), 0.5, seed=seed) for seed in (7, 7, 8))
    assert same(scores(first), scores(again))
    assert not any(torch.equal(scores(first)[name], scores(other)[name]) for name in LAYERS)
    assert supermasks.checksum(first) == supermasks.checksum(other) == supermasks.checksum(plain())
    first(images())
    supermasks.release(first)


@pytest.mark.parametrize("seed", [0, 1, 12])
def test_scores_are_drawn_apart_from_the_weights_of_the_same_seed(seed):
    network = edge_popup(models.create("lenet-300-100", seed=seed), 0.5, seed=seed)
    for name, s in scores(network).items():
        pair = torch.stack([s.detach().flatten(), supermasks.frozen(network)[name].flatten()])
        assert abs(float(pair.corrcoef()[0, 1])) < 5 / math.sqrt(s.numel())
    twins = edge_popup(nn.Sequential(nn.Linear(9, 9), nn.Linear(9, 9)), 0.5)
    assert not torch.equal(*scores(twins).values())


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-4"])
def test_scores_are_uniform_within_one_over_the_root_of_the_fan_in(name):
    for s in scores(edge_popup(models.create(name, width=0.5), 0.5)).values():
        s = s.detach().double()
        bound = fans(tuple(s.shape))[0] ** -0.5
        assert s.numel() / s.shape[0] == fans(tuple(s.shape))[0]  # the kernel area counts
        assert s.abs().max() <= bound
        far = 2.5 / math.sqrt(s.numel())  # of the largest distance from the uniform distribution, a Kolmogorov–Smirnov
        evenly = torch.arange(1, s.numel() + 1) / s.numel()
        assert ((s.flatten().sort().values / bound + 1) / 2 - evenly).abs().max() < far


# --- the same network in another form


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["conv-2", "resnet-8"])
def test_the_order_in_memory_does_not_change_scores_mask_or_outputs(name, when):
    contiguous = edge_popup(plain(name), 0.3)
    other = plain(name)
    if when == "before":
        other.to(memory_format=torch.channels_last)
    edge_popup(other, 0.3)
    other.to(memory_format=torch.channels_last)
    assert same(scores(contiguous), scores(other))
    with torch.no_grad():  # ties, whose order in memory differs
        for network in (contiguous, other):
            for s in scores(network).values():
                s.mul_(40).round_()
    assert same(supermasks.supermask(contiguous), supermasks.supermask(other))
    assert same(used(contiguous), used(other))
    torch.testing.assert_close(contiguous(images(name)), other(images(name)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OURS)
def test_a_deep_copy_is_the_same_and_of_its_own(name, tiny):
    network = edge_popup(plain(name), 0.3).eval()
    twin = copy.deepcopy(network)
    x = images(name)
    assert torch.equal(network(x), twin(x)) and same(snapshot(network), snapshot(twin))
    with torch.no_grad():
        for s in scores(twin).values():
            s.copy_(s.flip(0))
    supermasks.set_k(twin, 0.6)
    assert same(snapshot(network), snapshot(edge_popup(plain(name), 0.3)))
    assert masks.density(supermasks.supermask(network)) == pytest.approx(0.3, abs=1e-3)
    assert not torch.equal(network(x), twin(x))
    supermasks.release(twin)
    assert supermasks.scored(network)


@pytest.mark.parametrize("name", OURS)
def test_a_state_dict_carries_weights_scores_and_statistics(name):
    network = edge_popup(plain(name), 0.3, seed=1)
    network.train()(images(name))
    other = edge_popup(plain(name, seed=9), 0.3, seed=9)
    other.load_state_dict(network.state_dict())
    assert supermasks.checksum(other) == supermasks.checksum(network)
    assert same(supermasks.supermask(other), supermasks.supermask(network))
    assert torch.equal(network.eval()(images(name)), other.eval()(images(name)))


def test_a_single_layer_and_a_nested_one_have_the_names_of_their_weights():
    alone = edge_popup(nn.Linear(6, 3), 0.5)
    assert list(supermasks.supermask(alone)) == ["weight"] == list(supermasks.frozen(alone))
    nested = edge_popup(nn.Sequential(nn.Sequential(nn.Linear(6, 3)), nn.ReLU()), 0.5)
    assert list(supermasks.supermask(nested)) == ["0.0.weight"]
    mask = supermasks.release(nested)
    masks.apply(nested, mask)


def test_weights_under_scores_are_not_drawn_anew_in_silence():
    network = supermasks.edge_popup(models.create("lenet-300-100", seed=0), 0.5)
    with pytest.raises(ValueError, match=r"frozen under scores: take them off with supermasks.release"):
        initialize(network, kaiming_normal, 1)
    supermasks.release(network)
    initialize(network, kaiming_normal, 1)
    assert torch.equal(
        network.fc1.weight, models.create("lenet-300-100", initializer=kaiming_normal, seed=1).fc1.weight
    )
