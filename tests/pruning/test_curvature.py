"""Optimal Brain Damage: the diagonal of the Hessian beside the whole Hessian, and beside finite differences."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ltcourse.data import Split
from ltcourse.networks import masks, models
from ltcourse.pruning.curvature import brain_damage, hessian_diagonal, saliency


def examples(n=12, shape=(6,), classes=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return Split(
        torch.randn(n, *shape, generator=generator, dtype=dtype), torch.randint(classes, (n,), generator=generator)
    )


def relus():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()


def convolutions():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(18, 3)
    ).double()


def loss_of(network, weights, data):
    outputs = torch.func.functional_call(network, weights, (data.x,))
    return cross_entropy(outputs, data.y)


@pytest.mark.parametrize(("build", "shape"), [(relus, (6,)), (convolutions, (1, 5, 5))])
def test_it_is_the_diagonal_of_the_whole_hessian(build, shape):
    network, data = build(), examples(shape=shape)
    found = hessian_diagonal(network, data, chunk=5)
    network.eval()
    for name, p in masks.prunable(network).items():

        def loss(w, name=name):
            return loss_of(network, {name: w}, data)

        whole = torch.autograd.functional.hessian(loss, p.detach()).reshape(p.numel(), p.numel())
        torch.testing.assert_close(found[name].flatten(), whole.diagonal())


def test_it_is_what_finite_differences_say():
    network, data, step = relus(), examples(), 1e-5
    found = hessian_diagonal(network, data)["2.weight"]
    w = network[2].weight.detach()

    def slope(w):
        w = w.clone().requires_grad_()
        return torch.autograd.grad(loss_of(network, {"2.weight": w}, data), w)[0]

    for i, j in [(0, 0), (1, 3), (3, 4)]:
        nudge = torch.zeros_like(w)
        nudge[i, j] = step
        second = (slope(w + nudge) - slope(w - nudge))[i, j] / (2 * step)
        assert float(found[i, j]) == pytest.approx(float(second), rel=1e-4, abs=1e-9)


def test_elsewhere_it_is_never_negative():
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    assert all((h >= 0).all() for h in hessian_diagonal(network, examples(dtype=torch.float32)).values())


def test_the_network_is_as_before_and_each_chunk_gives_the_same():
    network, data = convolutions(), examples(shape=(1, 5, 5))
    before = copy.deepcopy(network)
    one, other = (hessian_diagonal(network, data, chunk=chunk) for chunk in (1, 100))
    for name, h in one.items():
        torch.testing.assert_close(h, other[name])
    assert models.same(network.state_dict(), before.state_dict()) and network.training and network[3].training
    assert all(p.grad is None for p in network.parameters())


def test_the_saliency_is_half_the_curvature_times_the_square():
    weights = {"w": torch.tensor([[2.0, -3.0]])}
    assert saliency(weights, {"w": torch.tensor([[0.5, 0.1]])})["w"].tolist() == [[1.0, pytest.approx(0.45)]]


def test_the_criterion_prunes_the_smallest_saliency_and_not_the_smallest_weight():
    weights, curved = {"w": torch.tensor([[1.0, 2.0, 3.0]])}, {"w": torch.tensor([[9.0, 1.0, 0.1]])}
    mask = brain_damage(curved)(weights, {"w": torch.ones(1, 3, dtype=torch.bool)}, 1 / 3, "global")
    assert mask["w"].tolist() == [[True, True, False]]


def test_the_criterion_prunes_one_layer_where_it_is_asked_for_one():
    network, data = relus(), examples()
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    curved, mask = hessian_diagonal(network, data), masks.dense(network)
    one = brain_damage(curved)({"2.weight": weights["2.weight"]}, {"2.weight": mask["2.weight"]}, 0.4, "layer")
    assert one.keys() == {"2.weight"}
    assert torch.equal(one["2.weight"], brain_damage(curved)(weights, mask, 0.4, "layer")["2.weight"])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


@pytest.mark.parametrize(
    ("build", "data", "text"),
    [
        (relus, examples(n=0), "no curvature without examples"),
        (relus, examples().x, "of type Tensor: give a Split"),
        (relus, examples(shape=(5,)), r"cannot take examples of shape \(12, 5\)"),
        (relus, examples(dtype=torch.float32), "is float64 and the images are float32"),
        (relus, Split(examples().x * torch.nan, examples().y), "hold NaN or infinity"),
        (relus, examples(classes=9), "let it return"),
        (lambda: relus().half(), examples(dtype=torch.float16), "half precision"),
        (lambda: nn.Sequential(nn.Flatten()), examples(), "nothing to prune"),
        (lambda: nn.Sequential(nn.Linear(6, 3, device="meta")), examples(), "on the device 'meta'"),
        (lambda: nn.LSTM(6, 3).double(), examples(), "returns a tuple where one tensor of logits"),
        (lambda: Recurrent().double(), examples(shape=(2, 6)), "cannot take examples of shape .* Batching rule"),
    ],
)
def test_what_has_no_curvature_is_refused_in_a_sentence(build, data, text):
    with pytest.raises(ValueError, match=text) as problem:
        hessian_diagonal(build(), data)
    assert "\n" not in str(problem.value)


def test_the_curvature_of_another_network_is_refused():
    curved = {"w": torch.ones(2, 3)}
    for weights in ({}, {"w": torch.ones(1, 3)}):
        with pytest.raises(ValueError, match="the curvature is of another network"):
            saliency(weights, curved)
    with pytest.raises(ValueError, match="this mask is of another network"):
        brain_damage(curved)({"v": torch.ones(2, 3)}, {"v": torch.ones(2, 3, dtype=torch.bool)}, 0.5, "layer")
    with pytest.raises(ValueError, match="a mask is a dict"):
        brain_damage(curved)({"w": torch.ones(2, 3)}, None, 0.5, "layer")
