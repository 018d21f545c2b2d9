"""The claims about proofs and about the networks of today (lesson 09), and what records and counts say about them."""

from collections.abc import Sequence
from functools import cache
from math import exp

from ltcourse.claims.measures import comparison
from ltcourse.claims.verdicts import Claim, Comparison, Measure, Measurement, Scale, size
from ltcourse.experiments.layerwise import RESCALED
from ltcourse.experiments.runs import Record
from ltcourse.instruments import subset_sum

COUNTS, SEEDS = tuple(range(6, 23, 2)), (0, 1, 2, 3, 4)  # numbers to choose from, and draws of them
_TEXT, _DAMAGE = "layerwise-transformer", "brain-damage-lenet-300-100"
_SMALL = {"desk": Scale.SMALLER}


def rounds_by_pattern(record: Record) -> dict[str, int]:
    """Return the round of each pattern, such as "50 %" or "2:4", of a record of `layerwise`.

    Lesson 09, "Networks of today".
    """
    return {row["pattern"]: row["round"] for _, row in record.rows("magnitude")}


def perplexity_ratio(record: Record, one: tuple[str, int], other: tuple[str, int]) -> tuple[float, ...]:
    """Return the perplexity of one method and round as a multiple of another's, of every seed, on the test text.

    Lesson 09, "Networks of today".
    """
    first, second = (record.values(method, number, "test_loss") for method, number in (one, other))
    return tuple(exp(a - b) for a, b in zip(first, second, strict=True))


def _better(first: str, second: str, patterns: Sequence[str]) -> Measure:
    def measure(record: Record) -> Measurement:
        rounds = rounds_by_pattern(record)
        numbers = [
            comparison(
                record,
                f"perplexity, {first} over {second}, {pattern}",
                perplexity_ratio(record, (first, rounds[pattern]), (second, rounds[pattern])),
                "<",
                ratio=True,
            )
            for pattern in patterns
        ]
        return Measurement(tuple(numbers))

    return measure


def outliers_decide(record: Record) -> Measurement:
    """Ask whether, in a network with outlier features that computes the same, magnitude loses and Wanda does not.

    Lesson 09, "Outlier features".
    """
    half = rounds_by_pattern(record)[f"{record.settings['rescaled']:.0%}".replace("%", " %")]
    strange, plain = f"magnitude, {RESCALED}", f"wanda, {RESCALED}"
    pairs = {
        f"perplexity, {strange}, over magnitude as it was": ((strange, 1), ("magnitude", half)),
        f"perplexity, {strange}, over {plain}": ((strange, 1), (plain, 1)),
    }
    return Measurement(
        tuple(
            comparison(record, what, perplexity_ratio(record, *pair), ">", ratio=True) for what, pair in pairs.items()
        )
    )


def saliency_beats_magnitude(record: Record) -> Measurement:
    """Ask how much fewer errors pruning by saliency makes than pruning by magnitude, without training again.

    At the first size that is no more than half of the weights, and than a tenth.
    Lesson 09, "The fathers".
    """
    numbers = []
    for least in (0.5, 0.1):
        n = next(n for n, d in enumerate(record.settings["densities"], 1) if d <= least)
        first, second = (record.values(m, n, "test_error") for m in ("optimal brain damage", "magnitude"))
        where = size(record.values("magnitude", n, "density")[0])
        apart = [a - b for a, b in zip(first, second, strict=True)]
        numbers.append(comparison(record, f"error, by saliency minus by magnitude, {where}", apart, "<"))
    return Measurement(tuple(numbers))


@cache
def slopes() -> tuple[float, ...]:
    """Return by how much log₂ of the error of the closest subset sum changes per number, for each of five draws.

    Lesson 09, "The proof".
    """
    return tuple(
        subset_sum.slope(COUNTS, [float(subset_sum.errors(n, seed=seed).log2().mean()) for n in COUNTS])
        for seed in SEEDS
    )


def exponential() -> Measurement:
    """Ask by which factor each additional number changes the error.

    Lesson 09, "The proof".
    """
    counted = subset_sum.slope(COUNTS, [subset_sum.expected_error(n) for n in COUNTS])
    factors = tuple(2**slope for slope in slopes())
    return Measurement(
        (Comparison("factor of the error per additional number", factors, SEEDS, "<", ratio=True),),
        f"a count of the sums says {2**counted:.2f}×, which is {counted:+.2f} bits",
    )


def _of_text(key: str, title: str, says: str, paper: str, rule: str, measure: Measure, **more: str) -> Claim:
    return Claim(
        key=key, title=title, says=says, paper=paper, rule=rule, measure=measure, scales=_SMALL, records=(_TEXT,),
        lesson="09_frontier", **{"heading": "Networks of today", **more},
    )  # fmt: skip


TODAY: tuple[Claim, ...] = (
    Claim(
        key="Pensia 2020 exponential",
        title="subset sums: each number divides the error",
        says="The error of a weight that is built from n random ones falls exponentially in n.",
        paper="A random network that is wider by a logarithmic factor, and twice as deep, holds a subnetwork close "
        "to any target network (Pensia et al. 2020, abstract).",
        rule="the factor by which each additional number changes the error, fitted over 6 to 22 numbers, is below 1.",
        measure=exponential,
        scales={"": Scale.COUNTED},
        lesson="09_frontier",
        heading="The proof",
    ),
    _of_text(
        "Sun 2024 magnitude",
        "Wanda is better than magnitude",
        "Pruned once and not trained again, a language model does better by |w| · ‖x‖ than by |w|.",
        "LLaMA-7B: perplexity 7.26 and 17.29 at 50 %, 11.53 and 42.13 at 2:4 (Sun et al. 2024, Table 3).",
        "at 50 % and at 2:4, the perplexity by Wanda as a multiple of that by magnitude is below 1.",
        _better("wanda", "magnitude", ("50 %", "2:4")),
        control="magnitude per layer",
    ),
    _of_text(
        "Frantar 2023 magnitude",
        "SparseGPT is better than magnitude",
        "Weights that make up for those that are pruned save a language model that magnitude would lose.",
        "At 50 %, in one pass, little accuracy is lost (Frantar & Alistarh 2023, abstract); LLaMA-7B: perplexity 7.22, "
        "by magnitude 17.29 (Sun et al. 2024, Table 3).",
        "at 50 % and at 2:4, the perplexity by SparseGPT as a multiple of that by magnitude is below 1.",
        _better("sparsegpt", "magnitude", ("50 %", "2:4")),
        control="magnitude per layer",
    ),
    _of_text(
        "Sun 2024 outliers",
        "outlier features make magnitude fail",
        "Where a few inputs are much larger than the others, magnitude prunes what matters, and Wanda does not.",
        "Large language models have such features, which is why Wanda looks at ‖x‖ (Sun et al. 2024, abstract).",
        "with outlier features that change no output, at 50 %, the perplexity by magnitude as a multiple of that "
        "without them, and of Wanda's, is above 1.",
        outliers_decide,
        control="the same network without outlier features",
        heading="Outlier features",
    ),
    Claim(
        key="LeCun 1990 saliency",
        title="saliency is better than magnitude",
        says="Weights of small saliency, h w² / 2, can go with fewer errors than weights of small magnitude.",
        paper="Second derivatives, to trade the size of a network for its error (LeCun et al. 1990, abstract).",
        rule="pruned once and not trained again, at 40 % and at 10 % of the weights, the error by saliency minus that "
        "by magnitude is below 0.",
        measure=saliency_beats_magnitude,
        scales=_SMALL,
        control="magnitude, all layers together",
        records=(_DAMAGE,),
        lesson="09_frontier",
        heading="The fathers",
    ),
)
