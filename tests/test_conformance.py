"""The conformance kit accepts right pruners of every kind, and finds what is wrong with others, with numbers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from ltcourse import conformance
from ltcourse.networks import masks
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria

ZERO = [f"pruned weights 0: {name}" for name in ("SGD", "SGD with momentum and weight decay", "Adam", "AdamW")]
NAMES = ["counts exact", "ties decided", "masks nested", *ZERO, "reset bit for bit", "norms and biases left alone"]


def weights_of(network):
    """The layers that have weights, with their names."""
    return {name: m for name, m in network.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))}


def largest(w, density):
    return masks.keep_largest(w.detach().abs(), round(density * w.numel()))


# Right ones


def mask_maker(network, density):
    return {name: largest(p, density) for name, p in masks.prunable(network).items()}


def in_place(network, density):
    for layer in weights_of(network).values():
        layer.weight.data.mul_(largest(layer.weight, density))


def by_masks_of_layers(network, density):
    """Names its masks by layers, as floats, and leaves out what it keeps whole."""
    return {name: largest(layer.weight, density).float() for name, layer in weights_of(network).items()}


def by_torch(network, density):
    """torch.nn.utils.prune, whose amount is a share of what is left."""
    for layer in weights_of(network).values():
        left = int(layer.weight_mask.sum()) if hasattr(layer, "weight_mask") else layer.weight.numel()
        gone = left - round(density * layer.weight.numel())
        torch_prune.l1_unstructured(layer, "weight", amount=gone)


class Masked(nn.Module):
    """A layer whose weight is multiplied by a mask in each forward pass."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.bias = layer, layer.bias
        self.mask = torch.ones_like(layer.weight)

    @property
    def weight(self):
        return self.layer.weight * self.mask

    def forward(self, x):
        if isinstance(self.layer, nn.Linear):
            return nn.functional.linear(x, self.weight, self.bias)
        return nn.functional.conv2d(x, self.weight, self.bias)


def at_forward(network, density):
    """Wraps the layers, and multiplies each weight by its mask in the forward pass."""
    for name, layer in list(network.named_children()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            setattr(network, name, layer := Masked(layer))
        if isinstance(layer, Masked):
            layer.mask *= largest(layer.weight, density)


def in_a_copy(network, density):
    network = copy.deepcopy(network)
    at_forward(network, density)
    return network


def trains_and_resets(network, density):
    """A loop of two rounds that trains in between, and ends with the initial weights under the mask."""
    initial, mask = snapshot(network), masks.dense(network)
    for share in (density**0.5, density):
        trained = copy.deepcopy(network)
        optimizer = torch.optim.Adam(trained.parameters(), lr=0.01)
        trained(torch.ones(2, 1, 5, 5)).square().sum().backward()
        optimizer.step()
        mask = {
            name: masks.keep_largest(p.detach().abs().where(mask[name], -1), round(share * p.numel()))
            for name, p in masks.prunable(trained).items()
        }
    network.load_state_dict(initial)
    masks.apply(network, mask)
    return mask


def back_to(network, mask, initial):
    network.load_state_dict(initial)
    masks.apply(network, mask)


def half_at_the_output(network, density):
    rates = criteria.layer_rates(masks.dense(network), 1 - density)
    return masks.apply(network, criteria.magnitude(masks.prunable(network), masks.dense(network), rates))


def hidden_only(network, density):
    for layer in list(weights_of(network).values())[:-1]:
        layer.weight.data.mul_(largest(layer.weight, density))


def globally(network, density):
    return criteria.magnitude(masks.prunable(network), masks.dense(network), 1 - density, "global")


RIGHT = {
    "a mask maker": (mask_maker, {}),
    "a mask maker, and who holds it": (mask_maker, {"hold": masks.apply, "reset": back_to}),
    "in place": (in_place, {"hold": masks.apply, "reset": back_to}),
    "masks of layers, as floats": (by_masks_of_layers, {"hold": masks.apply}),
    "torch.nn.utils.prune": (by_torch, {}),
    "masks in the forward pass": (at_forward, {}),
    "another network": (in_a_copy, {}),
    "a loop": (trains_and_resets, {"hold": masks.apply, "reset": True}),
    "half the rate": (half_at_the_output, {"output": "half the rate", "hold": masks.apply}),
    "output layer kept": (hidden_only, {"output": "kept", "hold": masks.apply}),
    "global": (globally, {"scope": "global", "hold": masks.apply}),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_pruners_conform(kind):
    prune, says = RIGHT[kind]
    found = conformance.check(prune, **says)
    assert found and not found.failed, str(found)
    assert [p.name for p in found.properties if not p.name.startswith("output layer")] == NAMES
    tried = [p for p in found.properties if p.holds]
    assert all(any(c.isdigit() for c in p.evidence) for p in tried), "evidence is numbers"
    assert (found["reset bit for bit"].holds is True) == ("reset" in says)


def test_what_a_mask_maker_does_not_do_is_not_held_against_it():
    found = conformance.check(mask_maker)
    assert [p.name for p in found.properties if p.holds is None] == [*ZERO, "reset bit for bit"]
    assert "left to whoever trains" in found[ZERO[0]].evidence


def test_the_report_is_a_short_table():
    found = conformance.check(by_torch)
    lines = str(found).splitlines()
    assert lines[0].split() == ["by_torch", "evidence"] and len(lines) == 1 + len(found.properties) <= 12
    assert "✔" in lines[1] and "70 %: 38 + 756 + 70, 30 %: 16 + 324 + 30, 10 %: 5 + 108 + 10" in lines[1]
    assert found._repr_markdown_().startswith("| by_torch |  | evidence |")


# Wrong ones


def masked_gradients_only(network, density):
    """A public style: zero the weights once, and their gradients in every step."""
    for layer in weights_of(network).values():
        keep = largest(layer.weight, density)
        layer.weight.data.mul_(keep)
        layer.weight.register_hook(lambda g, keep=keep: g * keep)


def frozen_and_not_zeroed(network, density):
    """Masks the gradient of weights that it never sets to 0."""
    found = mask_maker(network, density)
    for name, p in masks.prunable(network).items():
        p.register_hook(lambda g, keep=found[name]: g * keep)
        with torch.no_grad():
            p.mul_(1.0001)
    return found


def keeps_what_goes(network, density):
    return mask_maker(network, 1 - density)


def rounds_down(network, density):
    return {
        n: masks.keep_largest(p.detach().abs(), int(density * p.numel())) for n, p in masks.prunable(network).items()
    }


def by_threshold(network, density):
    """Keeps all of the weights that are as large as the threshold."""
    found = {}
    for name, p in masks.prunable(network).items():
        cut = p.detach().abs().flatten().sort(descending=True).values[round(density * p.numel()) - 1]
        found[name] = p.detach().abs() >= cut
    return found


def anew_each_time(network, density):
    """At random, each time from all weights."""
    generator = torch.Generator().manual_seed(round(1000 * density))
    return {
        n: masks.keep_largest(torch.rand(p.shape, generator=generator), round(density * p.numel()))
        for n, p in masks.prunable(network).items()
    }


def of_what_is_left(network, density):
    """Takes the density as a share of what is left."""
    for layer in weights_of(network).values():
        torch_prune.l1_unstructured(layer, "weight", amount=1 - density)


def everything(network, density):
    """Prunes norm layers and biases like weights."""
    for p in network.parameters():
        p.data.mul_(largest(p, density))


def biases_zeroed(network, density):
    in_place(network, density)
    for layer in weights_of(network).values():
        layer.bias.data.zero_()


def masks_of_biases(network, density):
    return {name: largest(p, density) for name, p in network.named_parameters()}


def without_convolutions(network, density):
    for layer in weights_of(network).values():
        if isinstance(layer, nn.Linear):
            layer.weight.data.mul_(largest(layer.weight, density))


def trains_on(network, density):
    """A loop that says that it resets, and does not."""
    for p in network.parameters():
        p.data.mul_(0.9)
    in_place(network, density)


def raises(network, density):
    raise RuntimeError("no such layer")


def resetting(how):
    def reset(network, mask, initial):
        for name, p in network.named_parameters():
            how(name, p, mask, initial)

    return reset


def shares(name, p, mask, initial):
    p.data = initial[name] * mask[name] if name in mask else initial[name]


def weights_only(name, p, mask, initial):
    if name in mask:
        p.data = initial[name] * mask[name]


def without_the_mask(name, p, mask, initial):
    p.data = initial[name].clone()


def halves(name, p, mask, initial):
    p.data = (initial[name] * mask.get(name, True)).half().float()


def redraws(name, p, mask, initial):
    p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(3)) * mask.get(name, True)


REMEMBERED = ZERO[1:]


@pytest.mark.parametrize(
    ("prune", "says", "failed", "evidence"),
    [
        (masked_gradients_only, {}, REMEMBERED, "a pruned weight is 0."),
        (in_place, {}, ["masks nested", *ZERO], "after step 1"),
        (frozen_and_not_zeroed, {}, ZERO, "before the first step"),
        (keeps_what_goes, {}, ["counts exact", "ties decided", "masks nested"], "taken as the share to prune?"),
        (rounds_down, {}, ["counts exact"], "at 70 %, 0.weight: 37 of 54 kept, and should be 38"),
        (by_threshold, {}, ["ties decided"], "different magnitudes"),
        (anew_each_time, {}, ["masks nested"], "pruned weights of 0.weight are back"),
        (of_what_is_left, {}, ["counts exact"], "taken as a share of what is left?"),
        (everything, {"hold": masks.apply}, ["norms and biases left alone"], "of the 6 values of 0.bias are 0"),
        (biases_zeroed, {"hold": masks.apply}, ["norms and biases left alone"], "6 of the 6 values of 0.bias are 0"),
        (masks_of_biases, {}, ["norms and biases left alone"], "the mask holds 0.bias"),
        (without_convolutions, {"hold": masks.apply}, ["counts exact", "ties decided"], "0.weight: 54 of 54 kept"),
        (hidden_only, {"hold": masks.apply}, ["counts exact", "ties decided"], "7.weight: 100 of 100 kept"),
        (trains_on, {"hold": masks.apply, "reset": True}, ["reset bit for bit"], "from its initial value"),
        (globally, {}, ["counts exact", "ties decided"], "at 70 %, 0.weight"),
        (in_place, {"hold": masks.apply, "reset": resetting(shares)}, ["reset bit for bit"], "share their memory"),
        (in_place, {"hold": masks.apply, "reset": resetting(weights_only)}, ["reset bit for bit"], "0.bias is not at"),
        (in_place, {"hold": masks.apply, "reset": resetting(without_the_mask)}, ["reset bit for bit"], "weight is "),
        (in_place, {"hold": masks.apply, "reset": resetting(halves)}, ["reset bit for bit"], "from its initial value"),
        (in_place, {"hold": masks.apply, "reset": resetting(redraws)}, ["reset bit for bit"], "from its initial value"),
    ],
)
def test_wrong_pruners_are_told_what_fails(prune, says, failed, evidence):
    found = conformance.check(prune, **says)
    names = [name for name in found.failed if not name.startswith("output layer")]
    assert names == failed, str(found)
    assert bool(found) == (not found.failed)
    assert evidence in str(found)


@pytest.mark.parametrize(
    ("prune", "output", "evidence"),
    [
        (hidden_only, "like the others", "it keeps 100 of 100, and should keep 30"),
        (in_place, "kept", "it keeps 30 of 100, and should keep 100"),
        (in_place, "half the rate", "it keeps 30 of 100, and should keep 65"),
        (half_at_the_output, "like the others", "it keeps 65 of 100, and should keep 30"),
    ],
)
def test_an_output_layer_is_to_be_treated_as_the_pruner_says(prune, output, evidence):
    found = conformance.check(prune, hold=masks.apply, output=output)
    assert found[f"output layer: {output}"].holds is False
    assert evidence in found[f"output layer: {output}"].evidence


def test_an_error_of_the_pruner_fails_each_property_and_stops_nothing():
    found = conformance.check(raises)
    assert not found and {p.evidence for p in found.properties if p.name != "reset bit for bit"} == {
        "stopped with RuntimeError: no such layer"
    }


def test_a_mask_of_another_shape_is_told():
    found = conformance.check(lambda network, density: {"0.weight": torch.ones(3, dtype=torch.bool)})
    assert "the mask of 0.weight has shape (3,), and the weight (6, 1, 3, 3)" in found["counts exact"].evidence


@pytest.mark.parametrize("says", [{"output": "none"}, {"scope": "layers"}])
def test_what_a_pruner_cannot_say_is_refused(says):
    with pytest.raises(ValueError, match="choose one of"):
        conformance.check(mask_maker, **says)


def test_a_check_leaves_the_global_randomness_alone(global_randomness_untouched):
    assert conformance.check(mask_maker)
