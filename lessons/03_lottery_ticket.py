# %% [markdown]
# # The lottery ticket
#
# **Question** If a few of its weights are enough in the end, could they have been trained alone from the beginning?
#
# **Slides** S4, S5, S6, S7, S8
#
# **Before you start** Lesson [01](01_pruning_lenet.ipynb): mask, density $P_m$, magnitude pruning, fine-tuning.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the slides' question · the hypothesis · the algorithm by hand · two controls · the experiment · step through
# the rounds · at the paper's settings · faster? · which way to the ticket · is it so? · exercises

# %%
import matplotlib.pyplot as plt
import torch

from ltcourse import data, papers, pruning
from ltcourse.classroom import checks
from ltcourse.display import plots, widgets
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points, spread, times
from ltcourse.experiments import catalog, runs
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, restarts
from ltcourse.training import train

plots.use_style()
mnist = data.load("mnist")
settings = catalog.settings("lottery-lenet-300-100")

# %% [markdown]
# ## Why not train the small network?
#
# Lesson 01 ended with a network that had lost nine tenths of its weights and nothing else. **The slides ask** (S4): if
# quality does not drop, why not train the pruned network from scratch? It would be cheaper from the first step on.
#
# Try it. First prune as in lesson 01: train, and then four rounds of pruning and fine-tuning (`restart=keep`).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Slide S4 as an experiment. Start the first cell, and state the question while it runs.
#
# **Ask** The same small network, newly drawn weights, as many iterations: as good, a little worse, or much worse?
#
# **Expect** Most say as good. Then show the recorded figure: the smaller the network, the further it falls behind.
#
# </details>

# %%
recipe = settings.recipe
short = recipe.but(iterations=catalog.live(400), evaluate_every=catalog.live(400))
network = models.create("lenet-300-100", seed=0)
pruned = watch(
    pruning.prune_iteratively(network, mnist, recipe, rate=0.44, rounds=4, restart=restarts.keep, retrain=short),
    "prune and fine-tune",
    total=5,
)

# %% [markdown]
# Now the same small network from scratch: the mask is kept, the weights are drawn anew. To be fair, it trains for as
# many iterations as the pruned one had in all.
#
# *Predict: will it be as good, a little worse, or much worse?*

# %%
small = pruned.last
total = recipe.iterations + 4 * short.iterations
scratch = models.create("lenet-300-100", seed=100)
from_scratch = train(scratch, mnist, recipe.but(iterations=total, evaluate_every=total // 5), mask=small.mask)

print(f"P_m = {percent(small.density)}, validation accuracy")
print(f"  pruned and fine-tuned: {percent(small.history.validation_accuracy[-1])}")
print(f"  from scratch:          {percent(from_scratch.validation_accuracy[-1])}")

# %% [markdown]
# One seed. **We recorded** more of them, at more densities. Here the network from scratch trains for as long as the
# dense one did (dashed line); the fine-tuned one has also been trained in all the rounds before, so for longer.

# %%
desk = runs.load_or_run("lottery-lenet-300-100", "desk")
print(desk)
figure, ax = plt.subplots()
curves = {method: desk.curve(method, "test_accuracy") for method in ("fine-tuned", "from scratch")}
dense = {"dense": desk.values("ticket", 0, "test_accuracy")}
_ = plots.against_density(curves, ax, ylabel="test accuracy", reference=dense)

# %% [markdown]
# At half of the weights nothing is lost yet. From there on the network from scratch falls behind, the further the smaller
# it is, and the fine-tuned one does not. So the structure alone is not enough. **The paper reports** the same (Han et al. 2015, Sec. 3.3): keep the surviving weights, do not draw new ones.
#
# For years the conclusion was: small networks are harder to train; train a large one, then prune. Unless the *numbers*
# that the survivors began with mattered.
#
# ## The hypothesis
#
# **The slides say** (S6): a randomly initialized network contains a subnetwork which, trained for at most as many
# iterations, reaches at least the accuracy of the whole network.
#
# In the paper's symbols (Frankle & Carbin 2019, Sec. 1):
#
# | symbol | what it is |
# |:--|:--|
# | $f(x; \theta)$ | the network: images $x$ in, class scores out, with weights $\theta$ |
# | $\theta_0 \sim \mathcal{D}_\theta$ | the weights before training, drawn at random |
# | $j$, $a$ | trained from $\theta_0$, the network has its smallest validation loss at iteration $j$, with test accuracy $a$ |
# | $m \in \{0, 1\}^{\lvert\theta\rvert}$ | a mask: 1 keeps a weight, 0 removes it |
# | $m \odot \theta_0$ | the initial weights, those that the mask removes set to 0 |
# | $j'$, $a'$ | the same two numbers for the subnetwork $f(x; m \odot \theta)$, trained from $m \odot \theta_0$ |
# | $\lVert m \rVert_0$ | how many weights are kept; $P_m = \lVert m \rVert_0 / \lvert\theta\rvert$ is their share |
#
# **There is a mask $m$ with $j' \le j$ (no slower), $a' \ge a$ (no less accurate), and
# $\lVert m \rVert_0 \ll \lvert\theta\rvert$ (far smaller).** Such a subnetwork is called a *winning ticket*: it has won
# the lottery of the initial weights.
#
# Mind what is claimed. The mask may be found by training the large network; the hypothesis says that the ticket *exists*
# in it, before training. And it is a ticket only together with $\theta_0$: the right connections *and* their first values.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Read S6 aloud, then the sentence in bold, symbol by symbol. Stress exists: the mask may be found by
# training.
#
# **Ask** Is a ticket the mask, or the mask and the values?
#
# **Expect** Both. The right connections and their first values.
#
# </details>

# %% [markdown]
# ## The algorithm by hand
#
# **The slides say** (S7), in four steps. **Step 1: create a network with random weights**, and keep a copy of them.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Four steps, S7. Only step 3 is new: back to the first values. Everything else is lesson 01.
#
# **Ask** Why does the output layer lose only half of the rate?
#
# **Expect** Count its weights in the table: after fifteen rounds at the full rate a few a digit would be left.
#
# </details>

# %%
steps = recipe.but(iterations=catalog.live(600), evaluate_every=catalog.live(600))
network = models.create("lenet-300-100", seed=1)
θ0 = snapshot(network)  # a copy: training must not change it

# %% [markdown]
# **Step 2: train it, and cut what is superfluous.** A fifth of each layer, the smallest magnitudes. (A tenth of the small
# output layer: below, you will see why.)

# %%
_ = train(network, mnist, steps)

mask = {}
for name, w in masks.prunable(network).items():
    magnitude = w.detach().abs()
    rate = 0.1 if name == "fc3.weight" else 0.2
    cut = magnitude.flatten().kthvalue(round(rate * w.numel())).values  # the largest magnitude that goes
    mask[name] = magnitude > cut
print({name: percent(m.float().mean().item()) for name, m in mask.items()})

# %% [markdown]
# **Step 3: return the remaining parameters to their initial values.** This is all that separates a lottery ticket from
# the pruning of lesson 01. Biases return, too.

# %%
network.load_state_dict(θ0)
_ = masks.apply(network, mask)  # m ⊙ θ₀

# %% [markdown]
# **Step 4: repeat 2 and 3.** Train the ticket; then the next fifth of what is left would go.

# %%
history = train(network, mnist, steps, mask=mask)
print(f"P_m = {percent(masks.density(mask))}: {history}")

# %% [markdown]
# The library's loop is the same four steps, with `restart=to_init` for the third:

# %%
loop = pruning.prune_iteratively(
    models.create("lenet-300-100", seed=1),
    mnist,
    steps,
    rate=criteria.layer_rates(mask, 0.2),
    rounds=15,
    restart=restarts.to_init,
)
rounds = watch(loop, "iterative magnitude pruning", total=16).items

# %% tags=["nbval-check-output"]
theirs = rounds[1]
print("same mask:", all(torch.equal(mask[name], theirs.mask[name]) for name in mask))
print("largest difference of the trained weights:", max(
    (w - theirs.state[name]).abs().max().item() for name, w in network.state_dict().items()
))  # fmt: skip

# %% [markdown]
# Fifteen rounds leave 0.8¹⁵ of the hidden layers. Why does the output layer go at half the rate? Count its weights:

# %%
sizes = {name: m.numel() for name, m in mask.items()}
Table(
    ["layer", "weights", "after 15 rounds, 20 % each", "after 15 rounds, 10 % of the last"],
    [
        [name, f"{n:,}", f"{n * 0.8**15:,.0f}", f"{n * (0.9 if name == 'fc3.weight' else 0.8) ** 15:,.0f}"]
        for name, n in sizes.items()
    ],
)

# %% [markdown]
# Three or four weights a digit would be left of an output layer pruned at the full rate: a bottleneck at the last
# step, for a saving of less than 0.1 % of the network.
#
# ## Two controls
#
# Suppose the ticket does well. What would explain it? Perhaps the mask alone, perhaps only the small size. So two
# networks of exactly the same size train beside each ticket, on the same examples in the same order:
#
# - **re-initialized**: the ticket's mask, newly drawn weights. The same structure, other numbers.
# - **random**: the ticket's initial weights, but a mask of as many weights a layer, drawn by lot.
#
# If the hypothesis is right, the ticket beats both.
#
# *Predict: at 3.6 % of the weights, which is worse, the right mask with wrong numbers, or a random mask?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** If the ticket does well, what explains it: the mask, the numbers, or only the size? One control for each.
#
# **Ask** At a few percent of the weights, which is worse: the right mask with wrong numbers, or a random mask?
#
# **Expect** Vote by hands, write the vote down, and run the experiment.
#
# </details>

# %% [markdown]
# ## The experiment
#
# Two seeds, 15 rounds, both controls at four densities, live, each seed in a process of its own. The figure is drawn as
# results arrive; ■ stops the run and keeps them.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Start it, and read the figure as it grows. Both seeds train at once.
#
# **Ask** Why does the accuracy rise at first?
#
# **Expect** The runs are short, and a network that learns faster is further along when time is up. Compare with the
# vote.
#
# </details>

# %%
runner = runs.Runner("lottery-lenet-300-100")
methods = ("ticket", "re-initialized", "random")


def picture(arrived):
    record = runner.record
    here = [m for m in methods if any(a.row["method"] == m for a in arrived)]
    figure, ax = plt.subplots()
    curves = {m: record.curve(m, "test_accuracy") for m in here}
    reference = {"dense": record.values("ticket", 0, "test_accuracy")}
    plots.against_density(curves, ax, ylabel="test accuracy", reference=reference)
    return figure


live = watch(runner, "lottery", total=len(settings.seeds) * settings.trainings, draw=picture)

# %%
record = runner.record
last, middle = settings.rounds, settings.redrawn[1]
for number in (middle, last):
    print(f"P_m = {percent(record.values('ticket', number, 'density')[0])}, test accuracy:")
    for method in methods:
        print(f"  {method:15s} {spread(record.values(method, number, 'test_accuracy'))}")
print(f"dense:            {spread(record.values('ticket', 0, 'test_accuracy'))}")

# %% [markdown]
# Read the figure from left (dense) to right (sparse). The ticket *gains* accuracy as it gets smaller, for a long way;
# then the gain shrinks: read off how much of it is left at the last point. With the same mask and other numbers there
# is no gain: the line is level at first, then falls; with a random mask it ends lower still. So the answer to both
# questions is: the mask matters, and the numbers matter, and it is the two together that win.
#
# Why *gain*? These runs are short, and a network that learns faster is further along when time is up. That is the other
# half of the hypothesis, and it needs longer runs; they come below.
#
# ## Step through the rounds
#
# The tickets of the loop above, one round at a time. "Before" shows the numbers that the survivors began with, "after"
# what training made of them. Step forward and watch two things: where the hole at 0 opens, and when the accuracy turns.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Give somebody the arrow keys. One round at a time, first with after, then with before.
#
# **Ask** Where does the hole at 0 open, and when does the accuracy turn?
#
# **Expect** The hole opens early, long before the accuracy turns.
#
# </details>

# %%
stepper = widgets.TicketStepper(rounds, θ0, "fc1.weight", (28, 28))
widgets.explore(stepper.draw, round=stepper.numbers, weights=("before", "after"))

# %% [markdown]
# The survivors' *initial* values are not a random sample of $\mathcal{D}_\theta$: small ones are missing. A weight that
# begins large tends to end large, and magnitude pruning keeps what ends large.

# %%
first, kept = θ0["fc1.weight"], rounds[-1].mask["fc1.weight"]
print(f"standard deviation of fc1's initial weights: all {first.std():.3f}, the last ticket's {first[kept].std():.3f}")
always_black = (mnist.train.x == 0).all(0).flatten()
reading = kept.sum(0).float()
print(f"weights kept per pixel: {reading[always_black].mean():.1f} where it is always black,", end=" ")
print(f"{reading[~always_black].mean():.1f} elsewhere")

# %% [markdown]
# In lesson 01 weight decay shrank the weights of black pixels until they went. Here there is none: such a weight never
# gets a gradient, keeps the value that it was drawn with, and if it was drawn large, it outlasts many that do some work.
# Magnitude is a good criterion, not a perfect one.
#
# ## Recorded, at the paper's settings
#
# The paper trains each network of each round for 50,000 iterations, evaluates every 100, and reads two numbers off each
# run: the iteration of the smallest validation loss (its *early stop*, a measure of speed) and the test accuracy there
# (Frankle & Carbin 2019, Sec. 2). That takes hours on two cores. **We recorded** it with the same settings: Adam at
# 0.0012, batches of 60, Gaussian Glorot (Xavier) initialization, 5,000 validation examples.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Nothing runs here. The two panels are the hypothesis: no slower, no less accurate.
#
# **Ask** Which of the paper's statements do we see, and which not?
#
# **Expect** Go through the table line by line, with the ranges.
#
# </details>

# %%
paper = runs.load_or_run("lottery-lenet-300-100", "paper")
print(paper)
print(f"{paper.settings['recipe']['iterations']:,} iterations a round, {len(paper.trials)} seeds")

# %%
figure, axes = plt.subplots(1, 2, figsize=(14, 5))
curves = {m: paper.curve(m, "early_stop") for m in ("ticket", "re-initialized")}
plots.against_density(curves, axes[0], ylabel="early stop (iteration)", shares=False)
curves = {m: paper.curve(m, "early_stop_test_accuracy") for m in methods}
plots.against_density(curves, axes[1], ylabel="test accuracy at the early stop")
_ = axes[1].set_ylim(0.955, 0.985)

# %% [markdown]
# Left, lower is faster; right, higher is better. Each of the paper's statements about this network, beside ours (mean
# and range over the seeds):

# %%
early = {m: {n: paper.values(m, n, "early_stop") for n in (0, 7)} for m in ("ticket", "re-initialized")}
accuracy = "early_stop_test_accuracy"
sooner = [1 - t / d for t, d in zip(early["ticket"][7], early["ticket"][0], strict=True)]
slower = [r / t for r, t in zip(early["re-initialized"][7], early["ticket"][7], strict=True)]
pairs = zip(paper.values("re-initialized", 7, accuracy), paper.values("ticket", 7, accuracy), strict=True)
ours = {
    "sooner": f"{spread(sooner, 0)} sooner",
    "better": points(paper.change("ticket", 9, accuracy)),
    "back": points(paper.change("ticket", 15, accuracy)),
    "slower": times(slower),
    "worse": points([r - t for r, t in pairs]),
}
Table(
    ["what", "the paper reports", "we recorded"],
    [[found.about, f"{found.reported} ({found.source})", ours[key]] for key, found in papers.FRANKLE_LENET.items()],
)

# %%
Table(
    ["P_m", "ticket minus dense, at the early stop", "re-initialized minus dense", "early stop, ticket : dense"],
    [
        [
            percent(paper.values("ticket", n, "density")[0]),
            points(paper.change("ticket", n, accuracy)),
            points(paper.change("re-initialized", n, accuracy)),
            times([t / d for t, d in zip(paper.values("ticket", n, "early_stop"), early["ticket"][0], strict=True)]),
        ]
        for n in paper.settings["redrawn"]
    ],
)

# %% [markdown]
# Tickets stop sooner and are more accurate than the dense network, as in the paper, and by about as much. Two things
# differ. The paper's re-initialized networks lose accuracy from 21.1 % on; ours, by the mean, are still level with the
# dense network there, and below it only when smaller. And at 3.6 % the paper's ticket is back at the dense accuracy; ours
# is ahead in every seed. Look at the ranges before you make much of either: the first line above says how many seeds
# there are; the paper has five trials.
#
# ## Faster?
#
# The same runs during training. Each line is one network, as it learns.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The same runs as they learn. Left the tickets, right the same masks with other numbers.
#
# **Ask** Which line falls fastest?
#
# **Expect** A sparse ticket, but not the sparsest: there some of the lead is gone.
#
# </details>

# %%
figure, axes = plt.subplots(1, 2, figsize=(14, 5), sharey=True)
density = {n: percent(paper.values("ticket", n, "density")[0]) for n in (0, 3, 7, 15)}
for ax, method in zip(axes, ("ticket", "re-initialized"), strict=True):
    curves = {f"$P_m$ = {density[n]}": paper.values(method, n, "curve") for n in (0, 3, 7, 15)}
    plots.against_iterations(curves, ax, key="validation_error", ylabel="validation error")
    ax.set(title=method, xlim=(0, 20_000), ylim=(0.014, 0.05))

# %% [markdown]
# Left, tickets: down to a fifth of the weights, the sparser the network, the faster its error falls and the lower it
# stays; at 3.6 % some of the lead is gone. Right, the same masks with other numbers: no lead, and the smallest far
# behind. (**The paper shows** this in its Fig. 3.)
#
# ## Which way to the ticket?
#
# *Iterative* pruning costs a training a round. Is it worth it? The cheap way is **one shot**: train once, prune at once
# to the size that is wanted, reset. And another: go on training from round to round, as Han does, and **reset at the
# end** only (Strategy 2 of the paper; iterative with a reset each round is its Strategy 1).

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Is there a cheaper way than a training a round?
#
# **Ask** One shot, or many rounds: what does the first save, and what does it cost?
#
# **Expect** It saves trainings, and its tickets stop winning at a larger size.
#
# </details>

# %%
figure, ax = plt.subplots()
ways = ("ticket", "reset at the end", "one shot", "re-initialized")
plots.against_density({way: desk.curve(way, "test_accuracy") for way in ways}, ax, ylabel="test accuracy")
_ = ax.set_title(f"{desk.settings['recipe']['iterations']:,} iterations a round, {len(desk.trials)} seeds")

# %%
number = desk.settings["rounds"]
for way in ways:
    size = percent(desk.values(way, number, "density")[0])
    print(f"{way:17s} at {size}: {spread(desk.values(way, number, 'test_accuracy'))}")

# %% [markdown]
# One shot finds tickets, too, but they stop winning at a larger size: after one training it is not yet known which of
# the last few percent will matter. **The paper reports** the same order (Sec. 2; App. B, Figs. 9 and 10): iterative
# tickets stay ahead longer than one-shot tickets, and Strategy 1 longer than Strategy 2. Read off whether the second
# holds here.
#
# ## Is it so?
#
# **The slides say** (S8): the outcome is a network of 1 to 15 % of the original size, which trains faster and reaches at
# least the same accuracy. Ask the record, for every ticket of that size:

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** S8 taken by its word, ticket by ticket.
#
# **Ask** Does every ticket of that size win?
#
# **Expect** Read the column. One no is enough to say: nearly all.
#
# </details>

# %%
dense_stop, dense_accuracy = (sum(paper.values("ticket", 0, key)) for key in ("early_stop", accuracy))
table = []
for n in range(1, paper.settings["rounds"] + 1):
    if (share := paper.values("ticket", n, "density")[0]) <= 0.15:
        stop, reached = (sum(paper.values("ticket", n, key)) for key in ("early_stop", accuracy))
        sentence = ["no", "yes"]
        sooner = sum(t <= d for t, d in zip(paper.values("ticket", n, "early_stop"), early["ticket"][0], strict=True))
        table.append([percent(share), sentence[stop <= dense_stop], f"{sooner} of {len(paper.trials)}"])
        table[-1].append(sentence[reached >= dense_accuracy])
Table(["P_m", "no slower, in the mean", "in how many seeds", "no less accurate, in the mean"], table)

# %% [markdown]
# Read down the columns. Where does the mean still say yes when the seeds no longer agree? And nothing smaller than the
# last row was recorded: the slides' lower end, 1 %, is not tested here.
#
# ## Filters instead of weights
#
# Is the counter-evidence known? Liu et al. (2019) asked the question of S4 for *structured* pruning, which removes whole
# filters and neurons, so that what is left is an ordinary, smaller network. **Their paper reports** (Sec. 4) that such a
# network, trained from scratch for as long or at the same cost, is about as good as the pruned and fine-tuned one: its
# shape counts, the inherited weights do not. They also report (Sec. 6) that tickets lose their advantage over newly
# drawn weights when the learning rate is as high as training usually has it.
#
# **We recorded** their comparison for LeNet-5, at two learning rates. From each layer the filters with the smallest sums
# of absolute weights go (Li et al. 2017). What is left is trained from five beginnings:
#
# - *fine-tuned*: from its trained weights, for a quarter of the iterations, at a tenth of the rate;
# - *random filters*: the same, with filters chosen at random;
# - *ticket*: from its initial weights, for as long as the dense network;
# - *from scratch*: from newly drawn weights, for as long as the dense network;
# - *from scratch, longer*: the same for twice as long, which still costs less than training the dense network first.
#
# *Predict: at an eighth of the filters, which of the five is best?*

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** The strongest objection to the question of S4 is a paper, and its experiment is short.
#
# **Ask** If whole filters go, what is worth keeping: the trained weights, the initial weights, or the shape alone?
#
# **Expect** Most say the trained weights. Compare the two training budgets before you compare the lines.
#
# </details>

# %%
rates = {}
for name in ("structured-lenet-5", "structured-lenet-5-low"):
    if record := runs.if_recorded(name, "desk"):
        rates[f"learning rate {record.settings['recipe']['lr']:g}"] = record

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
five = ("fine-tuned", "random filters", "ticket", "from scratch", "from scratch, longer")
for ax, (rate, record) in zip(axes, rates.items(), strict=False):
    curves = {method: record.curve(method, "test_error") for method in five}
    for curve in curves.values():
        del curve[1.0]
    plots.against_density(curves, ax, ylabel="test error", reference={"dense": record.values("dense", 0, "test_error")})
    ax.set(title=rate, xlabel="share of the weights left")

# %%
rows = []
for rate, record in rates.items():
    for number, kept in enumerate(record.settings["shares"], 1):
        errors = [spread(record.values(method, number, "test_error")) for method in five]
        rows.append([rate, percent(kept), percent(record.values("ticket", number, "density")[0]), *errors])
Table(["", "filters", "weights", *five], rows)

# %% [markdown]
# LIU_READING
#
# ## Two workers of one thread
#
# The trials of an experiment do not depend on each other, and `executors.run` gives each a process with one thread.
# Why not one process with two threads? The matrices are too small to be worth dividing. Measured on the machine of the
# recorded runs:
#
# ![Iterations a second: one process of one thread, one process of two threads, two processes of one thread
# each.](figures/workers.png)

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Why each seed has a process of its own.
#
# **Ask** Two threads for one training, or one thread for each of two?
#
# **Expect** The second: the matrices are too small to be divided.
#
# </details>

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The small network can be trained from scratch, if scratch is the right one.
#
# **Ask** So is a ticket a way to save time?
#
# **Expect** Not so far: finding it cost more than training the large network. It is a discovery about what training
# needs.
#
# </details>

# %%
n = settings.rounds
print(f"here, {len(record.trials)} seeds, {percent(record.values('ticket', n, 'density')[0])} of the weights:")
print(f"  ticket minus dense:         {points(record.change('ticket', n, 'test_accuracy'))}")
print(f"  re-initialized minus dense: {points(record.change('re-initialized', n, 'test_accuracy'))}")
print(f"  random minus dense:         {points(record.change('random', n, 'test_accuracy'))}")
print(f"recorded at the paper's settings, {len(paper.trials)} seeds, at the early stop:")
for n in (7, 15):
    share = percent(paper.values("ticket", n, "density")[0])
    print(f"  at {share}: ticket minus dense {points(paper.change('ticket', n, accuracy))}")

# %% [markdown]
# The slides' question has an answer: the small network *can* be trained from scratch, if "scratch" is the right one. It
# must begin with the numbers that it had inside the large network. Finding out which those are has, so far, cost more
# than training the large network once: a training a round. A ticket is not a way to save time; it is a discovery about
# what training needs.
#
# MNIST is easy, and LeNet is small. Do tickets exist in convolutional networks, too? In deep ones? Lesson
# [04](04_when_tickets_fail.ipynb) is about where this stops.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb): replace `return None` by your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Exercise 1 is slide S7 in ten lines.
#
# **Ask** What must a ticket's optimizer forget?
#
# **Expect** Everything: its averages would pull the weights to where the dense training was going.
#
# </details>

# %% [markdown]
# ### 1. One round
#
# One round of iterative magnitude pruning with reset, in place. `network` holds its initial weights under `mask`, and
# `train(network, mask)` trains it.
#
# - Train. Of the weights that each layer still keeps, prune the share `rate`: the smallest magnitudes, the count
#   rounded to the nearest.
# - Set the survivors, and the biases, back to `initial` (name → tensor, all parameters), and the pruned weights to 0.
# - Return the next mask (name → booleans). Leave `initial` and `mask` as they are: later rounds need them.


# %% tags=["exercise"]
def imp_round(network, initial, mask, rate, train):
    return None


# %%
checks.imp_round(imp_round)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# In the order of "The algorithm by hand" above. Choose the mask before the reset: the magnitudes that count are those
# of the trained weights, and the reset overwrites them.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `magnitudes[mask[name]]` are the survivors of a layer, in a row: choose among these, and pruned weights cannot come
# back. For the reset, copy: after `p.data = initial[name]` network and `initial` are one tensor, and the next
# training changes both.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def imp_round(network, initial, mask, rate, train):
#     train(network, mask)
#     new = {}
#     for name, kept in mask.items():
#         magnitudes = network.get_parameter(name).detach().abs()[kept]
#         new[name] = kept.clone()
#         new[name][kept] = masks.keep_largest(magnitudes, len(magnitudes) - round(rate * len(magnitudes)))
#     network.load_state_dict(initial)
#     masks.apply(network, new)
#     return new
# ```
#
# `pruning.prune_iteratively` with `restart=restarts.to_init` is a loop of such rounds.
#
# </details>

# %% [markdown]
# ### 2. How many rounds
#
# Every round prunes the share `rate` of the weights that a layer has left, and half of `rate` in the last layer; the
# count that a layer loses is rounded to the nearest, with `round`. `sizes` are the layers' numbers of weights, first
# to last. After how many rounds is at most the share `density` of all weights left?


# %% tags=["exercise"]
def rounds_until(density, sizes, rate):
    return None


# %%
checks.rounds_until(rounds_until)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The formula of lesson 01, exercise 4, knows one rate, and here the layers go at two. Do not calculate: count.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Keep a list of what each layer has left, and go on while its sum is larger than `density * sum(sizes)`. Only while
# it is larger: *at most* includes equal.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def rounds_until(density, sizes, rate):
#     rates = [rate] * (len(sizes) - 1) + [rate / 2]
#     left, rounds = list(sizes), 0
#     while sum(left) > density * sum(sizes):
#         left = [n - round(r * n) for n, r in zip(left, rates, strict=True)]
#         rounds += 1
#     return rounds
# ```
#
# `criteria.layer_rates` returns such rates, by layer, and `criteria.magnitude` rounds the same way.
#
# </details>

# %% [markdown]
# ### 3. As if for the first time
#
# `network` has been trained densely with `optimizer`, and the optimizer remembers it: momentum, Adam's averages.
# Train the ticket as if for the first time: reset `network` to `initial` under `mask`, then make one step of the
# optimizer on each (x, y) of `batches`, down the gradient of the cross-entropy. Pruned weights are exactly 0 before
# the first step and after each; `initial` stays as it is. Return the loss that the last step began with, as a number.


# %% tags=["exercise"]
def train_ticket(network, optimizer, initial, mask, batches):
    return None


# %%
checks.train_ticket(train_ticket)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# It is not enough to reset the weights: what the optimizer remembers would go on pulling them to where the dense
# training was going. Print `optimizer.state`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `optimizer.state` is a dict, and `.clear()` empties it. Then, for each batch, a step as in lesson 01, exercise 2.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def train_ticket(network, optimizer, initial, mask, batches):
#     network.load_state_dict(initial)
#     masks.apply(network, mask)
#     optimizer.state.clear()
#     for x, y in batches:
#         optimizer.zero_grad()
#         loss = torch.nn.functional.cross_entropy(network(x), y)
#         loss.backward()
#         optimizer.step()
#         masks.apply(network, mask)
#     return loss.item()
# ```
#
# `training.train` builds a new optimizer in every call, so that nothing can be left in it.
#
# </details>

# %% [markdown]
# ### 4. The early stop
#
# `losses` are the validation losses at the `iterations`, two lists of one length, in the order of the training.
# Return the iteration of the smallest loss; if several are equally small, of the first.


# %% tags=["exercise"]
def early_stop(iterations, losses):
    return None


# %%
checks.early_stop(early_stop)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The loss may fall again after it has risen: look at all of them before you decide.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `min(losses)` says how small, `losses.index(…)` where it first is that small. Both are not yet the iteration.
#
# </details>

# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>
#
# ```python
# def early_stop(iterations, losses):
#     return iterations[losses.index(min(losses))]
# ```
#
# It is the `early_stop` of the history that `train` returns.
#
# </details>

# %% [markdown]
# ## References
#
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635. The hypothesis, the algorithm, all figures that are compared with above.
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural Networks*,
#   2015, arXiv:1506.02626. Keep the surviving weights, do not draw new ones.
# - Hao Li, Asim Kadav, Igor Durdanovic, Hanan Samet, Hans Peter Graf: *Pruning Filters for Efficient ConvNets*, 2017,
#   arXiv:1608.08710. Filters with the smallest sums of absolute weights go.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. The counter-evidence: for whole filters the shape counts, not the inherited weights.
# - Hattie Zhou, Janice Lan, Rosanne Liu, Jason Yosinski: *Deconstructing Lottery Tickets*, 2019, arXiv:1905.01067. Why the
#   first values matter; lesson 07 comes back to it.
