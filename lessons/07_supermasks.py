# %% [markdown]
# # Supermasks
#
# **Question** Can a network perform well if none of its weights is ever trained?
#
# **Slides** S9, S10, S11, S13, S14
#
# **Before you start** Lessons [01](01_pruning_lenet.ipynb) (mask, pruning) and [06](06_initialization.ipynb) (Xavier,
# Kaiming, signed constant, fan-in).
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the claim · what makes a ticket win · values or signs · by hand · the threshold · watch the edges · how many
# edges, which random weights, how wide · no weight has moved · move k · convolutions, at the paper's length, too ·
# ImageNet · why should there be one? · exercises

# %%
from statistics import fmean

import matplotlib.pyplot as plt
import torch
import torchvision
from torch import nn
from torch.nn.functional import avg_pool2d, cross_entropy, linear, relu

# %%
from ltcourse import data, papers
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import predict, reveal, summary
from ltcourse.display import ablations, pictures, plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.settings import beside_paper
from ltcourse.display.tables import Table, percent, points, points_interval, spread
from ltcourse.experiments import catalog, deconstruction, runs
from ltcourse.instruments import latency, subset_sum
from ltcourse.instruments.statistics import student
from ltcourse.networks import initializers, masks, models
from ltcourse.pruning import criteria, restarts, supermasks
from ltcourse.training import Recipe, evaluate, train

plots.use_style()
mnist = data.load("mnist")

# %% [markdown]
# ## What is hidden?
#
# Lesson 03 ended with a ticket, a subnetwork that *trains* well from its initial weights. **The slides go further**
# (S9, S10): a large network with random weights that never change contains a subnetwork that *performs* well, with no
# training of weights at all.
#
# The picture shows the claim on the small network of lesson 01: a trained network τ, a larger network N of random
# weights, and a subnetwork τ′ of N. All weights of N have one magnitude and a random sign (the signed constant of lesson
# 06).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** This is the claim of S10 in one picture. In N and in τ′ no weight has been trained.
#
# **Ask** How accurate is a subnetwork drawn at random, on ten digits?
#
# **Expect** It is at chance, a tenth. So a good one must be searched for, and there are very many to search.
#
# </details>

# %% τ′ comes close to τ, and none of its weights was trained tags=["picture-s10"]
widgets.explore(pictures.hidden(mnist))

# %% [markdown]
# τ′ comes close to τ, although none of its weights was trained. It was found by the search of this lesson. (In a network
# as small as this N most searches end lower; this seed is one of the best of many. A larger N succeeds reliably.)
#
# What does this mean? Training changes weights; pruning removes them. If the claim is right, *removing alone* is a way
# to learn. A mask that makes an untrained network perform well is called a **supermask**.
#
# For one subnetwork to be good, there must be very many of them. The next cell counts those of LeNet-300-100 that keep
# half of each layer. It prints how many digits this number has:

# %% There are too many subnetworks to try tags=["nbval-check-output"]
sizes = torch.tensor(
    [w.numel() for w in masks.prunable(models.create("lenet-300-100", device="meta")).values()]
).double()
digits = (torch.lgamma(sizes + 1) - 2 * torch.lgamma(sizes / 2 + 1)).sum() / torch.log(torch.tensor(10.0))
print(f"{int(digits) + 1:,} digits")

# %% [markdown]
# Nobody can try them all. Is a *random* one any good?

# %% tags=["hide-input"]
predict("07.random")

# %% tags=["hide-output"]
network = models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0)
mask = criteria.at_random(0)({}, masks.dense(network), 0.5, "layer")
masks.apply(network, mask)
accuracy = evaluate(network, mnist.validation)[1]
print(f"half of the edges, drawn at random: {percent(accuracy)} of the digits right")
reveal("07.random", accuracy)

# %% [markdown]
# The random subnetwork is at chance. So a good one has to be *searched* for.
#
# ## What makes a ticket win?
#
# The first supermasks were found in a study of what makes lottery tickets work (Zhou et al. 2019). A ticket of lesson
# 03 rests on two choices. The **criterion** says which weights the mask keeps: those of the largest $|w|$ after
# training. The **start** says which values the kept weights start from: their initial values. Either choice can be
# replaced. A criterion may compare a weight before training, $w_0$, with the same weight after it, $w$:
#
# | criterion | keeps the weights with the largest |
# |:--|:--|
# | large final (lesson 03) | $\lvert w \rvert$ |
# | large final, same sign | $w \cdot \mathrm{sign}(w_0)$: weights that changed their sign are pruned first |
# | magnitude increase | $\lvert w \rvert - \lvert w_0 \rvert$ |
# | movement | $\lvert w - w_0 \rvert$ |
# | small final (a control) | $-\lvert w \rvert$ |
# | random (a control) | – |

# %% tags=["hide-input"]
predict("07.untrained")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The bridge from tickets to supermasks. A ticket is a mask and a start. We replace one at a time.
#
# **Ask** The mask comes from a trained network, the weights are as they were drawn. Can this network read digits?
#
# **Expect** Many say chance. But the mask has seen the digits: choosing which weights stay is learning, too.
#
# </details>

# %% A mask from training makes untrained weights perform tags=["hide-output"]
network = models.create("lenet-300-100", seed=0)
θ0 = models.snapshot(network)
_ = train(network, mnist, Recipe(iterations=catalog.live(600), evaluate_every=catalog.live(600)))
trained = {name: w.detach().clone() for name, w in masks.prunable(network).items()}
by_name = {
    "large final": criteria.magnitude,
    "large final, same sign": criteria.same_sign(θ0),
    "random": criteria.at_random(0),
}
for name, criterion in by_name.items():
    network.load_state_dict(θ0)
    masks.apply(network, criterion(trained, masks.dense(network), 0.6))
    accuracy = evaluate(network, mnist.validation)[1]
    print(f"{name}: {percent(accuracy)} with no weight trained")
    if name == "large final":
        reveal("07.untrained", accuracy)

# %% [markdown]
# A mask that was found by training can make untrained weights perform: this is what the paper first called a
# supermask. **The paper's explanation**: large final prunes the weights that end near 0. Setting such a weight to 0
# moves it to where training was taking it, so that masking does a part of the training.
#
# **We recorded** all six criteria, in three rounds; each prunes as much as five rounds of lesson 03. In each round
# the kept weights return to their initial values. The network is evaluated before training (left) and after it
# (right):

# %% A supermask is made by which weights are kept
apart = runs.load_or_run("deconstruction-lenet-300-100", "desk")
print(apart)


def found(criterion, start, key="test_accuracy"):
    return apart.by("density", key, deconstruction.method(criterion, start))


dense = apart.values("dense", 0, "test_accuracy")
figure, axes = plt.subplots(1, 2, figsize=(14, 5.5))
for ax, key in zip(axes, ("untrained_test_accuracy", "test_accuracy"), strict=True):
    curves = {criterion: found(criterion, "values", key) for criterion in apart.settings["criteria"]}
    ablations.against_rounds(curves, ax, ylabel="test accuracy", title="no weight trained")
axes[1].set_title("trained")
axes[1].axhline(sum(dense) / len(dense), color="black", linestyle="-.", linewidth=1.5, label="dense")
_ = figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)

# %% [markdown]
# The first column is the accuracy of the mask alone at the largest density. The others are the accuracy after
# training minus that of the random mask, with its interval (Student's t, 95 %, over the seeds):


# %% Criteria beside the random mask
def minus(one, other):
    """Of every seed, at each density."""
    first, second = found(*one), found(*other)
    return [[a - b for a, b in zip(first[d], second[d], strict=True)] for d in first]


columns = [percent(d) for d in found("random", "values")]
rows = []
for criterion in apart.settings["criteria"]:
    alone = next(iter(found(criterion, "values", "untrained_test_accuracy").values()))
    lead = map(points_interval, minus((criterion, "values"), ("random", "values")))
    rows.append([criterion, spread(alone, 1), *(["–"] * len(columns) if criterion == "random" else lead)])
Table(["criterion", f"no weight trained, {columns[0]}", *(f"trained, minus random, {d}" for d in columns)], rows)

# %%
others = [criterion for criterion in apart.settings["criteria"] if criterion != "random"]
for place, column in enumerate(columns):
    leads = {c: student(minus((c, "values"), ("random", "values"))[place]) for c in others}
    ahead, behind = [c for c, i in leads.items() if i.low > 0], [c for c, i in leads.items() if i.high < 0]
    print(f"at {column} ahead of the random mask: {'; '.join(ahead) or 'none'}. Behind: {'; '.join(behind) or 'none'}")
for place, column in enumerate(columns):
    change = [a - b for a, b in zip(list(found("large final", "values").values())[place], dense, strict=True)]
    print(f"at {column} the ticket of large final minus the dense network: {points_interval(change)}")
for criterion in ("large final", "movement"):
    alone = found(criterion, "values", "untrained_test_accuracy").values()
    print(f"no weight trained, {criterion}: {', '.join(spread(a, 1) for a in alone)} at {', '.join(columns)}")

# %% [markdown]
# A criterion that the cell does not name cannot be told from the random mask. In this short training large final's
# tickets do not win: no interval of theirs minus the dense network lies above 0. The two controls mark the extremes. A
# random mask leaves the network at chance until it is trained. Small final keeps just what large final removes first.
# So a supermask is made by *which* weights are kept. A rule that uses the trained weights is not enough: movement
# keeps the weights that moved far, in either direction. Its mask alone stays near chance at the largest density; it
# does better at the smallest, but far worse than large final's.
#
# ## Values or signs?
#
# Now the mask stays, and the start changes. An initial weight has a magnitude and a sign. Each can be kept or replaced:
#
# | | signs kept | signs at random |
# |:--|:--|:--|
# | **magnitudes kept** | values: the ticket | values, random signs |
# | **one magnitude**, the standard deviation of the layer's $w_0$ | constant | constant, random signs |
# | **magnitudes drawn anew** | redrawn | redrawn, random signs: re-initialized, as in lesson 03 |
#
# Along a row only the signs differ; down a column, only the magnitudes. A seventh start gives every weight of a layer
# the same positive value. All seven are trained under the same mask.

# %% tags=["hide-input"]
predict("07.signs", "07.signs-random")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Three by two: the rows change the magnitudes, the columns change the signs. The random mask is the control.
#
# **Ask** Which would you rather lose, the magnitudes or the signs? Why should it make no difference under a random
# mask?
#
# **Expect** Most bet on the values. A random mask knows nothing of the training, so any signs do equally well.
#
# </details>

# %% Values or signs: seven beginnings under one mask tags=["hide-output"]
figure, axes = plt.subplots(1, 3, figsize=(15, 6))
axes[1].sharey(axes[0])
panels = (("large final", "test_accuracy"), ("random", "test_accuracy"), ("large final", "untrained_test_accuracy"))
for ax, (criterion, key) in zip(axes, panels, strict=True):
    curves = {start: found(criterion, start, key) for start in apart.settings["starts"]}
    ablations.against_rounds(curves, ax, ylabel="test accuracy", title=f"{criterion}, trained")
axes[2].set(title="large final, no weight trained", ylim=(0, 1))
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
signs, magnitudes, of_random = (
    minus((mask, "values"), (mask, start))[-1]
    for mask, start in (
        ("large final", "values, random signs"),
        ("large final", "redrawn"),
        ("random", "values, random signs"),
    )
)
more = fmean(signs) - fmean(magnitudes)
reveal("07.signs", "signs" if more > 0.005 else "magnitudes" if more < -0.005 else "same", axes[0])
cost = "as-much" if fmean(of_random) >= fmean(signs) else "some"
reveal("07.signs-random", cost if student(of_random).low > 0 else "nothing", axes[1])

# %% [markdown]
# What are the signs worth? The accuracy with the initial signs minus the accuracy with random ones, with the same
# magnitudes:

# %% Under a ticket's mask the initial signs are worth accuracy tags=["hide-output"]
starts = ("values", "constant", "redrawn")
rows = [
    [mask, start, *map(points_interval, minus((mask, start), (mask, f"{start}, random signs")))]
    for mask in ("large final", "movement", "random")
    for start in starts
]
Table(["mask", "magnitudes", *(f"signs, {d}" for d in columns)], rows)

# %%
for mask in ("large final", "movement", "random"):
    differences = [d for start in starts for d in minus((mask, start), (mask, f"{start}, random signs"))]
    above = sum(student(d).low > 0 for d in differences)
    print(f"{mask}: the interval of the signs is above 0 in {above} of {len(differences)} cells")
    unchanged = list(found(mask, "values", "same_sign").values())[-1]
    print(f"  of {columns[-1]} kept, {spread(unchanged, 1)} end with the sign they began with")

# %% [markdown]
# Under a ticket's mask the initial signs are worth accuracy, with all three kinds of magnitudes, and on average the
# more, the fewer weights are kept: at the largest density the intervals still hold 0, at the two smaller ones none
# does. Under the random mask the two starts are two draws from one distribution, so that the true difference is 0:
# those rows show what chance alone does. So signs do not matter in themselves. They matter under a mask that was
# found by training from them: nearly all weights that large final keeps end on the side of 0 where they began. This
# cannot be the whole reason: movement asks only how far a weight moved, in either direction, and no more of its
# weights keep their sign than of a random mask's. Even so, its small masks need the initial signs. One positive value
# for all is the worst start for a ticket, though it costs a random mask accuracy, too: every neuron begins by summing
# its kept inputs with equal weight.
#
# What are the magnitudes worth? The accuracy with the initial values minus the accuracy with other magnitudes, signs kept:

# %% Beside the signs, the magnitudes are worth little
rows = [
    [mask, f"values minus {start}", *map(points_interval, minus((mask, "values"), (mask, start)))]
    for mask in ("large final", "random")
    for start in starts[1:]
]
Table(["mask", "magnitudes", *(f"magnitudes, {d}" for d in columns)], rows)

# %% [markdown]
# Compared with the signs, the magnitudes matter little: compare the two tables under large final. One magnitude for
# all cannot be told from the ticket's own; magnitudes drawn anew cost a little, at the two smaller densities (at the
# largest the interval holds 0). Does the advantage persist in longer training? We compare the two constant starts, at
# the smallest density, on the validation set:


# %% The worth of the signs shrinks while the network trains
def errors(start, place):
    """Of every seed, after the `place`-th quarter of the last round's training."""
    curves = apart.values(deconstruction.method("large final", start), apart.settings["rounds"], "curve")
    return [curve["validation_error"][place] for curve in curves]


for quarter in range(4):
    gap = [b - a for a, b in zip(errors("constant", quarter), errors("constant, random signs", quarter), strict=True)]
    print(f"after {quarter + 1} of 4 quarters of the training: the signs are worth {points_interval(gap)}")

# %% [markdown]
# The worth of the signs shrinks from the first quarter of the training to the last; the intervals of neighboring
# quarters overlap. This record does not say what is left of it after a training as long as the paper's; `ltcourse
# record deconstruction-lenet-300-100 --budget paper` would.
#
# **Beside the paper.** Its best supermask by a rule, for MNIST, kept large final weights of the same sign, each with
# one magnitude. We choose ours on the validation set:

# %% Our best supermask beside the paper's
mean = {
    (criterion, start, d): sum(accuracies) / len(accuracies)
    for criterion in apart.settings["criteria"]
    for start in apart.settings["starts"]
    for d, accuracies in found(criterion, start, "untrained_validation_accuracy").items()
}
criterion, start, d = max(mean, key=mean.get)
ours = spread(found(criterion, start, "untrained_test_accuracy")[d], 1)
print(f"our best mask without training: {criterion}; start: {start}; {percent(d)} kept: {ours}")
Table(["no weight trained", "the paper reports"], [[r.about, r.reported] for r in papers.ZHOU.values()])

# %% [markdown]
# **The paper says** that the signs are what matters in the initial weights of a ticket (Sec. 3). In this network our
# record agrees, with its controls: signs matter more than magnitudes under large final. It is a small
# network and a short training. **The point is contested**: in deep networks, new magnitudes with the old signs do not
# train as the old weights do (Frankle, Schwab & Morcos 2020).
#
# The learned masks in the last table go further. The mask itself is trained, by gradients, and the weights never are. That is the
# step from tickets to the slides' algorithm.
#
# ## Edge-popup by hand
#
# **The slides say** (S11): give every weight a *score*. In the forward pass, use the weights with the top k % of the
# scores. In the backward pass, update all scores. The weights never change. The paper calls this **edge-popup**
# (Ramanujan et al. 2020, Sec. 3). Five decisions make it work:
#
# - **k is the share kept** in each layer. (In lesson 01 a *rate* was the share removed. Public code mixes the two up.)
# - **Scores begin at random**, uniformly between $-1/\sqrt{n}$ and $1/\sqrt{n}$, where $n$ is the fan-in of the layer,
#   as in the authors' code. So the first mask is random, too.
# - **The edges are ranked by $|s|$**, the magnitude of the score. This, too, is the authors' code; the paper's text
#   ranks $s$ itself.
# - The mask is 0 or 1, so its derivative with respect to $s$ is 0 almost everywhere, and nothing could be learned. So
#   the backward pass pretends that the threshold is the identity, $h(|s|) = |s|$. This is the **straight-through
#   estimator**.
# - *Every* score gets a gradient, including those of unused weights. So an edge that was dropped can pop up again.
#
# What is that gradient? Neuron $v$ adds up its inputs, $I_v = \sum_u w_{uv} Z_u h(|s_{uv}|)$. By the chain rule
#
# $$\frac{\partial L}{\partial s_{uv}} = \frac{\partial L}{\partial I_v}\; Z_u\; w_{uv}\; \mathrm{sign}(s_{uv}).$$
#
# The first factor, $\partial L / \partial I_v$, says in which direction $I_v$ must move to lower the loss, and
# $Z_u w_{uv}$ says in which direction this edge pushes it. If the edge pushes in the direction that lowers the loss,
# its $|s|$ grows.
#
# **The paper's** update is $s_{uv} \leftarrow s_{uv} - \alpha \, (\partial L / \partial I_v) \, Z_u w_{uv}$. It has no
# $|s|$ and no $\mathrm{sign}(s)$, because the paper ranks $s$ itself. Both come from its authors' code, which this
# course follows.
#
# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** This is S11 as an algorithm: scores, the top k in the forward pass, all scores in the backward pass. Spend
# your time on the function `used`.
#
# **Ask** The mask is 0 or 1. What is its derivative, and what do we do about that?
#
# **Expect** It is 0 almost everywhere, so nothing could be learned. The backward pass pretends that the threshold is
# not there.
#
# </details>

# %% tags=["picture-straight-through"]
widgets.explore(pictures.straight_through())

# %% [markdown]
# In PyTorch this takes a dozen lines. The trick is in `used`: its *value* is the weight times the mask, and its
# *derivative* is that of the weight times $|s|$.

# %% The top k go forward, and the gradient passes straight through key="10-12|13|14"
k, lr, momentum = 0.5, 0.1, 0.9
frozen = supermasks.edge_popup(models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0), k)
start = {name: layer.scores.detach().clone() for name, layer in supermasks.scored(frozen).items()}
weights = supermasks.frozen(frozen)

scores = {name: s.clone().requires_grad_() for name, s in start.items()}
velocity = {name: torch.zeros_like(s) for name, s in scores.items()}


def used(w, s):
    order = s.abs().flatten().sort(descending=True).indices
    chosen = order[: round(k * s.numel())]  # so many, also where scores are equal
    mask = torch.zeros(s.numel()).index_fill(0, chosen, 1).view_as(s)
    return w * (mask + s.abs() - s.abs().detach())


def step(x, y):
    fc1, fc2, fc3 = (used(weights[name], s) for name, s in scores.items())
    loss = cross_entropy(linear(relu(linear(relu(linear(x.flatten(1), fc1)), fc2)), fc3), y)
    for s, v, g in zip(
        scores.values(), velocity.values(), torch.autograd.grad(loss, list(scores.values())), strict=True
    ):
        v.mul_(momentum).add_(g)
        s.data.sub_(lr * v)
    return loss.item()


# %% [markdown]
# We take two hundred steps by hand and compare the result with the library. `supermasks.edge_popup` freezes a network
# and gives its weights scores; after that it is trained like any other network.

# %% By hand and by the library
steps = catalog.live(200)
recipe = catalog.settings("hidden-lenet-300-100").recipe.but(
    iterations=steps, evaluate_every=steps, batch=128, schedule="constant", weight_decay=0.0
)
order = torch.randperm(len(mnist.train), generator=torch.Generator().manual_seed(0))  # the library's order for seed 0
losses = [step(mnist.train.x[i], mnist.train.y[i]) for i in order.split(128)[:steps]]
print(f"by hand: loss {losses[0]:.2f} at first, {losses[-1]:.2f} after {steps} steps")

history = train(frozen, mnist, recipe)
print(f"by the library: {history}")

# %% tags=["nbval-check-output"]
theirs = supermasks.supermask(frozen)
ours = {name: masks.keep_largest(s.detach().abs(), round(k * s.numel())) for name, s in scores.items()}
same = sum(int((ours[name] == theirs[name]).sum()) for name in ours) / sum(m.numel() for m in ours.values())
print("by hand and by the library the same edges, up to rounding:", same > 0.999)

# %% [markdown]
# ## The threshold
#
# Sorting all scores at every step, as above and in most public code, is expensive. The scores need not be in order: we
# need only the one value that has the right number of scores above it. Partitioning the scores around it is enough. For
# a million scores, on one thread:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** This detail takes most of the time in public code.
#
# **Ask** Do the scores have to be in order?
#
# **Expect** No, we need one value: partition, do not sort.
#
# </details>


# %%
many = torch.rand(1_000_000, generator=torch.Generator().manual_seed(0))
sorting, partition = (
    latency.seconds(lambda s: s.sort(), many),
    latency.seconds(lambda s: masks.top(s, len(s) // 2), many),
)
print(f"sort {1000 * sorting:.1f} ms, masks.top {1000 * partition:.1f} ms, {sorting / partition:.0f} times as fast")

# %% [markdown]
# ## Watch the edges
#
# Here is the search in a network that is small enough to be drawn, the N of the beginning. Half of the edges of each
# layer are in use. The first steps of the picture take one step of the algorithm apart; the others follow it to the end.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Use the arrow keys, one step at a time. Green edges popped up, dashed ones went. Blue and orange, the signs,
# never change.
#
# **Ask** Does an edge ever come back?
#
# **Expect** Yes, because a dropped edge keeps getting a gradient. That is the last of the decisions above.
#
# </details>

# %% Edges come and go; their weights never change tags=["picture-s11"]
widgets.explore(pictures.edge_popup(mnist))

# %% [markdown]
# Scores rise and fall, and where one crosses the threshold, an edge pops up (green) and another one goes (dashed). The
# accuracy moves with every exchange. Blue and orange, the signs of the weights, never change.
#
# ## How many edges?
#
# Now we repeat the experiment of the slides (S13, S14) in miniature: LeNet-300-100 on MNIST, with several values of
# k, three ways to draw the random weights, several widths and seeds. There are two controls: the same network with
# its weights trained for as many iterations (gray), and random masks (red).

# %% tags=["hide-input"]
predict("07.k", "07.all")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Start the run and take bets on k.
#
# **Ask** Which k is best? And what happens at 100 %?
#
# **Expect** In the middle or a little above. At 100 % there is only one subnetwork: the random network itself.
#
# </details>

# %% tags=["hide-output"]
settings = catalog.settings("hidden-lenet-300-100")
runner = runs.Runner("hidden-lenet-300-100")
_ = watch(runner, "supermasks", total=len(settings.seeds) * settings.rows)
live = runner.record

# %% Supermasks, random masks and training, against k tags=["hide-output"]
kinds = [*settings.initializers, "random"]
figure, ax = plt.subplots()
curves = {kind: live.by("k", "test_accuracy", kind) for kind in kinds}
reference = {"trained": live.values("trained", 0, "test_accuracy")}
plots.against(curves, ax, xlabel="weights kept, k", ylabel="test accuracy", reference=reference)
seen = live.by("k", "validation_accuracy", "kaiming")
reveal("07.k", max(seen, key=lambda k: sum(seen[k])), ax, along="x")
whole = models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0)
reveal("07.all", evaluate(whole, mnist.validation)[1], ax, x=1.0)

# %% [markdown]
# Compare the supermasks with the random masks, and look for the best k. (k = 100 % is not among the five: it leaves
# exactly one subnetwork, the random network itself.)
#
# <details><summary>What one usually sees</summary>
#
# Under a random mask the network is at chance. Under a supermask it reads most digits, with *not one weight trained*.
# At small k too few weights are left in a layer. From the middle upwards the curves are nearly flat.
#
# </details>
#
# ## Which random weights?
#
# Since the weights are never trained, it should matter how they are *drawn*. The next table compares Kaiming with
# Xavier at each k, and with the signed constant, which has only two values, +c and −c:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The weights are never trained, so it should matter how they are drawn. Lesson 06 pays off here.
#
# **Ask** Xavier, Kaiming or two values?
#
# **Expect** Xavier is behind everywhere. Two values are enough as soon as there are enough edges: perhaps what is chosen
# is signs.
#
# </details>

# %% How the random weights are drawn matters
rows = []
for k, kaiming in curves["kaiming"].items():
    others = (curves[name][k] for name in ("xavier", "signed constant"))
    rows.append(
        [percent(k, 0), spread(kaiming), *(points([o - a for o, a in zip(b, kaiming, strict=True)]) for b in others)]
    )
Table(["k", "Kaiming", "Xavier minus Kaiming", "signed constant minus Kaiming"], rows)

# %% [markdown]
# Xavier is behind at every k. In this network its weights are smaller: it divides by fan-in *and* fan-out, Kaiming by
# fan-in alone (lesson 06), and removing half of the edges makes the sums smaller still. The signed constant is level
# with Kaiming or a little ahead as soon as there are enough edges: a search that has only signs to choose from finds as
# good a supermask. (With very few edges left it helps to have large ones to choose.) **The paper reports** (Ramanujan et
# al. 2020, Sec. 4) the same order for the signed constant, with a far larger distance in deep networks on ImageNet
# (below).
#
# Does a supermask then choose weights by their signs alone, even where the magnitudes differ? The control is that of
# "Values or signs?". A supermask is found for Kaiming's weights; then the weights under it get other magnitudes, or
# other signs:

# %% With other signs the supermask is worth nothing
short = settings.recipe.but(iterations=catalog.live(500), evaluate_every=catalog.live(500))
hidden = models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0)
_ = train(supermasks.edge_popup(hidden, 0.5), mnist, short)
supermask = supermasks.release(hidden)
as_drawn = models.snapshot(hidden)
for name, (magnitudes, signs) in deconstruction.STARTS.items():
    exchange = restarts.put_together(magnitudes, signs, seed=0, initializer=initializers.kaiming_normal)
    hidden.load_state_dict(exchange(hidden, lambda _: as_drawn, 0)[0])
    masks.apply(hidden, supermask)
    print(f"{name}: {percent(evaluate(hidden, mnist.validation)[1])}")

# %% [markdown]
# Compare the seven lines. How much is left with other magnitudes, and how much with other signs?
# <details><summary>What one usually sees</summary>  With random signs the mask is worth nothing, whatever the
# magnitudes. With the signs and one magnitude it keeps much of its accuracy, and with new magnitudes less: it depends
# mostly on the signs and partly on the magnitudes.  </details>
#
# There is a remedy: since only the share k of the inputs arrives, replace fan-in by k · fan-in in the formula (the
# paper's *scaled* Kaiming). In the library it is one argument. For a small k:

# %% Larger weights make up for the missing ones
for kept, name in ((1.0, "Kaiming"), (0.1, "scaled Kaiming")):
    hidden = models.create("lenet-300-100", initializer=initializers.named("kaiming", kept=kept), seed=0)
    history = train(supermasks.edge_popup(hidden, 0.1), mnist, short)
    print(f"k = 10 %, {name}: test accuracy {percent(history.test_accuracy)}")

# %% [markdown]
# ## How wide?
#
# A wider random network has more subnetworks to choose from. The next figure varies the width at k = 50 %:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** This is S14: a wider random network has more subnetworks.
#
# **Ask** Will it ever be as good as the trained network?
#
# **Expect** The paper says that it comes closer with width. Compare the distance at both ends of the figure.
#
# </details>

# %% A wider random network has more to choose from
by_width = {"supermask": live.by("width", "test_accuracy", "by width") | {1.0: curves["kaiming"][settings.k]}}
by_width["trained"] = live.by("width", "test_accuracy", "trained")
figure, ax = plt.subplots()
_ = plots.against(by_width, ax, xlabel="width of the hidden layers", ylabel="test accuracy")

# %% [markdown]
# Does the supermask gain with every doubling? Does its distance to the trained network of the same width shrink?
#
# <details><summary>What one usually sees</summary>
#
# The supermask gains with every doubling. A wide network is closer to its trained counterpart than the narrowest one
# is, but in runs this short not every doubling shrinks the distance.
#
# </details>
#
# **We recorded** longer runs of several seeds, up to four times the width. S10 asks for a τ′ in a large random
# network that does as well as a small *trained* τ. We take the narrowest trained network as τ. The last column says
# how far each τ′ is from it, with the 95 % interval over the seeds (Student's t).

# %% tags=["hide-input"]
predict("07.width")

# %% At the largest widths τ′ cannot be told from τ tags=["hide-output"]
wide = runs.load_or_run("hidden-lenet-300-100", "desk")
print(wide)
kept = wide.by("k", "test_accuracy", "kaiming")[wide.settings["k"]]
hidden = dict(sorted((wide.by("width", "test_accuracy", "by width") | {1.0: kept}).items()))
trained = dict(sorted(wide.by("width", "test_accuracy", "trained").items()))
narrowest = trained[min(trained)]
rows = [
    [f"{w:g}", spread(trained[w]), spread(τ), points_interval([a - b for a, b in zip(τ, narrowest, strict=True)])]
    for w, τ in hidden.items()
]
apart_by = {w: student([a - b for a, b in zip(τ, narrowest, strict=True)]) for w, τ in hidden.items()}
holds_0 = (f"{w:g}" for w, interval in apart_by.items() if interval.low <= 0 <= interval.high)
reveal("07.width", next(holds_0, "never"))
Table(["width", "trained", "supermask τ′", f"τ′ minus τ, trained, width {min(trained):g}"], rows)

# %% [markdown]
# On average each doubling of the width gains less than the one before, and the seeds do not settle the last one. (The
# claims table of lesson 08 prints the intervals.) **The paper reports** (abstract) that with growing width and depth
# an untrained subnetwork *approaches* a network with trained weights in accuracy. S10 claims less: there the trained
# network is the *smaller* of the two. The paper has an example of that, in "ImageNet" below.
#
# ## No weight has moved
#
# An extraordinary claim needs a control. A checksum over all bits of all weights changes if a single one does, and
# every search above compared it before and after. Here we do it openly, for the network whose scores the library
# trained at the beginning and for a fresh one with the same seed:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** An extraordinary claim needs a control, here a checksum over every bit.
#
# **Ask** How would you convince a skeptic?
#
# **Expect** Compare the bits. Then remove the scores and let the mask alone classify.
#
# </details>

# %% No weight has moved, not by a bit tags=["nbval-check-output"]
fresh = models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0)
print("the weights are the very same:", supermasks.checksum(frozen) == supermasks.checksum(fresh))
with torch.no_grad():
    fresh.fc1.weight[0, 0] += 1e-6
print("and if one of them had moved by a millionth?", supermasks.checksum(frozen) == supermasks.checksum(fresh))

# %% [markdown]
# The mask alone is enough, too. Remove the scores and apply the supermask to the random network like any other mask of
# this course: it classifies as before.

# %% The mask alone carries everything tags=["nbval-check-output"]
before = evaluate(frozen, mnist.validation)[1]
supermask = supermasks.release(frozen)  # the scores are gone
masks.apply(frozen, supermask)
print("the same accuracy:", evaluate(frozen, mnist.validation)[1] == before)
print(f"the mask keeps {percent(masks.density(supermask))} of the weights")

# %% [markdown]
# ## Move k
#
# Scores that were trained at one k rank all edges. What happens if another share is kept *without* training the scores
# again?

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The scores were trained at one k and are used at another. Let somebody move it.
#
# **Ask** How far can k be changed afterwards?
#
# **Expect** Only a little, because the edges were selected to work together.
#
# </details>

# %% A ranking is good near its own k
hidden = models.create("lenet-300-100", initializer=initializers.kaiming_normal, seed=0)
history = train(supermasks.edge_popup(hidden, 0.5), mnist, short)
shares = [0.01, 0.02, 0.05, *(i / 10 for i in range(1, 11))]
explorer = widgets.PopupExplorer(hidden, mnist.validation, shares, "fc1.weight", (28, 28))
widgets.explore(explorer.draw, k=explorer.ks)

# %% [markdown]
# The ranking is good near its own k and nowhere else, because the edges were selected to work together. (In lesson 01,
# by contrast, pruning a little further without retraining cost little.) The right-hand figure shows the edges of the
# first layer. Where the image is always black, they are spread evenly: such an edge never gets a gradient, and weight
# decay shrinks all of these scores by the same factor, so their order stays random.
#
# ## Conv-2 to Conv-8
#
# **The slides' figures** (S13, S14) show convolutional networks on CIFAR-10, with two to eight convolutions: accuracy
# against depth, width, the share k of weights kept, and the initialization. The live run is very short and uses a
# tenth of the images, so it is only a taste.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The live run is a taste. The recorded ones see every image ten times, at half the resolution and half the
# width of the paper's networks. Three panels, four questions: depth, the share kept, width, and in the colors the
# initialization.
#
# **Ask** What may be compared with the paper, and what not? Why should Xavier suffer most in the deepest network?
#
# **Expect** The shape of each curve may, and the order of the initializations. The heights may not. Xavier's weights are
# too small for ReLU in each layer, and the factor is multiplied from layer to layer (lesson 06).
#
# </details>

# %% Conv-2, live and very short
taste = runs.Runner("hidden-conv-2")
_ = watch(taste, "Conv-2", total=catalog.settings("hidden-conv-2").rows)
found = taste.record
method, number = catalog.settings("hidden-conv-2").initializers[0], 1
print(f"supermask {percent(found.values(method, number, 'test_accuracy')[0])}", end=", ")
print(f"trained {percent(found.values('trained', 0, 'test_accuracy')[0])}, chance {percent(0.1)}")

# %% [markdown]
# **We recorded** all four networks on all of CIFAR-10 for ten epochs. To make this possible on two cores, each 2 × 2
# pixels are averaged into one and the networks have half of the paper's width. The settings of Conv-2 beside the
# paper's (a dash says that the paper does not tell); those of the others are the same:

# %%
beside_paper("hidden-conv-2", "night")

# %% tags=["hide-input"]
predict("07.deepest", "07.xavier")

# %%
conv = {n: runs.load_or_run(f"hidden-conv-{n}", "night") for n in (2, 4, 6, 8)}
for record in conv.values():
    print(record)
kinds = conv[2].settings["initializers"]


def at_half(n, kind):
    """Test accuracies of the supermasks of Conv-n at k = 50 %, one per seed."""
    return conv[n].by("k", "test_accuracy", kind)[conv[n].settings["k"]]


weights_trained = {n: record.values("trained", 0, "test_accuracy") for n, record in conv.items()}

# %% Deep random networks hold good supermasks, unless Xavier drew them tags=["hide-output"]
figure, axes = plt.subplots(1, 3, figsize=(15, 5), sharey=True)
by_depth = {kind: {f"Conv-{n}": at_half(n, kind) for n in conv} for kind in kinds}
by_depth["trained"] = {f"Conv-{n}": found for n, found in weights_trained.items()}
plots.against(by_depth, axes[0], xlabel="network, k = 50 %", ylabel="test accuracy")
by_share = {kind: conv[2].by("k", "test_accuracy", kind) for kind in kinds}
plots.against(
    by_share, axes[1], xlabel="weights kept, k, in Conv-2", ylabel="", reference={"trained": weights_trained[2]}
)
axes[1].set_xticks([0.1, 0.5, 1.0], ["10 %", "50 %", "100 %"])
by_width = {"supermask, kaiming": {0.5: at_half(4, "kaiming")} | conv[4].by("width", "test_accuracy", "by width")}
by_width["trained"] = conv[4].by("width", "test_accuracy", "trained")
plots.against(by_width, axes[2], xlabel="width of Conv-4, of the paper's, k = 50 %", ylabel="")
at_last = {kind: fmean(at_half(8, kind)) for kind in kinds}
reveal("07.deepest", max(at_last, key=at_last.get), axes[0])
lost = [fmean(at_half(n, "kaiming")) - fmean(at_half(n, "xavier")) for n in (2, 8)]
reveal("07.xavier", "grows" if lost[1] > lost[0] + 0.02 else "shrinks" if lost[1] < lost[0] - 0.02 else "stays")


# %% Depth and initialization, in numbers
def difference(ours, theirs):
    """The difference of every seed."""
    return [a - b for a, b in zip(ours, theirs, strict=True)]


rows = [
    [
        f"Conv-{n}",
        spread(weights_trained[n], 1),
        spread(at_half(n, "kaiming"), 1),
        points_interval(difference(at_half(n, "kaiming"), weights_trained[n])),
        *(points_interval(difference(at_half(n, kind), at_half(n, "kaiming"))) for kind in kinds if kind != "kaiming"),
    ]
    for n in conv
]
others = [f"{kind} minus Kaiming" for kind in kinds if kind != "kaiming"]
Table(["network", "trained", "supermask, Kaiming", "minus trained", *others], rows)

# %% [markdown]
# *Depth and initialization*: with Kaiming's weights or the signed constant, ten epochs of scores find a supermask in
# every network, a few points behind the trained one. In every seed the signed constant is ahead of Kaiming in all four
# networks. Xavier's supermasks fall further behind with every depth, down to about chance in Conv-8. A likely reason,
# which we did not test: where a convolution has as many channels in as out, Xavier's weights are smaller than Kaiming's
# by a factor of √2, half of the edges are gone, and the factors multiply from layer to layer (lesson 06).
#
# *Share*, in Conv-2: the best k is in the middle, where three values of k are close to each other. At k = 100 % nothing
# is left to choose, and the random network is at chance. *Width*, in Conv-4: the supermask and the trained network both
# gain with width. Does the distance between them shrink?

# %%
for width, accuracies in sorted(by_width["supermask, kaiming"].items()):
    apart_by = points_interval(difference(accuracies, by_width["trained"][width]))
    print(f"Conv-4 at {percent(width, 0)} of its width: supermask minus trained {apart_by}")

# %% [markdown]
# On average it shrinks with every width, but the intervals of two seeds are wide, and all of them hold 0. Nor is it
# smallest in the deepest network. Ten epochs end the training of both, and the trained networks do not gain from depth
# here, either: so the comparison of depths is not that of the paper, whose networks are trained ten times as long.
#
# ## At the paper's length
#
# So we made the paper's experiment on a graphics card: whole images, whole widths, 100 epochs, half of the edges. The
# settings of Conv-6 beside the paper's; those of the others are the same:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Ten epochs could not compare depths. These are a hundred, at the paper's width. One seed has no interval: look
# at the order of four networks, not at the last tenth of a point.
#
# **Ask** What was trained in the network whose accuracy is level with that of the trained one?
#
# **Expect** Scores, and so the choice of the edges. Every weight is as it was drawn.
#
# </details>

# %%
beside_paper("hidden-conv-6", "paper")

# %% tags=["hide-input"]
predict("07.depth")

# %%
full = {f"Conv-{n}": runs.so_far(f"hidden-conv-{n}", "paper") for n in (2, 4, 6, 8)}
for record in full.values():
    print(record)

# %% The deeper the random network, the closer its supermask comes to training tags=["hide-output"]
rounds = {"trained": 0, "kaiming": 1, "signed constant": 1}
long = {
    method: {n: r.values(method, number, "test_accuracy") for n, r in full.items() if method in r.methods}
    for method, number in rounds.items()
}
figure, ax = plt.subplots(figsize=(8, 4.5))
plots.against(long, ax, xlabel="network, k = 50 %, 100 epochs", ylabel="test accuracy")
behind = [long["trained"][n][0] - long["kaiming"][n][0] for n in ("Conv-2", "Conv-8")]
reveal("07.depth", "shrinks" if behind[1] < behind[0] - 0.01 else "grows" if behind[1] > behind[0] + 0.01 else "stays")


# %% Supermask minus trained, of the same seeds
def apart(kind, n):
    """The difference of every seed that has both, as text; a dash where there is none."""
    ours = long[kind].get(n, [])
    return points(difference(ours, long["trained"][n][: len(ours)])) if ours else "–"


rows = [
    [
        n,
        *(spread(found[n], 1) if n in found else "–" for found in long.values()),
        *(apart(kind, n) for kind in long if kind != "trained"),
    ]
    for n in full
]
Table(["network", *long, "kaiming minus trained", "signed constant minus trained"], rows)

# %% [markdown]
# With Kaiming's weights the supermask comes closer to the trained network with every depth, and in Conv-8 it is level
# with it. With the signed constant it is level in Conv-6 already. The trained networks stop gaining at Conv-6, and the
# supermasks go on. So in this seed the slides' question, whether supermasks are as accurate as training, has two
# answers: in shallow networks they are behind, and in deep ones they are not.
#
# One seed has no interval. Of Conv-2 and Conv-4 a second one was begun: it differs from the first by less than the
# depths do. The signed constant in Conv-8 is missing: the time on the graphics card ended before it was done. On
# another one, `ltcourse record hidden-conv-8 --budget paper --journals data/unfinished` goes on from there.
#
# **The paper** shows curves without numbers. In its Fig. 3 the best supermasks of Conv-2, 4, 6 and 8 reach by eye about
# 77.5, 86, 88 and 88.5 %, at k between 30 and 70 %, and the deeper the network, the smaller the distance to the trained
# one. Ours of the signed constant are within a point of that, at a k that was not searched for.
#
# ## ImageNet
#
# **The paper reports** (Sec. 4, k = 30 %) supermasks of networks of the size that is used in practice. These networks
# keep their batch norm, but without its learned scale and shift, so nothing but scores is trained. We did not run them,
# since that takes days on several graphics cards. The number of weights kept is counted here from torchvision's
# networks:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** These numbers are reported, not run here: that takes days on several graphics cards.
#
# **Ask** Which trained network does 30 % of a wide random network equal?
#
# **Expect** A trained ResNet-34, according to the paper.
#
# </details>


# %% A wide random network reaches a trained ResNet-34
def kept_at(k, name):
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    return sum(round(k * w.numel()) for w in masks.prunable(network).values())


rows = [
    [net.network, f"{kept_at(0.3, name) / 1e6:.1f}M", f"{100 * net.kaiming:g} %", f"{100 * net.signed_constant:g} %"]
    for name, net in papers.RAMANUJAN_IMAGENET.items()
]
Table(["network", "weights kept, counted here", "top-1, Kaiming", "top-1, signed constant"], rows)

# %% [markdown]
# **The paper reports** that the last number is that of a *trained* ResNet-34. So a wide random network does what
# ResNet-34 does after training, although only 30 % of its weights are kept and all of them are +c or −c.
#
# ## Why should there be one?
#
# Is there a reason, or is it luck? The **strong lottery ticket hypothesis** says that a random network that is wide
# enough contains, with no training, a subnetwork close to *any* given smaller network. It has been proved (Malach et
# al. 2020; with far less width, Pensia et al. 2020). At the heart of the proof is a puzzle about numbers.
#
# Draw a few random numbers and choose some of them whose sum is as close as possible to a given number. With *n*
# numbers there are 2ⁿ sums to choose from, so the error shrinks very fast. In the picture the given number is a weight,
# and the random numbers are paths through hidden neurons:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The puzzle is to choose random numbers whose sum is close to a target. Each additional number divides the
# error by a constant factor.
#
# **Ask** How many sums do n numbers have?
#
# **Expect** 2ⁿ. That is the heart of the proof, and its price is width.
#
# </details>

# %% tags=["picture-subset-sums"]
widgets.explore(pictures.subset_sums())

# %% [markdown]
# The same for many targets:

# %% Each additional number divides the error by a constant factor
generator = torch.Generator().manual_seed(0)
targets = 2 * torch.rand(200, generator=generator) - 1
counts, far = range(2, 15, 2), []
for n in counts:
    numbers = 2 * torch.rand(200, n, generator=generator) - 1
    chosen = subset_sum.closest(targets, numbers)
    far.append(float(((numbers * chosen).sum(1) - targets).abs().median()))
figure, ax = plt.subplots(figsize=(9, 3.8))
ax.semilogy(counts, far, color=plots.BLUE, marker="o")
_ = ax.set(xlabel="random numbers to choose from", ylabel="median error of the sum")

# %% [markdown]
# The line is nearly straight on a logarithmic axis: each additional number divides the error by a constant *factor*.
# Now let each weight of a trained network be such a target. The numbers to choose from are the paths from an input to
# an output through random hidden neurons. Each path is worth the product of its two random weights, and a mask chooses
# paths. The target is a trained layer that reads digits averaged down to 7 × 7 pixels:


# %% The target: a small trained layer
def average(part):
    return data.Split(avg_pool2d(part.x, 4).flatten(1), part.y)


coarse = mnist.each(average)
target = initializers.initialize(nn.Sequential(nn.Linear(49, 10, bias=False)), initializers.xavier_normal, seed=0)
recipe = catalog.settings("hidden-lenet-300-100").trained.but(batch=60, lr=3e-3)
_ = train(target, coarse, recipe)
print(f"trained, 49 → 10: test accuracy {percent(evaluate(target, coarse.test)[1])}")

# %% A trained layer, built from random parts
rows = []
for n in (4, 8, 16, 24):
    big, mask = subset_sum.contain(target[0].weight.detach(), n)
    as_drawn = evaluate(big, coarse.test)[1]
    masks.apply(big, mask)
    size = sum(m.numel() for m in mask.values())
    rows.append([f"49 → {49 * n} → 10", f"{size:,}", percent(as_drawn), percent(evaluate(big, coarse.test)[1])])
Table(["random network", "weights", "as drawn", "with the mask"], rows)

# %% [markdown]
# No weight of the random network was trained. If there are enough of them, the subnetwork computes nearly what the
# trained layer computes, and so it reads digits nearly as well. (For five random networks of this
# width, lesson 08's claims table prints the difference with its interval, which holds 0.) The price is width: compare the second
# column with the 490 weights of the target. The proof says that a good subnetwork exists. Edge-popup searches for one
# without knowing the target, and nobody has proved that it always finds one.
#
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Let us return to the three surprises of lesson 00 and to the count on the board.
#
# **Ask** Which of the three do you believe least now?
#
# **Expect** Compare with the count of the first lesson.
#
# </details>

# %% Without training, and with it
curve, seen = (live.by("k", f"{part}_accuracy", "kaiming") for part in ("test", "validation"))
k_best = max(seen, key=lambda k: sum(seen[k]))
print(f"LeNet-300-100, no weight trained: {spread(curve[k_best])} at k = {percent(k_best, 0)}")
print(f"  weights trained:    {spread(live.values('trained', 0, 'test_accuracy'))}")
print(f"  random mask:        {spread(live.by('k', 'test_accuracy', 'random')[k_best])}")
for n, record in conv.items():
    print(f"Conv-{n} in {record.settings['recipe']['iterations']:,} iterations: supermask", end=" ")
    print(f"{spread(at_half(n, 'kaiming'), 1)}, trained {spread(weights_trained[n], 1)}")

# %% tags=["hide-input"]
summary("07")

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` with your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Exercise 1 is the forward pass.
#
# **Ask** Share kept, or share removed?
#
# **Expect** Kept. Public code mixes them up.
#
# </details>

# %% [markdown]
# ### 1. The edges in use
#
# `scores` holds the scores of one layer, a tensor of any shape, and `k` is the share of its edges to keep. Return the
# mask: a boolean tensor of the same shape that is True for exactly round(`k` · n) of the n edges, those with the
# largest |score|. You may choose among equally large scores, but the number of edges must be exact.


# %% tags=["exercise"]
def forward_mask(scores, k):
    return None


# %%
checks.forward_mask(forward_mask)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# This is exercise 1 of lesson 01, with scores instead of weights and a share instead of a count.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Count first: `round(k * scores.numel())`. Then rank the scores. Do not compare them with a threshold: it keeps either
# all or none of several equal scores.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def forward_mask(scores, k):
#     return masks.keep_largest(scores.abs(), round(k * scores.numel()))
# ```
#
# `supermasks.Popup` computes its `mask` in this way, and `supermasks.supermask` returns the masks of all layers.
#
# </details>

# %% [markdown]
# ### 2. The gradient of the scores
#
# A dense layer without a bias computes out = inputs · (weight ⊙ mask)ᵀ, where the mask is 1 for the largest |score| and
# 0 for the others. You are given `grad_out` = ∂L/∂out of shape (n, out), the `inputs` (n, in), and the `weight` and the
# `scores` (out, in). Return ∂L/∂scores, a tensor of shape (out, in). Use the *straight-through* estimator: in the
# backward pass the mask counts as |score| itself. So every score gets a gradient, and it does not matter which edges
# are in use. That is why `k` is not an argument.


# %% tags=["exercise"]
def score_gradient(grad_out, inputs, weight, scores):
    return None


# %%
checks.score_gradient(score_gradient)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# By the chain rule there are three factors: the gradient of the weights in use, the derivative of a weight in use with
# respect to |s|, and the derivative of |s| with respect to s.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first factor is the same as in any dense layer, `grad_out.T @ inputs`, which sums over the batch. A weight in use
# is weight · |s| here. What is its derivative with respect to |s|? The derivative of |s| is the sign of s.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def score_gradient(grad_out, inputs, weight, scores):
#     return (grad_out.T @ inputs) * weight * scores.sign()
# ```
#
# PyTorch works out the first factor of any layer, convolutions too; the backward pass of `supermasks.Subnetwork`
# multiplies it by the other two.
#
# </details>

# %% [markdown]
# ### 3. Find the bugs
#
# Here is one step of edge-popup for one dense layer, as somebody might write it. It runs without an error and has
# exactly three bugs.
#
# ```python
# def popup_step(weight, scores, inputs, grad_out, k, lr):
#     # forward: only the top edges are in use
#     dropped = round(k * scores.numel())
#     ranks = scores.abs().flatten().argsort().argsort().view_as(scores)  # 0 is the smallest
#     mask = ranks >= dropped
#     used = weight * mask
#     out = inputs @ used.T
#     # backward: straight through to the scores
#     gradient = (grad_out.T @ inputs) * weight * mask
#     # update: the weights stay, the scores learn
#     new_scores = scores - lr * gradient
#     return out, new_scores
# ```
#
# Write it without the bugs. Return `out`, which is computed before the update, and the scores after one step of plain
# SGD with learning rate `lr`. `k` is the share kept, `grad_out` is ∂L/∂out, and edges are ranked by |score|, as in this
# lesson. Do not change the tensors that are given.


# %% tags=["exercise"]
def popup_step(weight, scores, inputs, grad_out, k, lr):
    return None


# %%
checks.popup_step(popup_step)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# One bug is in the forward pass, and two are in one line of the backward pass. Copy the code into the cell. The check
# counts the bugs that are left, and names one of them.
#
# </details>
# <details><summary>Hint 2</summary>
#
# At `k` = 0.1, how many edges should be dropped? What happens to an edge with a negative score whose |score| should
# grow? How can an edge that is not in use come back?
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def popup_step(weight, scores, inputs, grad_out, k, lr):
#     dropped = scores.numel() - round(k * scores.numel())
#     ranks = scores.abs().flatten().argsort().argsort().view_as(scores)
#     mask = ranks >= dropped
#     out = inputs @ (weight * mask).T
#     gradient = (grad_out.T @ inputs) * weight * scores.sign()
#     return out, scores - lr * gradient
# ```
#
# `k` is the share kept. The gradient of s is that of |s| times sign(s). Every score is updated, whether its edge is in
# use or not. After `supermasks.edge_popup`, `train` takes such steps in all layers, with momentum.
#
# </details>

# %% [markdown]
# ### 4. Weights for what is kept
#
# Kaiming's standard deviation, sqrt(2 / fan-in), suits a layer in which all edges are in use. If only the share `k` is
# in use, an output is a sum of about `k` · fan-in terms, and *scaled* Kaiming replaces the fan-in by this number.
# Return its standard deviation for a weight of this `shape`: (out, in) for a dense layer, or (out, in, height, width)
# for a convolution.


# %% tags=["exercise"]
def scaled_std(shape, k):
    return None


# %%
checks.scaled_std(scaled_std)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The fan-in is the number of terms in the sum of one output. In a convolution these are all the numbers under the
# kernel, in every input channel.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first number of `shape` counts the outputs, and the fan-in is the product of all the others. `k` makes it smaller,
# so the weights must be larger.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def scaled_std(shape, k):
#     fan_in = 1
#     for size in shape[1:]:
#         fan_in *= size
#     return (2 / (k * fan_in)) ** 0.5
# ```
#
# `initializers.named("kaiming", kept=k)` draws weights with it, and `initializers.fans` counts the inputs.
#
# </details>

# %% [markdown]
# ## References
#
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a
#   Randomly Weighted Neural Network?*, 2020, arXiv:1911.13299. Edge-popup.
# - Hattie Zhou, Janice Lan, Rosanne Liu, Jason Yosinski: *Deconstructing Lottery Tickets: Zeros, Signs, and the
#   Supermask*, 2019, arXiv:1905.01067. The first supermasks.
# - Jonathan Frankle, David J. Schwab, Ari S. Morcos: *The Early Phase of Neural Network Training*, 2020, arXiv:2002.10365.
#   Signs alone, in deep networks.
# - Eran Malach, Gilad Yehudai, Shai Shalev-Shwartz, Ohad Shamir: *Proving the Lottery Ticket Hypothesis: Pruning is All
#   You Need*, 2020, arXiv:2002.00585.
# - Ankit Pensia, Shashank Rajput, Alliot Nagle, Harit Vishwakarma, Dimitris Papailiopoulos: *Optimal Lottery Tickets via
#   SubsetSum: Logarithmic Over-Parameterization is Sufficient*, 2020, arXiv:2006.07990.
