"""The checks of lesson 07 name the classic mistakes with supermasks, and accept different right answers."""

import itertools
import math
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.networks import initializers, masks
from ltcourse.pruning.supermasks import Popup, Subnetwork

LESSONS = Path(__file__).resolve().parents[3] / "lessons"


# Exercise 1


def by_the_library(scores, k):
    return Popup(scores, k).mask()


def by_topk(scores, k):
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    mask[scores.abs().flatten().topk(round(k * scores.numel())).indices] = True
    return mask.view_as(scores)


def by_ranks_in_numpy(scores, k):
    ranks = np.abs(scores.numpy()).ravel().argsort(kind="stable").argsort()
    return torch.from_numpy((ranks >= scores.numel() - round(k * scores.numel())).reshape(scores.shape))


def one_by_one(scores, k):
    """Takes the earlier of equal scores, where the library takes the later."""
    flat = scores.flatten().tolist()
    best = sorted(range(len(flat)), key=lambda i: -abs(flat[i]))[: round(k * len(flat))]
    return torch.tensor([i in best for i in range(len(flat))]).reshape(scores.shape)


@pytest.mark.parametrize("answer", [by_the_library, by_topk, by_ranks_in_numpy, one_by_one])
def test_forward_mask_accepts(answer):
    accepted(checks.forward_mask(answer))


def largest(count_of, size=torch.abs):
    """Make a mask of the right form: count_of(k · n) of the largest size(scores)."""
    return lambda scores, k: masks.keep_largest(size(scores), count_of(k * scores.numel()))


def the_share_pruned(scores, k):
    return masks.keep_largest(scores.abs(), scores.numel() - round(k * scores.numel()))


def the_complement(scores, k):
    return ~by_topk(scores, k)


def threshold(keeps, of):
    """Make a mask by comparing with a threshold: the score at place of(count) of the largest, 0 for the largest."""

    def function(scores, k):
        ordered = scores.abs().flatten().sort(descending=True).values
        place = min(max(of(round(k * scores.numel())), 0), scores.numel() - 1)
        return keeps(scores.abs(), ordered[place])

    return function


def by_quantile(scores, k):
    return scores.abs() >= scores.abs().flatten().quantile(1 - k)


def each_row_on_its_own(scores, k):
    rows = scores.flatten(1) if scores.dim() > 1 else scores[None]
    return torch.stack([by_topk(row, k) for row in rows]).view_as(scores)


def flattened(scores, k):
    return by_topk(scores, k).flatten()


def positions(scores, k):
    return scores.abs().flatten().topk(round(k * scores.numel())).indices


def makes_scores_positive(scores, k):
    return by_topk(scores.abs_(), k)


def by_its_last(scores, k):
    keep = torch.zeros(scores.numel(), dtype=torch.bool)
    keep[scores.flatten().abs().argsort()[-round(k * scores.numel()) :]] = True
    return keep.view_as(scores)


def from_the_threshold(scores, k):
    ranked = scores.abs().flatten().sort(descending=True).values
    count = round(k * scores.numel())
    return by_topk(scores, k) if count else scores.abs() >= ranked[count - 1]


def to_the_last_dropped(scores, k):
    keep = torch.zeros(scores.numel(), dtype=torch.bool)
    keep[scores.flatten().abs().argsort(descending=True)[: -(scores.numel() - round(k * scores.numel()))]] = True
    return keep.view_as(scores)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            the_share_pruned,
            ["k = 0.25: keep 2 of", "6 of the 8 edges, 4 more than 2", "the share kept, but this prunes"],
        ),
        (the_complement, ["k = 0.25", "6 of the 8 edges", "the mask of the edges that are dropped"]),
        (largest(round, lambda s: s), ["0.9 larger than", "ranks the scores themselves"]),
        (largest(round, lambda s: -s.abs()), ["1.75 larger than", "keeps the smallest"]),
        (largest(round, lambda s: -s), ["drops an edge", "1 larger than", "keeps the most negative scores"]),
        (threshold(torch.ge, lambda count: count), ["3 of the 8 edges, 1 more than 2", "> and ≥"]),
        (threshold(torch.gt, lambda count: count - 1), ["1 of the 8 edges, 1 fewer than 2", "> and ≥"]),
        (
            threshold(torch.ge, lambda count: count - 1),
            ["k = 0.5: keep 2 of", "[0.5, -0.5, 0.5, 1.0]", "4 of the 4 edges", "equal"],
        ),
        (
            threshold(torch.gt, lambda count: count),
            ["[0.5, -0.5, 0.5, 1.0]", "1 of the 4 edges", "all of these or none"],
        ),
        (
            largest(math.floor),
            ["k = 0.3", "1 of the 6 edges, 1 fewer than 2", "round k · n = 1.8 to the nearest, not down"],
        ),
        (
            largest(math.ceil),
            ["k = 0.4", "4 of the 8 edges, 1 more than 3", "round k · n = 3.2 to the nearest, not up"],
        ),
        (by_quantile, ["k = 0.15", "2 of the 8 edges, 1 more than 1", "a quantile is a value between two scores"]),
        (each_row_on_its_own, ["k = 0.3", "0.5 larger than", "each row on its own"]),
        (flattened, ["(6,), the scores have (2, 3)", "view_as(scores)"]),
        (lambda s, k: by_topk(s, k).float(), ["a mask is boolean, and this is torch.float32"]),
        (lambda s, k: by_topk(s, k).long(), ["a mask is boolean, and this is torch.int64"]),
        (lambda s, k: s * by_topk(s, k), ["a mask is boolean, and this is torch.float32"]),
        (positions, ["these are positions"]),
        (lambda s, k: set(by_topk(s, k).tolist()), ["a mask is a tensor, and this is set"]),
        (by_its_last, ["k = 0.0", "it keeps 2 of the 2 edges", "`[-count:]` is all of it"]),
        (from_the_threshold, ["k = 0.0", "`[count - 1]` is the last of the ranking"]),
        (to_the_last_dropped, ["k = 1.0", "it keeps 0 of the 2 edges", "`[:-0]` is empty"]),
        (lambda s, k: torch.ones_like(s, dtype=torch.bool), ["8 of the 8 edges, 6 more than 2"]),
        (lambda s, k: torch.zeros_like(s, dtype=torch.bool), ["0 of the 8 edges, 2 fewer than 2"]),
        (makes_scores_positive, ["your function changed `scores`, which it was given: work on a copy"]),
    ],
)
def test_forward_mask_refuses(answer, evidence):
    refused_and_not_stopped(checks.forward_mask(answer), *evidence)


# Exercise 2


def by_the_chain_rule(grad_out, inputs, weight, scores):
    return (grad_out.T @ inputs) * weight * scores.sign()


def by_autograd_through_the_magnitude(grad_out, inputs, weight, scores):
    scores = scores.clone().requires_grad_()
    (inputs @ (weight * scores.abs()).T).backward(grad_out)
    return scores.grad


def by_the_library_at_any_k(grad_out, inputs, weight, scores):
    scores.requires_grad_()
    out = inputs @ Subnetwork.apply(scores, weight, scores.numel() // 2).T
    return torch.autograd.grad(out, scores, grad_out)[0]


def in_numpy_and_double(grad_out, inputs, weight, scores):
    g, x, w, s = (t.numpy().astype(np.float64) for t in (grad_out, inputs, weight, scores))
    return torch.from_numpy(np.einsum("no,ni->oi", g, x) * w * np.sign(s))


def in_loops(grad_out, inputs, weight, scores):
    g, x, w, s = (t.tolist() for t in (grad_out, inputs, weight, scores))
    return torch.tensor(
        [
            [
                sum(g[n][o] * x[n][i] for n in range(len(x))) * w[o][i] * (1 if s[o][i] > 0 else -1)
                for i in range(len(x[0]))
            ]
            for o in range(len(w))
        ]
    )


@pytest.mark.parametrize(
    "answer",
    [
        by_the_chain_rule,
        by_autograd_through_the_magnitude,
        by_the_library_at_any_k,
        in_numpy_and_double,
        in_loops,
    ],
)
def test_score_gradient_accepts(answer):
    accepted(checks.score_gradient(answer))


def only_of_edges_in_use(grad_out, inputs, weight, scores):
    return by_the_chain_rule(grad_out, inputs, weight, scores) * masks.keep_largest(scores.abs(), scores.numel() // 2)


def only_of_the_upper_half(grad_out, inputs, weight, scores):
    """Spares a layer of one edge."""
    keep = scores.abs() >= scores.abs().median()
    return by_the_chain_rule(grad_out, inputs, weight, scores) * keep


def in_place(grad_out, inputs, weight, scores):
    return weight.mul_(grad_out.T @ inputs).mul_(scores.sign())


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda g, x, w, s: g.T @ x * w, ["negative score", "[[3.0]]", "[[-3.0]]", "the sign is missing"]),
        (lambda g, x, w, s: g.T @ x * s.sign(), ["one edge:", "[[6.0]]", "the weight is missing"]),
        (lambda g, x, w, s: g.T @ x, ["one edge:", "[[6.0]]", "the weight is missing"]),
        (lambda g, x, w, s: g.T @ x * s, ["one edge:", "[[1.5]]", "by the scores where the weight belongs"]),
        (lambda g, x, w, s: g.T @ x * w * s, ["[[-0.75]]", "by the scores where their sign belongs"]),
        (lambda g, x, w, s: g.T @ x * w * s.abs() * 2, ["[[-1.5]]", "largest difference 1.5"]),
        (lambda g, x, w, s: -(g.T @ x) * w * s.sign(), ["[[3.0]]", "[[-3.0]]", "the negative gradient"]),
        (
            lambda g, x, w, s: g.T @ x * w * s.sign() / len(x),
            ["two examples", "[[7.5]]", "[[15.0]]", "mean over the batch"],
        ),
        (lambda g, x, w, s: by_the_chain_rule(g, x, w, s).T, ["2 inputs, 2 outputs", "it is transposed"]),
        (lambda g, x, w, s: x.T @ g * w * s.sign(), ["2 inputs, 2 outputs", "the other way round"]),
        (lambda g, x, w, s: by_the_chain_rule(g, x, w, s).flatten(), ["(1, 1), and this has (1,)"]),
        (
            lambda g, x, w, s: by_the_chain_rule(g, x, w, s) * (s > 0),
            ["negative score", "1 of the 1 scores get no gradient"],
        ),
        (only_of_edges_in_use, ["one edge:", "1 of the 1 scores get no gradient", "in use or not"]),
        (only_of_the_upper_half, ["2 inputs, 2 outputs", "1 of the 4 scores get no gradient", "in use or not"]),
        (lambda g, x, w, s: by_the_chain_rule(g, x, w, s) * math.nan, ["largest difference nan"]),
        (lambda g, x, w, s: torch.zeros_like(s), ["1 of the 1 scores get no gradient"]),
        (lambda g, x, w, s: s > 0, ["should be torch.float32, and this is torch.bool"]),
        (in_place, ["your function changed `weight`, which it was given: work on a copy"]),
    ],
)
def test_score_gradient_refuses(answer, evidence):
    refused_and_not_stopped(checks.score_gradient(answer), *evidence)


def test_score_gradient_sees_a_transpose_by_its_shape():
    def of_square_layers_only(g, x, w, s):
        right = by_the_chain_rule(g, x, w, s)
        return right if w.shape[0] == w.shape[1] else right.T

    refused_and_not_stopped(checks.score_gradient(of_square_layers_only), "(2, 3), and this has (3, 2)", "transposed")


# Exercise 3


def step(*bugs, forward=None, gradient_of=None, update=None, before=True):
    """Make a step with some of the three bugs, or with other parts."""

    def function(weight, scores, inputs, grad_out, k, lr):
        def mask_of(scores):
            count = round(k * scores.numel())
            return masks.keep_largest(scores.abs(), scores.numel() - count if "share" in bugs else count)

        mask = mask_of(scores)
        gradient = grad_out.T @ inputs * weight
        if gradient_of:
            gradient = gradient_of(grad_out, inputs, weight, scores)
        elif "sign" not in bugs:
            gradient = gradient * scores.sign()
        if "dead" in bugs:
            gradient = gradient * mask
        new = update(scores, gradient, lr, weight) if update else scores - lr * gradient
        used = forward(weight, scores, k) if forward else weight * (mask if before else mask_of(new))
        return inputs @ used.T, new

    return function


def by_ranks(weight, scores, inputs, grad_out, k, lr):
    dropped = scores.numel() - round(k * scores.numel())
    mask = scores.abs().flatten().argsort().argsort().view_as(scores) >= dropped
    gradient = (grad_out.T @ inputs) * weight * scores.sign()
    return inputs @ (weight * mask).T, scores - lr * gradient


def by_the_optimizer(weight, scores, inputs, grad_out, k, lr):
    popup = Popup(scores.clone(), k)
    optimizer = torch.optim.SGD(popup.parameters(), lr=lr)
    out = torch.nn.functional.linear(inputs, popup(weight))
    out.backward(grad_out)
    optimizer.step()
    return [out, popup.scores]


def straight_through_by_detach(weight, scores, inputs, grad_out, k, lr):
    """The trick of the trade: forward the mask, backward |s|."""
    scores = scores.clone().requires_grad_()
    size = scores.abs()
    hard = by_topk(scores.detach(), k).float()
    out = inputs @ (weight * (hard + size - size.detach())).T
    (gradient,) = torch.autograd.grad(out, scores, grad_out)
    return out.detach(), (scores - lr * gradient).detach()


def in_numpy(weight, scores, inputs, grad_out, k, lr):
    w, s, x, g = (t.numpy().astype(np.float64) for t in (weight, scores, inputs, grad_out))
    mask = by_ranks_in_numpy(scores, k).numpy()
    return torch.from_numpy(x @ np.where(mask, w, 0).T), torch.from_numpy(s - lr * (g.T @ x) * w * np.sign(s))


@pytest.mark.parametrize("answer", [step(), by_ranks, by_the_optimizer, straight_through_by_detach, in_numpy])
def test_popup_step_accepts(answer):
    accepted(checks.popup_step(answer))


BUGS = {"sign": "lacks the factor sign(s)", "share": "as the share pruned", "dead": "none can come back"}
MANY = {1: "one of the three bugs is still there", 2: "two of the three bugs are still there", 3: "all three bugs are"}


def plausible(weight, scores, inputs, grad_out, k, lr):
    """The code of the statement, with its three bugs."""
    dropped = round(k * scores.numel())
    ranks = scores.abs().flatten().argsort().argsort().view_as(scores)
    mask = ranks >= dropped
    used = weight * mask
    out = inputs @ used.T
    gradient = (grad_out.T @ inputs) * weight * mask
    new_scores = scores - lr * gradient
    return out, new_scores


def shown_with_bugs(lesson):
    """The code that the statement of exercise 3 shows."""
    blocks = [
        block
        for cell in jupytext.read(lesson).cells
        if cell.cell_type == "markdown" and not cell.metadata.get("tags")
        for block in re.findall(r"^```python\n(def popup_step.*?)^```", cell.source, re.DOTALL | re.MULTILINE)
    ]
    namespace = {"torch": torch}
    (block,) = blocks
    exec(block, namespace)
    return namespace["popup_step"]


@pytest.mark.parametrize("left", [c for many in MANY for c in itertools.combinations(BUGS, many)], ids="+".join)
def test_popup_step_reveals_one_bug_at_a_time(left):
    verdict = checks.popup_step(step(*left))
    refused_and_not_stopped(verdict, "k = 0.25", MANY[len(left)], "look for this one first: ", BUGS[left[0]])
    assert sum(said in str(verdict) for said in BUGS.values()) == 1


@pytest.mark.parametrize("lesson", sorted(LESSONS.glob("07_*.py")), ids=lambda lesson: lesson.stem)
def test_the_lesson_shows_all_three_bugs(lesson):
    assert "all three bugs are" in str(checks.popup_step(plausible))
    assert str(checks.popup_step(shown_with_bugs(lesson))) == str(checks.popup_step(plausible))


def soft(weight, scores, k):
    return weight * scores.abs() * by_topk(scores, k)


def learns_in_place(weight, scores, inputs, grad_out, k, lr):
    out, new = step()(weight, scores, inputs, grad_out, k, lr)
    return out, scores.copy_(new)


def prunes_in_place(weight, scores, inputs, grad_out, k, lr):
    result = step()(weight, scores, inputs, grad_out, k, lr)
    weight *= by_topk(scores, k)
    return result


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (step(forward=lambda w, s, k: w), ["out [[-2.5]]", "out [[-0.5]]", "out: all edges are in use"]),
        (step(before=False), ["out [[-6.0]]", "out: it is that of the new scores"]),
        (step(forward=soft), ["out [[-0.45]]", "do not scale"]),
        (step(forward=lambda w, s, k: w * largest(round, lambda s: s)(s, k)), ["out: it ranks the scores themselves"]),
        (step(forward=lambda w, s, k: w * largest(round, lambda s: -s.abs())(s, k)), ["out: it keeps the smallest"]),
        (step(forward=lambda w, s, k: 3 * w), ["out: largest difference 7"]),
        (step(update=lambda s, g, lr, w: s), ["new_scores: they are the old ones"]),
        (step(update=lambda s, g, lr, w: g), ["new_scores: this is the gradient"]),
        (step(update=lambda s, g, lr, w: s + lr * g), ["new_scores: this goes up the gradient"]),
        (step(update=lambda s, g, lr, w: s - g), ["new_scores: the learning rate is missing"]),
        (step(update=lambda s, g, lr, w: s - lr * g + 0.25), ["new_scores: largest difference 0.25"]),
        (step(gradient_of=lambda g, x, w, s: g.T @ x * s.sign()), ["new_scores: the weight is missing"]),
        (
            step(gradient_of=lambda g, x, w, s: g.T @ x, update=lambda s, g, lr, w: w - lr * g),
            ["new_scores: this moves the weights"],
        ),
        (
            step("dead", gradient_of=lambda g, x, w, s: g.T @ x, update=lambda s, g, lr, w: w - lr * g),
            ["new_scores: this moves the weights in use"],
        ),
        (
            step(gradient_of=lambda g, x, w, s: by_the_chain_rule(g, x, w, s) / len(x)),
            ["k = 0.3", "(5, 3)", "new_scores: this is the mean over the batch"],
        ),
        (step("share", update=lambda s, g, lr, w: s + 1), ["out: k is taken as the share pruned"]),
        (lambda *given: step()(*given)[::-1], ["they are swapped"]),
        (lambda *given: step()(*given)[1], ["return two tensors, out and the new scores: this is Tensor"]),
        (lambda *given: (*step()(*given), given[0]), ["these are 3"]),
        (lambda *given: (step()(*given)[0], 0.1), ["new_scores should be a tensor, and this is float"]),
        (lambda *given: tuple(t * math.nan for t in step()(*given)), ["out: largest difference nan"]),
        (learns_in_place, ["your function changed `scores`, which it was given: work on a copy"]),
        (prunes_in_place, ["your function changed `weight`, which it was given: work on a copy"]),
    ],
)
def test_popup_step_refuses(answer, evidence):
    refused_and_not_stopped(checks.popup_step(answer), *evidence)


# Exercise 4


def by_the_formula(shape, k):
    return math.sqrt(2 / (k * math.prod(shape[1:])))


def by_the_fans(shape, k):
    return np.float32(np.sqrt(2 / initializers.fans(shape)[0]) / np.sqrt(k))


def by_the_gain(shape, k):
    fan_in, _ = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    return torch.tensor(torch.nn.init.calculate_gain("relu") * (k * fan_in) ** -0.5)


@pytest.mark.parametrize("answer", [by_the_formula, by_the_fans, by_the_gain])
def test_scaled_std_accepts(answer):
    accepted(checks.scaled_std(answer))


def std(variance):
    """Make an answer of a variance: variance(fan_in, fan_out, k)."""
    return lambda shape, k: variance(*initializers.fans(shape), k) ** 0.5


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda shape, k: by_the_formula(shape, k) ** 2, ["(3, 8), k = 1.0", "0.25000\n", "0.50000\n", "the variance"]),
        (std(lambda into, out, k: 2 / into), ["k = 0.25", "0.50000\n", "1.00000\n", "k is missing"]),
        (std(lambda into, out, k: 2 * k / into), ["k = 0.25", "0.25000\n", "divide by it"]),
        (std(lambda into, out, k: 2 / into / k**2), ["k = 0.25", "2.00000\n", "k belongs under the root"]),
        (std(lambda into, out, k: 2 / (max(1 - k, 0.5) * into)), ["k = 1.0", "0.70711\n", "off by 0.207"]),
        (std(lambda into, out, k: 2 / ((1 - k or 1) * into)), ["k = 0.25", "0.57735\n", "the share kept, not"]),
        (std(lambda into, out, k: 2 / (k * out)), ["(3, 8), k = 1.0", "0.81650\n", "this is fan_out"]),
        (std(lambda into, out, k: 2 / (k * into + out)), ["(3, 8), k = 1.0", "0.42640\n", "this is Xavier"]),
        (std(lambda into, out, k: 2 / (into + out)), ["(3, 8), k = 1.0", "0.42640\n", "this is Xavier"]),
        (lambda shape, k: math.sqrt(2 / (k * shape[1])), ["(16, 4, 3, 5)", "0.70711\n", "0.18257\n", "kernel area"]),
        (lambda shape, k: math.sqrt(2 / (k * math.prod(shape))), ["(3, 8)", "0.28868\n", "all weights of the layer"]),
        (std(lambda into, out, k: 1 / (k * into)), ["(3, 8), k = 1.0", "0.35355\n", "the 2 is missing"]),
        (std(lambda into, out, k: 6 / (k * into)), ["(3, 8), k = 1.0", "0.86603\n", "uniform"]),
        (lambda shape, k: [by_the_formula(shape, k)] * 2, ["a standard deviation is a number, and this is list"]),
        (lambda shape, k: f"{by_the_formula(shape, k)}", ["a standard deviation is a number, and this is str"]),
        (lambda shape, k: initializers.fans(shape), ["a standard deviation is a number, and this is tuple"]),
        (lambda shape, k: torch.full(shape, by_the_formula(shape, k)), ["and this is Tensor"]),
    ],
)
def test_scaled_std_refuses(answer, evidence):
    refused_and_not_stopped(checks.scaled_std(answer), *evidence)


def test_scaled_std_is_what_the_library_draws():
    shape, k = (64, 32, 3, 3), 0.3
    drawn = initializers.named("kaiming", kept=k)(torch.empty(shape), torch.Generator().manual_seed(0))
    assert float(drawn.std()) == pytest.approx(by_the_formula(shape, k), rel=0.02)


# What they share


def test_the_checks_leave_the_global_randomness_alone(global_randomness_untouched):
    for check, answer in (
        (checks.forward_mask, by_topk),
        (checks.score_gradient, by_the_chain_rule),
        (checks.popup_step, by_ranks),
        (checks.scaled_std, by_the_formula),
    ):
        assert check(answer).passed
