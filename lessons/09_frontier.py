# %% [markdown]
# # What came after the slides
#
# **Question** Can a ticket be found without training, is there a proof, and does any of it matter for the networks of
# today?
#
# **Slides** –; papers from 1990 to 2024
#
# **Before you start** Lessons [03](03_lottery_ticket.ipynb) (ticket, controls), [04](04_when_tickets_fail.ipynb)
# (rewinding) and [07](07_supermasks.ipynb) (supermasks).
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** before training · during training · the proof · networks of today · outlier features · the fathers · what
# is it good for? · what the papers claim · exercises

# %%
import copy

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy

# %%
from ltcourse import claims, data, papers
from ltcourse.claims import frontier_measures, frontier_today
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import predict, reveal, summary, toward
from ltcourse.data.texts import windows
from ltcourse.display import costs, pictures, plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points_interval, spread, times_interval
from ltcourse.experiments import catalog, foresight, runs, sparse_trainings
from ltcourse.instruments import latency, subset_sum
from ltcourse.instruments.statistics import student
from ltcourse.networks import masks, models, transformer
from ltcourse.pruning import layerwise, sparse_training

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
# Two controls choose *at random* and decide only how many weights each layer keeps. **Uniform** keeps the same share
# of each. **ERK** (Erdős–Rényi-Kernel) keeps of a layer of $n$ inputs and $m$ outputs a share in proportion to
# $(n + m) / (n \cdot m)$, and of a convolution the sides of the kernel count as well: larger shares of small layers.
#
# SNIP by hand, in the four lines that carry it:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Who pays for a ticket? Whoever trains the dense network first. These methods try to save that.
#
# **Ask** What can one know of a weight before the network has learned anything?
#
# **Expect** Its size; what the loss would do without it; how many paths lead through it. These are three of the four
# scores.
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

# %% tags=["hide-input"]
predict("09.best", "09.second")

# %% tags=["hide-output"]
runner = runs.Runner("foresight-lenet-300-100")
_ = watch(runner, "masks before training")
live = runner.record

# %% tags=["hide-output"]
print(f"test accuracy with {percent(live.values('ticket', live.settings['sizes'], 'density')[0])} of the weights")
for method in ("ticket", *live.settings["methods"]):
    print(f"{method:12s} {spread(live.values(method, live.settings['sizes'], 'test_accuracy'))}")

# %% [markdown]
# Look for the ticket's lead, and whether the ranges of the other three overlap.
#
# **We recorded** all of them, with three seeds, at six densities down to 1 %. The trainings of the record are short,
# too: less than one look at all images. So it compares masks; it does not show how good LeNet can become.

# %% Masks from before training, beside the ticket tags=["hide-output"]
record = runs.load_or_run("foresight-lenet-300-100", "desk")
print(record)
methods = record.settings["methods"]
figure, ax = plt.subplots(figsize=(11, 5.5))
curves = {m: record.curve(m, "test_accuracy") for m in ("ticket", *methods)}
plots.against_density(curves, ax, ylabel="test accuracy")
_ = ax.set_ylim(0.75, 0.98)  # uniform shares leave the frame below


# %% The ticket is ahead of every mask from before training tags=["hide-output"]
sizes = (1, 3, 5, 6)


def ahead(one, other, size):
    """How far one method is ahead of another at a size, of every seed; "dense" is the network that is not pruned."""
    rows = (("ticket", 0) if method == "dense" else (method, size) for method in (one, other))
    return [a - b for a, b in zip(*(record.values(*row, "test_accuracy") for row in rows), strict=True)]


four = ("ticket", "SNIP", "SynFlow", "random, ERK")
first, second, third, _ = sorted(four, key=lambda m: -sum(record.values(m, sizes[-1], "test_accuracy")))
reveal("09.best", toward(ahead(first, second, sizes[-1]), first, "none", "none"))
reveal("09.second", toward(ahead(second, third, sizes[-1]), second, "none", "none"))
columns = [percent(record.values("ticket", n, "density")[0]) for n in sizes]
Table(["ticket minus", *columns], [[m, *(points_interval(ahead("ticket", m, n)) for n in sizes)] for m in methods])

# %% [markdown]
# The ticket is ahead of every mask from before training, at each of these sizes: no interval holds 0. On average its
# lead grows along every row. It was found with the help of the dense network's training, which the others did without.
# (The figure begins at 75 %; random masks with uniform shares leave it below.)
#
# How do the others compare, with the dense network, with each other, and with chance?

# %% The scores beside the dense network, each other, and random masks tags=["hide-output"]
pairs = [("SNIP", "dense"), ("GraSP", "SNIP"), ("SynFlow", "SNIP"), ("SynFlow", "GraSP")]
pairs += [("SNIP", "random, ERK"), ("SynFlow", "random, ERK"), ("random, ERK", "random, uniform")]
Table(
    ["test accuracy", *columns],
    [[f"{one} minus {other}", *(points_interval(ahead(one, other, n)) for n in sizes)] for one, other in pairs],
)

# %% [markdown]
# - **SNIP and dense.** At the largest size the seeds cannot tell the two apart. At the three others SNIP is behind. The
#   paper reports virtually the same accuracy.
# - **GraSP.** It is behind SNIP at all four sizes, also at the smallest. Of larger networks at extreme sparsity the
#   paper reports the opposite.
# - **SynFlow**, which sees no data, is ahead of GraSP at all sizes. Against SNIP the record is mixed: behind at the
#   largest size, ahead at the third, and at the two others the seeds cannot tell.
# - **Random masks.** With ERK's shares they are hard to beat. Only at the smallest size is SNIP ahead of them; at the
#   third it is behind. SynFlow is ahead of them at the two smallest sizes, and behind at the largest. Uniform shares
#   do far worse at the two smallest.
#
# A random mask with the right shares can be close to a mask that was computed: the next section but one asks why.
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

# %% tags=["hide-input"]
predict("09.collapse", "09.layer")

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

# %% Only SynFlow keeps every layer alive tags=["hide-output"]
densities = [0.1, 0.03, 0.01, 0.003, 0.001]
left = {m: {} for m in foresight.SCORED}
for density in densities:
    for method, mask in frontier_measures.collapse("foresight-lenet-300-100", density).items():
        left[method][density] = min(int(m.sum()) for m in mask.values())
emptied = [density for density in densities if not all(counts[density] for counts in left.values())]
reveal("09.collapse", f"{max(emptied):g}" if emptied else "never")
Table(["weights in the smallest layer, one network", *map(percent, densities)], [[m, *left[m].values()] for m in left])

# %% tags=["hide-output"]
vanished = {}
for name, density, seeds in (
    ("foresight-lenet-300-100", 0.001, frontier_measures.DRAWS),
    ("foresight-resnet-8", 0.01, (0,)),
):
    network = catalog.settings(name, "class").network
    print(f"{network}, P_m = {percent(density)}, empty layers with the initial weights of seeds {seeds}:")
    vanished[network] = set()
    for method in foresight.SCORED:
        drawn = [frontier_measures.collapse(name, density, seed)[method] for seed in seeds]
        empty = [[layer.removesuffix(".weight") for layer, m in mask.items() if not m.any()] for mask in drawn]
        vanished[network].update(layer for layers in empty for layer in layers)
        print(f"    {method:27s} {' · '.join(', '.join(layers) or 'none' for layers in empty)}")
gone = sorted(vanished["lenet-300-100"])
reveal("09.layer", "none" if not gone else gone[0] if len(gone) == 1 else "several")

# %% [markdown]
# Look for the first 0 in each row of the table. Which layers does each score empty, and in which of the two networks
# does that close every path?
#
# <details><summary>What one usually sees</summary>
#
# In LeNet, what magnitude, SNIP and GraSP empty is the same layer, the first one: its weights have the most inputs
# and are drawn smallest. Not with all initial weights: sometimes a few are left in it. SynFlow empties none. In the
# residual network a layer that is emptied closes no path: the shortcut leads around it.
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

# %% tags=["hide-input"]
predict("09.choice")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** A good control destroys one thing and keeps the rest. Shuffling destroys the choice and keeps the shares.
#
# **Ask** If a shuffled mask is as good, what did the method's formula find?
#
# **Expect** A share for each layer, and no more: three or four numbers, which one could also have written down.
#
# </details>

# %% What each check costs each method tags=["hide-output"]
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


# %% Choice of weights, or shares only? tags=["hide-output"]
def says(method, check):
    """What the intervals of a check say, at all sizes that were checked."""
    found = [student(change(method, check, n)) for n in checked]
    if all(i.high < 0 for i in found):
        return "worse"
    return "no worse" if all(i.low >= 0 for i in found) else "undecided"


answer = {"worse": "the choice of weights matters", "no worse": "its shares only", "undecided": "undecided"}
rows = [[m, *(says(m, c) for c in foresight.CHECKS), answer[says(m, "shuffled")]] for m in scored]
matter = [m for m in scored if says(m, "shuffled") == "worse"]
with_ticket = "ticket" if matter == ["ticket"] else "all" if matter == scored else "some"
reveal("09.choice", with_ticket if "ticket" in matter else "scores" if matter else "none")
Table(["method", *foresight.CHECKS, "so what matters?"], rows, words=True)

# %% [markdown]
# The last column is computed from the column *shuffled*: a method's choice of weights matters if its whole interval is
# below 0 at every size that was checked. *Undecided* means that these seeds cannot tell.
#
# - **The ticket** loses at both sizes, shuffled and redrawn: its weights belong together. The paper reports the same.
# - **GraSP** gains at both sizes, shuffled and redrawn. A random choice with its shares is better than its own.
# - **SynFlow** loses a little when it is shuffled, at the smaller size. At the larger one, and redrawn, the seeds show
#   no change.
# - **Magnitude and SNIP**: shuffled or redrawn, the seeds show no change at either size.
#
# So for most masks from before training the record agrees with the paper, or does not decide. **Inverted** is another
# matter: it turns the shares upside down as well. SNIP, SynFlow and the ticket lose at both sizes, SNIP and SynFlow
# nearly all that they have; magnitude loses at the smaller size. Of GraSP the seeds cannot tell even here.
#
# A residual network on photographs is the package's second experiment of this kind. The next cell draws its record, or
# prints the command that makes it.

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
# - **Gradual magnitude pruning** (Zhu & Gupta 2017) begins dense. Every few iterations the smallest weights go, in our
#   runs those of all layers together. The density falls along a cubic curve: fast while many weights are there, slowly
#   in the end.
# - **RigL** (Evci et al. 2020) begins sparse and stays as sparse. Every few iterations it *drops* the smallest of its
#   weights, and *grows* as many where the gradient is largest. The share that moves falls along a cosine to 0.
#
# Both beside what comes after training, in the three ways that Renda et al. (2020) compared. After a network was
# pruned, it is retrained: by **fine-tuning** at a small rate; with the **rate rewound**, so that the whole schedule of
# learning rates runs again on the trained weights; with the **weights rewound** to an early iteration (lesson 04).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
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
_ = right_ax.set(title="RigL", xlabel="iteration", ylabel="share that moves")

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
# round. This is what Liu et al. (2019) asked for. We run it live for 2 % of the weights.

# %% tags=["hide-input"]
predict("09.twice")

# %% tags=["hide-output"]
runner = runs.Runner("sparse-training-lenet-300-100")
_ = watch(runner, "sparse training")
spent = runner.record

# %% tags=["hide-output"]
for name in spent.methods:
    for cost, accuracies in costs.by_cost(spent, name).items():
        print(f"{name:22s} {cost:.2f} trainings: {spread(accuracies)}")

# %% [markdown]
# Look for lines of equal cost, and compare them. Which of the ways to retrain is the weakest?
#
# <details><summary>What one usually sees</summary>
#
# Twice the iterations help every way of training, the dense one included. Fine-tuning at a small rate is far behind the
# two ways to rewind.
#
# </details>
#
# **We recorded** more lengths, two densities and three seeds. Left by iterations, right with each iteration counted by
# the share of the weights that it had: what it would cost on a machine on which products with 0 are free.

# %% Accuracy against the total cost of training tags=["hide-output"]
paid = runs.load_or_run("sparse-training-lenet-300-100", "desk")
print(paid)
smallest = min(paid.settings["densities"])
figure, axes = plt.subplots(1, 2, figsize=(15, 5.8), sharey=True)
for ax, key in zip(axes, ("cost", "work"), strict=True):
    costs.against_cost(paid, smallest, ax, key=key)
axes[0].get_legend().remove()
axes[1].legend(loc="lower center")
_ = axes[1].set_ylabel("")


# %% Each way minus another, at the same cost tags=["hide-output"]
def minus(one, other, density):
    """Accuracy of one way minus another, of every seed; each is a way and the number of its cost, 1 the least."""
    names = ((sparse_trainings.method(way, density), number) for way, number in (one, other))
    return [a - b for a, b in zip(*(paid.values(*name, "test_accuracy") for name in names), strict=True)]


beside = [("RigL", "gradual"), ("RigL", "random, ERK")]
beside += [("rate rewound", "fine-tuned"), ("weights rewound", "fine-tuned"), ("rate rewound", "weights rewound")]
rows = []
for density in paid.settings["densities"]:
    for way, other in beside:
        spans = paid.settings["searches" if way in sparse_trainings.AFTER else "lengths"]
        found = (points_interval(minus((way, n), (other, n), density)) for n in (1, len(spans)))
        rows.append([f"{way} minus {other}", percent(density, 0), *found])
two = minus(("rate rewound", 1), ("RigL", 2), smallest)
print(f"rate rewound minus RigL, {percent(smallest, 0)}, two trainings each: {points_interval(two)}")
reveal("09.twice", toward(two, "pruned", "alike", "rigl"))
longest = len(paid.settings["lengths"])
for density in paid.settings["densities"]:
    gradual = sparse_trainings.method("gradual", density)
    pairs = zip(*(paid.values(*name, "test_accuracy") for name in ((gradual, longest), ("dense", 0))), strict=True)
    products = f"{paid.values(gradual, longest, 'work')[0]:.2f}× the products of one dense training"
    print(f"gradual, {percent(density, 0)}, {products}: {points_interval([a - b for a, b in pairs])} beside that one")
Table(["", "P_m", "at the least cost", "at the highest"], rows)

# %% [markdown]
# Compare points above one another: they cost the same. Along a line, more was spent, and every line rises, the dense
# network's included. So three rounds of pruning and retraining have to be compared with the others at that length. No
# network in the left figure is above the dense line: for the same iterations pruning buys size, and not accuracy. The
# right figure says more. Pruned gradually over the longest training, a network takes about as many products as one
# short dense training, and is more accurate than that, at both densities: the lines above. Where zeros cost nothing,
# pruning would buy accuracy, too.
#
# - **RigL and gradual pruning.** At the least cost RigL is behind at both densities, and at the highest at 2 %; at 10 %
#   the seeds cannot tell then. The paper reports no loss against methods that begin dense.
# - **RigL and a mask that stays.** At 2 % RigL is ahead at both costs. At 10 % the seeds cannot tell.
# - **Retraining.** Both ways to rewind are ahead of fine-tuning, at both densities and both costs, as the paper
#   reports. At 10 % the rewound rate is also ahead of the rewound weights; at 2 % the seeds cannot tell.
# - **At two trainings, with 2 % of the weights,** the seeds cannot tell the rewound rate from RigL.

# %% [markdown]
# ## The proof
#
# Lesson [07](07_supermasks.ipynb) asked why a random network should contain a good subnetwork. There are proofs, of the
# **strong lottery ticket hypothesis**: a random network that is wide enough contains, with no training, a subnetwork
# close to any given smaller network.
#
# - **Malach et al. (2020)** proved it first. Each weight of the given network is imitated by *one* path through a
#   random neuron, the best of many. The number of neurons grows like a power of $1/\varepsilon$, where $\varepsilon$
#   is the error: to halve it, one needs at least twice as many.
# - **Pensia et al. (2020)** imitate each weight by the *sum* of some of its paths. Then the number of neurons per
#   weight needs to grow only like $\log(1/\varepsilon)$.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** One path, or a sum of paths: this is the whole difference between the two proofs. Step through the picture.
#
# **Ask** With n numbers there are 2ⁿ sums. By how much should one more number shrink the error?
#
# **Expect** By a half: twice as many sums lie twice as densely. This is a count, and the figure tests it.
#
# </details>

# %% tags=["picture-subset-sums"]
widgets.explore(pictures.subset_sums())

# %% [markdown]
# What slope should we see? With n numbers there are $2^n$ sums, spread over a range that hardly grows. So one more
# number halves the distance to the closest of them: $\log_2$ of the error falls by about 1 **bit** per number. For a
# single path, it falls by 1 bit for each *doubling*.

# %% tags=["hide-input"]
predict("09.bits")

# %% Numbers to choose from, and log₂ of the error
counts = list(range(2, 23, 2))
summed, single, in_network = {}, {}, {}
for n in counts:
    found = [subset_sum.errors(n, seed=seed).log2().mean().item() for seed in frontier_today.SEEDS]
    summed[n] = found
    generator = torch.Generator().manual_seed(n)
    numbers = 2 * torch.rand(5, 200, n, generator=generator) - 1
    single[n] = (numbers - (torch.rand(5, 200, 1, generator=generator) - 0.5)).abs().amin(2).log2().mean(1).tolist()
    in_network[n] = []
    for seed in range(5):
        target = torch.rand(4, 5, generator=torch.Generator().manual_seed(seed)) - 0.5
        big, mask = subset_sum.contain(target, n, seed=seed)
        a, b = (layer.weight.detach() * mask[f"{i}.weight"] for i, layer in ((0, big[0]), (2, big[2])))
        in_network[n].append((b @ a.clamp(min=0) - target).abs().log2().mean().item())

# %% A sum of paths: the error falls exponentially tags=["hide-output"]
figure, ax = plt.subplots(figsize=(10, 5))
lines = {
    "one number (Malach)": single,
    "a sum of numbers (Pensia)": summed,
    "a sum of paths in a random network": in_network,
}
for (label, line), color in zip(lines.items(), (plots.GRAY, plots.BLUE, plots.ORANGE), strict=True):
    ax.plot(counts, [sum(v) / len(v) for v in line.values()], color=color, marker="o", label=label)
    ax.fill_between(counts, *([end(v) for v in line.values()] for end in (min, max)), color=color, alpha=0.2)
expected = [subset_sum.expected_error(n) for n in counts]
ax.plot(counts, expected, color="black", linestyle="--", label="a count of the sums")
ax.set(xlabel="numbers, or neurons per weight", ylabel="log₂ of the error", xticks=counts)
_ = ax.legend()

# %% Bits per number, and what a count says tags=["hide-output"]
for label, line in lines.items():
    slopes = [subset_sum.slope(counts[2:], [line[n][seed] for n in counts[2:]]) for seed in range(5)]
    found = student(slopes)
    print(f"{label}: {found.center:+.2f} bits per number [{found.low:+.2f}, {found.high:+.2f}], {len(slopes)} draws")
print(f"a count of the sums: {subset_sum.slope(counts[2:], expected[2:]):+.2f} bits per number")
reveal("09.bits", -found.center)  # of the last line above, the network's

# %% [markdown]
# Bands are the range of five draws. The line of the sums is nearly straight: the error falls exponentially, as the
# theorem says. The dashed line is no fit. It is a count of the sums that takes them for points thrown at random
# (`subset_sum.expected_error`), and it lies close to the measured errors. In the random network a neuron is worth about
# half as much, because half of the neurons do not pass on a positive input, and the search looks at no more than 14
# paths. A single number gains little.
#
# **What the theorems do not say.** They say that the subnetwork exists, not how to find it: the search above knows
# the weights that it imitates. How far can one get without knowing them? Edge-popup is one answer. **Multi-prize
# tickets** are another: the weights are random *signs*, never trained, with a scale per layer, and a mask is learned
# (and here the parameters of batch norm are, too). The paper reports:

# %% Networks of random signs, never trained
Table(["Diffenderfer & Kailkhura 2021", "test accuracy"], [[r.about, r.reported] for r in papers.UNTRAINED])

# %% [markdown]
# ## Networks of today
#
# The networks of the slides have been retrained after every pruning. A large language model takes months to train;
# nobody retrains it ten times. So the question has changed: which weights can go if the network is *not* trained again?
#
# We train a small language model of the same design: a **transformer** of three blocks that reads 64 characters and
# predicts the next one. Its loss is the cross-entropy of a character in **nats**, the unit of the natural logarithm. Its
# text is the help of the Python language, which any installation holds.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Start the training cell now. While it runs, explain the two ideas: look at the inputs, and let the other
# weights make up for a loss.
#
# **Ask** A weight of 0.1 reads an input of 20, and a weight of 1 an input of 0.1. Which would you prune?
#
# **Expect** The second: it changes the output by 0.1, the first by 2. Magnitude prunes the first.
#
# </details>

# %%
text = data.load("python-topics")
language = transformer.decoder(len(text.alphabet))
inner = transformer.linear_weights(language)
sizes = sum(language.get_parameter(name).numel() for name in inner)
print(f"{len(text.train):,} characters to train on, {len(text.alphabet)} different ones; {sizes:,} weights to prune")
print(text.decode(text.train[:280]))

# %% [markdown]
# Each layer is a matrix $W$; the inputs that it sees are the columns of $X$. If weights are pruned, its outputs change
# by $\lVert WX - \hat W X \rVert^2$. The methods differ in what they look at:
#
# | method | which weights go | what happens to the others |
# |:--|:--|:--|
# | magnitude | the smallest $\lvert w \rvert$ of the layer | nothing |
# | **Wanda** (Sun et al. 2024) | the smallest $\lvert w \rvert \cdot \lVert x \rVert$ of each output, where $x$ is the weight's input on a few texts | nothing |
# | **SparseGPT** (Frantar & Alistarh 2023) | the smallest $w_j^2 / [H^{-1}]_{jj}$, with $H = X X^{\top}$ | they change so that the outputs change least |
#
# SparseGPT goes back to Optimal Brain Surgeon (Hassibi & Stork 1993): if weight $w_j$ goes, the others of its row
# change by $-w_j / [H^{-1}]_{jj}$ times the row $j$ of $H^{-1}$. It does so column by column. None of the three needs
# more than a few texts, and none a gradient.

# %% Wanda in three lines, by hand and by the library key="2-4" tags=["nbval-check-output"]
examples = windows(text.train, 64, 32)[:, :-1]
gram = layerwise.gram(language, examples, inner[0])
scores = language.get_parameter(inner[0]).detach().abs() * gram.diagonal().sqrt()
kept = scores >= scores.sort(dim=1).values[:, [32]]  # of each row of 64, the larger half
_, theirs = layerwise.wanda(language.get_parameter(inner[0]).detach(), gram, 0.5)
print(f"the same mask: {torch.equal(kept, theirs)}; {int(kept.sum()):,} of {kept.numel():,} weights kept")

# %% The other weights make up for a loss
w, x = torch.tensor([[0.6, 0.8, 0.7]]), torch.tensor([[1.0, 2.0, 3.0], [1.1, 1.8, 3.1], [1.0, -1.0, 0.5]])
for method in ("magnitude", "wanda", "sparsegpt"):
    new, _ = layerwise.METHODS[method](w, (x @ x.T).double(), 1 / 3)
    row = ", ".join(f"{v:.2f}" for v in new[0].tolist())
    print(f"{method:10s} weights {row}: the outputs change by {float((w @ x - new @ x).norm()):.2f}")

# %% [markdown]
# The first two inputs are nearly the same, and the third one is small. Magnitude takes the smallest weight, and the
# outputs change much. Wanda takes the weight of the small input. SparseGPT takes the first weight, too, but the second
# one makes up for it: the outputs change least.
#
# Half of the weights can be chosen freely, or in the pattern **2:4**: of every four neighbors in a row two stay.

# %% tags=["hide-input"]
predict("09.rank", "09.harder")

# %% tags=["hide-output"]
runner = runs.Runner("layerwise-transformer")
_ = watch(runner, "pruning a language model")
live = runner.record

# %% tags=["hide-output"]
for pattern, number in frontier_today.rounds_by_pattern(live).items():
    for method in ("random", *live.settings["methods"]):
        loss = live.values(method, number, "test_loss")
        print(f"{pattern:5s} {method:17s} {sum(loss) / len(loss):.2f} nats per character")

# %% [markdown]
# **We recorded** a longer training, with three seeds, at eight shares and 2:4. *Random* is the control. *Magnitude by
# row* compares the weights of each output, as Wanda does, but by $\lvert w \rvert$ alone: what sets it apart from
# Wanda is the inputs.
#
# The tables compare losses as **perplexity**, $e^{\text{loss}}$: the number of characters among which the network
# hesitates. In the paper it is of word parts, and the network is LLaMA-7B, of 7 billion weights.

# %% Pruned and not trained again: what is lost tags=["hide-output"]
said = runs.load_or_run("layerwise-transformer", "desk")
print(said)
shares = said.settings["shares"]
curves = {
    method: {share: said.values(method, n, "test_loss") for n, share in enumerate(shares, 1)}
    for method in said.settings["methods"]
}
figure, ax = plt.subplots(figsize=(10, 5.4))
plots.against(
    curves, ax, xlabel="share pruned", ylabel="test loss, nats per character", shares=False,
    reference={"dense": said.values("dense", 0, "test_loss")},
)  # fmt: skip


# %% Two of every four cost more than any half tags=["hide-output"]
rounds = frontier_today.rounds_by_pattern(said)
losses = {
    m: [said.values(m, rounds[p], "test_loss") for p in ("50 %", "2:4")] for m in ("magnitude", "wanda", "sparsegpt")
}
reveal("09.rank", sorted(losses, key=lambda m: sum(losses[m][0])))
sides = {toward([b - a for a, b in zip(*two, strict=True)], "2:4", "depends", "any") for two in losses.values()}
reveal("09.harder", sides.pop() if len(sides) == 1 else "depends")
rows = []
for method, two in losses.items():
    ratio = frontier_today.perplexity_ratio(said, (method, rounds["2:4"]), (method, rounds["50 %"]))
    rows.append([method, *(f"{sum(loss) / len(loss):.2f}" for loss in two), times_interval(ratio)])
Table(["test loss", "any half", "2:4", "perplexity, 2:4 over any half"], rows)


# %% Perplexity against magnitude's, and beside the paper's tags=["hide-output"]
def against_magnitude(method, pattern):
    return times_interval(
        frontier_today.perplexity_ratio(said, (method, rounds[pattern]), ("magnitude", rounds[pattern]))
    )


rows = []
for pattern, reported in papers.SUN_PERPLEXITY.items():
    for method in ("wanda", "sparsegpt"):
        theirs = f"{reported[method] / reported['magnitude']:.2f}×"
        rows.append([f"{method}, {pattern}", against_magnitude(method, pattern), theirs])
    rows.append([f"magnitude by row, {pattern}", against_magnitude("magnitude by row", pattern), "–"])
Table(["perplexity as a multiple of magnitude's", "we measured", "the paper, LLaMA-7B"], rows)

# %% [markdown]
# The pattern 2:4 costs every method more than any half of the weights, SparseGPT least. (At 2:4, magnitude by row is
# magnitude: the four that are compared are of one row.) SparseGPT is ahead of magnitude at both patterns, here as in
# the paper. Wanda is not: the paper reports that it divides the perplexity of magnitude by more than two. In our
# network it is slightly behind at any half, and at 2:4 the seeds cannot tell. Why?
#
# ## Outlier features
#
# Large language models have **outlier features**: in a few channels the inputs are far larger than in all others, in
# nearly every layer, from some billions of parameters on (Dettmers et al. 2022). A small weight on such an input
# matters much. Does our network have such channels? We look at its inputs: the norm of the largest channel as a
# multiple of the median one, for each layer.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The small network has no outliers, so Wanda has nothing to see. We give it some, without changing a single
# output, and ask again.
#
# **Ask** A norm's gain is multiplied by 20 in one channel, and the weights that read the channel are divided by 20.
# What does the network compute? What does magnitude pruning do?
#
# **Expect** It computes the same. Magnitude takes those weights for small, and prunes them all.
#
# </details>

# %% A small network has no outlier features
largest = said.values("dense", 0, "outliers")
for name in inner:
    ratios = [seed[name] for seed in largest]
    told = f"largest channel {sum(ratios) / len(ratios):.1f}× the median"
    print(f"{name.removesuffix('.weight'):24s} {told}, mean of {len(ratios)} seeds")

# %% [markdown]
# No channel stands out. So the inputs of a layer are of similar size, and $\lvert w \rvert \cdot \lVert x \rVert$ ranks
# nearly like $\lvert w \rvert$. To test the reason, we change this one thing. In four random channels of every norm we
# multiply gain and bias by 20, and divide the weights that read them by 20. The network computes the same as before:

# %% The same function, with outlier features
strange = transformer.rescale(copy.deepcopy(language), torch.tensor([3, 9, 27, 41]), 20.0)
piece = examples[:4]
print(f"largest difference of the outputs: {float((strange(piece) - language(piece)).abs().max().detach()):.1e}")

# %% [markdown]
# Both networks are pruned to half of their weights. Which methods notice a difference?

# %% tags=["hide-input"]
predict("09.outliers")

# %% Outlier features deceive magnitude, and not Wanda tags=["hide-output"]
half, rows, worse = rounds["50 %"], [], []
for method in said.settings["methods"]:
    before, after = said.values(method, half, "test_loss"), said.values(f"{method}, rescaled", 1, "test_loss")
    change = frontier_today.perplexity_ratio(said, (f"{method}, rescaled", 1), (method, half))
    worse += [method] * toward([b - a for a, b in zip(before, after, strict=True)], True, False, False)
    rows.append([method, *(f"{sum(v) / len(v):.2f}" for v in (before, after)), times_interval(change)])
kinds = {"none": [], "layer": ["magnitude"], "magnitudes": ["magnitude", "magnitude by row"]}
kinds |= {"looking": ["wanda", "sparsegpt"], "all": said.settings["methods"]}
reveal("09.outliers", next((kind for kind, methods_of in kinds.items() if methods_of == worse), None))
Table(["half of the weights", "test loss", "with outlier features", "perplexity, after over before"], rows)

# %% [markdown]
# Both magnitudes get worse. Divided by 20, nearly all weights of the four channels are among the smallest, and
# magnitude prunes them. The factor of Wanda is 1: a weight is divided by what its input was multiplied with, and the
# product stays. SparseGPT loses nothing that the seeds show; only its damping sees the scale. So the reason that the
# paper gives holds in this controlled case: **Wanda is better than magnitude where the inputs differ in size**, and no
# better where they do not. Whoever prunes a network should look at its inputs first.
#
# ## The fathers
#
# All this began in 1990. **Optimal Brain Damage** (LeCun, Denker & Solla) asks by how much the *loss* grows without a
# weight. At the end of training the gradient is near 0, so the second derivative decides. The **saliency** of a weight
# is $h w^2 / 2$, with $h = \partial^2 L / \partial w^2$. In a network of ReLUs,
#
# $$h = \tfrac{1}{N} \sum_{\text{examples}} \sum_c p_c \left( \frac{\partial \log p_c}{\partial w} \right)^2,$$
#
# where $p_c$ is the probability of class $c$. A large weight can be of no use, if the loss is flat along it. We
# compare the two on LeNet-300-100, without training again: a short training live, and a longer one recorded, with
# three seeds and at nine sizes.

# %% tags=["hide-input"]
predict("09.saliency", "09.sizes")

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Wanda looks at a layer's outputs, SparseGPT too; Optimal Brain Damage looks at the loss itself.
#
# **Ask** Where would saliency and magnitude differ most?
#
# **Expect** On weights that read pixels that are always black: large or small, their saliency is 0.
#
# </details>

# %% tags=["hide-output"]
runner = runs.Runner("brain-damage-lenet-300-100")
_ = watch(runner, "Optimal Brain Damage")
first = runner.record
for method in first.methods[1:]:
    told = [spread(first.values(method, n, "test_error"), 1) for n in range(1, len(first.settings["densities"]) + 1)]
    print(f"{method:21s} {' · '.join(told)}")

# %% Saliency beside magnitude, recorded tags=["hide-output"]
damage = runs.load_or_run("brain-damage-lenet-300-100", "desk")
print(damage)
kept_shares = damage.settings["densities"]
curves = {
    method: {d: damage.values(method, n, "test_accuracy") for n, d in enumerate(kept_shares, 1)}
    for method in damage.methods[1:]
}
figure, ax = plt.subplots(figsize=(10, 5))
_ = plots.against_density(
    curves, ax, ylabel="test accuracy", reference={"dense": damage.values("dense", 0, "test_accuracy")}
)


# %% Saliency minus magnitude tags=["hide-output"]
def more_errors(method, n):
    """The errors of a method minus those of magnitude, all layers together, at a size, of every seed."""
    pairs = zip(*(damage.values(m, n, "test_error") for m in (method, "magnitude")), strict=True)
    return [a - b for a, b in pairs]


gains = {d: student(more_errors("optimal brain damage", n)) for n, d in enumerate(kept_shares, 1)}
shown = sum(gain.high < 0 for gain in gains.values())
reveal("09.saliency", "none" if not shown else "few" if shown <= 2 else "some" if shown <= 5 else "most")
largest_gain = min(gains, key=lambda d: gains[d].center)
reveal("09.sizes", "large" if largest_gain > 0.5 else "middle" if largest_gain >= 0.1 else "small")
ways = ("optimal brain damage", "magnitude by layer")
rows = [[percent(d, 0), *(points_interval(more_errors(m, n)) for m in ways)] for n, d in enumerate(kept_shares, 1)]
Table(["weights kept", "error, saliency minus magnitude", "magnitude by layer minus magnitude"], rows)

# %% [markdown]
# Saliency makes fewer errors than magnitude at the second largest size. At all others the interval holds 0. At the two
# smallest sizes saliency is ahead by far on average, and with every seed, but the seeds differ too much. So this record
# does not decide the claim.
#
# What did the saliencies promise?

# %% What the saliencies promised, and what was lost tags=["hide-output"]
rows = []
for n, d in enumerate(kept_shares, 1):
    promised, lost = (damage.values("optimal brain damage", n, key) for key in ("promised", "lost"))
    rows.append([percent(d, 0), *(f"{sum(v) / len(v):.4f}" for v in (promised, lost))])
Table(["weights kept", "growth of the loss, promised", "found"], rows)

# %% [markdown]
# Both are means of the three seeds, on the examples of the saliencies. They say what the saliency leaves out. By the
# sum of the saliencies that go, the loss should hardly grow. It grows many times more, as soon as many weights go at
# once. The saliency is that of *one* weight, with all others in place: it has no products
# $\partial^2 L / \partial w_i \partial w_j$. Optimal Brain Surgeon keeps them, and SparseGPT is its descendant, layer
# by layer. LeCun and his coauthors pruned in steps and retrained after each; we did not.
#
# A second lesson is in the figure, and in the last column of the table before: from the third size on, magnitude *by
# layer* makes more errors than magnitude over all layers at five of seven sizes; at two the seeds cannot tell. Which
# weights are compared matters as much as how.
#
# ## What is it good for?
#
# A pruned network has fewer weights. Is it smaller, faster, cheaper? The three voices give different answers.
#
# **Any weights** (unstructured). Zeros in half of the places save little: each weight that is left needs its place
# stored, and a product that looks up places is slower per weight (lesson [02](02_han_tables.ipynb)). **Two of every
# four** (2:4) is a pattern that some GPUs know: the hardware skips the zeros, and a place needs two bits. **Whole
# neurons** leave a smaller dense matrix, which is faster everywhere, but more accuracy is lost for the same number of
# weights (lesson 03).

# %% tags=["hide-input"]
predict("09.half-weights", "09.half-neurons")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Two tables: what we measured on this machine, and what the papers report from theirs. Do not mix them.
#
# **Ask** Why does the sparse product not win at half of the weights?
#
# **Expect** It looks up the place of every weight, and a dense product reads its memory in order.
#
# </details>

# %% We measured: on this processor tags=["hide-output"]
whole, narrow = latency.sweep(1024, 1024, 256, (0.5, 0.05)), latency.sweep(512, 1024, 256, (1.0,))
sparse = [min(times) for times in zip(*(whole[way] for way in latency.WAYS[1:]), strict=True)]
dense = min(whole["dense"])
reveal("09.half-weights", sparse[0] / dense)
reveal("09.half-neurons", narrow["dense"][0] / dense)
rows = [
    ["half of the weights, sparse product", f"{sparse[0] / dense:.2f}×"],
    ["a twentieth of the weights, sparse product", f"{sparse[1] / dense:.2f}×"],
    ["half of the neurons, dense product", f"{narrow['dense'][0] / dense:.2f}×"],
]
Table(["1,024 × 1,024, batch 256, one thread", "time as a multiple of the dense layer's"], rows)

# %% [markdown]
# Look for the row with half of the neurons: it is the only one that keeps a dense product.
#
# <details><summary>What one usually sees</summary>
#
# Half of the neurons take about half of the time. Half of the weights take several times as long as all of them, since
# the sparse product looks up the place of each.
#
# </details>
#
# In memory, 2:4 stores two numbers and two places of two bits in place of four numbers:

# %% Bytes of a 2:4 matrix tags=["nbval-check-output"]
for bits in (16, 8):
    print(f"{bits} bits a number: {percent((2 * bits + 2 * 2) / (4 * bits))} of the dense matrix's bytes")

# %% The papers report: on their hardware
Table(["what", "reported", "where"], [[r.about, r.reported, r.source] for r in papers.WORTH], words=True)

# %% [markdown]
# These are reports, of machines that we do not have; our processor has no 2:4 product. Note the second row. A product
# that is twice as fast makes a whole model only a little faster, since much of the time goes elsewhere.
#
# **Energy** is the argument that Han began with. Fetching a number from the chip's own memory costs

# %% tags=["nbval-check-output"]
cost = papers.HAN_PICOJOULE
print(f"{cost['read from SRAM']} pJ, and from DRAM {cost['read from DRAM']} pJ (Han et al. 2015, Fig. 1):")
print(f"{cost['read from DRAM'] / cost['read from SRAM']:.0f} times as much")

# %% [markdown]
# so what counts most is whether a network fits. The answer to "what is it good for?" is therefore: *smaller files and
# less memory, where more is saved than the places of the others take; less energy, where it then fits into nearer
# memory; less time, where the hardware knows the pattern.* None of them follows from a count of weights.

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
later = claims.of_papers()
later.overview

# %% The numbers behind them
later

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** The lines are computed from the records above.
#
# **Ask** Which line surprised you?
#
# **Expect** For most, that GraSP's mask is better when it is shuffled.
#
# </details>

# %%
last = record.settings["sizes"]
for method in ("ticket", *methods):
    print(f"{columns[-1]} kept, {method}: {spread(record.values(method, last, 'test_accuracy'))}")
for row in later.rows:
    print(f"{row.direction}  {row.claim.title}")

# %% tags=["hide-input"]
summary("09")

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
# list with the score of each weight, $\lvert w \rvert \cdot \partial R / \partial \lvert w \rvert$, where $R$ is the
# sum of the outputs for an input of ones, with every weight replaced by its magnitude. The matrices stay as they are.
# The check shows what the scores of each layer add up to.


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
# ### 4. Wanda's mask
#
# A layer has the weight matrix `weight` (out, in). On a few examples its `inputs` are (n, in). Return the boolean mask
# (out, in) that prunes the share `rate` of *each row*: the weights of the smallest $|w| \cdot \lVert x \rVert$, where
# $\lVert x \rVert$ is the norm of the weight's input over the examples. Prune `round(rate * in)` weights per row.


# %% tags=["exercise"]
def wanda_mask(weight, inputs, rate):
    return None


# %%
checks.wanda_mask(wanda_mask)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# There is one norm for each column of `inputs`: the root of the sum of the squares. It multiplies a column of `weight`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Rank the scores of each row with `scores.argsort(dim=1).argsort(dim=1)`: the smallest has rank 0.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def wanda_mask(weight, inputs, rate):
#     scores = weight.abs() * inputs.norm(dim=0)
#     return scores.argsort(dim=1).argsort(dim=1) >= round(rate * weight.shape[1])
# ```
#
# `layerwise.wanda` does the same with the Gram matrix of the inputs, whose diagonal holds the squares of the norms.
#
# </details>

# %% [markdown]
# ## References
#
# - Namhoon Lee, Thalaiyasingam Ajanthan, Philip Torr: *SNIP: Single-shot Network Pruning based on Connection
#   Sensitivity*, 2019, arXiv:1810.02340.
# - Chaoqi Wang, Guodong Zhang, Roger Grosse: *Picking Winning Tickets Before Training by Preserving Gradient Flow*,
#   2020, arXiv:2002.07376. GraSP.
# - Hidenori Tanaka, Daniel Kunin, Daniel Yamins, Surya Ganguli: *Pruning neural networks without any data by
#   iteratively conserving synaptic flow*, 2020, arXiv:2006.05467. SynFlow, layer collapse.
# - Jonathan Frankle, Gintare Karolina Dziugaite, Daniel Roy, Michael Carbin: *Pruning Neural Networks at
#   Initialization: Why Are We Missing the Mark?*, 2021, arXiv:2009.08576. The sanity checks.
# - Jingtong Su, Yihang Chen, Tianle Cai, Tianhao Wu, Ruiqi Gao, Liwei Wang, Jason Lee: *Sanity-Checking Pruning
#   Methods: Random Tickets can Win the Jackpot*, 2020, arXiv:2009.11094.
# - Michael Zhu, Suyog Gupta: *To prune, or not to prune: exploring the efficacy of pruning for model compression*,
#   2017, arXiv:1710.01878. Gradual magnitude pruning.
# - Utku Evci, Trevor Gale, Jacob Menick, Pablo Samuel Castro, Erich Elsen: *Rigging the Lottery: Making All Tickets
#   Winners*, 2020, arXiv:1911.11134. RigL, ERK.
# - Alex Renda, Jonathan Frankle, Michael Carbin: *Comparing Rewinding and Fine-tuning in Neural Network Pruning*, 2020,
#   arXiv:2003.02389. Learning-rate rewinding.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. Equal cost.

# %% [markdown]
# - Eran Malach, Gilad Yehudai, Shai Shalev-Shwartz, Ohad Shamir: *Proving the Lottery Ticket Hypothesis: Pruning is All
#   You Need*, 2020, arXiv:2002.00585.
# - Ankit Pensia, Shashank Rajput, Alliot Nagle, Harit Vishwakarma, Dimitris Papailiopoulos: *Optimal Lottery Tickets
#   via SubsetSum: Logarithmic Over-Parameterization is Sufficient*, 2020, arXiv:2006.07990.
# - James Diffenderfer, Bhavya Kailkhura: *Multi-Prize Lottery Ticket Hypothesis: Finding Accurate Binary Neural
#   Networks by Pruning A Randomly Weighted Network*, 2021, arXiv:2103.09377.
# - Yann LeCun, John Denker, Sara Solla: *Optimal Brain Damage*, 1990, Advances in Neural Information Processing Systems
#   2.
# - Babak Hassibi, David Stork: *Second order derivatives for network pruning: Optimal Brain Surgeon*, 1993, Advances in
#   Neural Information Processing Systems 5.
# - Elias Frantar, Dan Alistarh: *SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot*, 2023,
#   arXiv:2301.00774.
# - Mingjie Sun, Zhuang Liu, Anna Bair, J. Zico Kolter: *A Simple and Effective Pruning Approach for Large Language
#   Models*, 2024, arXiv:2306.11695. Wanda.
# - Tim Dettmers, Mike Lewis, Younes Belkada, Luke Zettlemoyer: *LLM.int8(): 8-bit Matrix Multiplication for
#   Transformers at Scale*, 2022, arXiv:2208.07339. Outlier features.
# - Asit Mishra and others: *Accelerating Sparse Deep Neural Networks*, 2021, arXiv:2104.08378. 2:4 sparsity.
# - Song Han and others: *EIE: Efficient Inference Engine on Compressed Deep Neural Network*, 2016, arXiv:1602.01528.
