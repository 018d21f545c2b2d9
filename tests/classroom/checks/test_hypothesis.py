"""The check of the first review question accepts different right answers and names the misreadings."""

import numpy as np
import pytest
import torch
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.classroom.checks import attempts, hypothesis
from ltcourse.networks import masks

# Question 1: the hypothesis as a test


def at_the_early_stop(attempt):
    position = attempt.validation_loss.index(min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


def in_a_loop(dense, subnetworks, small):
    j, a = at_the_early_stop(dense)
    for sub in subnetworks:
        j2, a2 = at_the_early_stop(sub)
        kept, total = (sum(f(m) for m in sub.mask.values()) for f in (torch.sum, torch.numel))
        same = all(
            torch.equal(sub.initial[name], w * sub.mask[name] if name in sub.mask else w)  # biases too
            for name, w in dense.initial.items()
        )
        if j2 <= j and a2 >= a and kept <= small * total and same:
            return True
    return False


def by_arrays(dense, subnetworks, small):
    """With numpy, and an answer of its type."""

    def read(attempt):
        best = np.argmin(np.array(attempt.validation_loss))
        return np.array([-attempt.iterations[best], attempt.test_accuracy[best]])

    def kept(attempt):
        return torch.cat([m.flatten() for m in attempt.mask.values()]).float().mean()

    def begins(attempt):
        return all(torch.allclose(dense.initial[name][m], attempt.initial[name][m]) for name, m in attempt.mask.items())

    good = [bool((read(s) >= read(dense)).all()) and float(kept(s)) <= small and begins(s) for s in subnetworks]
    return np.array(good, dtype=bool).any()


def by_refuting(dense, subnetworks, small):
    """Asks what speaks against each, with tensors and an answer that is one."""

    def against(sub):
        first, then = at_the_early_stop(dense), at_the_early_stop(sub)
        yield then[0] > first[0]
        yield then[1] < first[1]
        yield masks.density(sub.mask) > small
        yield any((sub.initial[n] != dense.initial[n].where(m, torch.zeros(()))).any() for n, m in sub.mask.items())

    return torch.tensor([not any(against(sub)) for sub in subnetworks], dtype=torch.bool).any()


@pytest.mark.parametrize("answer", [in_a_loop, by_arrays, by_refuting])
def test_supports_accepts(answer):
    accepted(checks.supports(answer))


def reading(
    *,
    stop=at_the_early_stop,
    slower=lambda j2, j: j2 > j,
    worse=lambda a2, a: a2 < a,
    share=masks.density,
    large=lambda share, small: share > small,
    start=True,
    begun=None,
    over=any,
):
    """A test of the hypothesis of other parts."""

    def function(dense, subnetworks, small):
        j, a = stop(dense)

        def wins(sub):
            j2, a2 = stop(sub)
            pairs = [(sub.initial[n], dense.initial[n] * m) for n, m in sub.mask.items()]
            own = begun(pairs) if begun else all(torch.equal(*pair) for pair in pairs)
            return not slower(j2, j) and not worse(a2, a) and not large(share(sub.mask), small) and (own or not start)

        return over([wins(sub) for sub in subnetworks])

    return function


def first_layer(pairs):
    return torch.equal(*pairs[0])


def last_layer(pairs):
    return torch.equal(*pairs[-1])


def any_layer(pairs):
    return any(torch.equal(*pair) for pair in pairs)


def same(of):
    return lambda pairs: all(torch.allclose(of(a), of(b)) for a, b in pairs)


def near(by):
    return lambda pairs: all(torch.allclose(a, b, atol=by) for a, b in pairs)


def share_of(mask):
    return float(mask.double().mean())


def mean_of_layers(mask):
    return sum(float(m.float().mean()) for m in mask.values()) / len(mask)


def with_biases(mask):
    return (masks.kept(mask) + sum(map(len, mask.values()))) / of_parameters(mask)


def of_parameters(mask):
    return sum(m.numel() + len(m) for m in mask.values())


def at_the_end(attempt):
    return at_the_early_stop(attempt)[0], attempt.test_accuracy[-1]


def at_the_best_test_accuracy(attempt):
    best = attempt.test_accuracy.index(max(attempt.test_accuracy))
    return attempt.iterations[best], attempt.test_accuracy[best]


def by_position(attempt):
    return attempt.validation_loss.index(min(attempt.validation_loss)), at_the_early_stop(attempt)[1]


def by_length(attempt):
    return attempt.iterations[-1], at_the_early_stop(attempt)[1]


def the_last_of_equals(attempt):
    position = max(i for i, loss in enumerate(attempt.validation_loss) if loss == min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


def condition_by_condition(dense, subnetworks, small):
    """Each condition is fulfilled by some subnetwork, not all by one."""
    j, a = at_the_early_stop(dense)
    stops = [at_the_early_stop(sub) for sub in subnetworks]
    begun = any(all(torch.equal(s.initial[n], dense.initial[n] * m) for n, m in s.mask.items()) for s in subnetworks)
    sizes = any(masks.density(s.mask) <= small for s in subnetworks)
    return any(j2 <= j for j2, _ in stops) and any(a2 >= a for _, a2 in stops) and sizes and begun


def with_controls_that_fail(dense, subnetworks, small):
    def begun(sub):
        return all(torch.equal(sub.initial[n], dense.initial[n] * m) for n, m in sub.mask.items())

    of_others = [s for s in subnetworks if not begun(s)]
    return in_a_loop(dense, subnetworks, small) and not reading(start=False)(dense, of_others, small)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda *given: True, ["more accurate, but slower", "True\n", "False\n", "smallest validation loss is at"]),
        (lambda *given: False, ["it keeps 20.0 % of the weights", "it begins from m ⊙ θ₀", "a winning ticket"]),
        (
            reading(slower=lambda j2, j: False),
            ["but slower", "at iteration 400 (dense: 300)", "lets a subnetwork be slower"],
        ),
        (
            reading(worse=lambda a2, a: False),
            ["0.1 points less", "93.90 % are right there (dense: 94.00 %)", "lets a subnetwork be less accurate"],
        ),
        (
            reading(large=lambda share, small: False),
            ["all weights", "it keeps 100.0 % of the weights", "be of any size"],
        ),
        (reading(start=False), ["drawn anew", "it does not begin from m ⊙ θ₀", "lets it begin from any weights"]),
        (reading(slower=lambda j2, j: j2 >= j), ["as many iterations, more accurate", "includes equally many"]),
        (reading(worse=lambda a2, a: a2 <= a), ["faster, the same accuracy", "includes the same"]),
        (reading(large=lambda share, small: share >= small), ["exactly `small`", "includes exactly this share"]),
        (reading(share=mean_of_layers), ["exactly `small`", "count the weights of all layers together"]),
        (reading(share=with_biases), ["a fifth of the weights", "Your test counts the biases too"]),
        (
            reading(share=lambda mask: masks.kept(mask) / of_parameters(mask)),
            ["0.26 of the weights", "the share of all parameters, biases included"],
        ),
        (reading(stop=at_the_end), ["more accurate at the end", "Your test compares the last accuracies"]),
        (reading(stop=at_the_best_test_accuracy), ["that chooses on the test set"]),
        (reading(stop=by_length), ["Your test compares how long the runs went on"]),
        (reading(stop=by_position), ["Your test compares positions in the lists"]),
        (reading(stop=the_last_of_equals), ["its loss is as small once more", "the first one counts"]),
        (reading(over=all), ["Your test requires every subnetwork"]),
        (lambda d, s, small: reading()(d, s[:1], small), ["looks at the first subnetwork only"]),
        (lambda d, s, small: reading()(d, s[-1:], small), ["looks at the last subnetwork only"]),
        (condition_by_condition, ["one must fulfill them all"]),
        (with_controls_that_fail, ["weights drawn anew that is as good", "is another claim"]),
        (lambda d, s, small: reading()(d, s, 0.2), ["Your test has a size of its own, 20%"]),
        (reading(begun=first_layer), ["the last layer drawn anew", "the initial weights of the first layer only"]),
        (reading(begun=last_layer), ["the first layer drawn anew", "the initial weights of the last layer only"]),
        (reading(begun=any_layer), ["the last layer drawn anew", "the initial weights of some layer only"]),
        (reading(begun=same(torch.sign)), ["the last layer drawn anew", "compares the signs of the initial weights"]),
        (reading(begun=same(torch.sum)), ["at other places", "compares the sums of the initial weights"]),
        (reading(begun=same(torch.mean)), ["at other places", "compares the sums of the initial weights"]),
        (reading(begun=same(torch.abs)), ["with other signs", "compares the magnitudes of the initial weights"]),
        (reading(begun=same(torch.norm)), ["at other places", "compares the norms of the initial weights"]),
        (reading(begun=near(0.05)), ["each 0.02 larger", "lets initial weights differ by 0.05"]),
        (reading(begun=near(0.1)), ["after some training", "lets initial weights differ by"]),
        (reading(begun=near(1e-3)), ["each 0.0002 larger", "lets initial weights differ by 0.001"]),
        (
            reading(share=lambda m: share_of(next(iter(m.values())))),
            ["16 of 80 and all", "the share of the first layer"],
        ),
        (
            reading(share=lambda m: share_of(list(m.values())[-1])),
            ["exactly `small`", "the share of the last layer alone"],
        ),
        (reading(share=lambda m: max(map(share_of, m.values()))), ["the share of the densest layer"]),
        (reading(share=lambda m: min(map(share_of, m.values()))), ["the share of the sparsest layer"]),
        (reading(share=lambda m: round(masks.density(m), 1)), ["`small` is 0.235", "rounds the share to whole tenths"]),
        (reading(share=lambda m: round(masks.density(m), 2)), ["701 of 2,800", "rounds the share: compare"]),
        (reading(share=lambda m: round(masks.density(m), 3)), ["701 of 2,800", "rounds the share: compare"]),
        (reading(share=lambda m: int(100 * masks.density(m)) / 100), ["701 of 2,800", "rounds the share: compare"]),
        (reading(large=lambda share, small: round(100 * share) > round(100 * small)), ["24", "0.235"]),
        (reading(share=lambda m: 1 - masks.density(m)), ["a fifth", "the share pruned"]),
        (reading(worse=lambda a2, a: round(a2, 3) < round(a, 3)), ["0.01 points less accurate"]),
        (reading(slower=lambda j2, j: j2 < j), ["as many", "reverses"][1:]),
        (lambda d, s, small: not in_a_loop(d, s, small), ["False\n", "True\n", "a winning ticket"]),
        (lambda d, s, small: in_a_loop(d, s, small) * 1.0, ["the result is True or False, and this is float"]),
        (lambda d, s, small: [in_a_loop(d, s, small)], ["the result is True or False, and this is list"]),
        (lambda d, s, small: d, ["the result is True or False, and this is Attempt"]),
    ],
)
def test_supports_refuses(answer, evidence):
    refused_and_not_stopped(checks.supports(answer), *evidence)


def test_every_misreading_is_told_from_the_right_one_by_a_trial():
    trials = list(attempts.made_trials())
    right = [hypothesis._Reading().says(trial) for trial in trials]
    assert True in right and False in right
    for wrong, reading in hypothesis._MISREADINGS.items():
        assert [reading.says(trial) for trial in trials] != right, wrong


def test_two_neighboring_trials_never_need_the_same_answer_for_ever():
    right = [hypothesis._Reading().says(trial) for trial in attempts.made_trials()]
    assert right[:2] == [True, False], "a constant is refused in the second trial at the latest"


@pytest.mark.parametrize("part", ["initial", "mask"])
def test_an_attempt_that_is_changed_is_told_by_name_and_is_a_copy(part):
    def spoils(dense, subnetworks, small):
        answer = in_a_loop(dense, subnetworks, small)
        for tensor in getattr(subnetworks[0], part).values():
            tensor.zero_()
        return answer

    refused_and_not_stopped(checks.supports(spoils), "your function changed `subnetworks`")
    accepted(checks.supports(in_a_loop))


def test_the_small_lottery_is_what_it_says():
    dense, others = hypothesis.small_lottery()
    assert masks.density(dense.mask) == 1.0
    assert 0.25 < masks.density(others["ticket"].mask) < 0.3
    kept = {name: int(m.sum()) for name, m in others["ticket"].mask.items()}
    for name in ("re-initialized", "random"):
        assert {n: int(m.sum()) for n, m in others[name].mask.items()} == kept
    for name, attempt in others.items():
        begins = all(torch.equal(attempt.initial[n], w * attempt.mask[n]) for n, w in dense.initial.items())
        assert begins is (name != "re-initialized")
        assert len(attempt.iterations) == len(attempt.validation_loss) == len(attempt.test_accuracy)
    reached = {name: at_the_early_stop(attempt)[1] for name, attempt in others.items()}
    assert reached["ticket"] > max(reached["re-initialized"], reached["random"])
    assert at_the_early_stop(dense)[1] > 0.7
