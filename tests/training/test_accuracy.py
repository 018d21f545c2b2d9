"""Top-1 and top-5 errors, by hand and against the training's own accuracy."""

import pytest
import torch
from torch import nn

from ltcourse.data import Split
from ltcourse.networks import models
from ltcourse.training import evaluate
from ltcourse.training.accuracy import top_errors


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_errors_by_hand(chunk):
    generator = torch.Generator().manual_seed(0)
    logits, y = torch.randn(40, 10, generator=generator), torch.randint(0, 10, (40,), generator=generator)
    expected = []
    for k in (1, 3, 5, 10):
        wrong = [
            int(label) not in row.argsort(descending=True)[:k].tolist() for row, label in zip(logits, y, strict=True)
        ]
        expected.append(sum(wrong) / 40)
    assert top_errors(nn.Identity(), Split(logits, y), (1, 3, 5, 10), chunk=chunk) == expected
    assert expected[0] > expected[1] > expected[-1] == 0


def test_top_1_is_the_accuracy_of_the_training(clothes):
    network = models.create("lenet-300-100", seed=1).train()
    top1, top5 = top_errors(network, clothes.test)
    assert top1 == pytest.approx(1 - evaluate(network, clothes.test)[1]) and top5 < top1
    assert network.training


@pytest.mark.parametrize("k", [0, 11])
def test_a_k_beyond_the_classes_is_refused(clothes, k):
    with pytest.raises(ValueError, match="k is at least 1"):
        top_errors(models.create("lenet-300-100"), clothes.test, (k,))
