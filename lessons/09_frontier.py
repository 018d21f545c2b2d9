# %% [markdown]
# # What came after the slides
#
# **Question** Can a ticket be found without training, is there a proof, and does any of it matter for the networks of
# today?
#
# **Slides** –; papers from 2017 to 2023
#
# **Before you start** Lessons [03](03_lottery_ticket.ipynb) (ticket, controls), [04](04_when_tickets_fail.ipynb)
# (rewinding) and [07](07_supermasks.ipynb) (supermasks).
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** before training · during training · the proof · networks of today · what is it good for? · what the papers
# claim · exercises

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy

# %%
from ltcourse import claims, data
from ltcourse.claims import frontier_measures
from ltcourse.classroom import checks
from ltcourse.display import costs, plots
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points_interval, spread
from ltcourse.experiments import catalog, foresight, runs, sparse_trainings
from ltcourse.instruments.statistics import student
from ltcourse.networks import masks, models
from ltcourse.pruning import sparse_training

plots.use_style()
mnist = data.load("mnist")

# %% [markdown]
# ## Before training
#
# The slides are of March 2020. They leave a question open. A ticket is found by training the large network first, many
# times over (lesson 03). Could the mask be found *before* any training? Then all the training would be of the small
# network.
#
# Four answers, of which each gives every weight a **score** at initialization. The weights of the smallest scores are
# pruned, in all layers together.
#
# | method | score of a weight $w$ | in words |
# |:--|:--|:--|
# | magnitude at initialization | $\lvert w \rvert$ | no data, no gradient |
# | SNIP (Lee et al. 2019) | $\lvert w \cdot \partial L / \partial w \rvert$ | how fast the loss changes as $w$ is switched off |
# | GraSP (Wang et al. 2020) | $w \cdot (H g)$, with $g = \partial L / \partial w$ and $H$ its derivative | how much the gradients would shrink without $w$ |
# | SynFlow (Tanaka et al. 2020) | $\lvert w \rvert \cdot \partial R / \partial \lvert w \rvert$, with $R = 1^{\top} \lvert W_L \rvert \cdots \lvert W_1 \rvert 1$ | how much of all paths runs through $w$ |
#
# The loss $L$ of SNIP and GraSP is that of one batch. SynFlow sees no data: an image of ones flows through the
# magnitudes of the weights.
#
# Two controls choose *at random* and decide only how many weights each layer keeps. **Uniform** keeps the same share of
# each. **ERK** (Erdős–Rényi-Kernel) keeps of a layer of $n$ inputs and $m$ outputs a share in proportion to
# $(n + m) / (n \cdot m)$: larger shares of small layers.
#
# SNIP by hand, in the four lines that carry it:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Who pays for a ticket? Whoever trains the dense network first. These methods try to save that.
#
# **Ask** What can one know of a weight before the network has learned anything?
#
# **Expect** Its size; what the loss would do without it; how many paths lead through it. These are the three scores.
#
# </details>

# %% SNIP: one batch, one gradient, one score per weight key="5-8"
network = models.create("lenet-300-100", seed=0)
weights = masks.prunable(network)
x, y = mnist.train.x[:100], mnist.train.y[:100]

loss = cross_entropy(network(x), y)
gradients = torch.autograd.grad(loss, list(weights.values()))
scores = {name: (w * g).abs().detach() for (name, w), g in zip(weights.items(), gradients, strict=True)}
largest = torch.cat([s.flatten() for s in scores.values()]).topk(2662).values[-1]

print(f"P_m = {percent(2662 / models.weight_count(network))} of the weights, in each layer")
print({name: f"{percent((s >= largest).float().mean().item())}" for name, s in scores.items()})

# %% [markdown]
# The package has the same as criteria of the pruning loop (`pruning.foresight`): `snip`, `grasp`, `synflow`, and
# `in_rounds`, which SynFlow needs.
#
# Live, with short trainings: the ticket, SNIP, SynFlow and random masks with ERK's shares. The ticket's search is of
# three rounds, each of which trains a network; the others train nothing to find their masks.
#
# *Predict: where 1 % of the weights is left, which of the four is best, and which is second?*

# %%
runner = runs.Runner("foresight-lenet-300-100")
_ = watch(runner, "masks before training")
live = runner.record

# %%
for method in ("ticket", *live.settings["methods"]):
    print(f"{method:12s} {spread(live.values(method, live.settings['sizes'], 'test_accuracy'))}")

# %% [markdown]
# **We recorded** all of them, at six densities down to 1 %. (Where there is no record yet, the next cell says so and
# goes on with the live run.) The trainings of the record are short, too: less than one look at all images. So it
# compares masks; it does not show how good LeNet can become.

# %% Masks from before training, beside the ticket
record = runs.if_recorded("foresight-lenet-300-100", "desk") or live
methods = record.settings["methods"]
figure, ax = plt.subplots(figsize=(11, 5.5))
curves = {m: record.curve(m, "test_accuracy") for m in ("ticket", *methods)}
_ = plots.against_density(curves, ax, ylabel="test accuracy")

# %% The ticket minus each of them, at three sizes
sizes = [n for n in (1, 3, 5, 6) if n <= record.settings["sizes"]]


def ahead(method, size):
    """How far the ticket is ahead of a method, of every seed."""
    pairs = zip(*(record.values(m, size, "test_accuracy") for m in ("ticket", method)), strict=True)
    return [a - b for a, b in pairs]


columns = [percent(record.values("ticket", n, "density")[0]) for n in sizes]
Table(["ticket minus", *columns], [[m, *(points_interval(ahead(m, n)) for n in sizes)] for m in methods])

# %% [markdown]
# @READ_BEFORE@
#
# ## Layers that vanish
#
# A score that ranks all weights together may empty a whole layer while others keep thousands. Then nothing flows from
# the images to the outputs, and no training can repair that. Tanaka et al. call it **layer collapse**.
#
# Why does SynFlow avoid it? Its scores obey a conservation law. In a network without biases, $R$ is linear in the
# weights of each layer, so that the scores of every layer add up to the same number, $R$. A layer of few weights has
# large scores, one by one, and is safe. As weights go, the paths through the others gain, so the scores must be
# computed again: SynFlow prunes in 100 rounds, each of which keeps the same share of what is left.
#
# *Predict: at which density does each of the four scores empty its first layer in LeNet-300-100?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** What flows in flows out, as in an electric circuit: so no layer's scores can all be small.
#
# **Ask** Which layer goes first by magnitude, and why?
#
# **Expect** The first: it has the most inputs, so its weights are drawn smallest.
#
# </details>

# %% Only SynFlow keeps every layer alive
densities = [0.1, 0.03, 0.01, 0.003, 0.001]
left = {m: {} for m in foresight.SCORED}
for density in densities:
    for method, mask in frontier_measures.collapse("foresight-lenet-300-100", density).items():
        left[method][density] = min(int(m.sum()) for m in mask.values())
Table(["weights in the smallest layer", *map(percent, densities)], [[m, *left[m].values()] for m in left])

# %%
for name, density in (("foresight-lenet-300-100", 0.001), ("foresight-resnet-8", 0.01)):
    network = catalog.settings(name, "class").network
    for method, mask in frontier_measures.collapse(name, density).items():
        empty = [layer.removesuffix(".weight") for layer, m in mask.items() if not m.any()]
        print(f"{network}, P_m = {percent(density)}, {method}: empty are {', '.join(empty) or 'no layers'}")

# %% [markdown]
# <details><summary>What one usually sees</summary>
#
# By magnitude the first layer goes first: its weights have the most inputs and are drawn smallest. SNIP and GraSP
# follow. SynFlow keeps a path open as long as there are as many weights as layers.
#
# </details>
#
# ## Who needs the particular weights?
#
# A mask makes two choices: how many weights each layer keeps (its **shares**), and *which* these are. Three sanity
# checks tell the two apart (Frankle et al. 2021; Su et al. 2020):
#
# - **Shuffled**: as many weights in each layer, at random. If nothing is lost, only the shares mattered.
# - **Redrawn**: the same mask, new initial weights. If nothing is lost, the mask is not about these weights.
# - **Inverted**: the weights of the *smallest* scores stay. If nothing is lost, the scores mean nothing.
#
# **The paper reports** that what is found before training survives shuffling and redrawing, and what is found by
# training does not.
#
# *Predict: of which methods does the particular choice of weights matter?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** A good control destroys one thing and keeps the rest. Shuffling destroys the choice and keeps the shares.
#
# **Ask** If a shuffled mask is as good, what did the method's formula find?
#
# **Expect** A share for each layer, and no more: three or four numbers, which one could also have written down.
#
# </details>

# %% What each check costs each method
checked = record.settings["checked"]


def change(method, check, size):
    """The accuracy under a check minus that as found, of every seed."""
    names = (f"{method}: {check}", method)
    return [a - b for a, b in zip(*(record.values(m, size, "test_accuracy") for m in names), strict=True)]


scored = ["ticket", *(m for m in methods if m in foresight.SCORED)]
header = [
    "method",
    *(f"{c}, {percent(record.values('ticket', n, 'density')[0])}" for c in foresight.CHECKS for n in checked),
]
rows = [[m, *(points_interval(change(m, c, n)) for c in foresight.CHECKS for n in checked)] for m in scored]
Table(header, rows)


# %% Choice of weights, or shares only?
def says(method, check):
    """What the intervals of a check say, at all sizes that were checked."""
    found = [student(change(method, check, n)) for n in checked]
    if all(i.high < 0 for i in found):
        return "worse"
    return "no worse" if all(i.low >= 0 for i in found) else "undecided"


answer = {"worse": "the choice of weights matters", "no worse": "its shares only", "undecided": "undecided"}
rows = [[m, *(says(m, c) for c in foresight.CHECKS), answer[says(m, "shuffled")]] for m in scored]
Table(["method", *foresight.CHECKS, "so what matters?"], rows, words=True)

# %% [markdown]
# @READ_CHECKS@
#
# A residual network asks the same question of photographs (the next cell says so as long as this is not recorded):

# %% A residual network, on photographs
deep = runs.if_recorded("foresight-resnet-8", "desk")
if deep:
    figure, ax = plt.subplots(figsize=(11, 5.5))
    curves = {m: deep.curve(m, "test_accuracy") for m in ("ticket", *deep.settings["methods"])}
    plots.against_density(curves, ax, ylabel="test accuracy")

# %% [markdown]
# ## During training
#
# Between before and after there is *during*. A training can end with a sparse network although it is the only one.
#
# - **Gradual magnitude pruning** (Zhu & Gupta 2017) begins dense. Every few iterations the smallest weights go. The
#   density falls along a cubic curve: fast while many weights are there, slowly in the end.
# - **RigL** (Evci et al. 2020) begins sparse and stays as sparse. Every few iterations it *drops* the smallest of its
#   weights, and *grows* as many where the gradient is largest. The share that moves falls along a cosine to 0.
#
# Both beside what comes after training, in the three ways that Renda et al. (2020) compared. After a network was pruned,
# it is retrained: by **fine-tuning** at a small rate; with the **rate rewound**, so that the whole schedule of learning
# rates runs again on the trained weights; with the **weights rewound** to an early iteration (lesson 04).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Left the schedule of gradual pruning, right RigL's share. One removes, the other replaces.
#
# **Ask** Why does RigL grow by gradient and not at random? And what does it need for this that is not sparse?
#
# **Expect** A large gradient says that the loss would fall. It needs the gradient of all weights, if only now and then.
#
# </details>

# %% Two ways for a mask to change while the network learns
iterations = 1_000
t = list(range(iterations + 1))
figure, (left_ax, right_ax) = plt.subplots(1, 2, figsize=(13, 4.2))
density = [sparse_training.cubic(i, 0, 750, 0.02) for i in t]
left_ax.plot(t, density, color=plots.COLORS["gradual"])
left_ax.set(title="gradual pruning", xlabel="iteration", ylabel="density")
share = [0.15 * (1 + torch.cos(torch.tensor(torch.pi * min(i, 750) / 750)).item()) for i in t]
right_ax.plot(t, share, color=plots.COLORS["RigL"])
_ = right_ax.set(title="RigL", xlabel="iteration", ylabel="share of the weights that moves")

# %% [markdown]
# One update of RigL, on a layer of six weights, of which three are kept. One is dropped and one is grown:

# %% RigL drops by magnitude and grows by gradient key="4"
w = torch.tensor([[0.9, -0.1, 0.0, 0.0, 0.5, 0.0]])
g = torch.tensor([[0.0, 0.2, -0.8, 0.3, 0.1, 0.4]])
mask = {"w": w != 0}
new = sparse_training.drop_and_grow({"w": w}, {"w": g}, mask, share=1 / 3)
print(f"before {mask['w'].int().tolist()[0]}\nafter  {new['w'].int().tolist()[0]}")

# %% [markdown]
# A fair comparison counts *all* iterations: those of the dense network that was trained first, and those of every
# round. This is what Liu et al. (2019) asked for. Live, for 2 % of the weights:
#
# *Predict: one dense training, pruned and retrained, costs two trainings. RigL with twice the iterations costs as much.
# Which is better?*

# %%
runner = runs.Runner("sparse-training-lenet-300-100")
_ = watch(runner, "sparse training")
spent = runner.record

# %%
for name in spent.methods:
    for cost, accuracies in costs.by_cost(spent, name).items():
        print(f"{name:22s} {cost:.2f} trainings: {spread(accuracies)}")

# %% [markdown]
# **We recorded** more lengths, two densities and three seeds. Left by iterations, right with each iteration counted by
# the share of the weights that it had: what it would cost on a machine on which products with 0 are free. (Where there
# is no record yet, it is the live run.)

# %% Accuracy against the total cost of training
paid = runs.if_recorded("sparse-training-lenet-300-100", "desk") or spent
smallest = min(paid.settings["densities"])
figure, axes = plt.subplots(1, 2, figsize=(15, 5.8), sharey=True)
for ax, key in zip(axes, ("cost", "work"), strict=True):
    costs.against_cost(paid, smallest, ax, key=key)
axes[1].get_legend().remove()


# %% Each way minus gradual pruning, at about the same cost
def minus(way, other, density, number):
    """Accuracy of one way minus another, at the number-th cost of each, of every seed."""
    names = (sparse_trainings.method(w, density) for w in (way, other))
    return [a - b for a, b in zip(*(paid.values(m, number, "test_accuracy") for m in names), strict=True)]


rows = []
for density in paid.settings["densities"]:
    for way, other in (
        ("RigL", "gradual"),
        ("RigL", "random, ERK"),
        ("rate rewound", "fine-tuned"),
        ("weights rewound", "fine-tuned"),
        ("rate rewound", "weights rewound"),
    ):
        rows.append(
            [
                f"{way} minus {other}",
                percent(density, 0),
                *(points_interval(minus(way, other, density, n)) for n in (1, 2)),
            ]
        )
Table(["", "P_m", "least cost", "next"], rows)

# %% [markdown]
# @READ_DURING@

# %% [markdown]
# ## The proof

# %% [markdown]
# ## Networks of today

# %% [markdown]
# ## What is it good for?

# %% [markdown]
# ## What the papers claim
#
# The same table as lesson 08's, for the papers of this lesson: which way the evidence points, how strong it is, and the
# numbers that decide, with their intervals. What is here of a smaller network or of shorter runs than the paper's
# supports or weakens a claim; it cannot settle it.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Read the column of strength before the column of directions.
#
# **Ask** Which of these would you bet on at the papers' own scale?
#
# **Expect** Those that several groups found: the checks, and that the mask of a trained network is better.
#
# </details>

# %% The papers' claims in one look
found = claims.of_papers()
found.overview

# %% The numbers behind them
found

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** The lines are computed from the records above.
#
# **Ask** Which line surprised you?
#
# **Expect** For most, that a shuffled mask does as well.
#
# </details>

# %%
last = record.settings["sizes"]
for method in ("ticket", *methods):
    print(f"{columns[-1]} kept, {method}: {spread(record.values(method, last, 'test_accuracy'))}")
for row in found.rows:
    print(f"{row.direction}  {row.claim.title}")

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Four scores, each of a line or two. The second one shows a law.
#
# **Ask** What do the layers' sums have in common?
#
# **Expect** They are equal, whatever the weights are.
#
# </details>

# %% [markdown]
# ### 1. SNIP's score
#
# `network` maps images `x` to logits, `y` are the labels. Return SNIP's score $\lvert w \cdot \partial L / \partial w
# \rvert$ of every weight, as a dict from name to tensor, where $L$ is the mean cross-entropy. Biases have no score
# (`masks.prunable(network)` is without them). Beware: the network may hold gradients from before. It keeps its weights.


# %% tags=["exercise"]
def snip_scores(network, x, y):
    return None


# %%
checks.snip_scores(snip_scores)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# `torch.autograd.grad(loss, list of weights)` returns the gradients and touches nothing. With `loss.backward()` call
# `network.zero_grad()` first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The score is the magnitude of the product of weight and gradient, weight by weight.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def snip_scores(network, x, y):
#     weights = masks.prunable(network)
#     gradients = torch.autograd.grad(cross_entropy(network(x), y), list(weights.values()))
#     return {name: (w * g).abs().detach() for (name, w), g in zip(weights.items(), gradients, strict=True)}
# ```
#
# It is the score of `foresight.snip`, which also prunes by it.
#
# </details>

# %% [markdown]
# ### 2. SynFlow's conservation law
#
# `weights` are the matrices of a chain of dense layers without biases, (out, in) each, the first layer first. Return a
# list with the score of each weight, $\lvert w \rvert \cdot \partial R / \partial \lvert w \rvert$, where $R$ is the sum
# of the outputs for an input of ones, with every weight replaced by its magnitude. The matrices stay as they are. The
# check shows what the scores of each layer add up to.


# %% tags=["exercise"]
def synflow_scores(weights):
    return None


# %%
checks.synflow_scores(synflow_scores)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Make new tensors of the magnitudes, `w.abs().requires_grad_()`, and multiply a vector of ones by one after the other.
#
# </details>
# <details><summary>Hint 2</summary>
#
# After `flow.sum().backward()` the gradients are in `.grad` of the magnitudes. The activations are positive, so that
# ReLU would change nothing.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def synflow_scores(weights):
#     magnitudes = [w.abs().requires_grad_() for w in weights]
#     flow = torch.ones(weights[0].shape[1])
#     for w in magnitudes:
#         flow = w @ flow
#     flow.sum().backward()
#     return [(w * w.grad).detach() for w in magnitudes]
# ```
#
# $R$ is linear in each matrix, so that the scores of each layer add up to $R$ itself. A layer with few weights has
# large scores.
#
# </details>

# %% [markdown]
# ### 3. RigL's grow step
#
# `mask` are booleans, True where a weight is kept. `gradients` are the gradients of all weights, of the same shape.
# Return a new mask with `count` more weights: those of the largest gradients, by magnitude, among the weights that are
# not kept. Which of equally large ones grow is up to you.


# %% tags=["exercise"]
def grow(mask, gradients, count):
    return None


# %%
checks.grow(grow)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# `gradients.abs()[~mask]` are the candidates alone. `masks.keep_largest(candidates, count)` is a boolean for each.
#
# </details>
# <details><summary>Hint 2</summary>
#
# With `new = mask.clone()`, the line `new[~mask] = …` puts them in their places.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def grow(mask, gradients, count):
#     new = mask.clone()
#     new[~mask] = masks.keep_largest(gradients.abs()[~mask], count)
#     return new
# ```
#
# `sparse_training.drop_and_grow` drops as many first.
#
# </details>

# %% [markdown]
# ## References
#
# - Namhoon Lee, Thalaiyasingam Ajanthan, Philip Torr: *SNIP: Single-shot Network Pruning based on Connection
#   Sensitivity*, 2019, arXiv:1810.02340.
# - Chaoqi Wang, Guodong Zhang, Roger Grosse: *Picking Winning Tickets Before Training by Preserving Gradient Flow*,
#   2020, arXiv:2002.07376. GraSP.
# - Hidenori Tanaka, Daniel Kunin, Daniel Yamins, Surya Ganguli: *Pruning neural networks without any data by iteratively
#   conserving synaptic flow*, 2020, arXiv:2006.05467. SynFlow, layer collapse.
# - Jonathan Frankle, Gintare Karolina Dziugaite, Daniel Roy, Michael Carbin: *Pruning Neural Networks at Initialization:
#   Why Are We Missing the Mark?*, 2021, arXiv:2009.08576. The sanity checks.
# - Jingtong Su, Yihang Chen, Tianle Cai, Tianhao Wu, Ruiqi Gao, Liwei Wang, Jason Lee: *Sanity-Checking Pruning Methods:
#   Random Tickets can Win the Jackpot*, 2020, arXiv:2009.11094.
# - Michael Zhu, Suyog Gupta: *To prune, or not to prune: exploring the efficacy of pruning for model compression*, 2017,
#   arXiv:1710.01878. Gradual magnitude pruning.
# - Utku Evci, Trevor Gale, Jacob Menick, Pablo Samuel Castro, Erich Elsen: *Rigging the Lottery: Making All Tickets
#   Winners*, 2020, arXiv:1911.11134. RigL, ERK.
# - Alex Renda, Jonathan Frankle, Michael Carbin: *Comparing Rewinding and Fine-tuning in Neural Network Pruning*, 2020,
#   arXiv:2003.02389. Learning-rate rewinding.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. Equal cost.
