"""The algorithms of the course: iterative magnitude pruning, lottery tickets, supermasks.

Read `loop` first: train, prune, restart, repeat. What it prunes is a criterion (`criteria`), where it begins the next
round a restart (`restarts`): Han's pruning and the lottery ticket differ in that one argument. Then `tickets`, a ticket
that travels; `supermasks`, edge-popup; `filters`, whole filters in place of weights; `foresight`, masks that are found
before training; `sparse_training`, masks that change during it; `curvature`, weights whose loss is computed;
`layerwise`, networks that are not trained again; `batched`, several networks trained as one on a GPU.
"""

from ltcourse.pruning.loop import Round, prune_iteratively, sensitivity

__all__ = ["Round", "prune_iteratively", "sensitivity"]
