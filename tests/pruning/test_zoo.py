"""Networks that are not the course's: each is pruned, drawn anew and masked rightly, or refused in one sentence.

A refusal comes before anything is trained, and leaves the network as it was.
"""

import dataclasses
import re

import pytest
import torch
import zoo
from torch import nn

from ltcourse.data import Split
from ltcourse.networks import masks
from ltcourse.networks.models import snapshot
from ltcourse.networks.weights import LAYERS, NORMS
from ltcourse.pruning import batched, criteria, prune_iteratively, supermasks, tickets
from ltcourse.pruning import loop as pruning_loop
from ltcourse.pruning.restarts import keep, redraw, to_init, to_step
from ltcourse.training import Recipe, evaluate, train

RECIPE = Recipe(iterations=3, batch=8, evaluate_every=3)
RESTARTS = {"keep": keep, "to_init": to_init, "to_step": to_step(1), "redraw": redraw(7)}

COMPUTED = {
    "weight norm, old": r"'0.weight' is computed by WeightNorm.*torch.nn.utils.remove_weight_norm\(layer, 'weight'\)",
    "weight norm, new": r"'0.weight' is computed by _WeightNorm.*remove_parametrizations\(layer, 'weight'\)",
    "spectral norm, old": r"'0.weight' is computed by SpectralNorm.*remove_spectral_norm\(layer, 'weight'\)",
    "spectral norm, new": r"'0.weight' is computed by _SpectralNorm.*remove_parametrizations\(layer, 'weight'\)",
    "orthogonal": r"'1.weight' is computed by _Orthogonal.*remove_parametrizations\(layer, 'weight'\)",
    "a parametrization of one's own": r"'3.weight' is computed by Symmetric.*remove_parametrizations",
    "pruned by PyTorch": r"'1.weight' is computed by torch.nn.utils.prune.*prune.remove\(layer, 'weight'\)",
    "two parameters in one memory": r"'decode.weight' and 'encode.weight' are two parameters in the same memory",
    "lazy": r"'1.weight' has no shape yet: run the network once",
    "a weight that overlaps itself": r"several numbers of '1.weight' are in the same memory.*clone\(\)",
    "scripted": r"compiled by torch.jit.*use the module that it was made of",
}
FOREIGN = {"lazy", "two parameters in one memory", "a weight that overlaps itself", "scripted"}  # not trained either
NOTHING = {
    "nothing to prune": "this network has nothing to prune",
    "no parameters": "this network has nothing to prune",
}
UNTRAINABLE = {
    "all layers frozen": r"every parameter of this network is frozen.*network.requires_grad_\(True\)",
    "half precision": r"'1.weight' is in half precision \(float16\).*network.float\(\)",
    "bfloat16": r"'1.weight' is in half precision \(bfloat16\).*network.float\(\)",
    "double precision": r"'1.weight' is float64 and the images are float32",
}
UNDRAWN = {
    "tokens and positions": "'token' cannot be drawn anew.*Encoder.*reset_parameters",
    "matrix of one's own": "'0.W' cannot be drawn anew.*Matrix",
    "low-rank update": "'1.down' cannot be drawn anew.*LowRank",
    "a list of parameters": "'1.weights.0' cannot be drawn anew.*Listed",
    "drawn by a generator of its own": "from a generator or a seed of the network's own",
    "drawn after a seed of its own": "from a generator or a seed of the network's own",
    "drawn by chance": "'0.W' is drawn differently each time from one seed",
    "drawn with an argument": r"reset_parameters\(\) of DrawnWith cannot be called without arguments.*defaults",
    "vit": "'class_token' cannot be drawn anew.*VisionTransformer",
    "convnext": "'features.1.0.layer_scale' cannot be drawn anew.*CNBlock",
    "swin": "'features.1.0.attn.relative_position_bias_table' cannot be drawn anew.*ShiftedWindowAttention",
}
OTHER_KINDS = {
    name: rf"edge-popup is for networks of dense layers, convolutions and norm layers, and '{parameter}' is a param"
    for name, parameter in {
        "LSTM": "cells.weight_ih_l0",
        "LSTM, two layers, both ways": "cells.weight_ih_l0",
        "LSTM with projections": "body.weight_ih_l0",
        "GRU": "cells.weight_ih_l0",
        "RNN": "cells.weight_ih_l0",
        "RNN cell": "body.weight_ih",
        "attention": "attention.in_proj_weight",
        "attention with biases of its keys": "attention.in_proj_weight",
        "transformer encoder": r"body.layers.0.self_attn.in_proj_weight",
        "tokens and positions": "token",
        "tokens and positions, resettable": "token",
        "embedding bag": "body.weight",
        "embedding with padding": "body.weight",
        "embedding and head": "embedding.weight",
        "embedding tied to the head": "embedding.weight",
        "PReLU": "1.weight",
        "matrix of one's own": "0.W",
        "matrix of one's own, resettable": "0.W",
        "low-rank update": "1.down",
        "a list of parameters": "1.weights.0",
        "drawn by a generator of its own": "0.W",
        "drawn after a seed of its own": "0.W",
        "drawn by chance": "0.W",
        "drawn with an argument": "0.W",
        "drawn by NumPy": "0.W",
        "parameters that are no numbers": "flags",
        "bilinear": "pair.weight",
        "vit": "class_token",
        "convnext": "features.1.0.layer_scale",
        "swin": "features.1.0.attn.relative_position_bias_table",
    }.items()
}
TIED = {"two layers tied": "'a.weight' and 'b.weight' are one parameter.*clone"}


@pytest.fixture(scope="module")
def pictures(clothes):
    """Noise in three colors."""
    generator = torch.Generator().manual_seed(1)

    def split(n):
        return Split(torch.randn(n, *zoo.SHAPE, generator=generator), torch.randint(0, 10, (n,), generator=generator))

    return dataclasses.replace(clothes, train=split(24), validation=split(8), test=split(8))


@pytest.fixture
def trainings(monkeypatch):
    """The weights that each training of the loop begins with."""
    begun = []

    def spy(network, data, recipe, **choices):
        begun.append(snapshot(network))
        return train(network, data, recipe, **choices)

    monkeypatch.setattr(pruning_loop, "train", spy)
    return begun


def state(network):
    """All numbers of a network; those of a lazy one are still to come."""
    return {} if any(map(nn.parameter.is_lazy, network.parameters())) else snapshot(network)


def refused(sentence, network, action):
    """Whether `action(network)` is to be refused, and if so that it is, in one sentence, with nothing changed."""
    if sentence is None:
        return False
    before = state(network)
    with pytest.raises(ValueError, match=sentence) as caught:
        action(network)
    assert not re.search(r"\n|[.!?] [A-Z]", str(caught.value)), "one sentence"
    after = state(network)
    assert before.keys() == after.keys() and all(torch.equal(after[name], tensor) for name, tensor in before.items())
    return True


def holders(network):
    """Every name of a prunable weight, the second ones of shared weights too, by the name that it has in a mask."""
    names = {id(p): name for name, p in masks.prunable(network).items()}
    return {name: names[id(p)] for name, p in network.named_parameters(remove_duplicate=False) if id(p) in names}


def constant(tensor):
    return bool((tensor == tensor.flatten()[0]).all())


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_mask_keeps_its_share_of_the_weights_and_touches_nothing_else(name):
    network = zoo.build(name)
    if refused((COMPUTED | NOTHING).get(name), network, masks.dense):
        return
    before, whole = snapshot(network), masks.dense(network)
    assert not any(isinstance(network.get_submodule(key.rpartition(".")[0]), NORMS) for key in whole)
    mask = criteria.at_random(1)({}, whole, 0.3, "layer")
    assert masks.kept(mask) == sum(m.numel() - round(0.3 * m.numel()) for m in whole.values())
    masks.apply(network, mask)
    inside = holders(network)
    for key, tensor in snapshot(network).items():
        expected = before[key] * mask[inside[key]] if key in inside else before[key]
        assert torch.equal(tensor, expected), key


@pytest.mark.parametrize("name", zoo.ZOO)
def test_nothing_is_left_as_trained_when_it_is_drawn_anew(name, global_randomness_untouched):
    network = zoo.build(name)
    nothing = {"no parameters": "has no parameters, so nothing is drawn"}
    if refused((COMPUTED | UNDRAWN | nothing).get(name), network, lambda n: redraw(7)(n, lambda _: snapshot(n), 1)):
        return
    first, (fresh, begin) = snapshot(network), redraw(7)(network, lambda _: {}, 1)
    assert begin == 0 and not zoo.differ(first, snapshot(network)), "the network itself stays"
    with torch.no_grad():  # as if it had been trained
        for p in network.parameters():
            if p.requires_grad:
                p.mul_(1.5).add_(0.25)
    trained = snapshot(network)
    (again, _), (other, _) = (redraw(seed)(network, lambda _: first, 1) for seed in (7, 8))
    assert not zoo.differ(fresh, again), "the same numbers, whatever was there"
    for key, p in network.named_parameters():
        if not p.requires_grad:
            assert torch.equal(fresh[key], first[key]), f"{key} is frozen"
            continue
        assert not torch.equal(fresh[key], trained[key]), f"{key} is as it was trained"
        if not constant(fresh[key]):
            assert not torch.equal(fresh[key], first[key]) and not torch.equal(fresh[key], other[key]), key


@pytest.mark.parametrize("name", zoo.ZOO)
def test_it_is_pruned_by_every_restart(name, pictures, trainings):
    for restart, begin in RESTARTS.items():
        network = zoo.build(name)
        first = state(network)
        sentence = (COMPUTED | NOTHING | UNTRAINABLE | (UNDRAWN if restart == "redraw" else {})).get(name)

        def prune(network, begin=begin):
            return list(prune_iteratively(network, pictures, RECIPE, rate=0.5, rounds=1, restart=begin))

        trainings.clear()
        if refused(sentence, network, prune):
            assert len(trainings) <= (name in UNTRAINABLE), "refused before anything is trained"
            continue
        dense, done = prune(network)
        inside = holders(network)
        assert {key: int(m.sum()) for key, m in done.mask.items()} == {
            key: n - round(0.5 * n) for key, n in ((key, m.numel()) for key, m in dense.mask.items())
        }
        for key, tensor in done.state.items():
            if key in inside:
                assert not tensor[~done.mask[inside[key]]].any(), f"{restart}: {key} is pruned"
        expected = {"keep": dense.state, "to_init": first}.get(restart, trainings[-1])
        assert not zoo.differ(trainings[-1], expected), restart
        if restart == "to_step":
            assert zoo.differ(trainings[-1], first) and zoo.differ(trainings[-1], dense.state)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_ticket_arrives_whole(name, tmp_path):
    network = zoo.build(name)
    if name in COMPUTED | NOTHING:
        assert refused((COMPUTED | NOTHING)[name], network, masks.dense)
        return
    mask = criteria.at_random(1)({}, masks.dense(network), 0.6, "layer")
    tickets.save(tickets.Ticket(mask, snapshot(network)), tmp_path / "ticket")
    there = zoo.build(name, seed=1)
    arrived = tickets.transplant(tickets.load(tmp_path / "ticket"), there)
    assert not zoo.differ(mask, arrived)
    assert not zoo.differ(snapshot(masks.apply(network, mask)), snapshot(there))


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_supermask_is_of_all_that_the_network_computes_with(name, pictures):
    network = zoo.build(name)
    if refused((COMPUTED | NOTHING | OTHER_KINDS | TIED).get(name), network, lambda n: supermasks.edge_popup(n, 0.4)):
        return
    weights = {key: p.detach().clone() for key, p in masks.prunable(network).items()}
    supermasks.edge_popup(network, 0.4)
    mask, before = supermasks.supermask(network), supermasks.checksum(network)
    assert {key: int(m.sum()) for key, m in mask.items()} == {key: round(0.4 * w.numel()) for key, w in weights.items()}
    assert all(p.requires_grad == key.endswith(".scores") for key, p in network.named_parameters())
    x = pictures.test.x.to(next(network.parameters()).dtype)
    masked = _without_what_edge_popup_takes_away(masks.apply(zoo.build(name), mask))
    torch.testing.assert_close(
        network.eval()(x), masked.eval()(x), rtol=1e-2 if x.dtype.itemsize == 2 else 1e-4, atol=1e-4
    )
    if name in UNTRAINABLE.keys() - {"all layers frozen"}:
        assert refused(
            UNTRAINABLE[name].replace("1.weight", r"1\.parametrizations.*"),
            network,
            lambda n: train(n, pictures, RECIPE),
        )
        return
    scores = {key: layer.scores.detach().clone() for key, layer in supermasks.scored(network).items()}
    train(network, pictures, RECIPE)
    assert supermasks.checksum(network) == before
    assert all(not torch.equal(layer.scores, scores[key]) for key, layer in supermasks.scored(network).items())
    assert masks.density(supermasks.release(network)) == masks.density(mask)
    assert not zoo.differ(weights, {key: p.detach() for key, p in masks.prunable(network).items()})


def _without_what_edge_popup_takes_away(network):
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, LAYERS) and module.bias is not None:
                module.bias.zero_()
            if isinstance(module, NORMS) and module.weight is not None:
                module.weight.fill_(1)
                if getattr(module, "bias", None) is not None:
                    module.bias.zero_()
    return network


# --- what is used in another form than it was made


@pytest.mark.parametrize("name", ["in DataParallel", "compiled"])
def test_a_mask_of_the_network_inside_is_told_by_its_prefix(name):
    outside, inside = zoo.build(name), zoo.mlp()
    prefix = {"in DataParallel": "module.", "compiled": "_orig_mod."}[name]
    with pytest.raises(ValueError, match=rf"the names of this network begin with '{prefix}'.*network\.{prefix[:-1]}"):
        masks.check(masks.dense(inside), outside)
    with pytest.raises(ValueError, match=rf"the names in this mask begin with '{prefix}'.*removeprefix\('{prefix}'\)"):
        masks.check(masks.dense(outside), inside)
    masks.check({key.removeprefix(prefix): m for key, m in masks.dense(outside).items()}, inside)


def test_a_compiled_network_computes_with_its_scores(pictures):
    network = zoo.build("compiled").eval()
    network(pictures.test.x)  # compiled before the scores are there
    supermasks.edge_popup(network, 0.4)
    first = network(pictures.test.x)
    supermasks.set_k(network, 0.9)
    assert not torch.equal(first, network(pictures.test.x))


@pytest.mark.parametrize("name", ["half precision", "bfloat16", "double precision"])
def test_a_network_of_another_precision_is_not_evaluated_either(name, pictures):
    assert refused(UNTRAINABLE[name], zoo.build(name), lambda network: evaluate(network, pictures.test))


@pytest.mark.parametrize("name", sorted(COMPUTED.keys() - FOREIGN))
def test_weights_that_are_computed_can_be_trained_as_they_are(name, pictures):
    assert len(train(zoo.build(name), pictures, RECIPE).validation_loss) == 1


# --- where the layers are not in the order of their definition, or share a weight


def test_a_ticket_moves_to_other_classes_wherever_the_head_is_defined():
    network, there, wider = zoo.HeadFirst(), zoo.HeadFirst(), zoo.HeadFirst()
    there.head, wider.head, wider.body = nn.Linear(20, 5), nn.Linear(30, 10), nn.Linear(zoo.PIXELS, 30)
    ticket = tickets.Ticket(criteria.at_random(1)({}, masks.dense(network), 0.6, "layer"), snapshot(network))
    own = snapshot(there)
    mask = tickets.transplant(ticket, there)
    assert mask["head.weight"].all() and torch.equal(there.head.weight, own["head.weight"])
    assert torch.equal(there.body.weight, network.body.weight * ticket.mask["body.weight"])
    with pytest.raises(
        tickets.TicketError, match=r"'head.weight' has shape \(10, 20\).*only the number of classes may"
    ):
        tickets.transplant(ticket, wider)


def test_networks_with_shared_weights_are_not_trained_as_one(pictures):
    with pytest.raises(ValueError, match="shared weights cannot be trained as one: train each by itself"):
        batched.train([zoo.Tied(), zoo.Tied()], pictures, RECIPE, seeds=[0, 1])
