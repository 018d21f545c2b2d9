"""The networks of the slides: the LeNets, AlexNet, VGG-16, Conv-2/4/6/8, and the residual networks of CIFAR-10."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ltcourse.names import choose
from ltcourse.networks.dropout import Dropout
from ltcourse.networks.initializers import Initializer, initialize, xavier_normal
from ltcourse.networks.masks import prunable
from ltcourse.quantities import real, whole

Shape = tuple[int, int, int]
Widen = Callable[[int], int]  # from the neurons of a hidden layer in the papers to those of ours
Build = Callable[[Shape, int, Widen], nn.Sequential]


def create(
    name: str,
    *,
    shape: Shape | None = None,
    classes: int | None = None,
    width: float = 1.0,
    initializer: Initializer = xavier_normal,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> nn.Sequential:
    """Build a network of the slides with freshly drawn weights.

    name: one of `NAMES`. shape: (channels, height, width) of its images; by default those of the data set that the
    papers used it on: (1, 28, 28) for the LeNets, (3, 227, 227) for Han's AlexNet, (3, 224, 224) for the one with one
    tower and for VGG-16, (3, 32, 32) for the others. classes: outputs, by default as many as that data has, 1,000 or
    10. width: of every hidden layer, neurons and channels alike, as a multiple of the papers'.
    The network maps images (n, channels, height, width) to logits (n, classes).
    On device "meta" it has shapes and no weights, for counting. Raises ValueError for an unknown name, a shape that
    is too small for the network, or a width or number of classes that is not positive.
    Source: Han et al. 2015, Tables 2 to 5 (LeNet-5 and AlexNet are Caffe's); Frankle & Carbin 2019, Fig. 2; Ramanujan
    et al. 2020; He et al. 2016, Sec. 4.2 (ResNet-20, with projections where the width changes); Krizhevsky 2014 (the
    AlexNet with one tower, torchvision's). "alexnet-cifar" and "vgg-16-cifar" are ours: the same layers, sized for
    images of 32 × 32, with batch norm in place of dropout, so that a few epochs get them somewhere.
    Lesson 01, "A network with random weights".
    """
    build, usual, outputs = _NETWORKS[choose("network", name, NAMES)]
    sizes = tuple(whole("a size in the shape", size, 1) for size in (usual if shape is None else shape))
    if len(sizes) != 3:
        raise ValueError(f"shape {sizes} has not three sizes: write (channels, height, width)")
    outputs = outputs if classes is None else whole("classes", classes, 1)
    width = real("width", width)
    if not 0 < width < float("inf"):
        raise ValueError(f"width {width} is not positive: 1 is the network of the papers, 0.5 has half of its neurons")
    with torch.device("meta"):
        network = build(sizes, outputs, lambda neurons: max(1, round(width * neurons)))
    if str(device) == "meta":
        return network
    return initialize(network.to_empty(device=device), initializer, seed)  # type: ignore[return-value]


def usual_shape(name: str) -> Shape:
    """Return the shape (channels, height, width) of the images that a network was made for.

    Raises ValueError for an unknown name.
    Lesson 02, "The parameter columns".
    """
    return _NETWORKS[choose("network", name, NAMES)][1]


def weight_count(network: nn.Module) -> int:
    """Count the weights of a network: all that pruning may remove, so no biases and no norm layers.

    Lesson 01, "A network with random weights".
    """
    return sum(p.numel() for p in prunable(network).values())


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Copy the parameters and buffers of a network, name to tensor, so that later training cannot change the copy.

    Raises ValueError for a module whose extra state is no tensor.
    Lesson 01, "Remove".
    """
    for name, state in network.state_dict().items():
        if not isinstance(state, Tensor):
            raise ValueError(f"{name!r} is of type {type(state).__name__}: let get_extra_state return a tensor")
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Return whether two snapshots or masks hold the same tensors under the same names; NaN is the same as NaN."""
    if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        return a is b
    return a.keys() == b.keys() and all(_equal(tensor, b[name]) for name, tensor in a.items())


def _equal(a: Any, b: Any) -> bool:
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return type(a) is type(b) and bool(np.all(a == b))
    alike = (a.dtype, a.shape) == (b.dtype, b.shape)
    return alike and bool(torch.isclose(a.cpu(), b.cpu(), rtol=0, atol=0, equal_nan=True).all())


def _lenet_300_100(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    channels, height, width = shape
    return _named(
        flatten=nn.Flatten(),
        fc1=nn.Linear(channels * height * width, wide(300)),
        relu1=nn.ReLU(),
        fc2=nn.Linear(wide(300), wide(100)),
        relu2=nn.ReLU(),
        fc3=nn.Linear(wide(100), classes),
    )


def _lenet_5(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    channels, height, width = shape
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    if min(rows, columns) < 1:
        raise ValueError(f"lenet-5 needs images of at least 16 × 16 pixels, not {height} × {width}")
    return _named(
        conv1=nn.Conv2d(channels, wide(20), 5),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(wide(20), wide(50), 5),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(wide(50) * rows * columns, wide(500)),
        relu=nn.ReLU(),
        fc2=nn.Linear(wide(500), classes),
    )


def _conv(*widths: int) -> Build:
    """Two 3×3 convolutions and a pooling per width, then dense layers of 256, 256 and the classes."""

    def build(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
        channels, height, width = shape
        if min(height, width) < 2 ** len(widths):
            smallest = 2 ** len(widths)
            raise ValueError(
                f"conv-{2 * len(widths)} needs images of at least {smallest} × {smallest} pixels, "
                f"not {height} × {width}"
            )
        layers: dict[str, nn.Module] = {}
        for block, out in enumerate(map(wide, widths)):
            for i in (2 * block + 1, 2 * block + 2):
                layers |= {f"conv{i}": nn.Conv2d(channels, out, 3, padding=1), f"relu{i}": nn.ReLU()}
                channels = out
            # before the last ReLU: the largest of four is the same after it as before it, of a quarter of the numbers
            last = layers.popitem()
            layers |= {f"pool{block + 1}": nn.MaxPool2d(2), last[0]: last[1]}
            height, width = height // 2, width // 2
        return _named(
            **layers,
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels * height * width, wide(256)),
            relu_fc1=nn.ReLU(),
            fc2=nn.Linear(wide(256), wide(256)),
            relu_fc2=nn.ReLU(),
            fc3=nn.Linear(wide(256), classes),
        )

    return build


class Residual(nn.Module):
    """A block of two 3×3 convolutions, each with batch norm, whose input is added to its output.

    Where the width changes or the image shrinks (stride 2), a 1×1 convolution with batch norm takes the input along.
    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", Sec. 3.2 and 4.2.
    Lesson 04, "A residual network".
    """

    def __init__(self, into: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.shortcut = (
            nn.Identity()
            if into == out and stride == 1
            else nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(two convolutions of x + x)."""
        inner = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(inner + self.shortcut(x))


def _resnet(blocks: int) -> Build:
    """Three stages of `blocks` residual blocks, 16, 32 and 64 channels wide: 6 · blocks + 2 layers."""

    def build(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
        width = wide(16)
        layers: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(shape[0], width, 3, padding=1, bias=False),
            "norm1": nn.BatchNorm2d(width),
            "relu1": nn.ReLU(),
        }
        for stage, out in enumerate((wide(16), wide(32), wide(64)), 1):
            for block in range(1, blocks + 1):
                layers[f"stage{stage}_{block}"] = Residual(width, out, stride=2 if stage > 1 and block == 1 else 1)
                width = out
        return _named(**layers, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(width, classes))

    return build


def _alexnet(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    """Caffe's, in two groups, and with the normalization across channels that it had."""
    c1, c2, c3, c4, c5 = (2 * wide(n // 2) for n in (96, 256, 384, 384, 256))
    convolutions = {
        "conv1": nn.Conv2d(shape[0], c1, 11, 4),
        "relu1": nn.ReLU(),
        "norm1": nn.LocalResponseNorm(5),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(c1, c2, 5, padding=2, groups=2),
        "relu2": nn.ReLU(),
        "norm2": nn.LocalResponseNorm(5),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(c2, c3, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(c3, c4, 3, padding=1, groups=2),
        "relu4": nn.ReLU(),
        "conv5": nn.Conv2d(c4, c5, 3, padding=1, groups=2),
        "relu5": nn.ReLU(),
        "pool5": nn.MaxPool2d(3, 2),
    }
    into = _values(convolutions, shape, "alexnet")
    return _named(**convolutions, **_dense_end(into, (wide(4096), wide(4096)), classes))


def _alexnet_one_tower(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    """torchvision's, whose dropout stands before its dense layers."""
    c1, c2, c3, c4, c5 = map(wide, (64, 192, 384, 256, 256))
    convolutions = {
        "conv1": nn.Conv2d(shape[0], c1, 11, 4, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(c1, c2, 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(c2, c3, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(c3, c4, 3, padding=1),
        "relu4": nn.ReLU(),
        "conv5": nn.Conv2d(c4, c5, 3, padding=1),
        "relu5": nn.ReLU(),
        "pool5": nn.MaxPool2d(3, 2),
        "average": nn.AdaptiveAvgPool2d(6),
    }
    into = _values(convolutions, shape, "alexnet-one-tower")
    fc1, fc2 = nn.Linear(into, wide(4096)), nn.Linear(wide(4096), wide(4096))
    return _named(
        **convolutions,
        flatten=nn.Flatten(),
        drop1=Dropout(0.5, fc1),
        fc1=fc1,
        relu_fc1=nn.ReLU(),
        drop2=Dropout(0.5, fc2),
        fc2=fc2,
        relu_fc2=nn.ReLU(),
        fc3=nn.Linear(wide(4096), classes),
    )


def _alexnet_cifar(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    """Han's AlexNet for small images: smaller first steps, batch norm, no dropout, dense layers of 1,024."""
    c1, c2, c3, c4, c5 = (2 * wide(n // 2) for n in (96, 256, 384, 384, 256))
    convolutions = {
        **_normed("1", nn.Conv2d(shape[0], c1, 5, 2, padding=2)),
        "pool1": nn.MaxPool2d(3, 2, padding=1),
        **_normed("2", nn.Conv2d(c1, c2, 5, padding=2, groups=2)),
        "pool2": nn.MaxPool2d(3, 2, padding=1),
        **_normed("3", nn.Conv2d(c2, c3, 3, padding=1)),
        **_normed("4", nn.Conv2d(c3, c4, 3, padding=1, groups=2)),
        **_normed("5", nn.Conv2d(c4, c5, 3, padding=1, groups=2)),
    }
    into = _values(convolutions, shape, "alexnet-cifar")
    return _named(**convolutions, **_dense_end(into, (wide(1024), wide(1024)), classes, dropout=False))


_VGG_16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _vgg_16(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    channels = shape[0]
    for block, outs in enumerate(_VGG_16, 1):
        for i, out in enumerate(map(wide, outs), 1):
            layers |= {
                f"conv{block}_{i}": nn.Conv2d(channels, out, 3, padding=1),
                f"relu{block}_{i}": nn.ReLU(),
            }
            channels = out
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    layers["average"] = nn.AdaptiveAvgPool2d(7)
    into = _values(layers, shape, "vgg-16")
    return _named(**layers, **_dense_end(into, (wide(4096), wide(4096)), classes, first=6))


def _vgg_16_cifar(shape: Shape, classes: int, wide: Widen) -> nn.Sequential:
    """VGG-16's convolutions for small images, with batch norm and no dropout; dense layers of 512."""
    layers: dict[str, nn.Module] = {}
    channels = shape[0]
    for block, outs in enumerate(_VGG_16, 1):
        for i, out in enumerate(map(wide, outs), 1):
            layers |= _normed(f"{block}_{i}", nn.Conv2d(channels, out, 3, padding=1))
            channels = out
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    into = _values(layers, shape, "vgg-16-cifar")
    return _named(**layers, **_dense_end(into, (wide(512), wide(512)), classes, first=6, dropout=False))


def _normed(name: str, convolution: nn.Conv2d) -> dict[str, nn.Module]:
    return {
        f"conv{name}": convolution,
        f"norm{name}": nn.BatchNorm2d(convolution.out_channels),
        f"relu{name}": nn.ReLU(),
    }


def _dense_end(
    into: int, hidden: tuple[int, int], classes: int, *, first: int = 1, dropout: bool = True
) -> dict[str, nn.Module]:
    """Three dense layers, numbered from `first`, with dropout behind the first two."""
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    for i, out in enumerate(hidden, first):
        dense = nn.Linear(into, out)
        layers |= {f"fc{i}": dense, f"relu_fc{i}": nn.ReLU()}
        if dropout:
            layers[f"drop{i}"] = Dropout(0.5, dense)
        into = out
    return {**layers, f"fc{first + 2}": nn.Linear(into, classes)}


def _values(layers: dict[str, nn.Module], shape: Shape, name: str) -> int:
    """Count the values that the layers, on the meta device, make of an image; refuse an image of which none is left."""
    try:
        return nn.Sequential(*layers.values()).eval()(torch.empty(1, *shape)).numel()
    except RuntimeError:
        _, height, width = shape
        _, rows, columns = _NETWORKS[name][1]
        raise ValueError(
            f"{name} is for images of about {rows} × {columns} pixels, and {height} × {width} are too few"
        ) from None


def _named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


_NETWORKS: dict[str, tuple[Build, Shape, int]] = {
    "lenet-300-100": (_lenet_300_100, (1, 28, 28), 10),
    "lenet-5": (_lenet_5, (1, 28, 28), 10),
    "conv-2": (_conv(64), (3, 32, 32), 10),
    "conv-4": (_conv(64, 128), (3, 32, 32), 10),
    "conv-6": (_conv(64, 128, 256), (3, 32, 32), 10),
    "conv-8": (_conv(64, 128, 256, 512), (3, 32, 32), 10),
    "resnet-8": (_resnet(1), (3, 32, 32), 10),
    "resnet-20": (_resnet(3), (3, 32, 32), 10),
    "alexnet": (_alexnet, (3, 227, 227), 1000),
    "alexnet-one-tower": (_alexnet_one_tower, (3, 224, 224), 1000),
    "vgg-16": (_vgg_16, (3, 224, 224), 1000),
    "alexnet-cifar": (_alexnet_cifar, (3, 32, 32), 10),
    "vgg-16-cifar": (_vgg_16_cifar, (3, 32, 32), 10),
}
NAMES = tuple(_NETWORKS)
