"""Checks of the exercises: each tries the reader's function on small cases, the smallest first, and shows the evidence.

Behavior is checked, not text: any way to the right result is accepted. An untouched stub is not done yet.
Read `verdict` first: what a check finds and how it is told, and `untouched`: what a function must leave as it was.
Then one file a lesson: `pruning` (01), `tables` (02), `tickets` (03), `instability` (04), `transfer` (05),
`initialization` (06), `supermasks` (07), `foresight` and `layerwise` (09), `reporting` (10), and for the three review
questions of lesson 08 `hypothesis` with its `attempts`, `ticket_search` and `supermask_search`, on the images of
`digits`.
"""

from ltcourse.classroom.checks.foresight import grow, snip_scores, synflow_scores
from ltcourse.classroom.checks.hypothesis import supports
from ltcourse.classroom.checks.initialization import diagnose, fill_kaiming, keeping_gain, xavier_and_kaiming
from ltcourse.classroom.checks.instability import between, error_barrier, global_mask
from ltcourse.classroom.checks.layerwise import wanda_mask
from ltcourse.classroom.checks.pruning import exact_pruning, masked_step, rate_for, sensitivity_scan
from ltcourse.classroom.checks.reporting import accuracy_of_batches, honest_choice, was_redrawn
from ltcourse.classroom.checks.supermask_search import find_supermask
from ltcourse.classroom.checks.supermasks import forward_mask, popup_step, scaled_std, score_gradient
from ltcourse.classroom.checks.tables import (
    break_even_density,
    count_parameters,
    relative_bytes,
    retraining_dropout,
)
from ltcourse.classroom.checks.ticket_search import find_ticket
from ltcourse.classroom.checks.tickets import early_stop, imp_round, rounds_until, train_ticket
from ltcourse.classroom.checks.transfer import expected_overlap, transferred_share, transplant

__all__ = [
    "accuracy_of_batches",
    "between",
    "break_even_density",
    "count_parameters",
    "diagnose",
    "early_stop",
    "error_barrier",
    "exact_pruning",
    "expected_overlap",
    "fill_kaiming",
    "find_supermask",
    "find_ticket",
    "forward_mask",
    "global_mask",
    "grow",
    "honest_choice",
    "imp_round",
    "keeping_gain",
    "masked_step",
    "popup_step",
    "rate_for",
    "relative_bytes",
    "retraining_dropout",
    "rounds_until",
    "scaled_std",
    "score_gradient",
    "sensitivity_scan",
    "snip_scores",
    "supports",
    "synflow_scores",
    "train_ticket",
    "transferred_share",
    "transplant",
    "wanda_mask",
    "was_redrawn",
    "xavier_and_kaiming",
]
