# %% [markdown]
# # One ticket to win them all
#
# **Question** Is a winning ticket good only for the data and the optimizer that found it?
#
# **Slides** S6, S7, and the slides' second source
#
# **Before you start** Lessons [03](03_lottery_ticket.ipynb): ticket, the two controls, early stop; and
# [04](04_when_tickets_fail.ipynb): rewinding, global pruning.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** what is a ticket? · a ticket that travels · the matrix · pick a source, a target, a density · where the
# tickets look · the mask or the values? · another optimizer · does a larger source help? · photographs and clothes ·
# how alike are two tickets? · beside the paper · exercises

# %%
import tempfile
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
import torch
from IPython.display import display

from ltcourse import data, papers
from ltcourse.classroom import checks
from ltcourse.display import plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points, spread
from ltcourse.experiments import catalog, runs
from ltcourse.experiments.transfer import fitted
from ltcourse.experiments.transfer_matrix import TransferMatrix
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, prune_iteratively, tickets
from ltcourse.pruning.tickets import Ticket
from ltcourse.training import train

plots.use_style()
settings = catalog.settings("transfer-lenet-300-100")
digits, clothes = data.load("mnist"), data.load("fashion-mnist-mini")

# %% [markdown]
# ## What is a ticket?
#
# A ticket is a mask together with the weights that the survivors began with (lesson 03). Neither was made with the data
# in mind: the weights were drawn at random, before any image was seen. But the mask was. It is what training on *these*
# images, with *this* optimizer, left over.
#
# So there are two things that a ticket could be. Perhaps it is a small network **for digits**: its mask has learned what
# digits look like, and on anything else it is worth no more than a random mask. Or it is a small network **that trains
# well**, whatever it is trained on. Then finding one pays: it costs a training a round, but only once.
#
# **The slides' second source** (Morcos et al. 2019) asks exactly this: find tickets with one data set and optimizer, and
# train them with another.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Two readings: a small network for digits, or a small network that trains well. Everything below decides
# between them.
#
# **Ask** Which of the two do you believe?
#
# **Expect** Vote now; the matrix answers.
#
# </details>

# %% [markdown]
# ## A ticket that travels
#
# First a ticket that can be carried around. This finds one as in lesson 03, in short runs, and keeps what belongs to it:
# the mask, the first weights, and where it was found.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** A ticket as a file: mask, first values, where it was found. Show how a damaged one is refused.
#
# **Ask** The new task has five classes. What happens to the output layer?
#
# **Expect** It has no meaning there, and is drawn anew.
#
# </details>


# %%
def search(images, seed):
    recipe = settings.recipe.but(iterations=catalog.live(400), evaluate_every=catalog.live(400))
    network = models.create("lenet-300-100", seed=seed)
    θ0 = snapshot(network)
    rates = criteria.layer_rates(masks.dense(network), 0.36)  # two rounds of 20 % taken as one
    loop = prune_iteratively(network, images, recipe, rate=rates, rounds=5, seed=seed)
    mask = watch(loop, f"a ticket of {images.name}, seed {seed}", total=6).last.mask
    return Ticket(mask, θ0, origin={"network": "lenet-300-100", "data": images.name, "seed": seed, "round": 5})


from_digits, from_clothes, another = search(digits, 0), search(clothes, 0), search(digits, 1)
print(from_digits)

# %% [markdown]
# Written to a file and read again, it must be the same ticket to the last bit: a ticket is its exact numbers. (The file
# is of the safetensors format: nothing in it can be executed, as it could in a pickle.)

# %% tags=["nbval-check-output"]
folder = tempfile.TemporaryDirectory()
file = tickets.save(from_digits, Path(folder.name) / "digits.ticket")
again = tickets.load(file)
print("same mask:", all(torch.equal(m, again.mask[name]) for name, m in from_digits.mask.items()))
print("same weights, bit for bit:", all(torch.equal(w, again.weights[name]) for name, w in from_digits.weights.items()))

# %% [markdown]
# What is no ticket, or not one of this network, is refused in one sentence: a file that was cut off in a download, and a
# ticket that is put into the wrong network.

# %% tags=["nbval-check-output"]
cut = Path(folder.name) / "cut.ticket"
cut.write_bytes(file.read_bytes()[:-1])
for attempt in (lambda: tickets.load(cut), lambda: tickets.transplant(from_digits, models.create("lenet-5"))):
    try:
        attempt()
    except tickets.TicketError as problem:
        print(problem)

# %% [markdown]
# A new task can have another number of classes. Then the ticket's output layer has no meaning, and **the paper** draws a
# new one. To **transplant** a ticket: copy its weights into the new network, set to 0 what its mask removes, and leave
# the output layer as it was drawn, whole, if the classes differ. By hand, for five classes:

# %%
five = models.create("lenet-300-100", classes=5, seed=7)
with torch.no_grad():
    for name, p in five.named_parameters():
        if not name.startswith("fc3"):
            p.copy_(from_digits.weights[name] * from_digits.mask.get(name, 1))  # biases are not in the mask

# %% [markdown]
# And by the library, which returns the mask to train with:

# %% tags=["nbval-check-output"]
theirs = models.create("lenet-300-100", classes=5, seed=7)
mask = tickets.transplant(from_digits, theirs)
far = max((p - q).abs().max().item() for p, q in zip(five.parameters(), theirs.parameters(), strict=True))
print("largest difference:", far)
print("weights of the output layer:", int(mask["fc3.weight"].sum()), "of", mask["fc3.weight"].numel())

# %% [markdown]
# ## The matrix
#
# Two tasks, digits (MNIST) and clothes (Fashion-MNIST), 28 × 28 gray pixels and ten classes each. A ticket is found at
# each, both from the *same* first weights, and each ticket is trained at both tasks: a matrix of source and target. On
# its diagonal are tickets that stay at home. (Live, clothes are the sixth of Fashion-MNIST that comes with the course,
# and so a smaller source. The recorded runs use all of it.)
#
# A number alone says little: clothes are harder than digits. So each cell is set beside controls **at its own target**:
#
# - **random**: nothing of the ticket is kept but its size. The mask is drawn by lot, the weights are drawn anew (the
#   paper's random tickets).
# - **re-initialized**: the ticket's mask, newly drawn weights.
#
# The figure shows accuracy minus the random ticket's. If a ticket is only for its own data, the diagonal is blue and the
# rest is white or red. If it is for any data, all of it is blue.
#
# *Predict: does a ticket of clothes win at digits? Does a ticket of digits win at clothes?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 8 minutes</summary>
#
# **Say** Explain one cell before you start the run: found here, trained there, minus a random ticket at the same
# target.
#
# **Ask** If a ticket is only for its own data, which cells are blue?
#
# **Expect** The diagonal alone. If it is for any data, all of them. Then compare columns, not rows.
#
# </details>

# %%
runner = runs.Runner("transfer-lenet-300-100")


def picture(arrived):
    so_far = TransferMatrix(runner.record.trials)
    figure, ax = plt.subplots(figsize=(7.5, 4.2))
    if any(a.row["kind"] == "random" for a in arrived):
        plots.transfer_matrix(so_far.gains(so_far.rounds[-1]), ax, "test accuracy, ticket − random, points")
    return figure


live = watch(runner, "transfer", total=len(settings.seeds) * settings.trainings, draw=picture)

# %%
matrix = TransferMatrix(runner.record.trials)
number = matrix.rounds[-1]
print(f"{len(matrix.trials)} seeds, P_m = {percent(matrix.density(number))}, test accuracy at the early stop")
rows = []
for source, target in matrix.gains(number):
    here = spread(list(matrix.values("ticket", source, target, number).values()))
    minus = [points(matrix.gain(source, target, number, over)) for over in ("random", "own")]
    new = points(matrix.gain(source, target, number, kind="re-initialized"))
    rows.append([f"{source} → {target}", here, *minus, new])
Table(
    ["found on → trained on", "the ticket", "minus random", "minus the ticket found there", "re-init. minus random"],
    rows,
)

# %% [markdown]
# Read a row of the table from left to right. *Minus random* says whether the ticket is worth anything at this target;
# *minus the ticket found there* is the price of having come from elsewhere, and 0 in the rows that stay at home. The last
# column is the mask without its weights. Two seeds and one density; the range says how far to trust a difference.
#
# The same with more iterations, seeds and densities, and with all of Fashion-MNIST, is recorded, as the other
# experiments of this lesson:


# %%
def recorded(name):
    """The matrix of a record, if there is one."""
    record = runs.if_recorded(name, "desk")
    return record and TransferMatrix(record.trials)


lenet = recorded("transfer-lenet-300-100")


# %%
def show(matrix, numbers, width=4.6):
    """The matrix at some rounds, side by side, on one scale of colors."""
    height = 2.2 + 0.85 * len(matrix.sources)
    figure, axes = plt.subplots(1, len(numbers), figsize=(3 + width * len(numbers), height), sharey=True, squeeze=False)
    limit = max(abs(mean(values)) for n in numbers for values in matrix.gains(n).values())
    for ax, n in zip(axes[0], numbers, strict=True):
        plots.transfer_matrix(matrix.gains(n), ax, f"$P_m$ = {percent(matrix.density(n))}", limit=limit)
    for ax in axes[0][1:]:
        ax.set_ylabel("")
    figure.suptitle("test accuracy, ticket − random, points: mean and range")


if lenet:
    show(lenet, [lenet.rounds[0], lenet.rounds[len(lenet.rounds) // 2], lenet.rounds[-1]])

# %% [markdown]
# Compare columns, not rows: within a column the target is the same, and so is the control. Where the two cells of a
# column are alike, it does not matter at which task the ticket was found.
#
# **We recorded** a plain answer for this network: its tickets stay at home. A ticket from elsewhere is hardly better than
# a random one, in both directions and at every density, while the ticket found there leads by more and more points.
#
# ## Pick a source, a target, a density
#
# Left the matrix at a density, right the chosen cell at all densities that were tried. Beside the line of the
# transferred ticket are two others: the ticket found at the target, and the random one. Which is it closer to, and does
# that change as the networks get smaller?

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Take wishes from the room: a source, a target. Go through the densities with the arrow keys.
#
# **Ask** Which of the two lines is the transferred ticket closer to, and does that change?
#
# **Expect** Read it off; the black circle marks where you are.
#
# </details>

# %%
explorer = widgets.TransferExplorer(lenet or matrix)
widgets.explore(explorer.draw, source=explorer.sources[::-1], target=explorer.targets, density=explorer.densities)

# %% [markdown]
# ## Where the tickets look
#
# If a ticket of a dense network loses on the way, here is an explanation that sounds right. The first layer has a weight
# for each pixel and neuron, so a mask can be a map: of where digits are, or of where clothes are. In lesson
# [01](01_pruning_lenet.ipynb) it was one, with bands where digits never come. An explanation is worth a test. Count for
# each pixel how many of its 300 weights are left in the two tickets found above.
#
# *Predict: which of the two tickets keeps more at the border, where digits never are and clothes often are?*

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Here is an explanation that everybody believes at once. Let them vote before you show the pictures.
#
# **Ask** Where will the ticket of digits have no weights?
#
# **Expect** “At the border.” It has as many there as anywhere: without weight decay nothing shrinks them.
#
# </details>

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
for ax, ticket in zip(axes, (from_digits, from_clothes), strict=True):
    plots.inputs_kept(ticket.mask["fc1.weight"], (28, 28), ax, f"found on {ticket.origin['data']}")


# %%
def at_the_border(ticket):
    """The share of the first layer's weights kept that are at the outer four rows and columns."""
    of_pixel = ticket.mask["fc1.weight"].sum(0).reshape(28, 28)
    return 1 - int(of_pixel[4:-4, 4:-4].sum()) / int(of_pixel.sum())


print(f"the outer four rows and columns are {percent(1 - 20**2 / 28**2)} of the pixels;")
print(f"the ticket of digits has {percent(at_the_border(from_digits))} of its weights there,")
print(f"the ticket of clothes {percent(at_the_border(from_clothes))}")

# %% [markdown]
# If the explanation held, the share of the digits' ticket would be far below the share of the pixels. A weight of a pixel
# that is always black never gets a gradient. In lesson 01 *weight decay* shrank it until it was pruned; here there is
# none, so it stays as it was drawn, and if it was drawn large, pruning by magnitude keeps it: a wasted place in the
# ticket. Whatever a ticket of a dense network takes along from its data, it is not a map of its pixels.
#
# ## The mask or the values?
#
# A ticket is a mask and values. Which of the two makes it win? Take two tickets of digits that were found from *different*
# first weights, and **swap**: the mask of one with the values of the other. Beside them a mask drawn by lot.
#
# *Predict: which is worse, the right values under a wrong mask, or the right mask with wrong values?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Swap them. Point at the diagonal of the table first: those are the two tickets.
#
# **Ask** Which is worse: the right values under a wrong mask, or the right mask with wrong values?
#
# **Expect** Read off the table, then the one with several seeds below it.
#
# </details>

# %%
recipe = settings.recipe.but(evaluate_every=settings.recipe.iterations)
by_lot = masks.shuffle(from_digits.mask, seed=5)
choices = {"mask of ticket 1": from_digits.mask, "mask of ticket 2": another.mask, "a mask by lot": by_lot}
rows = []
for what, chosen in choices.items():
    row = [what]
    for values in (from_digits, another):
        network = models.create("lenet-300-100")
        network.load_state_dict(values.weights)
        history = train(network, digits, recipe, mask=chosen)
        row.append(percent(history.validation_accuracy[-1], 2))
    rows.append(row)
Table(["validation accuracy, digits", "values of ticket 1", "values of ticket 2"], rows)

# %% [markdown]
# The two tickets are at the top left and in the middle right. Beside them are the swapped ones, below them values under
# a mask that was not made for them. Is a mask with foreign values better than a mask drawn by lot, and how much of the
# way to the ticket is that?
#
# Each cell is one network. With several seeds, at all targets: what of the gain over a random ticket is left when the
# mask travels without its values?

# %%
shown = lenet or matrix
rows = [
    [f"{source} → {target}", percent(shown.density(n)), points(shown.gain(source, target, n)), points(values)]
    for n in shown.rounds[-2:]
    for (source, target), values in shown.gains(n, kind="re-initialized").items()
]
Table(["found on → trained on", "P_m", "mask and values, minus random", "the mask alone, minus random"], rows)

# %% [markdown]
# Where the third column is large and the last one small beside it, the mask needs its values: the two win together, as
# in lesson 03. Where the last one is a good part of the third, as for digits that stay at home, the structure alone is
# worth something, too. And where both are near 0, nothing at all came along.
#
# ## Another optimizer
#
# Adam gives each weight a step of its own size; SGD moves weights in proportion to their gradients. They end at
# different weights, and so at different masks. Is a ticket found with one good for the other? Both on digits:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The second half of the paper's title.
#
# **Ask** Adam and SGD end at different weights. Do their tickets differ, too?
#
# **Expect** Compare the cells of a column: if they are alike, it did not matter.
#
# </details>

# %%
optimizers = recorded("transfer-optimizers")
if optimizers:
    show(optimizers, optimizers.rounds)

# %% [markdown]
# As before: if the cells of a column are alike, it does not matter which optimizer found the ticket.
#
# **We recorded** the opposite of the matrix above. A ticket found with one optimizer keeps nearly all of its lead with the
# other. So what ties these tickets down is their data, and not the path on which training went through it.
#
# ## Does a larger source help?
#
# **The paper reports** that tickets found on larger data sets transfer better. Our recorded sets are of one size. So we
# found tickets on all training images of MNIST, on a half, and on a tenth of them, in equally many iterations: the
# smaller the set, the more often each image is seen. The targets are all of MNIST, and Fashion-MNIST, which none of the
# three has seen.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The paper says larger sources travel better. We can only vary the number of images.
#
# **Ask** Why equally many iterations for each?
#
# **Expect** Else a difference could be the length of the search.
#
# </details>

# %%
sizes = recorded("transfer-sizes")
if sizes:
    show(sizes, sizes.rounds, width=5.6)

# %% [markdown]
# Read each column from its first row to the third: does the gain fall as the source gets smaller, by more than the range
# of the seeds?
#
# **We recorded** that it does at digits: the fewer images a ticket was found on, the less it is worth on all of them.
# At clothes the gain of any of them is small, and so are the differences between sources: read whether they are larger
# than the ranges.
#
# ## Photographs and clothes
#
# Dense layers know where in the picture a pixel is. A convolution does not: it looks for the same pattern everywhere, and
# patterns such as edges are in photographs and in clothes. So here a ticket has a better reason to travel. The network
# ends in **global average pooling**, the mean of each channel over the picture, so that one small output layer is all
# that depends on the classes. Clothes become color photographs by a black border and three equal channels; to be quick,
# both are halved to 16 × 16 pixels:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Convolutions have a better reason to travel: edges are everywhere.
#
# **Ask** Which journey is the easiest?
#
# **Expect** From one half of a data set to the other.
#
# </details>

# %%
small = fitted(clothes.test.x[:8], (3, 16, 16))
figure, axes = plt.subplots(2, 8, figsize=(12, 3.2))
for i in range(8):
    axes[0, i].imshow(clothes.pixels(clothes.test.x[i])[0], cmap="gray")
    axes[1, i].imshow(clothes.pixels(small[i])[0], cmap="gray")
for ax in axes.flat:
    ax.set_axis_off()

# %% [markdown]
# Three tasks: the first half of CIFAR-10's training images, the second half, which has none of them, and clothes. Pruning
# is global, a fifth a round, and the weights are rewound to an early iteration, as the paper does (*late resetting*). So
# now the *values* have seen some of the source's data, too.

# %%
convolutions = recorded("transfer-resnet")
if convolutions:
    show(convolutions, convolutions.rounds, width=6.4)

# %% [markdown]
# The first two rows of the left column are two halves of one data set: the easiest journey. The third row of that column,
# and the first two of the right one, are between photographs and clothes.
#
# **We recorded** a ticket that travels, but not far. Between the halves of CIFAR-10 it keeps most of its lead over a
# random ticket. Between photographs and clothes it keeps none: from elsewhere, a ticket is even a little worse than a
# random one. Two things may count against it. Its values were rewound to where the *source* had already taken them. And
# its training counts from there, so that it has fewer iterations at the target than the random ticket, which begins at
# 0. This experiment does not separate the two. **The paper reports** that tickets travel between data sets, too, of
# networks many times as large (Sec. 4).
#
# ## How alike are two tickets?
#
# If tickets of digits and of clothes are interchangeable, are they perhaps the *same* ticket? Count the weights that both
# masks keep. Some they would share by chance: of the weights of a layer, the second mask keeps a share $P_m$, and if it
# were drawn by lot, it would keep this share of the first mask's as well.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Interchangeable need not mean equal. Count what two masks share, against chance.
#
# **Ask** Two tickets of digits from different first weights: do they share more than chance?
#
# **Expect** Hardly: weights have no names. Then ask what the third row explains about the first.
#
# </details>

# %%
a, b = from_digits.mask["fc1.weight"], from_clothes.mask["fc1.weight"]
common = int((a & b).sum())
chance = int(a.sum()) * int(b.sum()) / a.numel()
print(f"both keep {common:,} of the first layer's weights, and would keep {chance:,.0f} by chance")

# %% tags=["nbval-check-output"]
found = tickets.overlap(from_digits.mask, from_clothes.mask)["fc1.weight"]
print("by the library the same:", (found.common, found.expected) == (common, chance))

# %% [markdown]
# How many times chance, layer by layer, for several pairs? Digits and clothes above were found from the *same* first
# weights. The second pair is of one data set and different first weights. The third needs no data at all: it compares the
# ticket with a mask of the weights that were *drawn* largest. The last is a check: a mask by lot.

# %%
whole = masks.dense(models.create("lenet-300-100"))
rates = {name: 1 - masks.density({name: m}) for name, m in from_digits.mask.items()}
largest = criteria.magnitude(from_digits.weights, whole, rates)
pairs = {
    "digits and clothes, same first weights": from_clothes.mask,
    "digits twice, different first weights": another.mask,
    "digits, and the largest first weights": largest,
    "digits, and a mask by lot": by_lot,
}
table = [
    [what, *(f"{o.times:.2f}×" for o in tickets.overlap(from_digits.mask, other).values())]
    for what, other in pairs.items()
]
Table(["both kept, as a multiple of chance", *(name.removesuffix(".weight") for name in whole)], table)

# %% [markdown]
# Weights have no names. Neuron 17 of one network does not do what neuron 17 of another does, so the second pair has no
# reason to agree weight by weight. The third pair shows how much of the agreement of the first was there before any
# training: a weight that is drawn large tends to stay, whatever the data. So likeness well above chance does not yet mean
# that two tickets know the same. Set it beside the matrix: do tickets that share so much do equally well?
#
# Recorded, with longer searches:

# %%
if lenet:
    first, second = lenet.sources
    names = list(lenet.alike(first, second, lenet.rounds[-1]))
    rows = [
        [percent(lenet.density(n)), *(f"{mean(lenet.alike(first, second, n)[name]):.2f}×" for name in names)]
        for n in lenet.rounds
    ]
    display(Table([f"P_m, {first} and {second}", *(name.removesuffix(".weight") for name in names)], rows))
else:
    print("not recorded yet: `ltcourse record transfer-lenet-300-100 --budget desk`")

# %% [markdown]
# The multiple grows as the tickets get smaller, but so does the largest one possible: two equal masks share $1 / P_m$ times
# chance. Multiply it by $P_m$, and you have the share of a ticket that both have in common. It falls: small tickets of the
# two tasks are mostly different, and in the matrix they do not do equally well.
#
# ## Beside the paper
#
# To compare, one number a cell: which share of the own ticket's **lead** over a random ticket does a ticket from elsewhere
# keep? 100 % is as good as the ticket found there, 0 % no better than a random one. Where the own ticket itself has no
# lead, there is nothing to keep ("–"), and where the lead is small, the share is wild. The smallest density of each record:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** One number a cell: the share of the lead that is kept.
#
# **Ask** When is that number wild?
#
# **Expect** Where the lead itself is small.
#
# </details>


# %%
def leads(matrix, n):
    """The share of the lead that is kept, of each pair of two different tasks; none where there is no lead."""
    pairs = [(source, target) for source, target in matrix.gains(n) if source != target]
    found = {pair: matrix.lead_kept(*pair, n) for pair in pairs}
    return {pair: None if share != share else share for pair, share in found.items()}  # NaN differs from itself


every = {"LeNet": lenet, "ResNet-8": convolutions, "LeNet, optimizers": optimizers}
rows = [
    [f"{name}: {s} → {t}", points(m.gain(t, t, m.rounds[-1])), "–" if share is None else percent(share, 0)]
    for name, m in every.items()
    if m
    for (s, t), share in leads(m, m.rounds[-1]).items()
]
Table(["found on → trained on", "lead of the ticket found there", "kept"], rows or [["not recorded yet", "–", "–"]])

# %% [markdown]
# And whether that agrees with **the paper**. As "close" we count it when a ticket from elsewhere keeps at least half of
# the lead, in the mean over the pairs that have one; as "larger is better" when the gains of all, a half and a tenth of
# the images are in this order at both targets.


# %%
def judge(matrix):
    """The mean share of the lead that is kept, and whether that is close."""
    n = matrix.rounds[-1]
    known = [share for share in leads(matrix, n).values() if share is not None]
    agrees = (
        f"{'agrees' if mean(known) >= 0.5 else 'does not agree'}: {percent(mean(known), 0)}" if known else "no lead"
    )
    return f"{agrees} kept at P_m = {percent(matrix.density(n))}"


def by_size(matrix):
    """Whether the gain falls with the size of the source, and how much better all images are than a tenth."""
    n, (whole, half, tenth) = matrix.rounds[-1], matrix.sources[:3]
    gains = [[mean(matrix.gain(source, t, n)) for source in (whole, half, tenth)] for t in matrix.targets]
    more = ", ".join(f"{100 * (g[0] - g[-1]):+.2f} points at {t}" for g, t in zip(gains, matrix.targets, strict=True))
    agrees = all(g == sorted(g, reverse=True) for g in gains)
    return f"{'agrees' if agrees else 'does not agree'}: all minus a tenth {more}"


# %%
rows = [
    [name, f"{paper.about}: {paper.reported} ({paper.source})", words(m) if m else f"not recorded yet: `{record}`"]
    for name, paper, words, m in (
        ("lenet-300-100", papers.MORCOS["data"], judge, lenet),
        ("resnet", papers.MORCOS["data"], judge, convolutions),
        ("optimizers", papers.MORCOS["optimizer"], judge, optimizers),
        ("sizes", papers.MORCOS["size"], by_size, sizes),
    )
    for record in [f"ltcourse record transfer-{name} --budget desk"]
]
Table(["experiment", "the paper reports", "we recorded"], rows)

# %% [markdown]
# Mind the distance to the paper. It trained VGG19 and ResNet50 on sets up to ImageNet, with graphics cards, for many
# epochs; ours are LeNet and a residual network of 8 layers, small images, and runs of minutes. What agrees here agrees
# although everything is smaller; what does not may be a matter of size, and is no refutation.
#
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Back to the two readings, and to the vote.
#
# **Ask** Which of them won?
#
# **Expect** Let the room read it off the printed lines.
#
# </details>

# %%
n = matrix.rounds[-1]
print(f"live, {len(matrix.trials)} seeds, {percent(matrix.density(n))} of the weights, ticket minus random:")
for (source, target), values in matrix.gains(n).items():
    print(f"  found on {source}, trained on {target}: {points(values)}")
alike = tickets.overlap(from_digits.mask, from_clothes.mask)
print("the tickets of digits and of clothes share, as a multiple of chance:", end=" ")
print(", ".join(f"{name.removesuffix('.weight')} {o.times:.1f}×" for name, o in alike.items()))
for name, m in every.items():
    print(f"recorded, {name}, tickets from elsewhere: {judge(m) if m else 'not yet'}")

# %% [markdown]
# Whatever the numbers above say for your run, they say what kind of thing a ticket is. As far as a ticket wins away
# from home, it is not a memory of its data. It is a network that *trains well*: connections and first values that suit
# each other. As far as it loses something on the way, the data was part of it.
#
# A ticket that travels well would change what tickets cost: found once, with much data and patience, and handed on as a
# file, a better beginning than random numbers.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Exercise 1 is the transplant.
#
# **Ask** What must not be copied?
#
# **Expect** The output layer, where the classes differ.
#
# </details>

# %% [markdown]
# ### 1. Transplant a ticket
#
# `weights` (name → tensor, all parameters) and `mask` (name → booleans, weights only) are a ticket. Put it into `network`,
# in place: the ticket's weights, 0 where the mask removes them, and its biases. The output layer is the last one in
# `mask`. If its weight has another shape in `network`, there are other classes: leave that layer, weight and bias, as it
# is, and keep all of it. Return the mask to train with. The ticket must stay as it is, also when the network trains.


# %% tags=["exercise"]
def transplant(network, weights, mask):
    return None


# %%
checks.transplant(transplant)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Go through `network.named_parameters()` and ask of each: does its shape equal that of the ticket's? A bias of the output
# layer has as many numbers as there are classes, so the question is right for it, too.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Copy values, with `p.copy_(…)` under `torch.no_grad()`; after `p.data = weights[name]` both are one tensor. The returned
# mask has `torch.ones_like(p, dtype=torch.bool)` where the output layer stays.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def transplant(network, weights, mask):
#     new = {}
#     with torch.no_grad():
#         for name, p in network.named_parameters():
#             travels = p.shape == weights[name].shape
#             if travels:
#                 p.copy_(weights[name] * mask[name] if name in mask else weights[name])
#             if name in mask:
#                 new[name] = mask[name].clone() if travels else torch.ones_like(p, dtype=torch.bool)
#     return new
# ```
#
# `tickets.transplant` also refuses tickets of other networks, and takes batch norm's statistics along.
#
# </details>

# %% [markdown]
# ### 2. The overlap of two random masks
#
# Two masks are drawn by lot, independently. In each layer the first keeps `kept_a[i]` and the second `kept_b[i]` of
# `sizes[i]` weights. How many weights of the whole network do both keep, on average?


# %% tags=["exercise"]
def expected_overlap(kept_a, kept_b, sizes):
    return None


# %%
checks.expected_overlap(expected_overlap)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# One layer first. Pick a weight that the first mask keeps: with which probability does the second keep it, too?
#
# </details>
# <details><summary>Hint 2</summary>
#
# That probability is `kept_b[i] / sizes[i]`, and there are `kept_a[i]` such weights. Averages of layers add up.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def expected_overlap(kept_a, kept_b, sizes):
#     return sum(a * b / n for a, b, n in zip(kept_a, kept_b, sizes, strict=True))
# ```
#
# Layers cannot be taken together: a mask that keeps much of a small layer would seem to overlap more, or less, than
# chance, only because layers differ in density. It is `expected` of `tickets.overlap`, summed.
#
# </details>

# %% [markdown]
# ### 3. Read the matrix
#
# `accuracies[source, target]` are the test accuracies, one a seed, of tickets found at `source` and trained at `target`.
# `random[target]` are those of random tickets of the same size. Which share of the *lead* of the ticket found at the
# target itself, over the random ticket, does the one from `source` have there? Take means over the seeds first. 1: it is
# as good as the target's own; 0: as a random one.


# %% tags=["exercise"]
def transferred_share(accuracies, random, source, target):
    return None


# %%
checks.transferred_share(transferred_share)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Three numbers, all of one column of the matrix: the traveler's, the own ticket's at `[target, target]`, the random one's.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A lead is an accuracy minus the random ticket's. The answer is a lead divided by a lead.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def transferred_share(accuracies, random, source, target):
#     low = mean(random[target])
#     return (mean(accuracies[source, target]) - low) / (mean(accuracies[target, target]) - low)
# ```
#
# `TransferMatrix.lead_kept` is this number. Where the own lead is small it is wild: look at the lead, too.
#
# </details>

# %% [markdown]
# ## References
#
# - Ari Morcos, Haonan Yu, Michela Paganini, Yuandong Tian: *One ticket to win them all: generalizing lottery ticket
#   initializations across datasets and optimizers*, 2019, arXiv:1906.02773. The slides' second source.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635. The algorithm, LeNet-300-100, the controls.
# - Jonathan Frankle, Gintare Karolina Dziugaite, Daniel Roy, Michael Carbin: *Linear Mode Connectivity and the Lottery
#   Ticket Hypothesis*, 2020, arXiv:1912.05671. Rewinding to an early iteration.
