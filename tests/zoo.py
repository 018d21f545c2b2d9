"""Networks that are not the course's: what students bring. Each maps images (n, 3, 16, 16) to logits (n, 10)."""

from collections.abc import Callable

import numpy as np
import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.resnet import BasicBlock

SHAPE = (3, 16, 16)
PIXELS = 3 * 16 * 16


class Over(nn.Module):
    """A body between what makes an image its input and what makes a vector of its output, and a head."""

    def __init__(self, inputs: Callable[[Tensor], Tensor], body: nn.Module, into: int, outputs=lambda y: y) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(into, 10)
        self._inputs, self._outputs = (inputs,), (outputs,)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self._outputs[0](self.body(self._inputs[0](x))))


def rows(x: Tensor) -> Tensor:
    """The rows of an image as a sequence (n, 16, 48)."""
    return x.permute(0, 2, 1, 3).flatten(2)


def words(x: Tensor) -> Tensor:
    """Sixteen whole numbers from 0 to 29 for an image."""
    return ((x.flatten(1)[:, :16] * 4).long() % 30).abs()


def mlp(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 20), *middle, nn.ReLU(), nn.Linear(20, 10))


def convolutional(*middle: nn.Module, width: int = 8, last: int | None = None) -> nn.Sequential:
    end = nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * (last or width), 10)
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), *middle, nn.ReLU(), *end)


class Encoder(nn.Module):
    """A transformer with a token and positions as bare parameters, drawn once and never again."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, 48))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, 48))
        self.layer = nn.TransformerEncoderLayer(48, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(len(x), -1, -1), rows(x)], 1) + self.position
        return self.head(self.layer(x)[:, 0])


class ResettableEncoder(Encoder):
    """The same, which says how its own parameters are drawn."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.token, std=0.02)
        nn.init.normal_(self.position, std=0.02)


class Attention(nn.Module):
    def __init__(self, **choices) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(48, 2, batch_first=True, **choices)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = rows(x)
        return self.head(self.attention(x, x, x)[0].mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **choices) -> None:
        super().__init__()
        self.cells = kind(48, 12, batch_first=True, **choices)
        self.head = nn.Linear(24 if choices.get("bidirectional") else 12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(rows(x))[0].mean(1))


class Tied(nn.Module):
    """Two hidden layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.a, self.b, self.out = (nn.Linear(*s) for s in ((PIXELS, 20), (20, 20), (20, 20), (20, 10)))
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.b(self.a(self.into(x.flatten(1)).relu()).relu()).relu())


class Words(nn.Module):
    """An embedding whose weight is also the head's, as in language models."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.embedding, self.middle, self.head = nn.Embedding(30, 12), nn.Linear(12, 12), nn.Linear(12, 30, bias=False)
        if shared:
            self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self.embedding(words(x)).mean(1)).relu())[:, :10]


class Transposed(nn.Module):
    """An autoencoder whose decoder is a view of its encoder: two parameters in one memory."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode, self.head = nn.Linear(PIXELS, 20), nn.Linear(20, PIXELS), nn.Linear(PIXELS, 10)
        self.decode.weight = nn.Parameter(self.encode.weight.detach().t())

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.decode(self.encode(x.flatten(1)).relu()).relu())


class Matrix(nn.Module):
    """A dense layer of one's own, without `reset_parameters`."""

    def __init__(self, into: int = PIXELS, out: int = 20) -> None:
        super().__init__()
        self.W, self.c = nn.Parameter(torch.randn(out, into) / into**0.5), nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.W.T + self.c


class ResettableMatrix(Matrix):
    def reset_parameters(self) -> None:
        nn.init.normal_(self.W, std=0.1)
        nn.init.zeros_(self.c)


class Drawn(Matrix):
    """A dense layer of one's own, drawn in a way that is given."""

    def __init__(self, draw: Callable[[Tensor], object]) -> None:
        super().__init__()
        self._draw = draw

    def reset_parameters(self) -> None:
        self._draw(self.W)
        nn.init.zeros_(self.c)


class DrawnWith(Matrix):
    """A dense layer of one's own, drawn with an argument that somebody has to give."""

    def reset_parameters(self, std: float) -> None:
        nn.init.normal_(self.W, std=std)


def by_own_generator(w: Tensor) -> None:
    nn.init.normal_(w, generator=torch.Generator().manual_seed(0))


def after_own_seed(w: Tensor) -> None:
    torch.manual_seed(0)
    nn.init.normal_(w)


def by_chance(w: Tensor) -> None:
    w.copy_(torch.as_tensor(np.random.default_rng().normal(size=tuple(w.shape))))


def by_numpy(w: Tensor) -> None:
    w.copy_(torch.as_tensor(np.random.normal(size=tuple(w.shape))))  # noqa: NPY002 (as students write it)


def drawn(draw: Callable[[Tensor], object]) -> nn.Module:
    return nn.Sequential(Drawn(draw), nn.ReLU(), nn.Linear(20, 10))


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([torch.randn(20, PIXELS) / PIXELS**0.5])

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights[0].T


def overlapping() -> nn.Module:
    network = mlp()
    network[1].weight = nn.Parameter(torch.randn(20, 1).expand(20, PIXELS))
    return network


def columns() -> nn.Module:
    """Two weights side by side in one memory, of which each has its own numbers."""
    network, both = mlp(nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 20)), torch.randn(20, 40) / 4
    network[3].weight, network[5].weight = nn.Parameter(both[:, :20]), nn.Parameter(both[:, 20:])
    return network


def with_flags() -> nn.Module:
    network = mlp()
    network.flags = nn.Parameter(torch.tensor([[True, False], [True, True]]), requires_grad=False)
    network.counts = nn.Parameter(torch.tensor([3, 4]), requires_grad=False)
    return network


class LowRank(nn.Linear):
    """A dense layer with an update of low rank beside its weight (Hu et al. 2022)."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__(into, out)
        self.down, self.up = nn.Parameter(torch.randn(4, into)), nn.Parameter(torch.zeros(out, 4))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x @ self.down.T @ self.up.T


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Bilinear(12, 12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.pair(x.flatten(1)[:, :12], x.flatten(1)[:, 12:24])


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(20, 10)
        self.body = nn.Linear(PIXELS, 20)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x.flatten(1)).relu())


class Twice(nn.Module):
    """One module in two places."""

    def __init__(self) -> None:
        super().__init__()
        inner = nn.Linear(20, 20)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 20), inner, nn.ReLU(), inner, nn.Linear(20, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Symmetric(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return w.triu() + w.triu(1).T


def symmetric() -> nn.Module:
    network = mlp(nn.ReLU(), nn.Linear(20, 20))
    parametrize.register_parametrization(network[3], "weight", Symmetric())
    return network


def pruned(*, removed: bool) -> nn.Module:
    network = mlp()
    prune.l1_unstructured(network[1], "weight", 0.5)
    if removed:
        prune.remove(network[1], "weight")
    return network


def normed(norm, layer: int = 0, of=convolutional) -> nn.Module:
    network = of()
    norm(network[layer])
    return network


def frozen(*layers: int) -> nn.Module:
    network = mlp(nn.ReLU(), nn.Linear(20, 20))
    for i in layers or (1, 3, 5):
        network[i].requires_grad_(False)
    return network


def images_to_3d(x: Tensor) -> Tensor:
    return x.unsqueeze(1)


def resnet() -> nn.Module:
    """torchvision's, without the two stages that hold nearly all of its weights."""
    network = tv.ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)
    network.layer3, network.layer4, network.fc = nn.Identity(), nn.Identity(), nn.Linear(128, 10)
    return network


def efficient() -> nn.Module:
    blocks = [MBConvConfig(1, 3, 1, 8, 8, 1, 1.0, 1.0), MBConvConfig(4, 3, 2, 8, 16, 1, 1.0, 1.0)]
    return EfficientNet(blocks, dropout=0.0, stochastic_depth_prob=0.0, num_classes=10, last_channel=32)


def vit() -> nn.Module:
    return tv.VisionTransformer(16, 4, 1, 2, 16, 32, num_classes=10)


def with_head_drawn(network: nn.Module) -> nn.Module:
    """torchvision's ViT begins with a head of zeros."""
    nn.init.normal_(network.heads.head.weight, std=0.1)
    return network


ZOO: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: Recurrent(nn.LSTM),
    "LSTM, two layers, both ways": lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "LSTM with projections": lambda: Over(
        rows, nn.LSTM(48, 12, proj_size=6, batch_first=True), 6, lambda y: y[0][:, -1]
    ),
    "GRU": lambda: Recurrent(nn.GRU),
    "RNN": lambda: Recurrent(nn.RNN),
    "RNN cell": lambda: Over(lambda x: rows(x)[:, 0], nn.RNNCell(48, 12), 12),
    "attention": Attention,
    "attention with biases of its keys": lambda: Attention(add_bias_kv=True, kdim=48, vdim=48),
    "transformer encoder": lambda: Over(
        rows,
        nn.TransformerEncoder(nn.TransformerEncoderLayer(48, 2, 32, dropout=0.0, batch_first=True), 2),
        48,
        lambda y: y.mean(1),
    ),
    "tokens and positions": Encoder,
    "tokens and positions, resettable": ResettableEncoder,
    "embedding bag": lambda: Over(words, nn.EmbeddingBag(30, 12), 12),
    "embedding with padding": lambda: Over(words, nn.Embedding(30, 12, padding_idx=0), 12, lambda y: y.mean(1)),
    "embedding and head": lambda: Words(shared=False),
    "embedding tied to the head": lambda: Words(shared=True),
    "two layers tied": Tied,
    "two parameters in one memory": Transposed,
    "one module in two places": Twice,
    "affine instance norm": lambda: convolutional(nn.InstanceNorm2d(8, affine=True, track_running_stats=True)),
    "group norm": lambda: convolutional(nn.GroupNorm(2, 8)),
    "layer norm over images": lambda: convolutional(nn.LayerNorm([8, 16, 16])),
    "batch norm": lambda: convolutional(nn.BatchNorm2d(8)),
    "RMS norm": lambda: mlp(nn.RMSNorm(20)),
    "PReLU": lambda: convolutional(nn.PReLU(8)),
    "grouped convolution": lambda: convolutional(nn.Conv2d(8, 8, 3, groups=2)),
    "depthwise convolution": lambda: convolutional(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1)),
    "transposed convolution": lambda: convolutional(nn.ConvTranspose2d(8, 6, 3, stride=2), last=6),
    "grouped transposed convolution": lambda: convolutional(nn.ConvTranspose2d(8, 12, 4, groups=2), last=12),
    "convolution in one dimension": lambda: Over(lambda x: x.flatten(2), nn.Conv1d(3, 8, 5), 8, lambda y: y.mean(2)),
    "convolution in three dimensions": lambda: Over(
        images_to_3d, nn.Conv3d(1, 8, 3, padding=1), 8, lambda y: y.mean((2, 3, 4))
    ),
    "matrix of one's own": lambda: nn.Sequential(Matrix(), nn.ReLU(), nn.Linear(20, 10)),
    "matrix of one's own, resettable": lambda: nn.Sequential(ResettableMatrix(), nn.ReLU(), nn.Linear(20, 10)),
    "low-rank update": lambda: nn.Sequential(nn.Flatten(), LowRank(PIXELS, 20), nn.ReLU(), nn.Linear(20, 10)),
    "a list of parameters": lambda: nn.Sequential(nn.Flatten(), Listed(), nn.ReLU(), nn.Linear(20, 10)),
    "drawn by a generator of its own": lambda: drawn(by_own_generator),
    "drawn after a seed of its own": lambda: drawn(after_own_seed),
    "drawn by chance": lambda: drawn(by_chance),
    "drawn by NumPy": lambda: drawn(by_numpy),
    "drawn with an argument": lambda: nn.Sequential(DrawnWith(), nn.ReLU(), nn.Linear(20, 10)),
    "a weight that overlaps itself": overlapping,
    "two weights side by side in one memory": columns,
    "parameters that are no numbers": with_flags,
    "scripted": lambda: torch.jit.script(mlp()),
    "bilinear": Pair,
    "head defined before body": HeadFirst,
    "weight norm, old": lambda: normed(weight_norm),
    "weight norm, new": lambda: normed(parametrizations.weight_norm),
    "spectral norm, old": lambda: normed(spectral_norm),
    "spectral norm, new": lambda: normed(parametrizations.spectral_norm),
    "orthogonal": lambda: normed(parametrizations.orthogonal, 1, mlp),
    "a parametrization of one's own": symmetric,
    "pruned by PyTorch": lambda: pruned(removed=False),
    "pruned by PyTorch for good": lambda: pruned(removed=True),
    "some layers frozen": lambda: frozen(1),
    "all layers frozen": lambda: frozen(),
    "nothing to prune": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten(), Ten()),
    "no parameters": lambda: nn.Sequential(nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten(), Ten()),
    "in DataParallel": lambda: nn.DataParallel(mlp()),
    "compiled": lambda: torch.compile(mlp(), backend="eager"),
    "half precision": lambda: mlp().half(),
    "bfloat16": lambda: mlp().bfloat16(),
    "double precision": lambda: mlp().double(),
    "lazy": lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
    "resnet": resnet,
    "mobilenet": lambda: tv.MobileNetV2(10, 0.1, [[1, 8, 1, 1], [4, 8, 1, 2]], dropout=0.0),
    "densenet": lambda: tv.DenseNet(4, (1, 1), 8, num_classes=10),
    "squeezenet": lambda: nn.Sequential(nn.Upsample(scale_factor=2), tv.SqueezeNet("1_1", 10, 0.0)),
    "shufflenet": lambda: tv.ShuffleNetV2([1, 1, 1], [8, 8, 16, 32, 32], 10),
    "efficientnet": efficient,
    "vit": lambda: with_head_drawn(vit()),
    "convnext": lambda: ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=10),
    "swin": lambda: tv.SwinTransformer([2, 2], 8, [2], [2], [2, 2], num_classes=10),
}


class Ten(nn.Module):
    """The first ten numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :10]


def build(name: str, seed: int = 0) -> nn.Module:
    """Build a network of the zoo as its author would, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ZOO[name]()


def differ(first: dict[str, Tensor], other: dict[str, Tensor]) -> str:
    """Name the first tensor that is not the same in both, "" if there is none."""
    if first.keys() != other.keys():
        return f"names: {sorted(first.keys() ^ other.keys())}"
    return next((name for name, tensor in first.items() if not torch.equal(tensor, other[name])), "")
