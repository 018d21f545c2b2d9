# %% [markdown]
# # One ticket to win them all
#
# **Question** Is a winning ticket good only for the data and the optimizer with which it was found?
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
from ltcourse.classroom.predictions import mark, predict, reveal, summary
from ltcourse.display import plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.settings import beside_paper
from ltcourse.display.tables import Table, percent, points, points_interval, spread
from ltcourse.experiments import catalog, runs
from ltcourse.experiments.transfer import fitted
from ltcourse.experiments.transfer_matrix import TransferMatrix
from ltcourse.instruments.statistics import student
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, prune_iteratively, tickets
from ltcourse.pruning.tickets import Ticket
from ltcourse.training import train

# %%
plots.use_style()
settings = catalog.settings("transfer-lenet-300-100")
digits, clothes = data.load("mnist"), data.load("fashion-mnist-mini")

# %% [markdown]
# ## What is a ticket?
#
# A ticket is a mask together with the initial weights of the survivors (lesson 03). The weights know nothing of the
# data: they were drawn at random, before any image was seen. The mask does. It is what training on *these* images with
# *this* optimizer left over.
#
# So a ticket could be one of two things. It may be a small network **for digits**, whose mask has learned what digits
# look like and is worth no more than a random mask on anything else. Or it may be a small network **that trains well**
# on any data. In that case finding one pays off: the search costs one training per round, but it is needed only once.
#
# **The slides' second source** (Morcos et al. 2019) asks exactly this. It finds tickets with one data set and optimizer
# and trains them with another.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** There are two readings: a small network for digits, or a small network that trains well. Everything below
# decides between them.
#
# **Ask** Which of the two do you believe?
#
# **Expect** A divided room. Take a vote; the matrix answers.
#
# </details>

# %% [markdown]
# ## A ticket that travels
#
# First we need a ticket that can be carried around. The next cell finds one as in lesson 03, in short runs, and keeps
# what belongs to it: the mask, the initial weights, and a note of where it was found.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** A ticket is a file: the mask, the initial weights, and where it was found. Show how a damaged one is refused.
#
# **Ask** The new task has five classes. What happens to the output layer?
#
# **Expect** It has no meaning there, so it is drawn anew.
#
# </details>


# %% A ticket is found, and kept
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
# A ticket that is written to a file and read back must be the same to the last bit, because a ticket *is* its exact
# numbers. (The file has the safetensors format. Unlike a pickle, it cannot contain code.)

# %% tags=["nbval-check-output"]
folder = tempfile.TemporaryDirectory()
file = tickets.save(from_digits, Path(folder.name) / "digits.ticket")
again = tickets.load(file)
print("same mask:", all(torch.equal(m, again.mask[name]) for name, m in from_digits.mask.items()))
print("same weights, bit for bit:", all(torch.equal(w, again.weights[name]) for name, w in from_digits.weights.items()))

# %% [markdown]
# The library refuses whatever is not a ticket of this network, and says why in one sentence. Two examples are a file
# that was cut off during a download and a ticket that is put into the wrong network.

# %% What is not a ticket is refused tags=["nbval-check-output"]
cut = Path(folder.name) / "cut.ticket"
cut.write_bytes(file.read_bytes()[:-1])
for attempt in (lambda: tickets.load(cut), lambda: tickets.transplant(from_digits, models.create("lenet-5"))):
    try:
        attempt()
    except tickets.TicketError as problem:
        print(problem)

# %% [markdown]
# A new task can have a different number of classes. The ticket's output layer then has no meaning, and **the paper**
# draws a new one. To **transplant** a ticket, copy its weights into the new network and set to 0 the weights that its
# mask removes. If the number of classes differs, leave the new output layer as it was drawn, with all of its weights.
# By hand, for five classes:

# %%
five = models.create("lenet-300-100", classes=5, seed=7)
with torch.no_grad():
    for name, p in five.named_parameters():
        if not name.startswith("fc3"):
            p.copy_(from_digits.weights[name] * from_digits.mask.get(name, 1))  # biases are not in the mask

# %% [markdown]
# The library does the same and returns the mask to train with:

# %% tags=["nbval-check-output"]
theirs = models.create("lenet-300-100", classes=5, seed=7)
mask = tickets.transplant(from_digits, theirs)
far = max((p - q).abs().max().item() for p, q in zip(five.parameters(), theirs.parameters(), strict=True))
print("largest difference:", far)
print("weights of the output layer:", int(mask["fc3.weight"].sum()), "of", mask["fc3.weight"].numel())

# %% [markdown]
# ## The matrix
#
# There are two tasks, digits (MNIST) and clothes (Fashion-MNIST). Both have images of 28 × 28 gray pixels in ten
# classes. We find a ticket on each, from the *same* initial weights, and train each ticket on both. The result is a
# matrix of **sources**, where tickets were found, and **targets**, where they are trained. On its diagonal, source and
# target are the same. (The live run uses the sixth of Fashion-MNIST that comes with the course, so clothes are the
# smaller source. The recorded runs use all of it.)
#
# An accuracy alone says little, because clothes are harder than digits. So each cell is compared with controls **at its
# own target**:
#
# - **random**: only the size of the ticket is kept. Both the mask and the weights are drawn at random (the paper's
#   random tickets).
# - **re-initialized**: the ticket's mask is kept, with newly drawn weights.
#
# The figure shows the accuracy minus that of the random ticket. If a ticket is good for its own data only, the diagonal
# is blue and the rest is white or red. If it is good for any data, every cell is blue.

# %% tags=["hide-input"]
predict("05.transfer")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 8 minutes</summary>
#
# **Say** Explain one cell before you start the run: found here, trained there, minus a random ticket at the same
# target.
#
# **Ask** If a ticket is good for its own data only, which cells are blue?
#
# **Expect** Only the diagonal. If it is good for any data, all of them. Then compare columns, not rows.
#
# </details>

# %% tags=["hide-output"]
runner = runs.Runner("transfer-lenet-300-100")


def picture(arrived):
    so_far = TransferMatrix(runner.record.trials)
    figure, ax = plt.subplots(figsize=(7.5, 4.2))
    if any(a.row["kind"] == "random" for a in arrived):
        plots.transfer_matrix(so_far.gains(so_far.rounds[-1]), ax, "test accuracy, ticket − random, points")
    mark("05.transfer", ax)
    return figure


live = watch(runner, "transfer", total=len(settings.seeds) * settings.trainings, draw=picture)

# %% The live matrix, cell by cell tags=["hide-output"]
matrix = TransferMatrix(runner.record.trials)
number = matrix.rounds[-1]
print(f"{len(matrix.trials)} seeds, P_m = {percent(matrix.density(number))}, test accuracy at the early stop")
rows = []
for source, target in matrix.gains(number):
    here = spread(list(matrix.values("ticket", source, target, number).values()))
    minus = [points(matrix.gain(source, target, number, over)) for over in ("random", "own")]
    new = points(matrix.gain(source, target, number, kind="re-initialized"))
    rows.append([f"{source} → {target}", here, *minus, new])
wins = {pair for pair, gain in matrix.gains(number).items() if min(gain) > 0 and mean(gain) >= 0.005}
to_digits, to_clothes = (pair in wins for pair in (("Fashion-MNIST", "MNIST"), ("MNIST", "Fashion-MNIST")))
won = {(True, True): "both", (True, False): "to-digits", (False, True): "to-clothes", (False, False): "neither"}
reveal("05.transfer", won[to_digits, to_clothes])
Table(
    ["found on → trained on", "the ticket", "minus random", "minus the ticket found there", "re-init. minus random"],
    rows,
)

# %% [markdown]
# Read each row from left to right. *Minus random* says whether the ticket is worth anything at this target. *Minus the
# ticket found there* is the price of coming from elsewhere; it is 0 where source and target are the same. The last
# column shows the mask without its weights. There are only two seeds and one density, and the ranges say how far a
# difference can be trusted. Compare the rows whose source and target are the same with those whose source and target
# differ.
#
# <details><summary>What one usually sees</summary>
#
# The tickets that are trained where they were found gain several points over a random ticket. The other two gain a
# fraction of that, and a mask with newly drawn weights gains next to nothing.
#
# </details>
#
# We have recorded the same experiment with more iterations, seeds and densities, and with all of Fashion-MNIST, as well
# as the other experiments of this lesson:


# %%
def recorded(name):
    """The matrix of a record, if there is one."""
    record = runs.if_recorded(name, "desk")
    return record and TransferMatrix(record.trials)


lenet = recorded("transfer-lenet-300-100")


# %% On LeNet tickets do not travel between digits and clothes
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
# Compare columns, not rows: within a column the target is the same, and so is the control. If the two cells of a column
# are alike, it does not matter on which task the ticket was found.
#
# **We recorded** a plain answer for this network: on LeNet tickets hardly transfer. At the smallest size, from digits
# to clothes a ticket keeps a small part of the lead, and from clothes to digits nothing that the seeds show,
# whereas the lead of the ticket found there grows as the networks get smaller. Why do they hardly transfer? The next
# sections take the ticket apart.
#
# ## Pick a source, a target, a density
#
# On the left is the matrix at one density, on the right the chosen cell at all densities that were tried. The
# right-hand figure compares the transferred ticket with the ticket found at the target and with the random one. To
# which of the two is it closer, and does that change as the networks get smaller?

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Let the room choose a source and a target. Go through the densities with the arrow keys.
#
# **Ask** To which of the two lines is the transferred ticket closer, and does that change?
#
# **Expect** To the random one, at every density. The black circle marks the density that is chosen.
#
# </details>

# %%
explorer = widgets.TransferExplorer(lenet or matrix)
widgets.explore(explorer.draw, source=explorer.sources[::-1], target=explorer.targets, density=explorer.densities)

# %% [markdown]
# ## Where the tickets look
#
# Why does a ticket of LeNet lose its lead elsewhere? One explanation sounds right. The first layer has a weight for
# every pair of a pixel and a neuron, so a mask can be a map of where digits are, or of where clothes are. In lesson
# [01](01_pruning_lenet.ipynb) it was such a map, with bands where digits never come. Let us test the explanation. We
# count, for each pixel, how many of its 300 weights are left in the two tickets found above.

# %% tags=["hide-input"]
predict("05.border")

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** This explanation convinces everybody at once. Let them vote before you show the pictures.
#
# **Ask** Where will the ticket of digits have no weights?
#
# **Expect** “At the border.” After such short training it has about as many there as elsewhere. After longer training
# it has fewer: see lesson 03.
#
# </details>

# %% Where two tickets look tags=["hide-output"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4))
for ax, ticket in zip(axes, (from_digits, from_clothes), strict=True):
    plots.inputs_kept(ticket.mask["fc1.weight"], (28, 28), ax, f"found on {ticket.origin['data']}")
mark("05.border", axes[0])


# %% tags=["hide-output"]
def at_the_border(ticket):
    """The share of the first layer's weights kept that belong to pixels in the outer four rows and columns."""
    of_pixel = ticket.mask["fc1.weight"].sum(0).reshape(28, 28)
    return 1 - int(of_pixel[4:-4, 4:-4].sum()) / int(of_pixel.sum())


print(f"the outer four rows and columns are {percent(1 - 20**2 / 28**2)} of the pixels;")
print(f"the ticket of digits has {percent(at_the_border(from_digits))} of its weights there,")
print(f"the ticket of clothes {percent(at_the_border(from_clothes))}")
more = at_the_border(from_clothes) - at_the_border(from_digits)
reveal("05.border", "clothes" if more >= 0.05 else "digits" if more <= -0.05 else "same")

# %% [markdown]
# If the mask were a map, the digits' ticket would have a far smaller share of its weights at the border than the border
# has of the pixels. Do the printed shares say so?
#
# <details><summary>What one usually sees</summary>
#
# The two shares differ by a few points only, and neither is far from the share of the pixels.
#
# </details>
#
# Five rounds of 400 iterations do not settle the question, however. A weight at a pixel that is always black never
# gets a gradient, so it keeps the magnitude with which it was drawn. Pruning removes it only once training has made
# the other weights larger, and that takes longer than these runs. The ticket of lesson [03](03_lottery_ticket.ipynb),
# found in longer runs, keeps far fewer weights at such a pixel than elsewhere (that lesson counts them). So after
# short training a mask is hardly a map of its pixels, and after longer training it partly is one.
#
# ## The mask or the values?
#
# A ticket consists of a mask and of values. Which of the two makes it win? Take two tickets of digits that were found
# from *different* initial weights, and **swap** their parts: the mask of one with the values of the other. A random
# mask is the control.

# %% tags=["hide-input"]
predict("05.swap")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** We swap the parts. Point at the two unswapped tickets in the table first.
#
# **Ask** Which is worse: the right values under a wrong mask, or the right mask with wrong values?
#
# **Expect** Each swap is both at once, and each loses most of the lead. The table below it has several seeds.
#
# </details>

# %% A swap of mask and values costs most of the lead tags=["hide-output"]
recipe = settings.recipe.but(evaluate_every=settings.recipe.iterations)
at_random = masks.shuffle(from_digits.mask, seed=5)
choices = {"mask of ticket 1": from_digits.mask, "mask of ticket 2": another.mask, "a random mask": at_random}
rows = []
for what, chosen in choices.items():
    row = [what]
    for values in (from_digits, another):
        network = models.create("lenet-300-100")
        network.load_state_dict(values.weights)
        history = train(network, digits, recipe, mask=chosen)
        row.append(history.validation_accuracy[-1])
    rows.append(row)
lead = rows[0][2] - rows[1][1]  # of ticket 1's mask with wrong values over its values under a wrong mask
reveal("05.swap", "mask" if lead >= 0.01 else "values" if lead <= -0.01 else "same")
rows = [[what, *(percent(accuracy, 2) for accuracy in row)] for what, *row in rows]
Table(["validation accuracy, digits", "values of ticket 1", "values of ticket 2"], rows)

# %% [markdown]
# The two tickets are in the first column of the first row and in the second column of the second row. The other two
# cells of these rows are the swapped ones. The last row shows the values of each under a random mask. Is a mask with
# foreign values better than a random mask, and how much of the lead does it recover?
#
# <details><summary>What one usually sees</summary>
#
# A swap costs most of the lead. What is left is a point or less over the random mask.
#
# </details>
#
# Each cell is a single network. The next table has several seeds and all targets. How much of the gain over a random
# ticket is left when the mask travels without its values?

# %% The mask needs its values
shown = lenet or matrix
rows = [
    [f"{source} → {target}", percent(shown.density(n)), points(shown.gain(source, target, n)), points(values)]
    for n in shown.rounds[-2:]
    for (source, target), values in shown.gains(n, kind="re-initialized").items()
]
Table(["found on → trained on", "P_m", "mask and values, minus random", "the mask alone, minus random"], rows)

# %% [markdown]
# **We recorded** two patterns. Tickets that are trained where they were found gain much, and their masks alone gain
# less: the mask needs its values, as in lesson 03. (On digits the mask alone keeps a good part of the gain, so its
# structure is worth something, too.) Tickets from elsewhere gain next to nothing, with or without their values.
#
# ## Another optimizer
#
# Adam scales the step of each weight by itself; SGD moves all weights in proportion to their gradients. The two end at
# different weights and so at different masks. Is a ticket that was found with one of them good for the other? Both
# experiments use digits:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** This is the second half of the paper's title.
#
# **Ask** Adam and SGD end at different weights. Do their tickets differ, too?
#
# **Expect** In their masks, yes. In their accuracy hardly: the cells of a column are nearly alike.
#
# </details>

# %% Tickets travel between optimizers
optimizers = recorded("transfer-optimizers")
if optimizers:
    show(optimizers, optimizers.rounds)

# %% [markdown]
#
#
# **We recorded** the opposite of the first matrix: the cells of a column are nearly alike. A ticket that was found with
# one optimizer keeps nearly all of its lead with the other. So tickets of LeNet depend on their data, and hardly on the
# optimizer.
#
# ## Does a larger source help?
#
# **The paper reports** that tickets found on larger data sets transfer better. Our two data sets are equally large, so
# we vary the number of images instead: we find tickets on all training images of MNIST, on half of them, and on a
# tenth. All searches take the same number of iterations, so each image of a smaller set is seen more often. The targets
# are all of MNIST, and Fashion-MNIST, which none of the three sources contains.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** The paper says that tickets from larger sources transfer better. We can only vary the number of images.
#
# **Ask** Why do all searches take the same number of iterations?
#
# **Expect** Otherwise a difference could come from the length of the search.
#
# </details>

# %% Fewer images make a worse ticket for digits
sizes = recorded("transfer-sizes")
if sizes:
    show(sizes, sizes.rounds, width=5.6)

# %% [markdown]
# Compare the first three rows of each column, from the largest source to the smallest.
#
# **We recorded** that fewer images make a worse ticket for digits: from half of the images to a tenth, the gain falls
# by more than the range of the seeds. On clothes all gains are small. The ticket of all images is ahead of that of a
# tenth; for that of half of the images the seeds show no difference. So the record does not decide whether a larger
# source helps there.
#
# ## Photographs and clothes
#
# A dense layer has separate weights for every place in the image. A convolution looks for the same pattern everywhere,
# and patterns such as edges occur in photographs as well as in clothes. So a ticket of a convolutional network has a
# better reason to transfer. Our network ends in **global average pooling**, the mean of each channel over the image, so
# only one small output layer depends on the classes. A black border and three equal channels give images of clothes the
# shape of photographs. To save time, both are halved to 16 × 16 pixels:

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Tickets of convolutions have a better reason to transfer: edges are everywhere.
#
# **Ask** Which transfer is the easiest?
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
# There are three tasks: the first half of CIFAR-10's training images, the second half, which shares no image with the
# first, and clothes. Pruning is global and removes a fifth of the weights per round. The weights are rewound to an
# early iteration, as in the paper (*late resetting*). So here the *values* have seen some of the source's data, too. Our
# settings beside the paper's (a dash says that the paper does not tell):

# %%
beside_paper("transfer-resnet", "desk")

# %% Tickets travel between photographs, not to clothes
convolutions = recorded("transfer-resnet")
if convolutions:
    show(convolutions, convolutions.rounds, width=6.4)

# %% [markdown]
# In the left column, the first two rows are the two halves of one data set, the easiest transfer. The third row of that
# column and the first two of the right one are transfers between photographs and clothes. The next table takes the
# ticket apart, at the smallest density:

# %% Tickets taken apart: random mask, mask alone, mask and values
if convolutions:
    n = convolutions.rounds[-1]
    kinds = {"random mask": "random", "mask alone": "re-initialized", "mask and values": "ticket"}
    rows = [
        [f"{s} → {t}", *(spread(list(convolutions.values(kind, s, t, n).values()), 1) for kind in kinds.values())]
        for s, t in convolutions.gains(n)
    ]
    display(Table(["found on → trained on, test accuracy", *kinds], rows))

# %% [markdown]
# **We recorded** that tickets transfer, but not far. Between the halves of CIFAR-10 a ticket keeps most of its lead
# over a random one. Between photographs and clothes it keeps none. With newly drawn weights, the masks of all three
# sources cannot be told from a random mask with two seeds. Two differences from the random ticket remain. The values
# of a ticket from elsewhere were rewound to where the *source* had already taken them. And its training counts from
# there, so it has fewer iterations at the target than the random ticket, which begins at 0.
#
# A second record repeats these two seeds, adds a third, and takes the two differences apart. *Equal steps* gives a
# ticket from elsewhere all iterations at the target. *Mask only* puts the same mask on the initial weights, before
# the source has trained them, and trains for all iterations, too. So ticket minus equal steps is the price of the
# missing steps, equal steps minus mask only is what the source's values are worth, and mask only minus random is what
# the mask is worth, together with the initial weights of its search. (The random mask keeps as many weights of each
# layer as the target's own ticket.)

# %% Between photographs the mask carries the lead; to clothes nothing does
taken_apart = recorded("transfer-resnet-controls")
if taken_apart:
    n = taken_apart.rounds[-1]
    print(f"{len(taken_apart.trials)} seeds, P_m = {percent(taken_apart.density(n))}, test accuracy at the early stop")
    apart = {
        "missing steps": ("ticket", "equal steps"),
        "values": ("equal steps", "mask only"),
        "mask": ("mask only", "random"),
    }
    rows = [
        [f"{s} → {t}", *(points_interval(taken_apart.minus(*pair, s, t, n)) for pair in apart.values())]
        for s, t in taken_apart.gains(n)
        if s != t
    ]
    display(Table(["found on → trained on", *apart], rows))
    for (s, t), gains in taken_apart.gains(n).items():
        if s != t:
            print(f"{s} → {t}: the ticket minus a random one {points_interval(gains)}")

# %% [markdown]
# Between the halves of CIFAR-10 the mask, on the initial weights that it was found with, carries nearly all of the lead
# over a random ticket. The source's values add about a point (the interval excludes 0), and the cost of the missing
# steps cannot be told from 0. Between photographs and clothes neither the mask nor the values have a worth that these
# seeds show: every interval holds 0. The ticket from clothes is even worse than a random one at photographs. The
# missing steps are the likeliest reason: all three of their means are below 0, and one interval excludes it. They are
# the first steps, at the highest learning rate, a tenth of a training of 600 iterations. Lesson 04 shows that a lead in
# a training as short as this one can turn in a longer one.
#
# **The paper reports** that tickets of much larger networks transfer between data sets, too (Sec. 4).
#
# ## How alike are two tickets?
#
# How much do the tickets of digits and of clothes have in common? Count the weights that both masks keep. Some are
# common by chance. If the second mask keeps a share $P_m$ of a layer and is drawn at random, it keeps the same share of
# the first mask's weights.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Count what two masks have in common, and compare it with chance.
#
# **Ask** Do two tickets of digits from different initial weights have more in common than chance?
#
# **Expect** Hardly: neuron 17 of one network is not neuron 17 of the other. Then ask what the third row explains about
# the first.
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
# The next table shows the overlap of four pairs as a multiple of chance, layer by layer. The first pair, digits and
# clothes, was found from the *same* initial weights. The second was found on one data set from different initial
# weights. In the third, the second mask needs no data: it keeps the weights that were *drawn* largest. The last pair,
# with a random mask, checks the calculation.

# %% Overlap as a multiple of chance
whole = masks.dense(models.create("lenet-300-100"))
rates = {name: 1 - masks.density({name: m}) for name, m in from_digits.mask.items()}
largest = criteria.magnitude(from_digits.weights, whole, rates)
pairs = {
    "digits and clothes, same initial weights": from_clothes.mask,
    "digits twice, different initial weights": another.mask,
    "digits, and the largest initial weights": largest,
    "digits, and a random mask": at_random,
}
table = [
    [what, *(f"{o.times:.2f}×" for o in tickets.overlap(from_digits.mask, other).values())]
    for what, other in pairs.items()
]
Table(["both kept, as a multiple of chance", *(name.removesuffix(".weight") for name in whole)], table)

# %% [markdown]
# Neuron 17 of one network does not do what neuron 17 of another does, so the second pair has no reason to agree weight
# by weight. The third pair shows how much of the agreement of the first was there before any training: a weight that is
# drawn large tends to stay, whatever the data. So an overlap far above chance does not mean that two tickets have
# learned the same. The matrix says as much: the tickets of digits and of clothes are far from equally good.
#
# The overlap of the tickets that were recorded, with longer searches:

# %%
if lenet:
    first, second = lenet.sources
    names = list(lenet.alike(first, second, lenet.rounds[-1]))
    rows = []
    for n in lenet.rounds:
        times = {name: mean(values) for name, values in lenet.alike(first, second, n).items()}
        share = times[names[0]] * lenet.density(n, names[0])
        rows.append([percent(lenet.density(n)), *(f"{t:.2f}×" for t in times.values()), percent(share, 0)])
    layers = [name.removesuffix(".weight") for name in names]
    display(Table([f"P_m, {first} and {second}", *layers, f"{layers[0]}, share of the maximum"], rows))
else:
    print("not recorded yet: `ltcourse record transfer-lenet-300-100 --budget desk`")

# %% [markdown]
# The multiple grows as the tickets get smaller, but so does its maximum: two equal masks share $1 / P_m$ times chance.
# As a share of that maximum, the overlap falls. This share is also the part of a ticket that both have in common. So
# small tickets of the two tasks are mostly different.
#
# ## Beside the paper
#
# For a comparison with the paper we need one number per cell. The ticket found at the target has a **lead** over a
# random ticket. What share of it does a ticket from elsewhere keep? At 100 % it is as good as the ticket found there,
# at 0 % no better than a random one. If there is no lead, there is nothing to keep ("–"); if the lead is small, the
# share is unreliable. At the smallest density of each record:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** There is one number per cell: the share of the lead that is kept.
#
# **Ask** When is that number unreliable?
#
# **Expect** Where the lead itself is small.
#
# </details>


# %% How much of the lead is kept?
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
# Does that agree with **the paper**? We count tickets from elsewhere as "close" if they keep at least half of the
# lead, on average over the pairs that have one. We count "larger is better" as confirmed if the intervals of both
# steps, from a tenth of the images to half and from half to all, lie above 0 at both targets, as contradicted if one
# of them lies below 0, and as undecided otherwise. Both limits are ours, not the paper's.


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
    """Whether each smaller source gives a smaller gain, and how much better all images are than a tenth."""
    n, (whole, half, tenth) = matrix.rounds[-1], matrix.sources[:3]

    def lead(source, less, t):
        return [a - b for a, b in zip(matrix.gain(source, t, n), matrix.gain(less, t, n), strict=True)]

    steps = [student(lead(*pair, t)) for pair in ((whole, half), (half, tenth)) for t in matrix.targets]
    says = "agrees" if all(i.low > 0 for i in steps) else "undecided"
    says = "does not agree" if any(i.high < 0 for i in steps) else says
    more = ", ".join(f"{points_interval(lead(whole, tenth, t))} at {t}" for t in matrix.targets)
    return f"{says}: all minus a tenth {more}"


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
# Our experiments are far smaller than the paper's. It trained VGG19 and ResNet50 on data sets up to ImageNet, for many
# epochs. We trained LeNet and a residual network of 8 layers on small images, for minutes. So a disagreement may be a
# matter of size and does not refute the paper.
#
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Let us return to the two readings and to the vote.
#
# **Ask** Which of them won?
#
# **Expect** On LeNet, “for digits” wins where the data change, and “trains well” where the optimizer does.
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

# %% tags=["hide-input"]
summary("05")

# %% [markdown]
# These numbers tell what kind of thing a ticket is. To the extent that it wins elsewhere, it is a network that
# *trains well*: its connections and initial values suit each other. To the extent that it loses its lead, it depends
# on its data. The tickets of LeNet depend on their data and hardly on the optimizer. Those of ResNet-8 transfer to
# other photographs, but not to clothes, in runs of 600 iterations, two seeds.
#
# A ticket that transfers well would change what tickets cost. It would be found once, with much data and patience, and
# handed on as a file, as a better start than random numbers.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` with your own code, run the cell, and run the check
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
# `weights` (name → tensor, all parameters) and `mask` (name → booleans, weights only) make up a ticket. Put it into
# `network`, in place: the ticket's weights, 0 where the mask removes them, and its biases. The output layer is the last
# one in `mask`. If its weight has a different shape in `network`, the number of classes differs: leave that layer,
# weight and bias, as it is, and keep all of it. Return the mask to train with. The ticket must not change, even when
# the network is trained later.


# %% tags=["exercise"]
def transplant(network, weights, mask):
    return None


# %%
checks.transplant(transplant)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Go through `network.named_parameters()` and compare the shape of each with the ticket's. The bias of the output layer
# has one number per class, so the comparison works for it, too.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Copy the values with `p.copy_(…)` under `torch.no_grad()`. After `p.data = weights[name]` the two would be one tensor.
# For an output layer that stays, the returned mask has `torch.ones_like(p, dtype=torch.bool)`.
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
# `tickets.transplant` also refuses tickets of other networks, and copies the statistics of batch norm.
#
# </details>

# %% [markdown]
# ### 2. The overlap of two random masks
#
# Two masks are drawn at random and independently. In each layer the first keeps `kept_a[i]` and the second `kept_b[i]`
# of `sizes[i]` weights. How many weights of the whole network do both keep, on average?


# %% tags=["exercise"]
def expected_overlap(kept_a, kept_b, sizes):
    return None


# %%
checks.expected_overlap(expected_overlap)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Begin with one layer. Pick a weight that the first mask keeps. What is the probability that the second keeps it, too?
#
# </details>
# <details><summary>Hint 2</summary>
#
# That probability is `kept_b[i] / sizes[i]`, and there are `kept_a[i]` such weights. The averages of the layers add up.
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
# The layers cannot be taken together. Two masks would then seem to overlap more, or less, than by chance only because
# the layers differ in density. `tickets.overlap` returns this number for each layer as `expected`.
#
# </details>

# %% [markdown]
# ### 3. Read the matrix
#
# `accuracies[source, target]` are the test accuracies, one per seed, of tickets found at `source` and trained at
# `target`. `random[target]` are those of random tickets of the same size. The ticket found at the target itself has a
# *lead* over the random one. What share of this lead does the ticket from `source` have there? Take the means over the
# seeds first. A share of 1 means as good as the target's own ticket, and 0 as good as a random one.


# %% tags=["exercise"]
def transferred_share(accuracies, random, source, target):
    return None


# %%
checks.transferred_share(transferred_share)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# You need three numbers, all from one column of the matrix: that of the ticket from `source`, that of the own ticket at
# `[target, target]`, and that of the random ticket.
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
#     floor, own, travels = (mean(a) for a in (random[target], accuracies[target, target], accuracies[source, target]))
#     return (travels - floor) / (own - floor)
# ```
#
# `TransferMatrix.lead_kept` returns this number. Where the own lead is small, it is unreliable: look at the lead, too.
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
