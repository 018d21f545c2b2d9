"""Top-1 and top-5: how often the right class is among the first guesses (slide S3)."""

import torch
from torch import nn

from ltcourse.data import Split


def top_errors(network: nn.Module, split: Split, ks: tuple[int, ...] = (1, 5), *, chunk: int = 1000) -> list[float]:
    """Return for each k the share of examples, 0 to 1, whose class is not among the k largest outputs.

    chunk: examples at a time, which bounds the memory and changes nothing else.
    Raises ValueError for a k that is below 1 or above the number of classes.
    Source: Han et al. 2015, Table 1.
    Lesson 02, "The slides' table".
    """
    was_training = network.training
    network.eval()
    wrong = torch.zeros(len(ks), dtype=torch.int64, device=split.x.device)
    try:
        with torch.inference_mode():
            for x, y in zip(split.x.split(chunk), split.y.split(chunk), strict=True):
                logits = network(x)
                if not all(1 <= k <= logits.shape[1] for k in ks):
                    raise ValueError(f"top-{max(ks)} of {logits.shape[1]} classes: k is at least 1 and at most that")
                guesses = logits.topk(max(ks), dim=1).indices
                hit = guesses == y[:, None]
                wrong += torch.stack([(~hit[:, :k].any(1)).sum() for k in ks])
    finally:
        network.train(was_training)
    return [int(w) / len(split) for w in wrong]
