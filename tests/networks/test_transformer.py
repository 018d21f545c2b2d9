"""The language model: it does not look ahead, and its parts are those of PyTorch's own transformer."""

import pytest
import torch
from torch import nn

from ltcourse.networks import transformer

X = torch.randint(20, (3, 8), generator=torch.Generator().manual_seed(0))


def small(**choices):
    return transformer.decoder(20, **{"length": 8, "width": 12, "heads": 3, "depth": 2} | choices)


def test_what_follows_changes_nothing_before_it():
    network = small()
    other = X.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 20
    a, b = network(X), network(other)
    assert a.shape == (3, 8, 20)
    torch.testing.assert_close(a[:, :5], b[:, :5])
    assert not torch.allclose(a[:, 5], b[:, 5])
    torch.testing.assert_close(network(X[:, :4]), a[:, :4])


def test_a_block_is_pytorchs_own():
    network = small()
    ours = network.blocks[0]
    theirs = nn.TransformerEncoderLayer(12, 3, 48, 0.0, nn.functional.gelu, batch_first=True, norm_first=True)
    with torch.no_grad():
        for part, own in (
            (theirs.self_attn.in_proj_weight, ours.attention.qkv.weight),
            (theirs.self_attn.out_proj.weight, ours.attention.out.weight),
            (theirs.linear1.weight, ours.up.weight),
            (theirs.linear2.weight, ours.down.weight),
        ):
            part.copy_(own)
        for bias in (theirs.self_attn.in_proj_bias, theirs.self_attn.out_proj.bias, theirs.linear1.bias):
            bias.zero_()
        theirs.linear2.bias.zero_()
    x = torch.randn(2, 8, 12, generator=torch.Generator().manual_seed(1))
    ahead = nn.Transformer.generate_square_subsequent_mask(8)
    torch.testing.assert_close(ours(x), theirs(x, src_mask=ahead, is_causal=True))


def test_a_seed_draws_the_weights():
    assert torch.equal(small(seed=1)(X), small(seed=1)(X)) and not torch.equal(small(seed=1)(X), small(seed=2)(X))


def test_the_weights_to_prune_are_those_of_the_blocks():
    names = transformer.linear_weights(small())
    assert len(names) == 8 and {name.split(".", 2)[2] for name in names} == {
        "attention.qkv.weight", "attention.out.weight", "up.weight", "down.weight",
    }  # fmt: skip


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="5 heads do not divide a width of 12"):
        small(heads=5)
    with pytest.raises(ValueError, match="depth"):
        small(depth=0)
    with pytest.raises(ValueError, match=r"factor 0.* would lose the channels"):
        transformer.rescale(small(), torch.tensor([0]), 0.0)
