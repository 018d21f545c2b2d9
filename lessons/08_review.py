# %% [markdown]
# # Review
#
# **Question** Can you say what the lottery ticket hypothesis is, write the two algorithms, and tell which of the slides'
# claims hold?
#
# **Slides** S15, S16 and S17, the three questions at the end; S1–S14, as claims
#
# **Before you start** Lessons [01](01_pruning_lenet.ipynb), [03](03_lottery_ticket.ipynb) and
# [07](07_supermasks.ipynb) at least. This lesson asks; those explain.
#
# **Time** {minutes} to run on two processor cores; to answer, as long as you like
#
# **Outline** how to use it · question 1, the hypothesis · question 2, finding a ticket · question 3, finding a supermask ·
# the quiz · the claims table · what does not hold · all the questions, with answers folded
#
# ## How to use it
#
# Somebody who can recite a hypothesis may still not see when an experiment contradicts it. So each of the three questions
# is asked three times:
#
# 1. **In your own words.** Write first; then look, one point at a time, at what a complete answer needs, and say of each
#    whether you had it. Nobody grades it but you.
# 2. **By choice.** Every wrong option is one that somebody has believed. Choose it, and read what is wrong with it.
# 3. **By code.** Your function is run on a small real problem, and what it returns is examined. This is the strictest of
#    the three: words can be vague, a program cannot.
#
# Do it without looking back. If you are stuck, each question says where to look.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Three questions end the lecture, and each is asked three times here. Words first, then a choice, then a
# program, which cannot be vague.
#
# **Ask** Who would bet on being able to write down the hypothesis in one sentence?
#
# **Expect** Most hands go up; few sentences will have the words “from its own initial weights” and “at most as many
# iterations”.
#
# </details>

# %%
import torch
from torch.nn.functional import cross_entropy

from ltcourse import claims
from ltcourse.claims.verdicts import Outcome
from ltcourse.classroom import checks, own_words, questions, quiz, review
from ltcourse.classroom.checks import hypothesis
from ltcourse.display.tables import Table, percent
from ltcourse.networks import masks

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

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 8 minutes</summary>
#
# **Say** Two minutes of silence: everybody writes. Then show the points, one at a time, and let them judge their own
# sentence.
#
# **Ask** Which of the six points did you forget?
#
# **Expect** The number of iterations, most often; then that the subnetwork keeps its own initial weights.
#
# </details>

# %% tags=["key-output"]
own_words.OwnWords(review.HYPOTHESIS)

# %% [markdown]
# ### 1b. By choosing
#
# Several of these are true sentences, and were found out by somebody. Only one is the hypothesis.

# %% tags=["key-output"]
quiz.MultipleChoice(review.HYPOTHESIS.choices)

# %% [markdown]
# ### 1c. As a test
#
# A hypothesis that nothing could speak against is none. So write it as a test of a run: here is one, in miniature. A network
# reads digits of 7 × 7 pixels, and four others are trained beside it. Each of these trainings, an *attempt*, knows its
# `mask` and its `initial` weights (dicts, as always; `initial` has the biases too, if the network has some), and at which
# `iterations` it was evaluated, with which `validation_loss` and `test_accuracy` (tuples of one length).
#
# *Predict: which of the four is a winning ticket?*


# %%
def at_the_early_stop(attempt):
    position = attempt.validation_loss.index(min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


dense, tried = hypothesis.small_lottery()
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
#   together. Biases are not pruned, and do not count.
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
# `sub.initial[name]` with `dense.initial[name] * sub.mask[name]`, for every name in the mask. At most and at least
# include equal.
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
#         own = all(torch.equal(sub.initial[name], dense.initial[name] * m) for name, m in sub.mask.items())
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
    dense, tried = hypothesis.small_lottery(seed)
    said = supports(dense, list(tried.values()), 0.3)
    print(f"seed {seed}:", "not done yet" if said is None else said)

# %% [markdown]
# ## Question 2
#
# **The slides ask** (S16): the algorithm that finds the subnetwork of the lottery ticket hypothesis.
#
# Try without looking back. If you cannot: "The algorithm by hand" in lesson [03](03_lottery_ticket.ipynb) has it in four
# steps.
#
# ### 2a. In your own words

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** The same again. Let one person dictate the algorithm and do literally what is said.
#
# **Ask** What happens if the reset is left out?
#
# **Expect** Then it is Han's pruning loop of S2: one line apart.
#
# </details>

# %% tags=["key-output"]
own_words.OwnWords(review.TICKET_SEARCH)

# %% [markdown]
# ### 2b. By choosing

# %% tags=["key-output"]
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

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** Nothing is trained but scores. Ask for what changes and what does not, before asking for the steps.
#
# **Ask** Which weights' scores get a gradient?
#
# **Expect** All of them, also of edges that are not in use: otherwise one could hardly come back.
#
# </details>

# %% tags=["key-output"]
own_words.OwnWords(review.SUPERMASK_SEARCH)

# %% [markdown]
# ### 3b. By choosing

# %% tags=["key-output"]
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

# %% [markdown]
# ## Quiz
#
# Questions over all lessons: what a thing is, why it is so, what would happen if, and experiments with a flaw to be
# found. Each wrong option has a reply of its own, and what you miss comes back at the end. Your first answer counts;
# after it you may try the other options, to see what is said about them.
#
# It works with the mouse, and with the keyboard alone: `Tab` until an option has a frame, `Enter` to choose it. After a
# right answer `Enter` goes on.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Drive it by keyboard, and let the hall vote before you press a key. Choose a wrong option on purpose: its
# reply is the point.
#
# **Ask** Who can say what is wrong with option …, before I press it?
#
# **Expect** That the wrong options are sentences that somebody has believed.
#
# </details>

# %%
bank = questions.load()
quiz.Quiz(bank, count=10)

# %% [markdown]
# Ten questions of all lessons and levels. Others are a matter of arguments, such as
# `quiz.Quiz(bank, lessons=["03", "04"], levels=[2, 3], kinds=["spot the flaw"], seed=1)`. What is in the bank:

# %%
Table(
    ["lesson", *questions.KINDS, "in all"],
    [
        [lesson, *(sum(q.kind == kind for q in found) for kind in questions.KINDS), len(found)]
        for lesson in sorted({q.lesson[:2] for q in bank})
        for found in [questions.select(bank, lessons=[lesson])]
    ],
)

# %% [markdown]
# ## The claims table
#
# The review questions ask what the slides say. This section asks whether it is so. Every claim of the slides is a row, and
# three voices speak in it: what **the slides say**, what **the paper reports**, and what **we measured**.
#
# Whether a claim holds is not an opinion here. Each claim has a rule, which says what a **case** is and when it is *met*:
# one ticket of one seed, one layer, one network. The program looks at every case by itself, in the recorded run or in a
# computation of a moment, and counts:
#
# | verdict | when |
# |:--|:--|
# | ✔ holds | every case is met |
# | ◐ holds in part | some cases are met; or all, but the evidence is too small to say more |
# | ✘ does not hold here | no case is met |
# | – not tested at this scale | there is nothing that could be asked |
#
# *Too small to say more* is one of three things, and the row says which: one seed alone; runs far shorter than the paper's;
# a smaller network, or easier images, than those that the claim is about. Behind a verdict is the count: "19 of 24" are 19
# cases met of 24.
#
# *Predict: of four claims on the ticket of LeNet-300-100 (S6, S8), which one will hold in part only? It is there, it is
# small, it is accurate, it trains faster.*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 8 minutes</summary>
#
# **Say** Here the slides themselves are examined. A verdict is counted, not felt: what is a case, how many are met.
#
# **Ask** Which claim do you trust least after this course, and what would change your mind?
#
# **Expect** Speed (S8) and transfer (source 2) are good answers; a larger network or longer runs would be the
# evidence.
#
# </details>

# %%
table = claims.table()
for verdict, count in table.verdicts.items():
    print(f"{verdict}: {count} of {len(table.rows)} claims")

# %% [markdown]
# The first part of the lecture, pruning. Read a row from left to right; the last column leads to the cell that shows it.

# %%
claims.table("S1", "S2", "S3", "S4")

# %% [markdown]
# One pair of rows is worth a second look. That the two LeNets err no more than *before* is the slides' comparison (S3).
# The row on quality (S4) asks more: the pruned network has been trained for longer than the dense one was, so the dense
# one is trained on for as long, and set beside it. Read off how much of "no loss" was the longer training.
#
# The second part, lottery tickets:

# %%
claims.table("S6", "S7", "S8")

# %% [markdown]
# The third part, supermasks and the weights that they are found in:

# %%
claims.table("S10", "S11", "S12", "S13", "S14")

# %% [markdown]
# And the slides' second source, on tickets that travel:

# %%
claims.table("source 2")

# %% [markdown]
# ## What does not hold, and why
#
# A table of nothing but ✔ would say more about the table than about the claims. Here are the others, each with what
# stands in the way: cases that are not met, or evidence that is too small.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Two kinds of “in part”: cases against it, or evidence too small. Do not mix them up.
#
# **Ask** Is “does not hold here” a refutation of a paper?
#
# **Expect** No: of the claim at this scale.
#
# </details>

# %%
for row in table.of(Outcome.PART, Outcome.FAILS).rows:
    against = [case for case in row.measured.cases if not case.met]
    print(f"{row.verdict}  {row.claim.key}: {row.claim.says}")
    if against:
        first = against[0].what if against[0].seed is None else f"{against[0].what}, seed {against[0].seed}"
        print(
            f"      not met in {len(against)} of {len(row.measured.cases)} cases, such as {first}: {against[0].found}"
        )
    for limit in row.limits:
        print(f"      {limit}")

# %% [markdown]
# Two kinds of "in part" should not be mixed up. Where *cases* stand against a claim, it is the claim that reaches less far
# than its sentence: down to some size, in some layers, at some seeds. Where only a *limit* is named, nothing speaks against
# it; our runs are too short or too small to speak for it, either. The paper's may not be.
#
# And "does not hold here" is about *here*: the same experiment at the paper's settings may come out otherwise.
# `ltcourse record NAME --budget paper` runs it, where there is a graphics card and time, and the table will use that record
# in place of ours.
#
# ## Ask for the evidence
#
# Pick a claim by what stands in the first column, and see every case. Try another key in place of this one: `"S8 faster"`,
# `"S4 quality"`, `"S12 neurons"`.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Any verdict can be opened down to the seed.
#
# **Ask** Would you have drawn the line elsewhere?
#
# **Expect** Some will: the rule is in the table, and the cases are there to be counted again.
#
# </details>

# %%
row = claims.examine("S8 faster")
print(row)
row.evidence

# %% [markdown]
# Below the verdict is where the record was made, when, and with which versions. Above it is the rule. If you think that
# another rule would be fairer, you can count the cases yourself:

# %%
cases = claims.examine("S8 faster").measured.cases
for seed in sorted({case.seed for case in cases}):
    own = [case for case in cases if case.seed == seed]
    print(f"seed {seed}: {sum(case.met for case in own)} of {len(own)} small tickets train faster")

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** One sentence each: pruning, ticket, supermask. Then the claims that fell.
#
# **Ask** What would you measure next, with a week and a GPU?
#
# **Expect** Longer runs of convolutional tickets, and the transfers at the papers' size.
#
# </details>

# %%
print(f"{len(bank)} questions of {len({q.lesson for q in bank})} lessons, and {len(table.rows)} claims of the slides:")
for verdict, count in table.verdicts.items():
    print(f"  {verdict}: {count}")
weak = [row.claim.key for row in table.of(Outcome.FAILS).rows]
print("what does not hold here:", ", ".join(weak))

# %% [markdown]
# If your functions pass the three checks, you can do what the slides ask of you. If you can also say, of a claim in the
# table, what would have to be seen for its verdict to change, you can do what the authors of the papers did.
#

# %% [markdown] slideshow={"slide_type": "skip"} tags=["key"]
# ## All the questions, with answers folded
#
# For reading where no kernel runs: every question, with its answer and all replies folded below it. Answer first, then
# unfold.

# %% [markdown] tags=["key", "notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** This is for reading at home; the slides leave it out, and so does a student copy.
#
# **Ask** Which question would you add?
#
# **Expect** Good ones go into the bank: one more entry in a text file.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["key"]
quiz.FoldedAnswers(bank)

# %% [markdown]
# ## References
#
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural Networks*,
#   2015, arXiv:1506.02626.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635.
# - Ari Morcos, Haonan Yu, Michela Paganini, Yuandong Tian: *One ticket to win them all: generalizing lottery ticket
#   initializations across datasets and optimizers*, 2019, arXiv:1906.02773.
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a Randomly
#   Weighted Neural Network?*, 2019, arXiv:1911.13299.
