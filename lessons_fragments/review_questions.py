# %% [markdown]
# The cells below are three sections of lesson 08; the imports that they need:

# %%
import torch
from torch.nn.functional import cross_entropy

from ltcourse import checks, masks, quiz, review, review_checks
from ltcourse.tables import Table, percent

# %% [markdown]
# ## Question 1
#
# **The slides ask** (S15): state the lottery ticket hypothesis.
#
# Three ways to answer, each harder than the one before: in your own words, by choosing, and as code that decides whether
# a run supports it. Try without looking back. If you cannot, read "The hypothesis" in lesson
# [03](03_lottery_ticket.ipynb), close it, and come back.
#
# ### 1a. In your own words
#
# Write first; then let the points of a complete answer come, one after another, and tick those that yours has. You are
# the judge: be strict.

# %%
review.OwnWords(review.HYPOTHESIS)

# %% [markdown]
# ### 1b. By choosing
#
# Several of these are true sentences, and were found out by somebody. Only one is the hypothesis.

# %%
quiz.MultipleChoice(review.HYPOTHESIS.choices)

# %% [markdown]
# ### 1c. As a test
#
# A hypothesis that nothing could speak against is none. So write it as a test of a run: here is one, in miniature. A network
# reads digits of 7 × 7 pixels, and four others are trained beside it. Each of these trainings, an *attempt*, knows its
# `mask` and its `initial` weights (dicts, as always), and at which `iterations` it was evaluated, with which
# `validation_loss` and `test_accuracy` (tuples of one length).
#
# *Predict: which of the four is a winning ticket?*


# %%
def at_the_early_stop(attempt):
    position = attempt.validation_loss.index(min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


dense, tried = review_checks.small_lottery()
rows = []
for name, attempt in {"dense": dense, **tried}.items():
    iteration, accuracy = at_the_early_stop(attempt)
    rows.append([name, percent(masks.density(attempt.mask)), iteration, percent(accuracy)])
Table(["attempt", "weights kept", "smallest validation loss at iteration", "test accuracy there"], rows)

# %% [markdown]
# Now the test. Given the attempt of a `dense` network and a list of attempts of its `subnetworks`, return True if they
# support the hypothesis, and False if they do not.
#
# - It says that there *is* a ticket: one is enough, whatever the others do.
# - A ticket begins from the weights that the dense network began with, under its mask.
# - Speed and accuracy are read off where the validation loss is smallest, at the first of equally small ones. The test
#   set has no say in *when*.
# - "Far smaller" (the paper's ≪) has no number. `small` is yours: at most this share of all weights, all layers counted
#   together.
# - Suppose that a *re-initialized* network does as well as the ticket. It is no ticket, and it does not speak against
#   the hypothesis either: that other numbers would not do is another claim, for which lesson 03 has its controls.


# %% tags=["exercise"]
def supports(dense, subnetworks, small):
    return None


# %%
checks.supports(supports)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Write down the four conditions first, each as one line of code about one subnetwork: its size, its beginning, its time,
# its accuracy. All four must hold for the same one.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `at_the_early_stop` above gives time and accuracy, `masks.density` the size. For the beginning, compare
# `sub.initial[name]` with `dense.initial[name] * sub.mask[name]`, for every name. At most and at least include equal.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def supports(dense, subnetworks, small):
#     def stop(attempt):
#         position = attempt.validation_loss.index(min(attempt.validation_loss))
#         return attempt.iterations[position], attempt.test_accuracy[position]
#
#     j, a = stop(dense)
#     for sub in subnetworks:
#         j_sub, a_sub = stop(sub)
#         own = all(torch.equal(sub.initial[name], w * sub.mask[name]) for name, w in dense.initial.items())
#         if own and masks.density(sub.mask) <= small and j_sub <= j and a_sub >= a:
#             return True
#     return False
# ```
#
# It is the sentence of the paper (Frankle & Carbin 2019, Sec. 1) in its own letters: there is a mask with
# $j' \le j$, $a' \ge a$ and $\lVert m \rVert_0 \ll \lvert\theta\rvert$, trained from $m \odot \theta_0$.
#
# </details>

# %% [markdown]
# What does your test say of the run above, if at most 30 % of the weights are far smaller? And of the same run with
# another seed? One run can support the hypothesis or not; it takes several to believe it.

# %%
for seed in range(3):
    dense, tried = review_checks.small_lottery(seed)
    print(f"seed {seed}: {supports(dense, list(tried.values()), 0.3)}")

# %% [markdown]
# ## Question 2
#
# **The slides ask** (S16): the algorithm that finds the subnetwork of the lottery ticket hypothesis.
#
# Try without looking back. If you cannot: "The algorithm by hand" in lesson [03](03_lottery_ticket.ipynb) has it in four
# steps.
#
# ### 2a. In your own words

# %%
review.OwnWords(review.TICKET_SEARCH)

# %% [markdown]
# ### 2b. By choosing

# %%
quiz.MultipleChoice(review.TICKET_SEARCH.choices)

# %% [markdown]
# ### 2c. As code
#
# Lesson 03 checked one round. Now write all of it, from the random network to the ticket. `network` has just been
# created: its weights are random. `train(network, mask)` trains it under a mask (name → booleans, for the weights of each
# layer; biases are not pruned), from wherever it is; what the mask leaves out is 0 then, and stays 0.
#
# - In each of the `rounds`: train; of the weights that each layer still has, prune the share `rate`, those of the
#   smallest magnitudes, the count rounded to the nearest; reset.
# - Return the last mask, and leave `network` as the ticket: the survivors and the biases at their initial values, bit by
#   bit, and pruned weights at 0.
#
# The check follows every call of `train`, on networks of a few neurons and then on digits, where it also asks what your
# ticket is worth.


# %% tags=["exercise"]
def find_ticket(network, train, rate, rounds):
    return None


# %%
checks.find_ticket(find_ticket)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Before anything else, copy what the network holds: `{name: p.detach().clone() for name, p in
# network.named_parameters()}`. Without `clone` the copy would be trained along.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Begin with the mask that keeps everything, `masks.dense(network)`. `masks.magnitude(weights, mask, rate)` returns the
# next one; `masks.prunable(network)` are the weights. Choose before you reset: the reset overwrites the magnitudes.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def find_ticket(network, train, rate, rounds):
#     θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}  # 1: random weights
#     mask = masks.dense(network)
#     for _ in range(rounds):  # 4: repeat
#         train(network, mask)  # 2: train,
#         mask = masks.magnitude(masks.prunable(network), mask, rate)  # and cut
#         network.load_state_dict(θ0)  # 3: return to the initial values
#         masks.apply(network, mask)
#     return mask
# ```
#
# The numbers are those of S7. `pruning.prune_iteratively` with `restart=restarts.to_init` is the same, and yields its
# rounds.
#
# </details>

# %% [markdown]
# ## Question 3
#
# **The slides ask** (S17): the algorithm that finds a subnetwork that performs well with no training.
#
# Try without looking back. If you cannot: "Edge-popup by hand" in lesson [07](07_supermasks.ipynb).
#
# ### 3a. In your own words

# %%
review.OwnWords(review.SUPERMASK_SEARCH)

# %% [markdown]
# ### 3b. By choosing

# %%
quiz.MultipleChoice(review.SUPERMASK_SEARCH.choices)

# %% [markdown]
# ### 3c. As code
#
# Where does a search begin? At the loss of somebody who finds all ten digits equally likely, which is log 10:

# %%
print(f"cross-entropy of a guess: {cross_entropy(torch.zeros(1, 10), torch.tensor([3])).item():.4f}")

# %% [markdown]
# Lesson 07 checked the mask of a layer, the gradient, and one step. Now write the whole search. `weights` are random
# (name → tensor, no biases) and stay as they are; `scores` are where the scores begin. `forward(weights, x)` runs the
# network with whatever weights it is given, and returns its logits.
#
# - For each (x, y) of `batches`, in order: use, of each layer, the round(`k` · n) weights of the largest |score|, and 0
#   for the others; take the cross-entropy; then one step of plain SGD with learning rate `lr` on *all* scores, straight
#   through the mask.
# - Return two dicts: the mask of the final scores, and these scores.
#
# The check compares the scores step by step on networks of a few neurons; then it searches for a supermask of digits, and
# asks it about images that it has not seen.


# %% tags=["exercise"]
def find_supermask(forward, weights, scores, k, lr, batches):
    return None


# %%
checks.find_supermask(find_supermask)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Two functions inside: one from the scores to the mask (exercise 1 of lesson 07), one that makes a step. The mask is
# chosen anew in every step, and once more after the last.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The trick of lesson 07: `w * (mask + s.abs() - s.abs().detach())` has the value of the weight times the mask, and its
# derivative is as if the mask were |s|. Then PyTorch works out the gradient of every score, with its sign.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def find_supermask(forward, weights, scores, k, lr, batches):
#     scores = {name: s.clone().requires_grad_() for name, s in scores.items()}
#
#     def choose():
#         return {name: masks.keep_largest(s.detach().abs(), round(k * s.numel())) for name, s in scores.items()}
#
#     for x, y in batches:
#         mask, size = choose(), {name: s.abs() for name, s in scores.items()}
#         used = {name: w * (mask[name] + size[name] - size[name].detach()) for name, w in weights.items()}
#         gradients = torch.autograd.grad(cross_entropy(forward(used, x), y), list(scores.values()))
#         for s, gradient in zip(scores.values(), gradients, strict=True):
#             s.data.sub_(lr * gradient)
#     return choose(), {name: s.detach() for name, s in scores.items()}
# ```
#
# In the library it is `supermasks.edge_popup` and then `train`, with momentum and a schedule, which get much further than
# a few plain steps.
#
# </details>
