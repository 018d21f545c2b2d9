"""Top-1 and top-5: how often the right class is among the first guesses (slide S3)."""

import torch
from torch import Tensor, nn

from ltcourse.data import Split
from ltcourse.training.loop import look_at


def top_errors(
    network: nn.Module, split: Split, ks: tuple[int, ...] = (1, 5), *, chunk: int | None = None
) -> list[float]:
    """Return for each k the share of examples, 0 to 1, whose class is not among the k largest outputs.

    chunk: as of `training.look_at`.
    Raises ValueError for a k that is below 1 or above the number of classes.
    Source: Han et al. 2015, Table 1.
    Lesson 02, "The slides' table".
    """
    wrong = torch.zeros(len(ks), dtype=torch.int64, device=split.x.device)

    def look(logits: Tensor, y: Tensor) -> None:
        if not all(1 <= k <= logits.shape[1] for k in ks):
            raise ValueError(f"top-{max(ks)} of {logits.shape[1]} classes: k is at least 1 and at most that")
        hit = logits.topk(max(ks), dim=1).indices == y[:, None]
        wrong.add_(torch.stack([(~hit[:, :k].any(1)).sum() for k in ks]))

    look_at(network, split, look, chunk=chunk)
    return [int(w) / len(split) for w in wrong]
