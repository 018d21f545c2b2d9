"""Whether a pruner does what it says: `check(prune)` tries anybody's pruner on a small network, property by property.

A *pruner* is a function `prune(network, density)`. `density`, 0 to 1, is the share of weights to keep, of all weights
that there are, whatever is pruned already. Weights are those of dense layers and convolutions. The pruner changes the
network in place, or returns another one with the same layers. It may return a mask: a dict from the name of a weight to
booleans, True where the weight is kept. Without a mask, the weights that are then 0 are taken as pruned.

A *mask maker* is a pruner that returns a mask and leaves the network as it is. Whoever trains then holds the mask.

What a pruner has besides, it gives to `check`; all of it may be left out:
- `hold(network, mask)`, called after the pruning and after every step of the optimizer;
- `reset(network, mask, initial)`, which returns a pruned network to its initial values, a state dict; or True, if
  `prune` itself ends with this reset;
- `output`, how it treats the output layer, and `scope`, what the density is a share of.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.classroom.checks.verdict import OPTIMIZERS, copied
from ltcourse.display.tables import Table, percent
from ltcourse.names import choose
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot

Prune = Callable[[nn.Module, float], Any]
Hold = Callable[[nn.Module, Mask], Any]
Reset = Callable[[nn.Module, Mask, dict[str, Tensor]], Any]

OUTPUTS = ("like the others", "half the rate", "kept")
SCOPES = ("layer", "global")
_LAYERS = ("0", "4", "7")  # a convolution, a dense layer, the output layer
_DENSITIES = (0.7, 0.3, 0.1)  # no count of weights is a half
_MIDDLE, _STEPS = 0.3, 5


@dataclass(frozen=True)
class Property:
    """One property of a pruner, and the numbers that show whether it has it.

    holds: None where it was not tried, since the pruner does not say that it has it.
    Lesson 10, "A conformance kit".
    """

    name: str
    holds: bool | None
    evidence: str


@dataclass(frozen=True)
class Conformance:
    """What was found of a pruner: a short table, false if a property fails.

    Lesson 10, "A conformance kit".
    """

    pruner: str
    properties: tuple[Property, ...]

    def __bool__(self) -> bool:
        return all(p.holds is not False for p in self.properties)

    def __getitem__(self, name: str) -> Property:
        return {p.name: p for p in self.properties}[choose("property", name, [p.name for p in self.properties])]

    @property
    def failed(self) -> list[str]:
        """The names of the properties that do not hold."""
        return [p.name for p in self.properties if p.holds is False]

    def __str__(self) -> str:
        return repr(self._table())

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self._table()._repr_markdown_()

    def _table(self) -> Table:
        signs = {True: "✔", False: "✘", None: "–"}
        rows = [[p.name, signs[p.holds], p.evidence] for p in self.properties]
        return Table([self.pruner, "", "evidence"], rows, words=True)


@dataclass(frozen=True)
class _Pruner:
    """A pruner, and what it says of itself."""

    prune: Prune
    hold: Hold | None
    reset: Reset | bool
    output: str
    scope: str


@dataclass(frozen=True)
class _Pruned:
    """What came of a pruning. given: the mask that was returned, names as it has them. maker: nothing else was done."""

    network: nn.Module
    mask: Mask
    given: Mapping[str, Any] | None
    maker: bool
    trained: bool


def check(
    prune: Prune,
    *,
    hold: Hold | None = None,
    reset: Reset | bool = False,
    output: str = "like the others",
    scope: str = "layer",
) -> Conformance:
    """Try a pruner, as the module describes it, on a small network with a convolution, dense layers and norm layers.

    output: "like the others", "half the rate" (it prunes half the share that other layers lose) or "kept" (whole).
    scope: "layer", where each layer keeps the share `density`, or "global", where all layers do together.
    An error of the pruner fails the property that was tried. Raises ValueError for another `output` or `scope`.
    Lesson 10, "A conformance kit".
    """
    choose("output", output, OUTPUTS)
    choose("scope", scope, SCOPES)
    pruner = _Pruner(prune, hold, reset, output, scope)
    trials: dict[str, Callable[[_Pruner], tuple[bool | None, str]]] = {
        "counts exact": _counts,
        f"output layer: {output}": _output,
        "ties decided": _ties,
        "masks nested": _nested,
        **{f"pruned weights 0: {name}": partial(_zero, optimizer=name) for name in OPTIMIZERS},
        "reset bit for bit": _reset,
        "norms and biases left alone": _left_alone,
    }
    found = tuple(Property(name, *_tried(trial, pruner)) for name, trial in trials.items())
    return Conformance(getattr(prune, "__name__", type(prune).__name__), found)


def _tried(trial: Callable[[_Pruner], tuple[bool | None, str]], pruner: _Pruner) -> tuple[bool | None, str]:
    try:
        return trial(pruner)
    except Exception as error:  # anybody's code: whatever it raises is a finding
        return False, f"stopped with {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


# The network, its training, and what is pruned in it


def _network(rounded: bool = False) -> nn.Sequential:
    """Build a network for images of 5 × 5 pixels whose parameters are all drawn. rounded: few different magnitudes."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):  # PyTorch draws new layers from the global generator
        network = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
            nn.Linear(54, 20), nn.LayerNorm(20), nn.ReLU(), nn.Linear(20, 5),
        )  # fmt: skip
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=generator) * (0.3 if p.dim() > 1 else 1.0)
        if rounded and p.dim() > 1:
            p.data = p.data.sign() * ((4 * p.data.abs()).round() + 1) / 8
    return network


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, hold: Callable[[], Any], steps: int) -> Iterator[int]:
    """Train, and yield the number of each step, after `hold`."""
    generator = torch.Generator().manual_seed(1)
    for step in range(1, steps + 1):
        x, y = torch.randn(16, 1, 5, 5, generator=generator), torch.randint(0, 5, (16,), generator=generator)
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()
        hold()
        yield step


def _used(network: nn.Module) -> Mask:
    """Return the weights that a forward pass works with, by name: derivatives of a layer's outputs by its inputs."""
    training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, 1, 5, 5))  # some pruners act there
    found = {}
    for path in _LAYERS:
        shape = (6, 1, 3, 3) if path == "0" else (20, 54) if path == "4" else (5, 20)
        x = torch.zeros(shape, requires_grad=True)
        outputs = network.get_submodule(path)(x).flatten(1).diagonal().sum()
        (found[f"{path}.weight"],) = torch.autograd.grad(outputs, x)
    network.train(training)
    return found


def _others(network: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters that are no weights: biases, and all of the norm layers'."""
    names = ["0.bias", "1.weight", "1.bias", "4.bias", "5.weight", "5.bias", "7.bias"]
    owners = ((name, network.get_submodule(name[0]), name[2:]) for name in names)
    return {name: getattr(owner, attribute).detach().clone() for name, owner, attribute in owners}


def _prune(pruner: _Pruner, network: nn.Module, density: float) -> _Pruned:
    before = _used(network)
    result = pruner.prune(network, density)
    if isinstance(result, nn.Module):
        network = result
    after = _used(network)
    given = result if isinstance(result, Mapping) else None
    mask = {name: w != 0 for name, w in after.items()} if given is None else _mask_of(given, before)
    unchanged = all(torch.equal(after[name], w) for name, w in before.items())
    trained = any(not torch.equal(after[name][m], before[name][m]) for name, m in mask.items())
    maker = given is not None and unchanged and any(not m.all() for m in mask.values())
    if pruner.hold:
        pruner.hold(network, mask)
    return _Pruned(network, mask, given, maker, trained)


def _mask_of(given: Mapping[str, Any], weights: Mask) -> Mask:
    """Read a mask by the names of weights or of layers; a weight without one is kept whole."""
    found = {}
    for name, w in weights.items():
        m = given.get(name, given.get(name.removesuffix(".weight")))
        found[name] = torch.ones_like(w, dtype=torch.bool) if m is None else torch.as_tensor(m).bool()
        if found[name].shape != w.shape:
            raise ValueError(
                f"the mask of {name} has shape {tuple(found[name].shape)}, and the weight {tuple(w.shape)}"
            )
    return found


def _holder(pruner: _Pruner, pruned: _Pruned) -> Callable[[], Any]:
    """What comes after each step: the pruner's own part, or that of whoever trains with a mask that was made."""
    if pruner.hold:
        return partial(pruner.hold, pruned.network, pruned.mask)
    return partial(masks.apply, pruned.network, pruned.mask) if pruned.maker else lambda: None


def _goes_on(pruned: _Pruned, optimizer: torch.optim.Optimizer, name: str) -> torch.optim.Optimizer:
    """The optimizer with its memory, or a new one if the network has new parameters."""
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    same = all(id(p) in known for p in pruned.network.parameters())
    return optimizer if same else OPTIMIZERS[name](pruned.network.parameters())


# The properties


def _expected(pruner: _Pruner, density: float, name: str, size: int) -> int:
    """How many weights of a layer are to be kept."""
    if name != "7.weight" or pruner.output == "like the others":
        return round(density * size)
    return size if pruner.output == "kept" else round((1 - (1 - density) / 2) * size)


def _ranked(pruner: _Pruner, mask: Mask) -> Mask:
    """The layers whose counts are those of the density itself: all that are treated alike."""
    return {n: m for n, m in mask.items() if n != "7.weight" or pruner.output == "like the others"}


def _miscounted(pruner: _Pruner, mask: Mask, density: float) -> str:
    """What is wrong with the counts of a mask, "" if nothing is."""
    ranked = _ranked(pruner, mask)
    if pruner.scope == "global":
        ranked = {"the weights": torch.cat([m.flatten() for m in ranked.values()])}
    for name, m in ranked.items():
        found, right = int(m.sum()), round(density * m.numel())
        if found != right:
            turned = found == round((1 - density) * m.numel())
            asked = ": is the density taken as the share to prune?" if turned else ""
            return f"at {percent(density, 0)}, {name}: {found} of {m.numel()} kept, and should be {right}{asked}"
    return ""


def _kept(mask: Mask) -> str:
    return " + ".join(str(int(m.sum())) for m in mask.values())


def _counts(pruner: _Pruner) -> tuple[bool, str]:
    shown = []
    again: nn.Module = _network()
    for density in _DENSITIES:
        mask = _prune(pruner, _network(), density).mask
        if wrong := _miscounted(pruner, mask, density):
            return False, wrong
        shown.append(f"{percent(density, 0)}: {_kept(_ranked(pruner, mask))}")
        pruned = _prune(pruner, again, density)
        if wrong := _miscounted(pruner, pruned.mask, density):
            return False, f"{wrong} (after a first pruning: is the density taken as a share of what is left?)"
        _holder(pruner, pruned)()
        again = pruned.network
    return True, f"kept by layer, at {', '.join(shown)}"


def _output(pruner: _Pruner) -> tuple[bool | None, str]:
    found = int((m := _prune(pruner, _network(), _MIDDLE).mask["7.weight"]).sum())
    shown = f"at {percent(_MIDDLE, 0)} it keeps {found} of {m.numel()}"
    if pruner.scope == "global" and pruner.output == "like the others":
        return True, f"{shown}, ranked with all the others"
    if pruner.scope == "global" and pruner.output == "half the rate":
        return None, f"{shown}; with one ranking for all layers, no layer has a rate of its own"
    right = _expected(pruner, _MIDDLE, "7.weight", m.numel())
    return found == right, shown if found == right else f"{shown}, and should keep {right}"


def _ties(pruner: _Pruner) -> tuple[bool, str]:
    network = _network(rounded=True)
    sizes = [len(w.abs().unique()) for w in _used(network).values()]
    mask = _prune(pruner, network, _MIDDLE).mask
    if wrong := _miscounted(pruner, mask, _MIDDLE):
        return False, f"{wrong} (with {sizes} different magnitudes)"
    return True, f"{_kept(_ranked(pruner, mask))} kept, of weights with {', '.join(map(str, sizes))} magnitudes"


def _nested(pruner: _Pruner) -> tuple[bool, str]:
    name = "SGD with momentum and weight decay"
    network: nn.Module = _network()
    optimizer = OPTIMIZERS[name](network.parameters())
    earlier: Mask = {}
    for density in _DENSITIES:
        pruned = _prune(pruner, network, density)
        for weight, m in earlier.items():
            gone = int((~m).sum())
            if back := int((pruned.mask[weight] & ~m).sum()):
                return False, f"at {percent(density, 0)}, {back} of the {gone} pruned weights of {weight} are back"
        earlier, network = pruned.mask, pruned.network
        optimizer = _goes_on(pruned, optimizer, name)
        for _ in _train(network, optimizer, _holder(pruner, pruned), _STEPS):
            pass
    gone = sum(int((~m).sum()) for m in earlier.values())
    return True, f"0 of {gone} pruned weights came back in {len(_DENSITIES)} prunings, with training between them"


def _zero(pruner: _Pruner, optimizer: str) -> tuple[bool | None, str]:
    network: nn.Module = _network()
    steps = OPTIMIZERS[optimizer](network.parameters())
    for _ in _train(network, steps, lambda: None, _STEPS):  # so that the optimizer remembers something
        pass
    pruned = _prune(pruner, network, _MIDDLE)
    if pruned.maker and not pruner.hold:
        return None, "left to whoever trains: it makes a mask, and names no `hold`"
    if (largest := _largest(pruned)) != 0:
        return False, f"a pruned weight is {largest:.2g} before the first step"
    steps = _goes_on(pruned, steps, optimizer)
    for step in _train(pruned.network, steps, _holder(pruner, pruned), _STEPS):
        if not (largest := _largest(pruned)) <= 0:  # a NaN as well
            return False, f"a pruned weight is {largest:.2g} after step {step}"
    return True, f"largest pruned weight 0 after each of {_STEPS} steps"


def _largest(pruned: _Pruned) -> float:
    """The magnitude of the pruned weight that is furthest from 0, as a forward pass has it; NaN if one is."""
    used = _used(pruned.network)
    return float(torch.cat([used[name][~m] for name, m in pruned.mask.items()]).abs().max())


def _reset(pruner: _Pruner) -> tuple[bool | None, str]:
    network: nn.Module = _network()
    initial = snapshot(network)
    weights, others = _used(network), _others(network)
    if pruner.reset is False:
        trained = _prune(pruner, network, _MIDDLE).trained
        return None, f"it names no `reset`{', and trains the network' if trained else ''}"
    if callable(pruner.reset):
        for _ in _train(network, OPTIMIZERS["Adam"](network.parameters()), lambda: None, _STEPS):
            pass
    pruned = _prune(pruner, network, _MIDDLE)
    network, kept = pruned.network, copied(initial)
    if callable(pruner.reset):
        pruner.reset(network, pruned.mask, kept)
    now = _used(network)
    if moved := [n for n, m in pruned.mask.items() if not torch.equal(now[n][m], weights[n][m])]:
        far = max(float((now[n] - weights[n])[pruned.mask[n]].abs().max()) for n in moved)
        return False, f"a kept weight of {moved[0]} is {far:.2g} from its initial value"
    if not pruned.maker and (largest := _largest(pruned)) != 0:
        return False, f"a pruned weight is {largest:.2g}"
    if changed := [name for name, p in _others(network).items() if not torch.equal(p, others[name])]:
        return False, f"{changed[0]} is not at its initial values"
    for _ in _train(network, OPTIMIZERS["SGD"](network.parameters()), _holder(pruner, pruned), 1):
        pass
    if shared := [name for name, w in kept.items() if not torch.equal(w, initial[name])]:
        return False, f"the initial {shared[0]} changes when the network trains: they share their memory"
    total = sum(int(m.sum()) for m in pruned.mask.values())
    return True, f"{total} kept weights and {sum(p.numel() for p in others.values())} others as they were, bit for bit"


def _left_alone(pruner: _Pruner) -> tuple[bool, str]:
    network = _network()
    before = _others(network)
    pruned = _prune(pruner, network, _MIDDLE)
    if held := [name for name in pruned.given or {} if name in before]:
        return False, f"the mask holds {held[0]}: biases and norm layers are not pruned"
    after = _others(pruned.network)
    for name, p in before.items():
        if zeros := int(((after[name] == 0) & (p != 0)).sum()):
            return False, f"{zeros} of the {p.numel()} values of {name} are 0"
        if not pruned.trained and not torch.equal(after[name], p):
            return False, f"{name} has changed by up to {float((after[name] - p).abs().max()):.2g}"
    total = sum(p.numel() for p in before.values())
    return True, f"{total} values, {'none is 0 (the pruner trains them)' if pruned.trained else 'none has changed'}"
