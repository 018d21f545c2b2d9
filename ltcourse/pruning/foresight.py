"""Masks without training: which weights to keep is decided at initialization, from one look at the network.

Each of the three methods is a criterion, as those of `criteria` are: the weights that it is given are put into a copy
of the network, and a score of the copy says which of them go. So the network itself is left as it is, bit for bit.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy

from ltcourse.data import Split
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights
from ltcourse.networks.weights import NORMS, copied, refuse_meta
from ltcourse.pruning.criteria import Criterion, Rate, rate_of, select
from ltcourse.quantities import real, whole
from ltcourse.training.loop import look_at

Score = Callable[[nn.Module, list[nn.Parameter]], Sequence[Tensor]]


def snip(network: nn.Module, x: Tensor, y: Tensor) -> Criterion:
    """Return SNIP's criterion, the sensitivity of the loss to a weight's absence: |w · ∂L/∂w|.

    network: as it is now; a copy is kept. x: a batch of examples, (n, …). y: their labels, (n,). Batch norm sees the
    batch, as in training; dropout is off. Meant for scope "global", as in the paper.
    Raises ValueError for a network without weights of its own, and for a batch that `refuse_examples` refuses.
    Source: Lee et al. 2019, "SNIP: Single-shot Network Pruning based on Connection Sensitivity", Sec. 4.
    Lesson 09, "Before training".
    """

    refuse_examples(network, Split(x, y))

    def sensitivity(probe: nn.Module, weights: list[nn.Parameter]) -> list[Tensor]:
        gradients = _gradients(cross_entropy(probe(x), y), weights)
        return [(w * g).abs() for w, g in zip(weights, gradients, strict=True)]

    return _by(sensitivity, _as_in_training(_probe(network)))


def grasp(network: nn.Module, x: Tensor, y: Tensor, *, temperature: float = 200.0) -> Criterion:
    """Return GraSP's criterion, how far a weight's removal lowers the norm of the gradient: w · (H g).

    g is the gradient of the loss in the weights, H its second derivative. The paper prunes the weights of the largest
    −w · (H g), whose removal lowers the gradient's norm least, or raises it. H g is the gradient of g · stop(g).
    network, x, y: as of `snip`. temperature: what the logits are divided by, above 0; 200 as in the authors' code.
    Raises ValueError as `snip` does, and for a temperature that is not above 0, or infinite.
    Source: Wang et al. 2020, "Picking Winning Tickets Before Training by Preserving Gradient Flow", Sec. 4, Eq. 8.
    Lesson 09, "Before training".
    """
    temperature = real("temperature", temperature)
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature {temperature} is not above 0, or infinite: the logits are divided by it")
    refuse_examples(network, Split(x, y))

    def flow(probe: nn.Module, weights: list[nn.Parameter]) -> list[Tensor]:
        with sdpa_kernel(SDPBackend.MATH):  # the fast kernels of attention have no second derivative
            loss = cross_entropy(probe(x) / temperature, y)
            first = _gradients(loss, weights, create_graph=True)
            product = sum(((g * g.detach()).sum() for g in first), torch.zeros((), device=x.device))
            if not product.requires_grad:  # the loss is linear in each weight: H is 0
                return [torch.zeros_like(w) for w in weights]
            second = _gradients(product, weights)
        return [w * hg for w, hg in zip(weights, second, strict=True)]

    return _by(flow, _as_in_training(_probe(network)))


def synflow(network: nn.Module, shape: Sequence[int]) -> Criterion:
    """Return SynFlow's criterion, the flow of all paths through a weight: w · ∂R/∂w, R = 1ᵀ |W_L| ⋯ |W_1| 1.

    R is the sum of the outputs for an image of ones when all parameters are replaced by their absolute values. No data
    are used. Where biases are 0, as at initialization, the scores of all weights into a hidden neuron add up to those
    of all weights out of it. So no layer can lose its last weight before the others are down to theirs, if the network
    is pruned little by little: `in_rounds`.
    network: as it is now; a copy in double precision is kept, in evaluation. shape: of one image, (c, h, w).
    Raises ValueError for a network without weights of its own, for one that takes no such image, and for one through
    which nothing flows.
    Source: Tanaka et al. 2020, "Pruning neural networks without any data by iteratively conserving synaptic flow",
    Sec. 4 to 6.
    Lesson 09, "Before training".
    """
    probe = _probe(network).eval().double()
    for tensor in probe.state_dict().values():
        if tensor.is_floating_point():
            tensor.abs_()
    device = next(probe.parameters()).device
    if not isinstance(shape, Sequence):
        raise ValueError(f"the shape is {shape!r}: give the sides of one image, such as (1, 28, 28)")
    sides = tuple(whole("a side of the shape", n, 1) for n in shape)
    ones = torch.ones(1, *sides, dtype=torch.float64, device=device)

    def synaptic(probe: nn.Module, weights: list[nn.Parameter]) -> list[Tensor]:
        with torch.no_grad():
            for w in weights:
                w.abs_()
        gradients = _gradients(probe(ones).sum(), weights)
        return [w.detach() * g for w, g in zip(weights, gradients, strict=True)]

    try:
        outputs = float(probe(ones).detach().abs().sum())
        scores = [score.flatten() for score in synaptic(probe, list(masks.prunable(probe).values()))]
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"this network takes no image of ones of the shape {sides}: give the sides of one of its images, such as "
            "(1, 28, 28); a network that reads whole numbers, as an embedding does, has no synaptic flow"
        ) from error
    least, flow = float(torch.cat(scores).min()), float(torch.cat(scores).sum())
    if not 1e-9 * outputs < flow < float("inf") or least < -1e-9 * flow:  # of a softmax the sum is 1, whatever flows
        raise ValueError(
            "the flow through this network is 0, infinite, or negative on some paths: SynFlow is for networks of dense "
            "layers, convolutions and batch norm whose activations keep what is positive"
        )
    return _by(synaptic, probe)


def in_rounds(criterion: Criterion, rounds: int = 100) -> Criterion:
    """Return a criterion that prunes little by little, and scores again between: the exponential schedule.

    After k of n rounds (1 − rate)^(k/n) of the weights are left. rounds: n, 1 or more.
    Source: Tanaka et al. 2020, Sec. 6 (Algorithm 1).
    Lesson 09, "Before training".
    """
    rounds = whole("rounds", rounds, 1)

    def little_by_little(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        masks.refuse_no_mask(mask)
        if scope == "global":
            return _descend(criterion, weights, mask, masks.kept(mask), rounds, rate)
        counts = {name: int(m.sum()) for name, m in mask.items()}
        now = mask
        for k in range(1, rounds + 1):
            rates = {}
            for name, count in counts.items():
                left = round(count * (1 - rate_of(name, rate)) ** (k / rounds))
                rates[name] = 1 - left / max(1, int(now[name].sum()))
            now = criterion(weights, now, rates, scope)
        return now

    return little_by_little


def _descend(criterion: Criterion, weights: Weights, mask: Mask, count: int, rounds: int, rate: Rate) -> Mask:
    """Prune all layers together, down to `count` × (1 − rate) weights in so many rounds."""
    if isinstance(rate, Mapping):
        raise ValueError("global pruning takes one rate: give a number, or use scope='layer' for a rate per layer")
    share = masks.check_share(rate)
    for k in range(1, rounds + 1):
        left = count - round(count * share) if k == rounds else round(count * (1 - share) ** (k / rounds))
        mask = criterion(weights, mask, 1 - left / max(1, masks.kept(mask)), "global")
    return mask


def inverted(criterion: Callable[[Weights, Mask, Rate, str], Mask]) -> Criterion:
    """Return the criterion that keeps what another would prune first: a sanity check of its scores.

    Source: Frankle et al. 2021, "Pruning Neural Networks at Initialization: Why Are We Missing the Mark?", Sec. 5.
    Lesson 09, "Who needs the particular weights?".
    """

    def upside_down(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        if isinstance(rate, Mapping):
            other: Rate = {name: 1 - masks.check_share(r) for name, r in rate.items()}
        else:
            other = 1 - masks.check_share(rate)
        first = criterion(weights, mask, other, scope)
        return {name: m & ~first[name] for name, m in mask.items()}

    return upside_down


def erk(weights: Weights, density: float) -> dict[str, float]:
    """Return a density per layer, Erdős–Rényi-Kernel: in proportion to (sum of the sides) / (product of the sides).

    weights: (out, in, …), tensors or masks by name. density: of all together, 0 to 1. A layer of which this would keep
    more than all is dense, and the others keep less. Small layers keep larger shares than large ones.
    Source: Evci et al. 2020, "Rigging the Lottery", Sec. 3; Mocanu et al. 2018 (of dense layers).
    Lesson 09, "Before training".
    """
    density = masks.check_share(density, "density")
    sizes = {name: w.numel() for name, w in weights.items()}
    raw = {name: sum(w.shape) / max(1, w.numel()) for name, w in weights.items()}
    dense: set[str] = set()
    while True:
        budget = density * sum(sizes.values()) - sum(sizes[name] for name in dense)
        others = sum(raw[name] * sizes[name] for name in raw.keys() - dense)
        scale = budget / others if others else 0.0
        full = {name for name in raw.keys() - dense if scale * raw[name] > 1}
        if not full:
            return {name: 1.0 if name in dense else scale * raw[name] for name in weights}
        dense |= full


def refuse_examples(network: nn.Module, examples: Split) -> None:
    """Raise ValueError, with what to do, for examples on which a network has no loss: none, odd labels, no numbers."""
    masks.dense(network)  # refuses a network without weights of its own

    def finite(logits: Tensor, y: Tensor) -> None:
        if not logits.isfinite().all():
            raise ValueError(
                "the outputs of this network on these examples hold NaN or infinity: look for them among the examples, "
                "and among its weights"
            )

    try:
        look_at(copied(network), examples, finite)
    except RuntimeError as error:
        raise not_taken(examples.x, error) from error


def not_taken(x: Tensor, error: RuntimeError) -> Exception:
    """Return what to raise where a network fails on examples x: a sentence with PyTorch's reason, or no memory."""
    if isinstance(error, torch.OutOfMemoryError):
        return error
    kind, reason = str(x.dtype).removeprefix("torch."), str(error).partition("\n")[0]
    return ValueError(f"this network cannot take examples of shape {tuple(x.shape)}, {kind}: {reason}")


def _probe(network: nn.Module) -> nn.Module:
    """A copy of a network whose weights, and nothing else, have gradients."""
    masks.dense(network)  # refuses a network without weights of its own
    refuse_meta(network)
    probe = copied(network)
    probe.requires_grad_(False)
    for w in masks.prunable(probe).values():
        w.requires_grad_(True)
    return probe


def _as_in_training(probe: nn.Module) -> nn.Module:
    """Let the norm layers see the batch, as in training; dropout stays off, so that nothing is drawn."""
    probe.eval()
    for module in probe.modules():
        if isinstance(module, NORMS):
            module.train()
    return probe


def _gradients(of: Tensor, weights: list[nn.Parameter], *, create_graph: bool = False) -> tuple[Tensor, ...]:
    return torch.autograd.grad(of, weights, create_graph=create_graph, allow_unused=True, materialize_grads=True)


def _by(score: Score, probe: nn.Module) -> Criterion:
    """The criterion that puts the weights under their mask into a copy of the network, and asks for its scores."""
    there = masks.prunable(probe)
    own = {name: w.detach().clone() for name, w in there.items()}
    buffers = [(buffer, buffer.clone()) for buffer in probe.buffers()]

    def criterion(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        masks.refuse_no_mask(mask)
        some = mask.keys() < there.keys()  # as a scan of one layer after another asks
        masks.refuse_misfit(mask, {name: w for name, w in there.items() if name in mask or not some})
        masks.refuse_misfit(mask, {name: w for name, w in weights.items() if name in mask})
        with torch.no_grad():
            for name, w in there.items():
                w.copy_(weights[name] * mask[name] if name in mask else own[name])
        try:
            with torch.enable_grad():
                scores = score(probe, list(there.values()))
        finally:
            for buffer, before in buffers:  # batch norm counts the batches that it has seen
                buffer.copy_(before)
        by_name = {name: s.detach() for name, s in zip(there, scores, strict=True)}
        return select({name: by_name[name] for name in mask}, mask, rate, scope)

    return criterion
