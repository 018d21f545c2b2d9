# %% [markdown]
# # Review
#
# **Question** Can you state the lottery ticket hypothesis, write both algorithms, and tell which of the slides' claims
# hold?
#
# **Slides** S15, S16 and S17, the three questions at the end; S1–S14, as claims
#
# **Before you start** Lessons [01](01_pruning_lenet.ipynb), [03](03_lottery_ticket.ipynb) and
# [07](07_supermasks.ipynb) at least. This lesson asks; those explain.
#
# **Time** {minutes} to run on two processor cores; take as long as you like for the answers
#
# **Outline** how to use it · question 1, the hypothesis · question 2, finding a ticket · question 3, finding a supermask ·
# the quiz · the claims table · what the course implements · what is not decided · claim by
# claim · all the questions, with answers folded
#
# ## How to use it
#
# You may be able to recite a hypothesis and still not notice when an experiment contradicts it. So each of the three
# questions is asked in three ways:
#
# 1. **In your own words.** Write your answer first. Then go through the points of a complete answer, one at a time, and
#    say whether you had each. Only you grade it.
# 2. **By choosing.** Every wrong option is one that somebody has believed. Choose it and read what is wrong with it.
# 3. **As code.** Your function is run on a small real problem, and its result is examined. This is the strictest of the
#    three: words can be vague, a program cannot.
#
# Answer without looking back. If you are stuck, each question says where to look.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Three questions end the lecture, and each is asked in three ways here: first in words, then by choosing, then
# as a program, which cannot be vague.
#
# **Ask** Who can write down the hypothesis in one sentence?
#
# **Expect** Most hands go up. Few of the sentences will contain “from its own initial weights” and “in at most as many
# iterations”.
#
# </details>

# %%
import torch
from torch.nn.functional import cross_entropy

from ltcourse import claims, data
from ltcourse.claims.verdicts import Comparison, Direction
from ltcourse.classroom import checks, own_words, questions, quiz, review
from ltcourse.classroom.checks import hypothesis
from ltcourse.classroom.predictions import predict, reveal, summary
from ltcourse.display import pictures, plots, widgets
from ltcourse.display.tables import Table, percent, times_interval
from ltcourse.networks import masks

# %% [markdown]
# ## Question 1
#
# **The slides ask** (S15): state the lottery ticket hypothesis.
#
# There are three ways to answer: in your own words, by choosing, and as code that decides whether a run supports the
# hypothesis. Try without looking back. If you cannot, read "The hypothesis" in lesson [03](03_lottery_ticket.ipynb),
# close it, and come back.
#
# ### 1a. In your own words
#
# Write your answer first. Then show the points of a complete answer, one after another, and tick those that your answer
# has. You are the judge, so be strict.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** Everybody writes for two minutes, in silence. Then show the points, one at a time, and let everybody judge
# their own sentence.
#
# **Ask** Which of the six points did you forget?
#
# **Expect** Most often the number of iterations, then that the subnetwork keeps its own initial weights.
#
# </details>

# %% The points of answer 1 tags=["key-output"]
own_words.OwnWords(review.HYPOTHESIS)

# %% [markdown]
# ### 1b. By choosing
#
# Several of these sentences are true, and have been shown to be. Only one is the hypothesis.

# %% tags=["key-output"]
quiz.MultipleChoice(review.HYPOTHESIS.choices)

# %% [markdown]
# ### 1c. As a test
#
# A claim that no result could contradict is not a hypothesis. So write the hypothesis as a test of a run. Here is a run
# in miniature: a network learns to read digits of 7 × 7 pixels, and four others are trained for comparison. Each
# training is an *attempt*. It has a `mask`, its `initial` weights (dicts, as always; `initial` also has the biases, if
# the network has any), the `iterations` at which it was evaluated, and the `validation_loss` and `test_accuracy` found
# there (three tuples of equal length).

# %% tags=["hide-input"]
predict("08.ticket")


# %% tags=["hide-output"]
def at_the_early_stop(attempt):
    position = attempt.validation_loss.index(min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


dense, tried = hypothesis.small_lottery()
rows = []
for name, attempt in {"dense": dense, **tried}.items():
    iteration, accuracy = at_the_early_stop(attempt)
    rows.append([name, percent(masks.density(attempt.mask)), iteration, percent(accuracy)])
reveal("08.ticket", hypothesis.winner())
Table(["attempt", "weights kept", "smallest validation loss at iteration", "test accuracy there"], rows)

# %% [markdown]
# Now write the test. You are given the attempt of a `dense` network and a list of attempts of its `subnetworks`. Return
# True if they support the hypothesis, and False if they do not.
#
# - The hypothesis says that there *is* a ticket. One is enough, whatever the others do.
# - A ticket begins from the initial weights of the dense network, under its mask.
# - Compare speed and accuracy where the validation loss is smallest, at the first such evaluation if there are several.
#   The test set has no say in *when*.
# - "Far smaller" (the paper's ≪) is not a number. Here it means at most the share `small` of all weights, all layers
#   counted together. Biases are not pruned, and do not count.
# - Suppose that a *re-initialized* network does as well as the ticket. It is not a ticket, but it does not contradict
#   the hypothesis either. That no other initial weights would do is another claim, for which lesson 03 has its
#   controls.


# %% tags=["exercise"]
def supports(dense, subnetworks, small):
    return None


# %%
checks.supports(supports)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# First write down the four conditions, each as one line of code about one subnetwork: its size, its initial weights,
# its time, its accuracy. All four must hold for the same subnetwork.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `at_the_early_stop` above gives time and accuracy, and `masks.density` the size. For the initial weights, compare
# `sub.initial[name]` with `dense.initial[name] * sub.mask[name]`, for every name in the mask. "At most" and "at least"
# include equality.
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
# This is the paper's own statement (Frankle & Carbin 2019, Sec. 1): there is a mask with $j' \le j$, $a' \ge a$ and
# $\lVert m \rVert_0 \ll \lvert\theta\rvert$, trained from $m \odot \theta_0$.
#
# </details>

# %% [markdown]
# What does your test say about the run above if "far smaller" means at most 30 % of the weights? What does it say about
# the same run with another seed? A single run may support the hypothesis or not; it takes several to believe it.

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
# Try without looking back. If you cannot, "The algorithm by hand" in lesson [03](03_lottery_ticket.ipynb) gives it in
# four steps.
#
# ### 2a. In your own words

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** The same again. Let one person dictate the algorithm, and do literally what is said.
#
# **Ask** What happens if the reset is left out?
#
# **Expect** Then it is Han's pruning loop of S2. The two differ in one line.
#
# </details>

# %% The points of answer 2 tags=["key-output"]
own_words.OwnWords(review.TICKET_SEARCH)

# %% [markdown]
# ### 2b. By choosing

# %% tags=["key-output"]
quiz.MultipleChoice(review.TICKET_SEARCH.choices)

# %% [markdown]
# ### 2c. As code
#
# Lesson 03 checked one round. Now write the whole algorithm, from the random network to the ticket. `network` has just
# been created, and its weights are random. `train(network, mask)` trains it from its current weights under a mask (name
# → booleans, for the weights of each layer; biases are not pruned). Weights that the mask removes are set to 0 and
# stay 0.
#
# - In each of the `rounds`, train, prune and reset. Of the weights that a layer still has, prune the share `rate` with
#   the smallest magnitudes. Round their number to the nearest integer.
# - Return the last mask and leave `network` as the ticket: survivors and biases exactly at their initial values, and
#   pruned weights at 0.
#
# The check follows every call of `train`, first on networks of a few neurons and then on digits, where it also measures
# what your ticket is worth.


# %% tags=["exercise"]
def find_ticket(network, train, rate, rounds):
    return None


# %%
checks.find_ticket(find_ticket)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Before anything else, copy the parameters of the network: `{name: p.detach().clone() for name, p in
# network.named_parameters()}`. Without `clone` the copy would change when the network is trained.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Begin with the mask that keeps everything, `masks.dense(network)`. `criteria.magnitude(weights, mask, rate)`, from
# `ltcourse.pruning`, returns the next mask, and `masks.prunable(network)` returns the weights. Choose the mask before
# the reset, because the reset overwrites the magnitudes.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# from ltcourse.pruning import criteria
#
# def find_ticket(network, train, rate, rounds):
#     θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}  # 1: random weights
#     mask = masks.dense(network)
#     for _ in range(rounds):  # 4: repeat
#         train(network, mask)  # 2: train,
#         mask = criteria.magnitude(masks.prunable(network), mask, rate)  # and cut
#         network.load_state_dict(θ0)  # 3: return to the initial values
#         masks.apply(network, mask)
#     return mask
# ```
#
# The numbers are those of S7. `pruning.prune_iteratively` with `restart=restarts.to_init` does the same and yields its
# rounds.
#
# </details>

# %% [markdown]
# ## Question 3
#
# **The slides ask** (S17): the algorithm that finds a subnetwork that performs well with no training.
#
# Try without looking back. If you cannot, read "Edge-popup by hand" in lesson [07](07_supermasks.ipynb).
#
# ### 3a. In your own words

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** Only scores are trained. Ask what changes and what does not before you ask for the steps.
#
# **Ask** Which scores get a gradient?
#
# **Expect** All of them, including those of edges that are not in use. Otherwise such an edge could hardly come back.
#
# </details>

# %% The points of answer 3 tags=["key-output"]
own_words.OwnWords(review.SUPERMASK_SEARCH)

# %% [markdown]
# ### 3b. By choosing

# %% tags=["key-output"]
quiz.MultipleChoice(review.SUPERMASK_SEARCH.choices)

# %% [markdown]
# ### 3c. As code
#
# At which loss should the search begin? A network that finds all ten digits equally likely has a loss of log 10:

# %%
print(f"cross-entropy of a guess: {cross_entropy(torch.zeros(1, 10), torch.tensor([3])).item():.4f}")

# %% [markdown]
# Lesson 07 checked the mask of a layer, the gradient, and one step. Now write the whole search. `weights` are random
# (name → tensor, no biases) and never change. `scores` are the initial scores. `forward(weights, x)` runs the network
# with the weights that it is given and returns the logits.
#
# - For each (x, y) of `batches`, in order: use, in each layer, the round(`k` · n) weights with the largest |score|, and
#   0 for the others. Compute the cross-entropy. Then take one step of plain SGD with learning rate `lr` on *all*
#   scores, with the straight-through gradient.
# - Return two dicts: the mask of the final scores, and the final scores.
#
# The check compares the scores step by step on networks of a few neurons. Then it searches for a supermask of digits
# and tests it on images that the search has not seen.


# %% tags=["exercise"]
def find_supermask(forward, weights, scores, k, lr, batches):
    return None


# %%
checks.find_supermask(find_supermask)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# You need two parts: one that turns scores into a mask (exercise 1 of lesson 07), and one that takes a step. The mask
# is chosen anew in every step, and once more after the last.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Use the trick of lesson 07: `w * (mask + s.abs() - s.abs().detach())` has the value of the weight times the mask, and
# its derivative is that of the weight times |s|. PyTorch then computes the gradient of every score, with its sign.
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
# In the library this is `supermasks.edge_popup` followed by `train`. With momentum and a schedule it gets much further
# than a few plain steps.
#
# </details>

# %% [markdown]
# ## Quiz
#
# The quiz has questions on all lessons. They ask what a thing is, why it is so, what would happen if something were
# different, and what is wrong with an experiment. Each wrong option has its own reply, and questions that you miss come
# back at the end. Your first answer counts. After it you may try the other options and read their replies.
#
# You can use the mouse, or the keyboard alone: press `Tab` until an option has a frame, and `Enter` to choose it. After
# a right answer, `Enter` goes on.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Use the keyboard, and let the room vote before you press a key. Choose a wrong option on purpose, because its
# reply is the point.
#
# **Ask** Who can say what is wrong with this option before I choose it?
#
# **Expect** Disagreement: the wrong options are sentences that somebody has believed.
#
# </details>

# %%
bank = questions.load()
quiz.Quiz(bank, count=10)

# %% [markdown]
# These are ten questions from all lessons and levels. Arguments select others, such as `quiz.Quiz(bank, lessons=["03",
# "04"], levels=[2, 3], kinds=["spot the flaw"], seed=1)`. The bank contains:

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
# The review questions ask what the slides say. This section asks whether it is so. Each claim of the slides is a row, and
# it is asked two questions that are easily mixed up.
#
# **Which way does the evidence point?** The *direction*. Each claim names the few numbers that decide it, and where they
# should lie: a difference of accuracies at least 0, say. A number has one value for each seed, and from these a mean and
# an interval (Student's t, 95 %; for ratios of their logarithms; for "k of n seeds" Wilson's).
#
# | direction | when |
# |:--|:--|
# | ✔ for | the whole interval of every number lies where the claim says |
# | ◐ mixed | some numbers are for and others are not, or intervals hold both answers (*undecided*) |
# | ✘ against | no number is for, and the whole interval of at least one lies on the other side |
# | – not tested | nothing was run that could decide: too short, one seed, never at that size, or not at all |
#
# There is no tolerance. The sizes of one run are not independent, so a run counts once, however many sizes it has.
# For "1–15 % of the weights" two sizes decide, the largest and the smallest that were recorded between them.
#
# **How strong is it?** The *strength*: how many seeds, at which scale (the paper's network, data and length; shorter
# runs; a smaller network), against which control. Few seeds make wide intervals: with two, an interval reaches 9
# standard deviations of the seeds to either side; with three, 2.5; with five, half as far as with three.

# %% tags=["hide-input"]
predict("08.claims")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** Here the slides themselves are examined. The direction of the evidence is one question; its strength is
# another.
#
# **Ask** Which claim do you trust least after this course, and what would change your mind?
#
# **Expect** Speed (S8) is a good answer. At the larger size the mean is on the claim's side, at the smaller it is
# not; both intervals hold both answers.
#
# </details>

# %% Which way does the evidence point? slideshow={"slide_type": "skip"} tags=["hide-output"]
table = claims.table()
decided = {
    row.claim.key: sum(number.says is not Direction.MIXED for number in row.measured.numbers)
    / len(row.measured.numbers)
    for row in table.rows
    if row.claim.key in ("S6 hypothesis", "S7 initial-values", "S8 faster", "S8 accuracy")
}
reveal("08.claims", max(decided, key=decided.get))
table.overview

# %% [markdown]
# The brackets give the seeds and the scale, and for claims that are mixed or against, how many of their numbers are
# for, undecided, or against. (*Our recipe* means the paper's network and data, trained as we chose, where the paper
# does not say how.)
#
# "Claim by claim", at the end of this lesson, has the numbers of every claim.

# %% [markdown]
# ## What the course implements
#
# Some sentences of the slides are not claims. A definition, a formula or an algorithm cannot be true or false of the
# world; it can be implemented rightly or wrongly. Each of these has a test in the repository that fails if the course's
# code does something else.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** “The weights never change” is a property of our code, and a test shows it. It is not a finding.
#
# **Ask** Which sentence of the slides looks like a result and is a definition?
#
# **Expect** “Train, remove, fine-tune, repeat.” It is the method.
#
# </details>

# %% slideshow={"slide_type": "skip"}
claims.implemented()

# %% [markdown]
# ## What is not decided, and why
#
# A table of nothing but ✔ would say more about the table than about the claims. Here are the other claims, each with the
# reason.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** “Undecided” and “against” are different things. So are “against” and “refuted”.
#
# **Ask** How would you decide an undecided number?
#
# **Expect** More seeds: from three to five the interval halves.
#
# </details>

# %%
for row in table.of(Direction.MIXED, Direction.AGAINST, Direction.UNTESTED).rows:
    print(f"{row.direction}  {row.claim.key}: {row.claim.says}\n      {row.why}")
numbers = [number for row in table.rows for number in row.measured.numbers]
intervals = sum(isinstance(number, Comparison) and len(number.values) > 1 for number in numbers)
print(f"\nIn all {intervals} intervals of 95 %: by chance alone, about {intervals / 20:.0f} of them miss.")

# %% [markdown]
# An *undecided* number is not a weak yes. Its interval holds both answers, so our seeds cannot tell them apart; more
# seeds could. *Not tested* says less: no outcome of what was run could have decided. A dense network that has seen
# each image once is far from its end, and anything that learns faster beats it.
#
# And *against* is about the experiment in the row. The same experiment at the paper's settings may come out otherwise.
# `ltcourse record NAME --budget paper` runs it, where there is a graphics card and time, and the table then uses that
# record in place of ours.
#
# ## Ask for the evidence
#
# Pick a claim by its key, and see every number with the value of each seed. Try another key in place of this one:
# `"S4 quality"`, `"S10 search"`, `"source 2 data"`.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Any row can be opened down to the seed.
#
# **Ask** Would you have chosen other numbers to decide?
#
# **Expect** Some will. The rule is in the row, and the record holds the rest.
#
# </details>

# %%
row = claims.examine("S8 faster")
print(row)
row.evidence

# %% [markdown]
# The last line says where the record was made, when, and with which versions. If you think that another number should
# decide, compute it. Here is the early stop of every ticket, each with its interval over the seeds:

# %%
record = row.records[0]
dense_stop = record.values("ticket", 0, "early_stop")
for number in range(1, record.settings["rounds"] + 1):
    stops = record.values("ticket", number, "early_stop")
    ratios = [stop / dense for stop, dense in zip(stops, dense_stop, strict=True)]
    print(f"P_m = {percent(record.values('ticket', number, 'density')[0]):>6}: {times_interval(ratios)}")

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** One sentence each: pruning, ticket, supermask. Then the claims that are not decided.
#
# **Ask** What would you measure next, with a week and a GPU?
#
# **Expect** Longer runs of convolutional tickets, and the transfers at the papers' size.
#
# </details>

# %%
print(f"{len(bank)} questions of {len({q.lesson for q in bank})} lessons, and {len(table.rows)} claims of the slides:")
for direction, count in table.overview.counts.items():
    print(f"  {direction}: {count}")

# %% tags=["hide-input"]
summary("08")

# %% [markdown]
# If your functions pass the three checks, you can do what the slides ask of you. If you can also say which observation
# would change the verdict on a claim in the table, you can do what the authors of the papers did. Lesson
# [09](09_frontier.ipynb) goes on where the slides end.
#
# The lecture in one picture, on the small network that went through it:

# %% tags=["picture-closing"]
plots.use_style()
widgets.explore(pictures.closing(data.load("mnist")))

# %% [markdown]
# ## Claim by claim
#
# Open "the numbers" in a row to see what decides, what the paper reports, and every number with its interval. The
# first part of the lecture is pruning.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Every claim of the slides is here, with every number behind its verdict. Open one that somebody doubts.
#
# **Ask** Which observation would turn this verdict?
#
# **Expect** An interval that no longer holds both answers, on either side.
#
# </details>

# %% The claims about pruning
claims.table("S1", "S2", "S3", "S4")

# %% [markdown]
# Compare "S3 LeNet-300-100" with "S4 quality". S3 makes the slides' comparison, with the network *before* pruning, and
# the pruned one wins it. But it has been trained for longer. S4 compares it with a dense network that was trained for as
# long, and no difference is left that our seeds could tell from none.
#
# The second part is lottery tickets.

# %% The claims about tickets tags=["hide-output"]
claims.table("S6", "S7", "S8")

# %% [markdown]
# Look at "S8 accuracy". At its early stop, where the validation loss is smallest, the larger ticket is more accurate than
# the dense network is at its own. At the end of training our seeds no longer tell the two apart. So it matters
# *when* they are compared.
#
# The third part is supermasks, and the weights in which they are found.

# %% The claims about supermasks
claims.table("S10", "S13", "S14")

# %% [markdown]
# The last part is the slides' second source, on tickets that travel.

# %% The claims about tickets that travel
claims.table("source 2")

# %% [markdown] slideshow={"slide_type": "skip"} tags=["key"]
# ## All the questions, with answers folded
#
# This list is for reading without a kernel: every question, with its answer and all replies folded below it. Answer
# first, then unfold.

# %% [markdown] tags=["key", "notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** This list is for reading at home. The slides leave it out, and so does a student copy.
#
# **Ask** Which question would you add?
#
# **Expect** Good ones can be added to the bank, as entries in a text file.
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
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a
#   Randomly Weighted Neural Network?*, 2020, arXiv:1911.13299.
