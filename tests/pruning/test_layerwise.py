"""Pruning layer by layer: Wanda and SparseGPT beside references in loops and in least squares, and others' networks."""

import copy

import pytest
import torch
from torch import nn

from ltcourse.networks import masks, models, transformer
from ltcourse.pruning import layerwise
from ltcourse.pruning.layerwise import as_matrix, gram, magnitude, n_of_m, prune_layers, sparsegpt, wanda

METHODS = tuple(layerwise.METHODS)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def problem(out=5, into=12, n=40, seed=0):
    """A layer and inputs that depend on each other, as those of real layers do."""
    x = normal(into, into, seed=seed + 1) @ normal(into, n, seed=seed + 2)
    return normal(out, into, seed=seed), x, x @ x.T


# The masks


def test_wanda_is_the_product_of_weight_and_norm_compared_in_each_row():
    w, x, h = problem()
    new, kept = wanda(w, h, 0.5)
    for i in range(w.shape[0]):
        scores = [abs(float(w[i, j])) * sum(float(v) ** 2 for v in x[j]) ** 0.5 for j in range(w.shape[1])]
        best = sorted(range(w.shape[1]), key=scores.__getitem__)[6:]
        assert sorted(kept[i].nonzero().flatten().tolist()) == sorted(best)
    assert torch.equal(new, w * kept)


@pytest.mark.parametrize(("share", "left"), [(0.0, 12), (0.1, 11), (0.5, 6), (0.9, 1), (1.0, 0)])
def test_wanda_prunes_the_share_of_every_row(share, left):
    w, _, h = problem()
    assert (wanda(w, h, share)[1].sum(1) == left).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", [(2, 4), (1, 3), (0, 2), (4, 4)])
def test_of_every_m_neighbors_n_stay(method, pattern):
    w, _, h = problem()
    new, kept = layerwise.METHODS[method](w, h, pattern)
    assert (kept.view(5, -1, pattern[1]).sum(2) == pattern[0]).all()
    assert not new[~kept].any()


def test_n_of_m_keeps_the_largest_and_of_equal_ones_the_later():
    scores = torch.tensor([[3.0, 1, 2, 4], [1, 1, 1, 1]])
    assert n_of_m(scores, 2, 4).tolist() == [[True, False, False, True], [False, False, True, True]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.77, 1.0])
def test_the_share_of_the_layer_is_exact(method, share):
    w, _, h = problem(out=8, into=10)
    kept = layerwise.METHODS[method](w, h, share)[1]
    assert int((~kept).sum()) == (8 * round(share * 10) if "row" in method or method == "wanda" else round(share * 80))


# The weights that make up for others


def obs(w, h, kept):
    """Optimal Brain Surgeon, weight after weight: of the columns not yet passed, whatever changes the outputs least."""
    w, h = w.clone(), h + layerwise.DAMPING * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype)
    root = torch.linalg.cholesky(h, upper=True)  # ‖root · v‖² = v' H v: least squares with the damping in it
    for row, choice in zip(w, kept, strict=True):
        for j in range(len(h)):
            if not choice[j]:
                # the change d of the columns after j that makes |root (−w_j e_j + d)| smallest
                after = root[:, j + 1 :]
                d = torch.linalg.lstsq(after, root[:, j, None] * row[j]).solution[:, 0] if j + 1 < len(h) else 0
                row[j + 1 :] += d
                row[j] = 0
    return w


@pytest.mark.parametrize("pattern", [0.3, 0.5, 0.8, (2, 4)])
def test_sparsegpt_is_least_squares_weight_after_weight(pattern):
    w, _, h = problem()
    new, kept = sparsegpt(w, h, pattern)
    torch.testing.assert_close(new, obs(w, h, kept), rtol=1e-6, atol=1e-8)


def test_where_the_first_columns_go_the_rest_is_the_least_squares_solution(monkeypatch):
    monkeypatch.setattr(layerwise, "DAMPING", 0.0)
    w, x, h = problem()
    monkeypatch.setattr(layerwise, "choose_by", lambda scores, pattern: (torch.arange(12) >= 5).expand(5, 12))
    new, _ = sparsegpt(w, h, 5 / 12)
    best = torch.linalg.lstsq(x[5:].T, (w @ x).T).solution.T
    torch.testing.assert_close(new[:, 5:], best, rtol=1e-6, atol=1e-8)


def test_the_choice_is_by_the_square_over_the_inverse_hessian():
    w, _, h = problem()
    kept = sparsegpt(w, h, 0.5)[1]
    damped = h + layerwise.DAMPING * h.diagonal().mean() * torch.eye(12, dtype=h.dtype)
    own = torch.stack([torch.linalg.inv(damped[j:, j:])[0, 0] for j in range(12)])
    scores = (w**2 / own).flatten()
    assert torch.equal(kept.flatten(), scores >= scores.sort().values[30])


def test_making_up_for_weights_beats_leaving_them_out():
    for seed in range(5):
        w, x, h = problem(seed=seed)

        def error(new, w=w, x=x):
            return float(((w - new) @ x).norm())

        new, kept = sparsegpt(w, h, 0.5)
        assert error(new) < error(w * kept)


# Whole networks


def small():
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 4)).double()


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_is_pruned_on_what_the_pruned_layers_before_it_pass_on(method):
    network, x = small(), normal(20, 8)
    hand = copy.deepcopy(network)
    mask = prune_layers(network, x, method, 0.5)
    new, kept = layerwise.METHODS[method](hand[0].weight.detach(), x.T @ x, 0.5)
    hand[0].weight.data.copy_(new)
    inner = hand[1](hand[0](x)).detach()
    last, kept2 = layerwise.METHODS[method](hand[2].weight.detach(), inner.T @ inner, 0.5)
    torch.testing.assert_close(network[0].weight.data, new)
    torch.testing.assert_close(network[2].weight.data, last)
    assert torch.equal(mask["0.weight"], kept) and torch.equal(mask["2.weight"], kept2)
    masks.check(mask, network)


@pytest.mark.parametrize("choices", [{"stride": 2}, {"padding": 1}, {"padding": "same", "dilation": 2}])
def test_the_inputs_of_a_convolution_are_its_patches(choices):
    conv, x = nn.Conv2d(4, 6, 3, bias=False, **choices).double(), normal(2, 4, 9, 9)
    h = gram(nn.Sequential(conv), x, "0.weight")
    w = as_matrix(conv.weight.detach())
    assert float(((w @ h) * w).sum()) == pytest.approx(float((conv(x) ** 2).sum().detach())), (
        "‖WX‖², which holds for no other H"
    )
    assert h.shape == (36, 36)


def test_two_of_four_channels_stay_at_every_position_of_a_convolution():
    network = nn.Sequential(nn.Conv2d(8, 3, 3))
    mask = prune_layers(network, normal(2, 8, 6, 6, dtype=torch.float32), "sparsegpt", (2, 4))
    assert (mask["0.weight"].view(3, 2, 4, 3, 3).sum(2) == 2).all()
    assert torch.equal(network[0].weight != 0, mask["0.weight"])


def test_nothing_else_changes():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(144, 10)
    )
    network[1].eval()
    before = models.snapshot(network)
    prune_layers(network, normal(5, 1, 8, 8, dtype=torch.float32), "sparsegpt", 0.5, ["5.weight"])
    after = models.snapshot(network)
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["5.weight"]
    assert network.training and network[3].training and not network[1].training
    assert all(not m._forward_pre_hooks for m in network.modules())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_inputs_that_are_always_0_and_one_example_alone(method):
    network = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.tensor([[1.0, 0, -2, 0, 0.5, 0]])
    right = network(x)
    mask = prune_layers(network, x, method, 0.5)
    assert all(p.isfinite().all() for p in network.parameters())
    if method in ("wanda", "sparsegpt"):
        assert mask["0.weight"][:, [0, 2, 4]].all(), "the weights that read something"
        first = nn.functional.linear(x, network[0].weight, network[0].bias)
        assert first.isfinite().all() and right.isfinite().all()
    prune_layers(network, torch.zeros(3, 6), method, 0.5)
    assert all(p.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precisions(dtype):
    network, x = small().to(dtype), normal(9, 8, dtype=dtype)
    prune_layers(network, x, "sparsegpt", 0.5)
    assert network[0].weight.dtype == dtype and network(x).dtype == dtype


def test_a_shared_weight_sees_the_inputs_of_both_layers_and_is_pruned_once():
    a, b = nn.Linear(6, 6, bias=False).double(), nn.Linear(6, 6, bias=False).double()
    b.weight = a.weight
    network, x = nn.Sequential(a, nn.Tanh(), b), normal(7, 6)
    inner = network[1](a(x)).detach()
    torch.testing.assert_close(gram(network, x, "0.weight"), x.T @ x + inner.T @ inner)
    mask = prune_layers(network, x, "wanda", 0.5)
    assert list(mask) == ["0.weight"] and b.weight is a.weight and int((a.weight == 0).sum()) == 18


def test_a_weight_that_an_embedding_shares_is_refused_by_name_and_left_alone_by_default():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.read, self.middle, self.write = nn.Embedding(7, 4), nn.Linear(4, 4), nn.Linear(4, 7, bias=False)
            self.write.weight = self.read.weight

        def forward(self, x):
            return self.write(self.middle(self.read(x)))

    network, x = Tied(), torch.tensor([[1, 2, 3]])
    with pytest.raises(ValueError, match=r"'read.weight' is of a module Embedding, and only dense .*layers=\['middle"):
        prune_layers(network, x, "wanda", 0.5, ["read.weight"])
    mask = prune_layers(network, x, "wanda", 0.5)
    assert mask["read.weight"].all() and int(mask["middle.weight"].sum()) == 8


def test_a_transformer_of_pytorch_names_what_can_be_pruned():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network, x = (
        nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval(),
        normal(3, 5, 8, dtype=torch.float32),
    )
    with pytest.raises(ValueError, match="without calling its layer, so that its inputs are not seen: name the layers"):
        prune_layers(network, x, "wanda", 0.5)
    with pytest.raises(ValueError, match="in_proj_weight' is of a module MultiheadAttention"):
        prune_layers(network, x, "wanda", 0.5, ["layers.0.self_attn.in_proj_weight"])
    chosen = [f"layers.{i}.linear{j}.weight" for i in range(2) for j in (1, 2)]
    mask = prune_layers(network, x, "sparsegpt", 0.5, chosen)
    assert [name for name, m in mask.items() if not m.all()] == chosen
    assert torch.backends.mha.get_fastpath_enabled() and not network.training


def broken():
    layer = nn.Linear(3, 2)
    nn.init.constant_(layer.weight, torch.nan)
    return layer


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
@pytest.mark.parametrize(
    ("network", "x", "pattern", "text"),
    [
        (nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), torch.ones(1, 4, 5, 5), 0.5, "grouped convolution"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), (2, 4), "does not divide into groups of 4"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), (3, 2), "3 of every 2 weights cannot be kept"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), (2, 0), "m is 0"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), (2,), r"pattern \(2,\) is no pair"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), (2, 4, 8), r"pattern \(2, 4, 8\) is no pair"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 6), 1.5, "rate 1.5 is outside 0 to 1"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(0, 6), 0.5, "there are no examples"),
        (nn.Sequential(nn.Linear(6, 3)), None, 0.5, "there are no examples"),
        (nn.Sequential(nn.Linear(6, 3)), torch.ones(2, 5), 0.5, r"cannot take examples of shape \(2, 5\), float32: "),
        (nn.Sequential(nn.Linear(6, 3)).half(), torch.ones(2, 6), 0.5, r"cannot take examples .* float32: "),
        (nn.Sequential(nn.Linear(6, 3), broken()), torch.ones(2, 6), 0.5, "a weight is NaN"),
        (nn.Sequential(nn.Linear(6, 3)), torch.full((2, 6), torch.nan), 0.5, "hold NaN or infinity"),
        (nn.Sequential(nn.Embedding(6, 3)), torch.tensor([1]), 0.5, "no dense layer and no 2-d convolution"),
        (nn.Sequential(nn.Linear(6, 3, device="meta")), torch.ones(2, 6), 0.5, "on the device 'meta'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence_and_changes_nothing(network, x, pattern, text, method):
    before = copy.deepcopy(network)
    with pytest.raises(ValueError, match=text) as problem:
        prune_layers(network, x, method, pattern)
    assert "\n" not in str(problem.value)
    if "meta" not in text:
        pairs = zip(network.state_dict().values(), before.state_dict().values(), strict=True)
        assert all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in pairs)


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_a_gram_matrix_of_another_layer_or_of_no_numbers_is_refused(method):
    prune, (w, _, h) = layerwise.METHODS[method], problem()
    for weight, gram_of in ((w, h[:4, :4]), (w, h[0]), (w[0], h), (w.view(5, 3, 2, 2), h)):
        with pytest.raises(ValueError, match=r"do not belong together: they are \(out, in\)"):
            prune(weight, gram_of, 0.5)
    with pytest.raises(ValueError, match="the Gram matrix holds NaN"):
        prune(w, h * torch.nan, 0.5)


def test_what_is_no_gram_matrix_and_what_has_no_rows_is_refused():
    w, _, h = problem()
    wrong = h.clone()
    wrong[0, 1] = wrong[1, 0] = 1e3 * h.diagonal().max()
    for other in (wrong, -h):
        with pytest.raises(ValueError, match="no XXᵀ"):
            sparsegpt(w, other, 0.5)
    for scores in (torch.ones(8), torch.ones(2, 4, 3, 3)):
        with pytest.raises(ValueError, match="have no rows of inputs"):
            n_of_m(scores, 2, 4)
        with pytest.raises(ValueError, match="have no rows of inputs"):
            layerwise.magnitude_by_row(scores, None, 0.5)
    for weight in (torch.ones(3), torch.ones(3, 2, 2)):
        with pytest.raises(ValueError, match="of no dense layer and no 2-d convolution"):
            as_matrix(weight)


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match=r"unknown method 'wander' .did you mean 'wanda'"):
        prune_layers(small(), normal(2, 8), "wander", 0.5)
    with pytest.raises(ValueError, match=r"unknown layer '1\.weight'"):
        prune_layers(small(), normal(2, 8), "wanda", 0.5, ["1.weight"])


# Outlier features


def test_rescaling_changes_no_output_and_deceives_magnitude_alone():
    network = transformer.decoder(30, width=16, heads=2, depth=2, length=12, seed=3).double()
    x = torch.randint(30, (6, 12), generator=torch.Generator().manual_seed(0))
    strange = transformer.rescale(copy.deepcopy(network), torch.tensor([3, 9]), 50.0)
    torch.testing.assert_close(strange(x), network(x))
    names = transformer.linear_weights(network)
    assert magnitude(network.blocks[0].up.weight, None, 0.5)[1][:, [3, 9]].any()
    pairs = {m: [prune_layers(n, x, m, 0.5, names) for n in map(copy.deepcopy, (network, strange))] for m in METHODS}
    assert models.same(*pairs["wanda"]) and not models.same(*pairs["magnitude"])
    assert not pairs["magnitude"][1]["blocks.0.up.weight"][:, [3, 9]].any()
