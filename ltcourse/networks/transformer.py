"""A small language model: a decoder that reads characters and says which one may follow each."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from ltcourse.quantities import real, seeded, whole


class Attention(nn.Module):
    """Causal self-attention: each place looks at itself and at the places before it.

    Source: Vaswani et al. 2017, "Attention Is All You Need", Sec. 3.2.
    Lesson 09, "Networks of today".
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the places of x: (n, length, width) → the same shape."""
        n, length, width = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(n, length, width))


class DecoderBlock(nn.Module):
    """A block of a transformer with its norms first: attention is added to the stream, and then a two-layer network.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", Sec. 2.3.
    Lesson 09, "Networks of today".
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Add to the stream x: (n, length, width) → the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """A language model over an alphabet.

    characters: the size of the alphabet. length: the most characters that it reads at once. width: of the stream.
    heads: of the attention in each of the `depth` blocks.
    Lesson 09, "Networks of today".
    """

    def __init__(self, characters: int, length: int = 64, width: int = 64, heads: int = 4, depth: int = 3) -> None:
        super().__init__()
        self.character = nn.Embedding(characters, width)
        self.place = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(DecoderBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, characters, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of what follows each character: (n, length) → (n, length, characters)."""
        stream = self.character(x) + self.place.weight[: x.shape[1]]
        return self.head(self.norm(self.blocks(stream)))


def decoder(
    characters: int,
    *,
    length: int = 64,
    width: int = 64,
    heads: int = 4,
    depth: int = 3,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Decoder:
    """Build a language model with freshly drawn weights.

    characters, length, width, heads, depth: as of `Decoder`. Weights are normal, of deviation 1/√fan-in, those that end
    a branch divided by √(2 · depth), embeddings of deviation 0.02; biases are 0.
    Raises ValueError for a size that is not positive, and for a width that the heads do not divide.
    Source: Radford et al. 2019, Sec. 2.3 (the division).
    Lesson 09, "Networks of today".
    """
    sizes = {"characters": characters, "length": length, "width": width, "heads": heads, "depth": depth}
    sizes = {name: whole(name, size, 1) for name, size in sizes.items()}
    if sizes["width"] % sizes["heads"]:
        raise ValueError(
            f"{heads} heads do not divide a width of {width}: choose a width that is a multiple of {heads}"
        )
    network = Decoder(**sizes)
    generator, embeddings = seeded(seed), ("character.weight", "place.weight")
    for name, p in network.named_parameters():
        if p.dim() > 1:
            std = 0.02 if name in embeddings else 1 / math.sqrt(p.shape[1])
            if name.endswith(("attention.out.weight", "down.weight")):
                std /= math.sqrt(2 * depth)
            p.data.copy_(std * torch.randn(p.shape, generator=generator))
        elif name.endswith("bias"):
            p.data.zero_()
    return network.to(device)


def linear_weights(network: nn.Module) -> list[str]:
    """Return the names of the weights in the blocks of a `Decoder`: all but its embeddings and its last layer.

    Source: Frantar & Alistarh 2023, "SparseGPT", Sec. 4; Sun et al. 2024, "A Simple and Effective Pruning Approach for
    Large Language Models", Sec. 4: these are what both prune.
    Lesson 09, "Networks of today".
    """
    return [name for name, p in network.named_parameters() if name.startswith("blocks.") and p.dim() == 2]


def rescale(network: Decoder, channels: Tensor, factor: float) -> Decoder:
    """Give a network outlier features, in place, without changing what it computes, and return it.

    Some channels of each norm in a block are multiplied by `factor`, gain and bias alike, and the weights that read
    them are divided by it. channels: which, (n,). Raises ValueError for a factor that is 0 or no number.
    Source: Xiao et al. 2023, "SmoothQuant", Sec. 4, which moves the outliers of large models in this way, out of them.
    Lesson 09, "Networks of today".
    """
    if not 0 < abs(real("factor", factor)) < float("inf"):
        raise ValueError(f"factor {factor} would lose the channels: choose one above 0, such as 20")
    with torch.no_grad():
        for block in network.blocks:
            assert isinstance(block, DecoderBlock)
            for norm, reader in ((block.norm1, block.attention.qkv), (block.norm2, block.up)):
                norm.weight[channels] *= factor
                norm.bias[channels] *= factor
                reader.weight[:, channels] /= factor
    return network
