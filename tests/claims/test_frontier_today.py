"""What decides the claims on proofs and on today's networks: which rows are compared, and which way they point."""

import pytest
from made_up_records import made

from ltcourse.claims import frontier_today
from ltcourse.claims.frontier_today import TODAY
from ltcourse.claims.verdicts import ClaimRow, Direction

BY_KEY = {claim.key: claim for claim in TODAY}
FOR, AGAINST, MIXED = Direction.FOR, Direction.AGAINST, Direction.MIXED


def text_record(**losses):
    """A language model of test loss 2 by every method at 50 % (round 1) and 2:4 (round 2), but for those given."""
    usual = {(m, n): 2.0 for m in ("magnitude", "wanda", "sparsegpt") for n in (1, 2)}
    usual |= {("magnitude, rescaled", 1): 2.0, ("wanda, rescaled", 1): 2.0}
    changed = {key: losses.get(f"{key[0].replace(', ', '_')}_{key[1]}", loss) for key, loss in usual.items()}
    rows = {
        key: {"test_loss": [loss - 0.001, loss, loss + 0.001], "pattern": {1: "50 %", 2: "2:4"}[key[1]]}
        for key, loss in changed.items()
    }
    return made(rows, rescaled=0.5)


def direction(key, record):
    claim = BY_KEY[key]
    return ClaimRow(claim, claim.measure(record), (record,)).direction


@pytest.mark.parametrize(
    ("key", "losses", "points"),
    [
        ("Sun 2024 magnitude", {"wanda_1": 1.9, "wanda_2": 1.9}, FOR),
        ("Sun 2024 magnitude", {"wanda_1": 1.9, "wanda_2": 2.1}, MIXED),
        ("Sun 2024 magnitude", {"magnitude_1": 1.9, "magnitude_2": 1.9}, AGAINST),
        ("Frantar 2023 magnitude", {"sparsegpt_1": 1.9, "sparsegpt_2": 1.9}, FOR),
        ("Frantar 2023 magnitude", {"sparsegpt_1": 2.1, "sparsegpt_2": 2.1}, AGAINST),
        ("Sun 2024 outliers", {"magnitude_rescaled_1": 2.5}, FOR),
        ("Sun 2024 outliers", {"magnitude_rescaled_1": 2.5, "wanda_rescaled_1": 2.6}, MIXED),
        ("Sun 2024 outliers", {"magnitude_rescaled_1": 1.9}, AGAINST),
    ],
)
def test_perplexities_decide(key, losses, points):
    assert direction(key, text_record(**losses)) is points


def test_a_ratio_of_perplexities_is_of_one_seed():
    record = text_record(magnitude_1=3.0)
    ratios = frontier_today.perplexity_ratio(record, ("magnitude", 1), ("wanda", 1))
    assert ratios == pytest.approx([2.718281828] * 3)


@pytest.mark.parametrize(("errors", "points"), [((0.1, 0.3), FOR), ((0.3, 0.5), AGAINST), ((0.1, 0.5), MIXED)])
def test_errors_at_two_sizes_decide_for_saliency(errors, points):
    densities = (0.8, 0.4, 0.1)
    rows = {
        (method, n): {"density": d, "test_error": [e - 1e-4, e, e + 1e-4]}
        for n, d in enumerate(densities, 1)
        for method, e in (
            ("magnitude", (0.5, 0.2, 0.4)[n - 1]),
            ("optimal brain damage", (0.9, *errors)[n - 1]),
        )
    }
    assert direction("LeCun 1990 saliency", made(rows, densities=densities)) is points


def test_the_error_of_subset_sums_is_measured_and_counted():
    found = frontier_today.exponential()
    (factor,) = found.numbers
    assert factor.says is FOR and 0.48 < factor.interval.low < factor.interval.high < 0.56
    assert "bits" in found.also
