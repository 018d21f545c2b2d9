"""Dead neurons: with no inputs or no outputs left; found, and removed without changing what a network computes."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltcourse.networks import masks
from ltcourse.networks.dropout import Dropout
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot

# between two layers: what treats each channel by itself, so that a channel can go
_CHANNELWISE = (
    nn.ReLU, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d, Dropout,
)  # fmt: skip


@dataclass
class _Link:
    """A layer, what comes behind it, and how much of each neuron's output the next layer reads."""

    name: str
    layer: nn.Linear | nn.Conv2d
    behind: list[nn.Module]
    keep: Tensor  # its mask, (out, in, positions of the kernel)


def dead(network: nn.Sequential, mask: Mask) -> dict[str, Tensor]:
    """Return for each layer but the last which of its neurons (of a convolution: channels) are dead.

    A neuron is dead that no weight leads to, or none away from, directly or through other dead neurons. One that none
    leads to still passes its bias on, as a constant. Of a convolution whose next layer pads its images with zeros, such
    a constant is none at the border: that neuron counts as alive, unless the constant is 0.
    Raises ValueError for a network that is not a chain of layers, and for a mask of another network.
    Source: Han et al. 2015, Sec. 3.5.
    Lesson 02, "Neurons with nothing to do".
    """
    links = _chain(network, mask)
    constant, _ = _constants(links)
    needed = _needed(links, constant)
    return {link.name: constant[i] | ~needed[i] for i, link in enumerate(links[:-1])}


def remove(network: nn.Sequential, mask: Mask) -> tuple[nn.Sequential, Mask]:
    """Return a smaller network without dead neurons, with the same outputs in evaluation, and its mask.

    What a neuron without inputs would pass on, its bias, goes into the biases of the next layer. The outputs are equal
    but for the rounding of sums that are added in another order. The given network is left as it was.
    Raises ValueError as `dead` does.
    Source: Han et al. 2015, Sec. 3.5.
    Lesson 02, "Neurons with nothing to do".
    """
    links = _chain(network, mask)
    constant, biases = _constants(links)
    needed = _needed(links, constant)
    stay = [~constant[i] & needed[i] for i in range(len(links) - 1)]
    for chosen in stay:
        if not chosen.any():
            chosen[0] = True  # a layer of no neurons at all is none: one stays, with weights that are all pruned
    stay.append(torch.ones(len(links[-1].keep), dtype=torch.bool))
    smaller, small_mask = {}, {}
    names = {id(module): name for name, module in network.named_children()}
    state = snapshot(network)
    inside = {id(link.layer): i for i, link in enumerate(links)}
    last = -1
    for module in network:
        name = names[id(module)]
        if id(module) in inside:
            last = inside[id(module)]
            link = links[last]
            inputs = torch.ones(link.keep.shape[1], dtype=torch.bool)
            if last > 0:
                inputs = stay[last - 1].repeat_interleave(link.keep.shape[1] // len(stay[last - 1]))
            smaller[name] = _smaller(link, stay[last], inputs, biases[last])
            kept = mask[f"{name}.weight"].cpu()[stay[last]][:, inputs]
            small_mask[f"{name}.weight"] = kept.to(state[f"{name}.weight"].device)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            smaller[name] = _smaller_norm(module, stay[last])
        elif not isinstance(module, Dropout):
            smaller[name] = module
        else:
            smaller[name] = nn.Identity()  # its place: it belongs to a layer that is not there yet
    for module in network:
        if isinstance(module, Dropout):
            layer = smaller[names[id(module.layer)]]
            assert isinstance(layer, nn.Linear)
            smaller[names[id(module)]] = module.moved_to(layer)
    result = nn.Sequential(OrderedDict(smaller)).train(network.training)
    return masks.apply(result, small_mask), small_mask  # type: ignore[return-value]


def _chain(network: nn.Sequential, mask: Mask) -> list[_Link]:
    """Take a network apart into layers and what stands between them."""
    masks.check(mask, network)
    links: list[_Link] = []
    for name, module in network.named_children():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            if getattr(module, "groups", 1) > 1:
                raise ValueError(f"{name} is a convolution in groups: removing channels would make them unequal")
            keep = mask[f"{name}.weight"].cpu()
            links.append(_Link(name, module, [], keep.reshape(*keep.shape[:2], -1)))
        elif isinstance(module, _CHANNELWISE):
            if links:
                links[-1].behind.append(module)
        else:
            raise ValueError(
                f"{name} is a {type(module).__name__}: neurons can be removed from a chain of dense layers, "
                "convolutions, ReLU, pooling, batch norm and dropout"
            )
    if not links:
        raise ValueError("this network has no layer with weights")
    return links


def _constants(links: list[_Link]) -> tuple[list[Tensor], list[Tensor]]:
    """Return for each layer which neurons are constant, and the biases with the constants before them added."""
    constant: list[Tensor] = []
    biases: list[Tensor] = []
    still = torch.zeros(links[0].keep.shape[1], dtype=torch.bool)  # of the inputs of the layer at hand
    values = torch.zeros(links[0].keep.shape[1])
    for link, following in _pairs(links):
        weight = link.layer.weight.detach().cpu().reshape(link.keep.shape) * link.keep
        bias = torch.zeros(len(weight)) if link.layer.bias is None else link.layer.bias.detach().cpu().clone()
        added = weight.sum(2).double() @ torch.where(still, values, 0).double()
        bias = (bias + added).float()
        biases.append(bias)
        here = ~(link.keep.any(2) & ~still).any(1)
        passed = _passed_on(link, bias)
        if following is None:
            constant.append(here)
            break
        padded = [m for m in link.behind if isinstance(m, nn.AvgPool2d) and m.padding not in (0, (0, 0))]
        if padded or (isinstance(following.layer, nn.Conv2d) and any(_padding(following.layer))):
            here &= passed == 0
        constant.append(here)
        times = following.keep.shape[1] // len(here)
        still, values = here.repeat_interleave(times), passed.repeat_interleave(times)
    return constant, biases


def _needed(links: list[_Link], constant: list[Tensor]) -> list[Tensor]:
    """Return for each layer which neurons have a way to the outputs; through a constant one there is none."""
    needed = [torch.ones(len(links[-1].keep), dtype=torch.bool)]
    for i in range(len(links) - 1, 0, -1):
        living = needed[0] & ~constant[i] if i < len(links) - 1 else needed[0]
        read = (links[i].keep.any(2) & living[:, None]).any(0)
        needed.insert(0, read.view(len(links[i - 1].keep), -1).any(1))
    return needed


def _passed_on(link: _Link, bias: Tensor) -> Tensor:
    """What a neuron that only has a bias passes to the next layer: one number each."""
    device = link.layer.weight.device
    spatial = isinstance(link.layer, nn.Conv2d)
    x = bias.to(device).view(1, -1, *((1, 1) if spatial else ()))
    with torch.no_grad():
        for module in link.behind:
            if isinstance(module, (nn.ReLU, nn.BatchNorm1d, nn.BatchNorm2d)):
                was_training = module.training
                x = module.eval()(x)
                module.train(was_training)
    return x.flatten().cpu()


def _pairs(links: list[_Link]) -> Iterator[tuple[_Link, _Link | None]]:
    yield from zip(links, [*links[1:], None], strict=True)


def _padding(layer: nn.Conv2d) -> tuple[int, ...]:
    return (1,) if isinstance(layer.padding, str) else tuple(layer.padding)


def _smaller(link: _Link, outputs: Tensor, inputs: Tensor, bias: Tensor) -> nn.Module:
    old = link.layer
    weight = old.weight.detach()
    outputs, inputs = outputs.to(weight.device), inputs.to(weight.device)
    new: nn.Linear | nn.Conv2d
    if isinstance(old, nn.Conv2d):
        new = nn.utils.skip_init(
            nn.Conv2d,
            int(inputs.sum()),
            int(outputs.sum()),
            old.kernel_size,
            old.stride,
            old.padding,
            old.dilation,
            device=weight.device,
        )
    else:
        new = nn.utils.skip_init(nn.Linear, int(inputs.sum()), int(outputs.sum()), device=weight.device)
    with torch.no_grad():
        new.weight.copy_(weight[outputs][:, inputs])
        assert new.bias is not None
        new.bias.copy_(bias.to(weight.device)[outputs])
    return new


def _smaller_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, stay: Tensor) -> nn.Module:
    new = type(norm)(int(stay.sum()), norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    state = {name: t if t.dim() == 0 else t[stay.to(t.device)] for name, t in snapshot(norm).items()}
    new.to(next(iter(state.values())).device)
    new.load_state_dict(state)
    return new
