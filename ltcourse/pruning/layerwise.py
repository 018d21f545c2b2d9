"""Pruning a trained network layer by layer, with a few examples and no training: Wanda, SparseGPT, and magnitude.

Each layer is a matrix W (out, in), whose inputs on the examples are the columns of X. What pruning it does is measured
where it happens, by the change of its outputs ‖WX − ŴX‖². All that is needed of the examples is the Gram matrix XXᵀ.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, unfold

from ltcourse.names import choose
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.weights import refuse_meta
from ltcourse.pruning.foresight import not_taken
from ltcourse.quantities import whole

Pattern = float | tuple[int, int]  # the share of weights to prune; or (n, m): n of every m are kept
Layer = nn.Linear | nn.Conv2d
Method = Callable[[Tensor, Tensor, Pattern], tuple[Tensor, Tensor]]
BLOCK = 128  # columns whose mask SparseGPT chooses at once
DAMPING = 0.01  # of SparseGPT, as a share of the mean of the Gram matrix's diagonal


def n_of_m(scores: Tensor, n: int, m: int) -> Tensor:
    """Return a boolean tensor that keeps the n largest scores of every m neighbors in a row.

    scores: (out, in), no NaN. Among equal scores the later ones stay. Raises ValueError unless 0 ≤ n ≤ m, for rows
    that are no multiple of m, and for scores of another shape.
    Source: Mishra et al. 2021, "Accelerating Sparse Deep Neural Networks" (2:4).
    Lesson 09, "What is it good for?".
    """
    n, m = _pair((n, m))
    if scores.dim() != 2:
        raise ValueError(f"scores of shape {tuple(scores.shape)} have no rows of inputs: bring them to (out, in)")
    if scores.shape[1] % m:
        raise ValueError(
            f"a row of {scores.shape[1]} weights does not divide into groups of {m}: leave this layer out, or choose "
            "an unstructured share such as 0.5"
        )
    masks.refuse_nan(scores)
    groups = scores.reshape(-1, m).flip(1)
    order = groups.argsort(dim=1, descending=True, stable=True)
    kept = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order[:, :n], True)
    return kept.flip(1).view_as(scores)


def _pair(pattern: tuple[int, ...]) -> tuple[int, int]:
    """The n and the m of a pattern; raises ValueError unless 0 ≤ n ≤ m."""
    if len(pattern) != 2:
        raise ValueError(f"the pattern {pattern} is no pair: write (2, 4) for two of every four")
    n, m = whole("n", pattern[0], 0), whole("m", pattern[1], 1)
    if n > m:
        raise ValueError(f"{n} of every {m} weights cannot be kept: write (2, 4) for two of every four")
    return n, m


def _refuse_misfit(weight: Tensor, gram: Tensor) -> None:
    """Raise ValueError for a weight and a Gram matrix that do not belong together, or that hold no numbers."""
    if weight.dim() != 2 or gram.shape != 2 * weight.shape[1:]:
        raise ValueError(
            f"a weight of shape {tuple(weight.shape)} and a Gram matrix of shape {tuple(gram.shape)} do not belong "
            "together: they are (out, in), as `as_matrix` makes it, and (in, in)"
        )
    if not gram.isfinite().all():
        raise ValueError("the Gram matrix holds NaN or infinity: compute it on inputs that are finite")


def magnitude(weight: Tensor, gram: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """Return (new weight, mask): of the whole layer the weights of the largest |w| stay, as they are.

    weight: (out, in). gram: not used. pattern: the share to prune, 0 to 1, or (n, m).
    Source: Han et al. 2015, Sec. 3.
    Lesson 09, "Networks of today".
    """
    kept = choose_by(weight.abs(), pattern)
    return weight * kept, kept


def magnitude_by_row(weight: Tensor, gram: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """Return (new weight, mask): of each row the weights of the largest |w| stay: Wanda's control.

    weight: (out, in). gram: not used. pattern: the share to prune of each row, 0 to 1, or (n, m).
    Source: Sun et al. 2024, Sec. 5 (the group in which weights are compared).
    Lesson 09, "Networks of today".
    """
    kept = choose_by_row(weight.abs(), pattern)
    return weight * kept, kept


def wanda(weight: Tensor, gram: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """Return (new weight, mask): of each row the weights of the largest |w| · ‖x‖ stay, as they are.

    weight: (out, in). gram: XXᵀ, (in, in), on whose diagonal are the squares of the norms ‖x‖ of the inputs. pattern:
    the share to prune of each row, 0 to 1, or (n, m). Raises ValueError where weight and gram do not fit.
    Source: Sun et al. 2024, "A Simple and Effective Pruning Approach for Large Language Models", Sec. 3.
    Lesson 09, "Networks of today".
    """
    _refuse_misfit(weight, gram)
    norms = gram.diagonal().clamp(min=0).sqrt()
    kept = choose_by_row(weight.abs() * norms, pattern)
    return weight * kept, kept


def sparsegpt(weight: Tensor, gram: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """Return (new weight, mask): columns are pruned left to right, and those to the right make up for each.

    For each pruned weight w of column j, with H⁻¹ the inverse of the Gram matrix of the columns from j on, the row
    changes by −w / [H⁻¹]ⱼⱼ · H⁻¹ⱼ, as in Optimal Brain Surgeon: of all changes of the columns from j on, this one
    changes the outputs least. Those weights go whose w² / [H⁻¹]ⱼⱼ is smallest, chosen for `BLOCK` columns at once, or
    for m.
    weight: (out, in). gram: XXᵀ, (in, in); `DAMPING` of the mean of its diagonal is added to the diagonal, so that it
    has an inverse for few examples, too. pattern: the share to prune, 0 to 1, or (n, m). Raises ValueError where
    weight and gram do not fit, and for a gram that is no XXᵀ.
    Source: Frantar & Alistarh 2023, "SparseGPT", Algorithm 1; Hassibi & Stork 1993.
    Lesson 09, "Networks of today".
    """
    _refuse_misfit(weight, gram)
    w, h = weight.double().clone(), gram.double().clone()
    dead = h.diagonal() == 0  # inputs that are always 0: their weights do nothing
    h[dead, dead] = 1
    w[:, dead] = 0
    h.diagonal().add_(DAMPING * h.diagonal().mean())
    try:  # row j of U is row 0 of H⁻¹ of the columns from j on, divided by the root of its first entry
        u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    except torch.linalg.LinAlgError as failed:
        what = "the Gram matrix is no XXᵀ, which has no eigenvalue below 0: compute it with `gram`"
        raise ValueError(what) from failed
    kept = torch.ones_like(w, dtype=torch.bool)
    columns, size = w.shape[1], _pair(pattern)[1] if isinstance(pattern, tuple) else BLOCK
    for j in range(columns):
        if j % size == 0:
            block = slice(j, min(j + size, columns))
            kept[:, block] = choose_by((w[:, block] / u.diagonal()[block]) ** 2, pattern)
        error = torch.where(kept[:, j], 0, w[:, j]) / u[j, j]
        w[:, j:] -= error[:, None] * u[j, j:]
    return (w * kept).to(weight.dtype), kept


def choose_by(scores: Tensor, pattern: Pattern) -> Tensor:
    """Return the mask (out, in) of the largest scores: of a share of the whole layer, or of n of every m."""
    if isinstance(pattern, tuple):
        return n_of_m(scores, *_pair(pattern))
    return masks.keep_largest(scores, scores.numel() - round(masks.check_share(pattern) * scores.numel()))


def choose_by_row(scores: Tensor, pattern: Pattern) -> Tensor:
    """Return the mask (out, in) of the largest scores of each row: of a share of it, or of n of every m."""
    if isinstance(pattern, tuple):
        return n_of_m(scores, *_pair(pattern))
    columns = scores.shape[-1]
    return n_of_m(scores, columns - round(masks.check_share(pattern) * columns), columns)


METHODS: dict[str, Method] = {
    "magnitude": magnitude,
    "magnitude by row": magnitude_by_row,
    "wanda": wanda,
    "sparsegpt": sparsegpt,
}
UNSEEN = (magnitude, magnitude_by_row)  # which do not look at the inputs


def prune_layers(
    network: nn.Module, examples: Tensor, method: str, pattern: Pattern, layers: list[str] | None = None
) -> Mask:
    """Prune a trained network layer by layer, in place, and return the mask.

    examples: a batch of inputs of the network. method: one of `METHODS`. pattern: the share of each layer to prune, 0
    to 1, or (n, m). layers: the names of the weights to prune, by default those of all dense layers and 2-d
    convolutions; a convolution's row holds the channels of one position beside each other. Layers are pruned in the
    order in which the network uses them, each on the inputs that those before it, pruned already, pass on. All else is
    unchanged, in the network's mode and buffers as well.
    Raises ValueError, with what to do, for a layer of another kind, one that is not called by itself or whose weight is
    shared with an embedding, a grouped convolution, no examples, those that the network cannot take, weights or inputs
    that are no numbers, and a pattern that does not fit.
    Source: Frantar & Alistarh 2023, Sec. 3 and 4; Sun et al. 2024, Sec. 3.
    Lesson 09, "Networks of today".
    """
    prune = METHODS[choose("method", method, METHODS)]
    refuse_meta(network)
    owners = _owners(network, layers)
    for name in owners:
        masks.refuse_nan(network.get_parameter(name))
    mask = masks.dense(network)
    for name in _order(network, examples, owners):
        layer = owners[name][0]
        weight = as_matrix(layer.weight.detach())
        seen = weight if prune in UNSEEN else _gram(network, examples, name, owners[name])
        new, kept = prune(weight, seen, pattern)
        _write(layer, new)
        mask[name] = _as_weight(kept, layer.weight)
    return mask


def gram(network: nn.Module, examples: Tensor, name: str) -> Tensor:
    """Return XXᵀ, (in, in) in float64, of the inputs X of a layer on some examples.

    examples: a batch of inputs of the network. name: of the layer's weight. Raises ValueError as `prune_layers` does.
    Source: Frantar & Alistarh 2023, Sec. 3.1.
    Lesson 09, "Networks of today".
    """
    owners = _owners(network, [name])
    _order(network, examples, owners)
    return _gram(network, examples, name, owners[name])


def as_matrix(weight: Tensor) -> Tensor:
    """Return a layer's weight as a matrix (out, in), the channels of one position of a convolution side by side.

    Raises ValueError for a weight of another kind of layer.
    """
    if weight.dim() not in (2, 4):
        raise ValueError(
            f"a weight of shape {tuple(weight.shape)} is of no dense layer and no 2-d convolution, (out, in) or "
            "(out, in, height, width)"
        )
    return weight if weight.dim() == 2 else weight.permute(0, 2, 3, 1).flatten(1)


def _as_weight(matrix: Tensor, like: Tensor) -> Tensor:
    if like.dim() == 2:
        return matrix
    out, into, height, width = like.shape
    return matrix.view(out, height, width, into).permute(0, 3, 1, 2).contiguous()


def _write(layer: Layer, matrix: Tensor) -> None:
    with torch.no_grad():
        layer.weight.copy_(_as_weight(matrix, layer.weight))


def _owners(network: nn.Module, layers: list[str] | None) -> dict[str, list[Layer]]:
    """The modules that use each weight to prune, by its name; several where it is shared."""
    weights = masks.some(masks.prunable(network))
    kinds = (nn.Linear, nn.Conv2d)
    found = {
        name: [m for m in network.modules() if any(q is p for q in m.parameters(recurse=False))]
        for name, p in weights.items()
    }
    fit = [name for name, modules in found.items() if all(isinstance(m, kinds) for m in modules)]
    for name in fit if layers is None else layers:
        choose("layer", name, found)
        if name not in fit:
            odd = next(m for m in found[name] if not isinstance(m, kinds))
            raise ValueError(
                f"{name!r} is of a module {type(odd).__name__}, and only dense layers and 2-d convolutions are pruned "
                f"by their inputs: name such layers, as in layers={fit[:1]!r}"
            )
        if any(getattr(m, "groups", 1) > 1 for m in found[name]):
            raise ValueError(
                f"{name!r} is of a grouped convolution, each group of which has inputs of its own: leave it out of "
                "`layers`"
            )
    if not fit:
        raise ValueError("this network has no dense layer and no 2-d convolution: there is nothing to prune here")
    return {name: [m for m in found[name] if isinstance(m, kinds)] for name in (fit if layers is None else layers)}


def _order(network: nn.Module, examples: Tensor, owners: dict[str, list[Layer]]) -> list[str]:
    """The names of the layers in the order in which the network uses them first."""
    if not isinstance(examples, Tensor) or not examples.dim() or not len(examples):
        raise ValueError("there are no examples: give a batch of inputs, a tensor of at least one")
    seen: dict[str, None] = {}

    def note(name: str) -> Look:
        return lambda layer, x: seen.setdefault(name)

    with _watched(network, {name: (modules, note(name)) for name, modules in owners.items()}):
        try:
            network(examples)
        except RuntimeError as error:
            raise not_taken(examples, error) from error
    if unseen := [name for name in owners if name not in seen]:
        raise ValueError(
            f"the network uses {unseen[0]!r} without calling its layer, so that its inputs are not seen: name the "
            f"layers to prune, as in layers={list(seen)[:3]!r}"
        )
    return list(seen)


def _gram(network: nn.Module, examples: Tensor, name: str, modules: list[Layer]) -> Tensor:
    weight = as_matrix(modules[0].weight)
    total = torch.zeros(weight.shape[1], weight.shape[1], dtype=torch.float64, device=weight.device)

    def add(layer: Layer, x: Tensor) -> None:
        rows = _rows(layer, x.detach()).double()
        total.addmm_(rows.T, rows)

    with _watched(network, {name: (modules, add)}):
        network(examples)
    if not total.isfinite().all():
        raise ValueError(f"the inputs of {name!r} hold NaN or infinity: give examples for which the network is finite")
    return total


def _rows(layer: Layer, x: Tensor) -> Tensor:
    """What a layer multiplies its weight with, as rows (n, in)."""
    if not isinstance(layer, nn.Conv2d):
        return x.flatten(0, -2) if x.dim() > 1 else x[None]
    x = x if x.dim() == 4 else x[None]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    x = pad(x, layer._reversed_padding_repeated_twice, mode=mode)
    patches = unfold(x, layer.kernel_size, dilation=layer.dilation, stride=layer.stride)
    n, _, places = patches.shape
    return patches.view(n, x.shape[1], -1, places).permute(0, 3, 2, 1).reshape(n * places, -1)


Look = Callable[[Layer, Tensor], object]


@contextmanager
def _watched(network: nn.Module, looks: dict[str, tuple[list[Layer], Look]]) -> Iterator[None]:
    """Let functions see the inputs of layers, with the network in evaluation, as long as the block lasts."""
    modes = {module: module.training for module in network.modules()}
    # a transformer's fast path would go past its layers
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as undo:
        for module, mode in modes.items():
            undo.callback(setattr, module, "training", mode)
        undo.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        network.eval()
        for modules, look in looks.values():
            for module in modules:
                hook = module.register_forward_pre_hook(lambda m, inputs, look=look: _seen(look, m, inputs))
                undo.callback(hook.remove)
        undo.enter_context(torch.no_grad())
        yield


def _seen(look: Look, module: Layer, inputs: tuple[Tensor, ...]) -> None:
    if inputs:
        look(module, inputs[0])
