"""The networks of the slides, LeNet-300-100, LeNet-5, Conv-2/4/6/8, and the residual networks of CIFAR-10."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ltcourse.initializers import Initializer, initialize, xavier_normal
from ltcourse.names import choose

Shape = tuple[int, int, int]
Widen = Callable[[int], int]  # from the neurons of a hidden layer in the papers to those of ours
Build = Callable[[Shape, int, Widen], nn.Sequential]


def create(
    name: str,
    *,
    shape: Shape | None = None,
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = xavier_normal,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> nn.Sequential:
    """Build a network of the slides with freshly drawn weights.

    name: one of `NAMES`. shape: (channels, height, width) of its images; by default those of the data set that the
    papers used it on, (1, 28, 28) for the LeNets and (3, 32, 32) for the others. classes: outputs. width: of
    every hidden layer, neurons and channels alike, as a multiple of the papers'.
    The network maps images (n, channels, height, width) to logits (n, classes).
    On device "meta" it has shapes and no weights, for counting. Raises ValueError for an unknown name, a shape that
    is too small for the network, or a width that is not positive.
    Source: Han et al. 2015, Tables 2, 3 (LeNet-5 is Caffe's); Frankle & Carbin 2019, Fig. 2; Ramanujan et al. 2020;
    He et al. 2016, Sec. 4.2 (ResNet-20, with projections where the width changes).
    Lesson 01, "A network with random weights".
    """
    build, usual = _NETWORKS[choose("network", name, NAMES)]
    if not width > 0:
        raise ValueError(f"width {width} is not positive: 1 is the network of the papers, 0.5 has half of its neurons")
    with torch.device("meta"):
        network = build(shape or usual, classes, lambda neurons: max(1, round(width * neurons)))
    if str(device) == "meta":
        return network
    return initialize(network.to_empty(device=device), initializer, seed)  # type: ignore[return-value]


def weight_count(network: nn.Module) -> int:
    """Count the weights of a network: all that pruning may remove, so no biases and no norm layers.

    Lesson 01, "A network with random weights".
    """
    return sum(p.numel() for p in network.parameters() if p.dim() >= 2)


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Copy the parameters and buffers of a network, name to tensor, so that later training cannot change the copy.

    Lesson 01, "Remove".
    """
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


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
            layers[f"pool{block + 1}"] = nn.MaxPool2d(2)
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


def _named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


_NETWORKS: dict[str, tuple[Build, Shape]] = {
    "lenet-300-100": (_lenet_300_100, (1, 28, 28)),
    "lenet-5": (_lenet_5, (1, 28, 28)),
    "conv-2": (_conv(64), (3, 32, 32)),
    "conv-4": (_conv(64, 128), (3, 32, 32)),
    "conv-6": (_conv(64, 128, 256), (3, 32, 32)),
    "conv-8": (_conv(64, 128, 256, 512), (3, 32, 32)),
    "resnet-8": (_resnet(1), (3, 32, 32)),
    "resnet-20": (_resnet(3), (3, 32, 32)),
}
NAMES = tuple(_NETWORKS)
