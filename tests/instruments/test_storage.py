"""Sparse weights in bytes: every format gives back what went in, and is as long as arithmetic says."""

import math

import numpy as np
import pytest
import torch

from ltcourse.data import DataError
from ltcourse.instruments import storage
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria

SHAPES = [(7, 13), (1, 1), (5, 1), (4, 3, 5, 5), (3, 1000)]
DENSITIES = [0.0, 0.01, 0.1, 0.5, 1.0]


def weight_and_mask(shape, density, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator)
    return weight, masks.keep_largest(torch.rand(shape, generator=generator), round(density * weight.numel()))


@pytest.mark.parametrize("form", storage.FORMATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_stored_comes_back(form, shape):
    for density in DENSITIES:
        weight, keep = weight_and_mask(shape, density)
        back = storage.decode(storage.encode(weight, keep, form), shape, form)
        assert torch.equal(back, weight * keep) and back.dtype == torch.float32, density


@pytest.mark.parametrize("density", DENSITIES)
def test_bytes_are_what_arithmetic_says(density):
    weight, keep = weight_and_mask((40, 50), density)
    kept, sizes = int(keep.sum()), {}
    for form in storage.FORMATS:
        sizes[form] = storage.size({"w": weight}, {"w": keep}, form)
    assert sizes["dense"] == 4 * 2000
    assert sizes["csr-32"] == 8 * kept + 4 * 41
    assert sizes["csr-16"] == 6 * kept + 4 * 41
    assert sizes["bitmask"] == 4 * kept + 250
    for bits in (5, 8):
        entries = len(storage.relative_index(keep, bits)[0])
        assert sizes[f"relative-{bits}"] == 4 * entries + math.ceil(entries * bits / 8)
    assert sizes["relative"] == sizes["relative-5"], "a dense layer"


def test_the_papers_overhead_of_its_index():
    """Han et al. 2015, Sec. 5: 15.6 %, 5 bits to 32; no filler is needed at this density."""
    weight, keep = weight_and_mask((100, 100), 0.5)
    parts = storage.encode(weight, keep, "relative-5")
    assert len(parts["values"]) == int(keep.sum())
    assert round(100 * parts["gaps"].nbytes / parts["values"].nbytes, 1) == 15.6


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("density", [0.003, 0.02, 0.2, 0.9])
def test_a_relative_index_by_walking(bits, density):
    _, keep = weight_and_mask((20, 100), density)
    gaps, real, gap = [], [], 0
    last = int(keep.flatten().nonzero().max()) if keep.any() else -1
    for kept in keep.flatten().tolist()[: last + 1]:
        if kept or gap == 2**bits - 1:
            gaps.append(gap)
            real.append(kept)
            gap = 0
        else:
            gap += 1
    found, are_real = storage.relative_index(keep, bits)
    assert found.tolist() == gaps and are_real.tolist() == real
    assert sum(real) == int(keep.sum())


@pytest.mark.parametrize(("gap", "fillers"), [(3, 0), (4, 1), (7, 1), (8, 2)])
def test_a_filler_is_needed_where_the_gap_is_too_wide(gap, fillers):
    keep = torch.zeros(gap + 1, dtype=torch.bool)
    keep[gap] = True
    stored, real = storage.relative_index(keep, 2)
    assert len(stored) == fillers + 1 and real.tolist() == [False] * fillers + [True]


def test_a_convolution_gets_8_bits_and_a_dense_layer_5():
    conv, dense = weight_and_mask((8, 4, 3, 3), 0.3), weight_and_mask((8, 36), 0.3)
    assert storage.encode(*conv, "relative")["gaps"].nbytes == storage.encode(*conv, "relative-8")["gaps"].nbytes
    assert storage.encode(*dense, "relative")["gaps"].nbytes == storage.encode(*dense, "relative-5")["gaps"].nbytes


def test_columns_of_16_bits_reach_as_far_as_16_bits_do():
    for columns in (2**16, 2**16 + 1):
        weight, keep = torch.ones(1, columns), torch.zeros(1, columns, dtype=torch.bool)
        keep[0, -1] = True
        if columns > 2**16:
            with pytest.raises(ValueError, match="too long for 16 bits: use 'csr-32'"):
                storage.encode(weight, keep, "csr-16")
        else:
            parts = storage.encode(weight, keep, "csr-16")
            assert parts["columns"].tolist() == [columns - 1]
            assert torch.equal(storage.decode(parts, (1, columns), "csr-16"), weight * keep)


def test_a_kept_weight_that_is_0_is_stored_and_a_pruned_one_that_is_not_is_none():
    weight, keep = torch.tensor([[0.0, 2.0, 3.0]]), torch.tensor([[True, False, True]])
    for form in storage.FORMATS:
        parts = storage.encode(weight, keep, form)
        assert len(parts["values"].ravel()) == (3 if form == "dense" else 2)
        assert storage.decode(parts, (1, 3), form).tolist() == [[0.0, 0.0, 3.0]]


@pytest.mark.parametrize("form", storage.FORMATS)
@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_a_network_in_a_real_file(form, name, tmp_path):
    network = models.create(name, seed=3)
    weights = {key: p.detach() for key, p in masks.prunable(network).items()}
    mask = criteria.magnitude(weights, masks.dense(network), 0.9)
    size = storage.write(tmp_path / "w.safetensors", weights, mask, form)
    assert size == (tmp_path / "w.safetensors").stat().st_size
    assert 0 < size - storage.size(weights, mask, form) < 2000, "the header"
    back = storage.read(tmp_path / "w.safetensors")
    assert back.keys() == mask.keys()
    assert all(torch.equal(back[key], weights[key] * mask[key]) for key in mask)


def test_channels_last_is_no_other_order():
    weight, keep = weight_and_mask((8, 4, 3, 3), 0.3)
    turned = weight.to(memory_format=torch.channels_last), keep.to(memory_format=torch.channels_last)
    for form in storage.FORMATS:
        for part, other in zip(
            storage.encode(weight, keep, form).values(), storage.encode(*turned, form).values(), strict=True
        ):
            assert np.array_equal(part, other)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_of_another_kind_is_one_sentence(content, tmp_path):
    file = tmp_path / "w.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"^w.safetensors does not hold weights .*: write it again$"):
        storage.read(file)


def test_an_unknown_format_is_refused_with_a_guess():
    with pytest.raises(ValueError, match="did you mean 'csr-32'"):
        storage.encode(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bool), "csr32")
