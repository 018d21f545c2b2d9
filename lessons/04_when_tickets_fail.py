# %% [markdown]
# # When tickets fail
#
# **Question** Does every network hold winning tickets, and if not, what is missing?
#
# **Slides** S8, and what came after it
#
# **Before you start** Lesson [03](03_lottery_ticket.ipynb): ticket, the two controls, early stop.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** convolutions · a residual network · rewind a little less far · when to believe a ticket · do two runs end
# in one valley? · does a ticket win where it is stable? · a lower rate, and warm-up · where ours is not the paper's · what it says
# about the hypothesis · exercises

# %%
from statistics import fmean

import matplotlib.pyplot as plt
import torch
from IPython.display import display

from ltcourse import data, papers, pruning
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import predict, reveal, summary, toward
from ltcourse.display import comparisons, pictures, plots, settings, tickets, widgets
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points, points_interval, spread
from ltcourse.experiments import catalog, runs
from ltcourse.instruments import connectivity
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, restarts
from ltcourse.training import evaluate, train

plots.use_style()

# %% [markdown]
# ## Convolutions
#
# **The slides say** (S8): the outcome is a network of 1–15 % of the original size with at least the same accuracy.
# Lesson 03 found it in part for digits and dense layers. Does it hold for photographs, and for deeper networks?
#
# **The paper** repeats its experiment on CIFAR-10, with three networks of 3×3 convolutions. Conv-2 has two of them,
# Conv-4 four, Conv-6 six; each ends in dense layers of 256, 256 and 10 neurons. Two convolutions and a pooling that halves
# the image are one block.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** From digits to photographs. The live run is far too short to mean anything; say so before you start it.
#
# **Ask** So short a training gets how many of the ten classes right?
#
# **Expect** Few. The recorded figure shows what length does: left short, right as long as the paper's. Say how few
# seeds the right one has.
#
# </details>

# %%
rows = []
for name, reported in papers.FRANKLE_SIZES.items():
    weights = masks.prunable(models.create(name, device="meta"))
    convolutions = sum(w.numel() for w in weights.values() if w.dim() == 4)
    total = sum(w.numel() for w in weights.values())
    rows.append([reported.network, f"{total:,}", reported.weights, f"{convolutions:,}", reported.convolutions])
Table(["network", "weights", "the paper", "in convolutions", "the paper"], rows)

# %% [markdown]
# Our counts follow from the shapes. Two totals are not the paper's (Fig. 2): the residual network's by about one
# percent, though its convolutions agree, and Conv-6's by a third. Conv-6's convolutions agree, too, so the difference
# is in its dense layers, and we found no reading of the figure that gives 1.7M.
#
# Each round prunes 20 % of the dense layers, 10 % of the convolutions (15 % in Conv-6), and the output layer at half the
# rate of the dense layers. Here is Conv-2, live, with much less of everything: a tenth of the images, one epoch, and five
# of the paper's rounds taken as one. Try `"conv-4"` or `"conv-6"` in its place.

# %% tags=["hide-input"]
predict("04.short")

# %%
runner = runs.Runner("lottery-conv-2")
_ = watch(runner, "Conv-2")
conv = runner.record

# %% tags=["hide-output"]
number = conv.settings["rounds"]
print(f"test accuracy: dense {spread(conv.values('ticket', 0, 'test_accuracy'))}")
print(f"at P_m = {percent(conv.values('ticket', number, 'density')[0])}:")
for method in ("ticket", "re-initialized", "random"):
    print(f"  {method:15s} {spread(conv.values(method, number, 'test_accuracy'))}")
reveal("04.short", fmean(conv.values("ticket", 0, "test_accuracy")))

# %% [markdown]
# This is too short to mean much: 1,000 test images leave a standard error of more than a point. **We recorded** two
# searches on all of CIFAR-10: a short one on two cores, and one of the paper's length on a graphics card (its
# products in bfloat16, numbers of 8 significant bits, to save time; every other setting of a run is the paper's).

# %% At the paper's length tickets beat the dense Conv-2
short, recorded = (runs.load_or_run("lottery-conv-2", at) for at in ("desk", "paper"))
methods = ("ticket", "re-initialized", "random")
figure, axes = plt.subplots(1, 2, figsize=(14, 5))
for run, ax in zip((short, recorded), axes, strict=True):
    print(run)
    plots.against_density({m: run.curve(m, "test_accuracy") for m in methods}, ax, ylabel="test accuracy")
    seeds = len(run.trials)
    ax.set_title(f"{run.settings['recipe']['iterations']:,} iterations per round, {seeds} seed{'s' * (seeds > 1)}")

# %% [markdown]
# Left, the searches are so short that the masks come from networks that have hardly begun to learn, and the smallest
# ticket is worse than the dense network. Right, at the paper's length, in the one seed recorded, tickets are better
# than the dense network down to a tenth of its weights, and about as good down to a twentieth. In both, the initial
# values matter: with new weights the same masks do worse, and the smallest of them no better than a random one of its
# size.
#
# As in lesson 03, the early stop tells the speed:

# %%
figure, ax = plt.subplots()
curves = {m: recorded.curve(m, "early_stop") for m in ("ticket", "re-initialized")}
plots.against_density(curves, ax, ylabel="early stop (iteration)", shares=False)
Table(
    ["P_m", "ticket minus dense", "re-initialized minus dense"],
    [
        [
            percent(recorded.values("ticket", n, "density")[0]),
            *(points(recorded.change(m, n, "test_accuracy")) for m in ("ticket", "re-initialized")),
        ]
        for n in recorded.settings["redrawn"]
    ],
)

# %% [markdown]
# With new weights a mask learns later the smaller it is; with its own initial values sooner, until very little is left.
# **The paper reports** (Sec. 3) how far tickets get at most; ours beside it, as means over the seeds that there are:

# %% The effect is the paper's, but weaker
rows = [[papers.FRANKLE_SIZES[name].network, *found, ""] for name, found in papers.FRANKLE_CONV.items()]
rows.append(["Conv-2, ours", *comparisons.largest_leads(recorded)])
Table(["", "sooner", "better at the early stop", "better at the end"], rows)

# %% [markdown]
# The effect is the paper's, but weaker: sooner by less, better by less, and at larger sizes. The largest of many
# differences is flattered by having been chosen, in the paper as here. And look at how many seeds the title counts:
# from one, nothing can be said about chance. Conv-4 and Conv-6 are not recorded: one round of theirs takes hours on
# two cores (`ltcourse record lottery-conv-4 --budget paper` makes the record where there is a graphics card).
#
# In the one seed recorded, then, tickets are not a matter of digits and dense layers alone. Do they hold for deeper
# networks?
#
# ## A residual network
#
# Two things make networks of tens of layers trainable. **Batch norm** shifts and scales each channel to mean 0 and
# variance 1 over the batch, before two learned numbers shift and scale it again. A **residual** block adds its input to
# its output, so that its layers only learn the difference. The paper's network has 20 layers, ours 8.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Two ideas in one minute each: batch norm, and the shortcut. Then let them vote, and show the figure: the first
# time in the course that a ticket fails.
#
# **Ask** Which wins, the ticket or the same mask with new weights?
#
# **Expect** Most say the ticket, after lesson 03. Here it is hardly better, and both are far below the dense network.
#
# </details>

# %% The layers of a residual network differ in size
resnet = models.create("resnet-8", seed=0)
print(resnet.stage2_1)
print(f"{models.weight_count(resnet):,} weights in {len(masks.prunable(resnet))} layers")

# %% [markdown]
# Its layers differ very much in size: a fixed share of each would leave a bottleneck in the small ones. So all layers
# are pruned together, *globally*: the smallest weights of the whole network go, wherever they are (the paper's Sec. 4).
# Here that is done to the weights as they are drawn, before any training. The shares show only how widely each layer is
# drawn; after training they differ.

# %%
weights = {name: p.detach() for name, p in masks.prunable(resnet).items()}
mask = criteria.magnitude(weights, masks.dense(resnet), 0.75, scope="global")
kept = sorted(m.float().mean().item() for m in mask.values())
print(f"{percent(masks.density(mask))} in all, layer by layer {percent(kept[0], 0)} to {percent(kept[-1], 0)}")

# %% [markdown]
# **We recorded** the search for its tickets on images of half the resolution, 16 × 16. That makes the training short
# enough for two cores to take it through its whole schedule. The settings beside the paper's:

# %% Our settings beside the paper's
settings.beside_paper("lottery-resnet", "night")

# %% [markdown]
# A dash says that the paper does not tell.
#
# Each round prunes half of the remaining weights and resets the survivors to iteration 0. Every mask is trained once
# more with new weights (*re-initialized*), and beside it a random mask of its size with the initial values (*random*).

# %% tags=["hide-input"]
deep = runs.if_recorded("lottery-resnet", "night")
predict("04.ticket", "04.initial", begin=fmean(deep.values("ticket", 0, "test_accuracy")) if deep else None)

# %% Reset to iteration 0, the ticket of a residual network fails tags=["hide-output"]
if deep:
    figure, ax = plt.subplots(figsize=(10, 5))
    tickets.against_dense({m: deep.curve(m, "test_accuracy") for m in ("ticket", "re-initialized", "random")}, ax)
    ax.set_title(f"ResNet-8, reset to iteration 0, {len(deep.trials)} seeds")
    of_dense, of_ticket, of_new = (
        deep.values(*what, "test_accuracy") for what in (("ticket", 0), ("ticket", 3), ("re-initialized", 3))
    )
    reveal("04.ticket", fmean(of_ticket), ax, x=0.125, begin=(1, fmean(of_dense)))
    ahead = [t - n for t, n in zip(of_ticket, of_new, strict=True)]
    reveal("04.initial", toward(ahead, "ahead", "alike", "behind"), ax)

# %% [markdown]
# The ticket fails. Reset to iteration 0 it falls below the dense network. In both seeds it falls further with every
# round; the table below says which intervals exclude 0. With new weights the same masks do a little worse on average,
# and so do random masks. Two seeds hardly tell the three apart.
#
# In numbers, each with the interval in which the mean lies with 95 % confidence (Student's *t* over the seeds):

# %% The failure in numbers tags=["hide-output"]
if deep:
    rows = [
        [
            percent(deep.values("ticket", n, "density")[0]),
            *(points_interval(deep.change(m, n, "test_accuracy")) for m in methods),
        ]
        for n in range(1, deep.settings["rounds"] + 1)
    ]
    display(Table(["P_m", *(f"{m} minus dense" for m in methods)], rows))

# %% [markdown]
# **The paper reports** the same (Frankle & Carbin 2019, Sec. 4): at the usual learning rate, 0.1, iterative pruning finds
# *no* winning tickets in VGG-19 and in its residual network. Reset to their initial values, the subnetworks do no better
# than with new ones. There the search finds no ticket; whether one exists it cannot say.
#
# ## Rewind a little less far
#
# Must the weights return to iteration 0? Frankle and Carbin asked that next, now with Gintare Karolina
# Dziugaite and Daniel Roy (2019, 2020). Their survivors do not return to their values before training, but to those
# of an *early* iteration *k*. In the loop that is one argument, `restart=to_step(k)`. Training then goes on from
# iteration *k*. Live, on a tenth of the images:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** One argument of the loop: back to iteration k, not to 0. Let them vote before the recorded figure.
#
# **Ask** By how much can a twentieth of the training change what is left of the network?
#
# **Expect** A little. In the figure it is most of what resetting loses down to an eighth of the weights, and about
# half of it at the smallest size.
#
# </details>

# %% Rewinding is one argument of the loop
live = catalog.settings("lottery-resnet")
photos = data.load(live.data)
loop = pruning.prune_iteratively(
    models.create(live.network, seed=0),
    photos,
    live.recipe.but(evaluate_every=live.rewind // 2),
    rate=live.rate,
    rounds=1,
    scope="global",
    restart=restarts.to_step(live.rewind),
)
dense, rewound = watch(loop, f"rewind to iteration {live.rewind}", total=2).items
first, again = dense.history.iterations, rewound.history.iterations
print(f"evaluated at iterations {first[0]}, {first[1]}, … {first[-1]}; after rewinding at {again[0]}, … {again[-1]}")

# %% [markdown]
# That is how it works, in too short a run to show what it is worth. **We recorded** a second search beside the one above:
# the same dense networks, the same rounds, but each round rewinds to a twentieth of the training.

# %% tags=["hide-input"]
predict("04.rewound")

# %% tags=["hide-output"]
if deep:
    figure, ax = plt.subplots(figsize=(10, 5))
    tickets.against_dense({m: deep.curve(m, "test_accuracy") for m in ("rewound", "ticket", "re-initialized")}, ax)
    ax.set_title(
        f"ResNet-8, rewound to iteration {deep.settings['rewind']} of {deep.settings['recipe']['iterations']:,}"
    )
    dense_end, ticket_end, rewound_end = (
        fmean(deep.values(*what, "test_accuracy")) for what in (("ticket", 0), ("ticket", 3), ("rewound", 3))
    )
    way = (rewound_end - ticket_end) / (dense_end - ticket_end)  # 0: with the ticket, 1: with the dense network
    reveal("04.rewound", "dense" if way > 0.75 else "ticket" if way < 0.25 else "between", ax)

# %% [markdown]
# Down to an eighth of the weights, at this length, the rewound network cannot be told from the dense one, or is ahead
# (at a half and a quarter in both seeds). (Pruned once and trained for longer, it falls behind: see "When to believe
# a ticket".) Below an eighth it falls short, but by much less than the reset one, in both seeds. Both searches prune
# by the same rule and train for as long. They differ in the iteration to which the survivors return (and so, from the
# second round on, in the masks: each search prunes the networks that it has trained).

# %%
if deep:
    for n in range(1, deep.settings["rounds"] + 1):
        pairs = zip(deep.values("rewound", n, "test_accuracy"), deep.values("ticket", n, "test_accuracy"), strict=True)
        print(f"P_m {percent(deep.values('ticket', n, 'density')[0]):>6}: ", end="")
        print(f"rewound minus dense {points_interval(deep.change('rewound', n, 'test_accuracy'))}, ", end="")
        print(f"rewound minus reset {points_interval([r - t for r, t in pairs])}")

# %% [markdown]
# How far may it be? The next cell shows the same search, rewound to other iterations, or says that it is not recorded
# yet. Look for the earliest iteration from which the network is as accurate as the dense one.

# %% How early is early enough?
rewinds = runs.if_recorded("lottery-resnet-rewinds", "night")
if deep and rewinds:
    number = 3
    found = {0: deep.values("ticket", number, "test_accuracy")}
    found[deep.settings["rewind"]] = deep.values("rewound", number, "test_accuracy")
    for k in rewinds.settings["rewinds"]:
        found[k] = rewinds.values(f"rewound to {k:,}", number, "test_accuracy")
    dense = spread(deep.values("ticket", 0, "test_accuracy"))
    print(f"test accuracy at P_m = {percent(deep.values('ticket', number, 'density')[0])}; dense {dense}")
    display(Table(["rewound to iteration", "test accuracy"], [[f"{k:,}", spread(found[k])] for k in sorted(found)]))

# %% [markdown]
# ## When to believe a ticket
#
# Is it depth that makes the ticket fail? Our residual network has eight layers, and Conv-6, in which the paper finds
# tickets, has nine. Something else matters as much: *how long* the networks train. Here is the residual network live,
# on a tenth of the images, in the shortest training that we tried, and with a single pruning.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** The same experiment, short. It says the opposite. Which of the two do you believe, and why?
#
# **Ask** And if we train eight times as long?
#
# **Expect** The lead shrinks, and turns: the dense network needed the time. In a short run every pruned network looks like
# a winner, because the dense one has not finished.
#
# </details>

# %% A very short run, live
runner = runs.Runner("lottery-length")
_ = watch(runner, f"{catalog.settings('lottery-length').lengths[-1]:,} iterations")
brief = tickets.gains_by_length(runner.record)

# %%
for method, gains in brief.items():
    for length, differences in gains.items():
        print(f"{length:,} iterations, {method} minus dense: {points(differences)}")

# %% [markdown]
# Look at the sign of the ticket's difference, and at how it stands to the re-initialized one's.
#
# <details><summary>What one usually sees</summary>
#
# The ticket is ahead of the dense network, and of its mask with new weights: a winning ticket in a residual network, at
# iteration 0. Nothing is wrong with the run. It is short.
#
# </details>

# %% tags=["hide-input"]
predict("04.longer")

# %% The lead of a ticket shrinks as the training gets longer tags=["hide-output"]
lengths = runs.if_recorded("lottery-length", "night")
if lengths:
    figure, ax = plt.subplots(figsize=(10, 5))
    by_length = tickets.gains_by_length(lengths)
    tickets.against_length(by_length, ax)
    left = percent(1 - lengths.settings["rate"], 0)
    ax.set_title(f"one pruning to {left}, whole CIFAR-10 at 16 × 16, {len(lengths.trials)} seeds")
    leads = [fmean(gains) for _, gains in sorted(by_length["ticket"].items())]
    times_as_large = leads[-1] / leads[0]
    grown = "turns" if times_as_large < 0 else "shrinks" if times_as_large < 0.75 else "stays"
    reveal("04.longer", "grows" if times_as_large > 1.25 else grown, ax)

# %% The lead against the length, in numbers tags=["hide-output"]
if lengths:
    rows = [
        [f"{length:,}", *(points_interval(gains[length]) for gains in by_length.values())]
        for length in lengths.settings["lengths"]
    ]
    display(Table(["iterations", *(f"{m} minus dense" for m in by_length)], rows))

# %% [markdown]
# The lead turns. In both seeds the ticket is ahead of the dense network in the three shortest trainings and behind it in
# the three longest. The pruned networks do not get worse: the dense network uses the time better. The rewound network
# loses its lead, too, at this size, but it loses much less. With new weights the mask falls behind sooner than with its
# own. So a short training and a long one give opposite answers to the same question.
#
# Two records of the search in rounds say the same, one short, one long (the short one has images of 32 × 32, and no
# **augmentation**: no random crops, no mirrored images):

# %% Short and long searches
for run in (runs.load_or_run("lottery-resnet", "desk"), deep):
    if run:
        change = points_interval(run.change("ticket", 3, "test_accuracy"))
        size = percent(run.values("ticket", 3, "density")[0])
        print(f"{run.settings['recipe']['iterations']:,} iterations, ticket at {size} minus dense: {change}")

# %% [markdown]
# So before you believe a ticket, ask **how far the dense network was from its end**. A dense network that has seen each
# image once or twice is far from done, and whatever learns faster looks better.
#
# Ask a second question: **how much training is in the mask?** The mask of round *n* was found by *n* trainings on the same
# images. "Trained for as long as the dense network" counts only the last one. A mask absorbs training. That is why the
# re-initialized network is the fair control: it has the same mask, with as much training in it, and differs in the values
# alone. The comparison with the dense network is not fair in that sense, for a ticket no more than for a rewound network.
#
# ## Do two runs end in the same valley?
#
# What has happened by the early iteration that had not happened at 0? Frankle et al. (2020) propose a test. Train the
# network for *k* iterations. Then make two copies, and train each to the end, with the examples in different orders. Does
# chance decide where they arrive?
#
# Walk in a straight line from one to the other: the weights $(1 - t)\,\theta_1 + t\,\theta_2$ for $t$ from 0 to 1. If
# the error on the way is no higher than at the ends, the two lie in one valley, and the order of the examples did not
# matter: the network is **stable** from *k* on. If the error climbs, there is an **error barrier** between them; its
# height is the highest error on the way minus the mean of the errors at the two ends. Two networks without a barrier
# between them have *linear mode connectivity*.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 7 minutes</summary>
#
# **Say** Draw two valleys on the board, and a straight line between two points. That is the whole test.
#
# **Ask** Two copies from iteration 0, trained on the same images in another order: one valley or two?
#
# **Expect** For LeNet one. For the residual network two, unless they part a little later.
#
# </details>

# %% [markdown]
# The picture is a sketch: its landscape is a formula of two weights, with two valleys.

# %% tags=["picture-valleys"]
widgets.explore(pictures.valleys())

# %% [markdown]
# Now with real networks, by hand, for LeNet and *k* = 0. (The library's function takes training images, too: batch
# norm's means must be computed anew at each point of the way.)

# %%
mnist = data.load("mnist")
recipe = catalog.settings("instability-lenet-300-100").recipe
lenet = models.create("lenet-300-100", seed=0)
θ0 = snapshot(lenet)

ends = []
for order in (1, 2):
    lenet.load_state_dict(θ0)
    train(lenet, mnist, recipe, seed=order)
    ends.append(snapshot(lenet))

middle = {name: torch.lerp(ends[0][name], ends[1][name], 0.5) for name in θ0}  # half of the way
lenet.load_state_dict(middle)
half_way = 1 - evaluate(lenet, mnist.validation)[1]

# %% Two copies, and the line between them
shares = [i / 10 for i in range(11)]
errors = connectivity.errors_along(lenet, ends[0], ends[1], mnist.validation, mnist.train, shares)
print("half-way by hand and by the library, the same error:", half_way == errors[5])
print("validation error on the way:", *(percent(e) for e in errors))
print(f"error barrier: {percent(connectivity.barrier(errors))}")

# %% [markdown]
# Two different networks, from one beginning. How high is the barrier? The paper calls less than 2 % stable. The same for
# two values of *k*, live, and beside it the residual network, recorded:

# %% Copied early, two residual networks end in two valleys
runner = runs.Runner("instability-lenet-300-100")
_ = watch(runner, "LeNet", total=len(catalog.settings("instability-lenet-300-100").forks))
apart = runs.load_or_run("instability-resnet-8", "desk")
print(apart)
figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), sharey=True)
for ax, record in zip(axes, (runner.record, apart), strict=True):
    lines = {f"k = {fork}": along for fork, along in record.by("iteration", "along", "fork").items()}
    title = f"{record.settings['network']}, {record.settings['recipe']['iterations']:,} iterations"
    plots.along_a_line(lines, ax, title)

# %%
for record in (runner.record, apart):
    for fork, heights in record.by("iteration", "barrier", "fork").items():
        verdict = "stable" if max(heights) < tickets.STABLE else "not stable"
        print(f"{record.settings['network']}, from iteration {fork} on: error barrier {spread(heights)}, {verdict}")

# %% [markdown]
# Look for a wall in LeNet's lines, which were measured here.
#
# <details><summary>What one usually sees</summary>There is none, for copies made at any of the iterations.</details>
#
# Two copies of the residual network, made at iteration 0, end in two valleys with a wall between them. Copies made a
# twentieth of the training later end in one. So chance decides where it ends, but in this record only in the first
# iterations. The record is short, 1,000 iterations and two seeds, so that the last section's warning applies to it,
# too. **The paper reports** (2020, Sec. 3): LeNet is stable from iteration 0 on, ResNet-20 only from about 2,000 of
# its 63,000.
#
# ## Does a ticket win where it is stable?
#
# So far this is about the dense network. The paper's claim is about the pruned one: such a subnetwork reaches the accuracy
# of the dense network *only when* it is itself stable, that is, when two copies of *it* end in one valley (Frankle et al.
# 2020, Sec. 4). One way to think of it: a mask fits the valley in which it was found. A network that may still end in
# another one has little use for it.
#
# For each *k* we search for a ticket by rewinding to *k*, in two rounds. Then we train two copies of it from *k* on,
# with the examples in different orders, and two copies of the dense network.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Left who wins, right who is stable. The paper says that the two go together.
#
# **Ask** Would one network that wins without being stable refute it?
#
# **Expect** Yes: "only when" forbids that case. One that is stable and loses would not.
#
# </details>

# %% tags=["hide-input"]
predict("04.stable")

# %% The ticket that wins is stable, and the one that loses is not tags=["hide-output"]
stability = runs.if_recorded("instability-tickets", "night")
if deep and stability:
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5))
    tickets.against_dense({m: deep.curve(m, "test_accuracy") for m in ("rewound", "ticket")}, left)
    ticket, dense = (stability.by("iteration", "barrier", m) for m in ("ticket", "dense"))
    later = {k: heights for k, heights in ticket.items() if k}
    tickets.barriers({"dense": dense, "ticket": {0: ticket[0]}, "rewound": later}, right)
    reset, rewound = (fmean(ticket[k]) < tickets.STABLE for k in stability.settings["forks"][:2])
    reveal("04.stable", "both" if reset and rewound else "rewound" if rewound else "neither", right)

# %% Stability and accuracy, in numbers tags=["hide-output"]
if stability:
    text = {"barrier": spread, "test_accuracy": spread}
    rows = [
        [
            f"{k:,}",
            *(show(stability.by("iteration", key, m)[k]) for m in ("ticket", "dense") for key, show in text.items()),
        ]
        for k in stability.settings["forks"]
    ]
    display(Table(["k", "barrier, pruned", "accuracy, pruned", "barrier, dense", "accuracy, dense"], rows))

# %% [markdown]
# Look along the rows. Reset to 0, the ticket is far from stable, and it is the one that loses. Rewound to 400, its
# barrier is all but gone, in both seeds, and it is no less accurate than the dense network. So is the one rewound to
# 2,000. No row speaks against the paper's claim: no ticket wins without being stable. And compare the two barriers: from
# iteration 400 the pruned network is stable, while the dense one is still at the border of 2 % (the dashed line).
#
# That is two seeds, three *k* and one size, a quarter of the weights. It agrees with "only when", and it does not prove
# it. What it shows is where the difference comes from: some hundred iterations decide in which valley a training will
# end, and this mask is of use only after that.
#
# ## A lower rate, and warm-up
#
# Rewinding is not the only remedy. The first paper found two others before anyone knew why: a *lower learning rate*, and
# one that is raised slowly from 0 (**warm-up**). With small first steps chance has less to decide. In a recipe these are
# two numbers:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The remedies that were found before anyone knew why.
#
# **Ask** Why could small first steps help?
#
# **Expect** Chance has less to decide in them.
#
# </details>

# %% Two more remedies: a lower rate, and a warm-up
REMEDIES = {"lottery-resnet": "0.1", "lottery-resnet-low": "0.01", "lottery-resnet-warm": "0.03, warm-up"}
figure, ax = plt.subplots(figsize=(9, 3.6))
for (name, label), color in zip(REMEDIES.items(), (plots.GRAY, plots.PURPLE, plots.BLUE), strict=True):
    recipe = catalog.settings(name, "night").recipe
    iterations = range(1, recipe.iterations + 1)
    ax.plot(iterations, [recipe.lr_at(i) for i in iterations], color=color, label=label)
ax.set(xlabel="iteration", ylabel="learning rate")
_ = ax.legend()

# %% [markdown]
# **The paper reports** (Frankle & Carbin 2019, Sec. 4): no tickets in VGG-19 and in its residual network at 0.1; with a
# warm-up, tickets down to 1.5 % of VGG-19, and at 0.03 with a warm-up 90.5 % accuracy at 27.1 % of the residual network.
# **Another paper** (Liu et al. 2019, Sec. 6; see lesson [03](03_lottery_ticket.ipynb)) reports from CIFAR-10 that the initial
# values beat newly drawn ones at a rate of 0.01, and do not at 0.1, where the networks are the better ones.
#
# (The next cell names the rates that are not recorded yet.)

# %% The remedies beside the usual rate
remedies = {label: runs.if_recorded(name, "night") for name, label in REMEDIES.items()}
remedies = {label: record for label, record in remedies.items() if record}
if len(remedies) > 1:
    figure, axes = plt.subplots(1, len(remedies), figsize=(15, 5), sharey=True)
    for ax, (label, record) in zip(axes, remedies.items(), strict=True):
        tickets.against_dense({m: record.curve(m, "test_accuracy") for m in ("ticket", "re-initialized")}, ax)
        ax.set_title(f"learning rate {label}")

# %% A remedy must be judged with its dense network
number = 3
for label, record in remedies.items():
    found = (record.values(m, number, "test_accuracy") for m in ("ticket", "re-initialized"))
    ahead = [t - r for t, r in zip(*found, strict=True)]
    print(f"rate {label}, P_m = {percent(record.values('ticket', number, 'density')[0])}: ", end="")
    print(f"ticket minus dense {points_interval(record.change('ticket', number, 'test_accuracy'))}, ", end="")
    print(f"minus re-initialized {points_interval(ahead)}")

# %% [markdown]
# Two things have to be read together: the distance of the ticket from its dense network, and how good that dense network
# is. A remedy that makes both networks worse has mended little.
#
# ## Where ours is not the paper's
#
# A reader of a reproduction should know what was reproduced. For each experiment of this lesson: what is as in the paper,
# and what is ours in place of its.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** One table, for those who want to check us.
#
# **Ask** Which difference would you remove first?
#
# **Expect** The network, or the size of the images: they are why it fits on two cores.
#
# </details>

# %%
settings.differences(
    [
        ("lottery-conv-2", "paper"),
        *((name, "night") for name in REMEDIES),
        ("lottery-length", "night"),
        ("instability-tickets", "night"),
    ]
)

# %% [markdown]
# The network and the images are smaller than the paper's, so the numbers are not comparable with its numbers.
# `ltcourse record lottery-resnet --budget paper` comes nearer, where there is a graphics card: it has the paper's
# network, images and length, but a cosine for the learning rate, no augmentation, and all layers pruned.
#
# ## What it says about the hypothesis
#
# - As the slides state it (S6), for a *randomly initialized* network, the evidence from LeNet is in lesson 08's claims
#   table. For a small residual network that is trained through its whole schedule at the usual learning rate it is not
#   confirmed: the papers report that, and our runs show it.
# - The corrected statement is about an *early* network: there is a subnetwork of the network at iteration *k* that trains
#   as well as the whole. It claims less. In our residual network it held down to an eighth of the weights.
# - Whether a ticket wins depends on the learning rate, the warm-up and the length of the training. It is a fact about a
#   network *and the way it is trained*, not about the network alone.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Three sentences. Read the second one twice: it claims less.
#
# **Ask** Is the hypothesis of the slides true?
#
# **Expect** For LeNet it is partly decided: lesson 08's table has the numbers. Our residual network did better from an
# early iteration.
#
# </details>

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Read the lines, and say which are ours and which are the paper's.
#
# **Ask** What would change your mind about our runs?
#
# **Expect** More seeds, the paper's network, the paper's images. The commands for them are in the lesson.
#
# </details>

# %%
for n in recorded.settings["redrawn"][1::2]:
    print(f"Conv-2, {percent(recorded.values('ticket', n, 'density')[0])} of the weights:")
    for method in ("ticket", "re-initialized"):
        print(f"  {method} minus dense {points_interval(recorded.change(method, n, 'test_accuracy'))}")
if deep:
    print(f"ResNet-8, {percent(deep.values('ticket', 3, 'density')[0])} of the weights:")
    for method in ("ticket", "re-initialized", "rewound"):
        print(f"  {method} minus dense {points_interval(deep.change(method, 3, 'test_accuracy'))}")
for fork, heights in apart.by("iteration", "barrier", "fork").items():
    print(f"ResNet-8, dense: error barrier of two runs from iteration {fork} on {spread(heights)}")
if stability:
    for fork, heights in stability.by("iteration", "barrier", "ticket").items():
        print(f"ResNet-8, a quarter of the weights: error barrier from iteration {fork:,} on {spread(heights)}")

# %% tags=["hide-input"]
summary("04")

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** The first one is a line between two networks.
#
# **Ask** Where would you evaluate it?
#
# **Expect** In the middle, where the wall is highest.
#
# </details>

# %% [markdown]
# ### 1. Between two networks
#
# `a` and `b` are the weights of two networks (name → tensor). Return those at a point of the line between them: (1 −
# `share`) · a + `share` · b, biases included. Whole numbers, such as the count of batches that batch norm has seen,
# are those of `a`. All tensors are new, also where `share` is 0 or 1, and `a` and `b` stay as they are.


# %% tags=["exercise"]
def between(a, b, share):
    return None


# %%
checks.between(between)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# One line for each tensor of `a`, with the tensor of `b` of the same name. `w.is_floating_point()` tells weights from
# counts.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.lerp(w, b[name], share)` is the point on the line, and always a new tensor. A count needs a `.clone()`.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def between(a, b, share):
#     return {
#         name: (1 - share) * w + share * b[name] if w.is_floating_point() else w.clone() for name, w in a.items()
#     }
# ```
#
# `connectivity.between` also refuses weights that are of different networks.
#
# </details>

# %% [markdown]
# ### 2. The error barrier
#
# `errors` are the errors (0 to 1) at points of the line between two networks, from one end to the other. Return the
# *error barrier*: the highest of the errors minus the mean error of the two ends.


# %% tags=["exercise"]
def error_barrier(errors):
    return None


# %%
checks.error_barrier(error_barrier)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Two networks may be bad and still have no barrier between them: what counts is how much worse it gets on the way.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The ends are `errors[0]` and `errors[-1]`. The highest error need not be in the middle, and may be an end.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def error_barrier(errors):
#     ends = (errors[0] + errors[-1]) / 2
#     return max(errors) - ends
# ```
#
# It is `connectivity.barrier`.
#
# </details>

# %% [markdown]
# ### 3. One ranking for all layers
#
# Deep networks are pruned *globally*: all layers compete. `weights` are the layers' weights (name → tensor). Return a
# mask (name → booleans of the same shape) that keeps exactly round(`density` · n) of the n weights of all layers
# together, those of the largest magnitudes. Which of equally large ones stay is up to you; how many is not.


# %% tags=["exercise"]
def global_mask(weights, density):
    return None


# %%
checks.global_mask(global_mask)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Put all weights into one row: `torch.cat([w.flatten() for w in weights.values()])`. On that row, it is exercise 1 of
# lesson 01.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `row.split([w.numel() for w in weights.values()])` divides a row into the layers again, and `.view_as(w)` gives each
# part its shape.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def global_mask(weights, density):
#     row = torch.cat([w.flatten() for w in weights.values()]).abs()
#     keep = masks.keep_largest(row, round(density * len(row)))
#     parts = keep.split([w.numel() for w in weights.values()])
#     return {name: part.view_as(w) for (name, w), part in zip(weights.items(), parts, strict=True)}
# ```
#
# `criteria.magnitude` with `scope="global"` does it among the weights that an earlier mask has left.
#
# </details>

# %% [markdown]
# ## References
#
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis*, 2019, arXiv:1803.03635. Conv-2/4/6, warm-up.
# - Jonathan Frankle, Gintare Karolina Dziugaite, Daniel Roy, Michael Carbin: *Stabilizing the Lottery Ticket Hypothesis*,
#   2019, arXiv:1903.01611. Rewinding.
# - Jonathan Frankle, Gintare Karolina Dziugaite, Daniel Roy, Michael Carbin: *Linear Mode Connectivity and the Lottery
#   Ticket Hypothesis*, 2020, arXiv:1912.05671. Instability and its barrier.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. Tickets and the learning rate.
# - Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun: *Deep Residual Learning for Image Recognition*, 2016,
#   arXiv:1512.03385. Residual networks.
