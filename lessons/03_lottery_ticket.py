# %% [markdown]
# # The lottery ticket
#
# **Question** If a few weights of a network are enough in the end, could they have been trained alone from the
# beginning?
#
# **Slides** S4, S5, S6, S7, S8
#
# **Before you start** Lesson [01](01_pruning_lenet.ipynb): mask, density $P_m$, magnitude pruning, fine-tuning.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the slides' question · the hypothesis · the algorithm as a picture · the algorithm by hand · two controls ·
# the experiment · step through the rounds · at the paper's settings · faster? · which way to the ticket · is it so? ·
# filters instead of weights · exercises · two workers

# %%
import matplotlib.pyplot as plt
import torch

from ltcourse import data, papers, pruning
from ltcourse.classroom import checks
from ltcourse.classroom.predictions import mark, predict, reveal, summary
from ltcourse.display import comparisons, pictures, plots, widgets
from ltcourse.display.pictures.small import loops
from ltcourse.display.progress import watch
from ltcourse.display.settings import beside_paper
from ltcourse.display.tables import Table, percent, points, points_interval, spread, times
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
# Lesson 01 ended with a network that had lost nine tenths of its weights and hardly any accuracy. **The slides ask**
# (S4): if quality does not drop, why not train the pruned network from scratch? It would be smaller from the first
# step.
#
# We try it. First we prune as in lesson 01: we train the network, and then prune and fine-tune it in four rounds
# (`restart=keep`).

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** We turn slide S4 into an experiment. Start the first cell, and state the question while it runs.
#
# **Ask** We train the same small network from newly drawn weights, for as many iterations. Will it be as good, a little
# worse, or much worse?
#
# **Expect** Most say as good. Then show the recorded figure: the smaller the network, the further it falls behind the
# dense one.
#
# </details>

# %%
recipe = settings.recipe
short = recipe.but(iterations=catalog.live(400), evaluate_every=catalog.live(400))
network = models.create("lenet-300-100", seed=0)
print("dense:      ", recipe)
print("each round: ", short)
pruned = watch(
    pruning.prune_iteratively(network, mnist, recipe, rate=0.44, rounds=4, restart=restarts.keep, retrain=short),
    "prune and fine-tune",
    total=5,
)

# %% [markdown]
# Now we train the same small network from scratch: it has the same mask and newly drawn weights. To be fair, it trains
# for as many iterations as the pruned network had in all.

# %% tags=["hide-input"]
predict("03.scratch")

# %% The same small network, from scratch tags=["hide-output"]
small = pruned.last
total = recipe.iterations + 4 * short.iterations
scratch = models.create("lenet-300-100", seed=100)
print("from scratch:", recipe.but(iterations=total))
from_scratch = train(scratch, mnist, recipe.but(iterations=total, evaluate_every=total // 5), mask=small.mask)

print(f"P_m = {percent(small.density)}, validation accuracy")
print(f"  pruned and fine-tuned: {percent(small.history.validation_accuracy[-1])}")
print(f"  from scratch:          {percent(from_scratch.validation_accuracy[-1])}")
worse = small.history.validation_accuracy[-1] - from_scratch.validation_accuracy[-1]
reveal("03.scratch", "same" if worse <= 0.005 else "little" if worse <= 0.03 else "much")

# %% [markdown]
# This is one seed. **We recorded** several, at more densities. In the figure the network from scratch trains for as
# many iterations as the dense network did (dashed line). The fine-tuned network has been trained for longer, because it
# was trained in all earlier rounds, too.

# %% From scratch the small network falls behind, the further the smaller it is
desk = runs.load_or_run("lottery-lenet-300-100", "desk")
print(desk)
figure, ax = plt.subplots()
curves = {method: desk.curve(method, "test_accuracy") for method in ("fine-tuned", "from scratch")}
dense = {"dense": desk.values("ticket", 0, "test_accuracy")}
_ = plots.against_density(curves, ax, ylabel="test accuracy", reference=dense)

# %% [markdown]
# Down to a fifth of the weights the network from scratch is as accurate as the dense one, within the range of the
# seeds. From 7 % down it falls behind, and on average the further, the smaller it is: at the two smallest densities
# it is less accurate in every seed. The fine-tuned network does not fall below the dense one. So the structure alone
# is not enough, at least not in trainings of this length. **The paper reports** the same (Han et al. 2015, Sec. 3.3):
# keep the surviving weights, do not draw new ones.
#
# The usual conclusion was that small networks are harder to train, so one trains a large network and prunes it. There
# is another possibility: the surviving weights may need the *values* that they began with.
#
# ## The hypothesis
#
# **The slides say** (S6): a randomly initialized network contains a subnetwork that, trained for at most as many
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
# Note what is claimed. The hypothesis says that the ticket *exists* in the network before training. It does not say
# that the ticket can be found without training. And a mask is a ticket only together with $\theta_0$: a ticket is the
# right connections *and* their initial values.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Read S6 aloud, then the sentence in bold, symbol by symbol. Stress the word "exists": the mask may be found by
# training.
#
# **Ask** Is a ticket the mask alone, or the mask and the values?
#
# **Expect** The mask and the values: the right connections with their initial values.
#
# </details>

# %% [markdown]
# The picture shows the hypothesis on the small network of lesson 01. Its numbers are measured; "here" stands beside
# them.

# %% tags=["picture-s6"]
widgets.explore(pictures.hypothesis(mnist))

# %% [markdown]
# ## The algorithm as a picture
#
# **The slides** (S7) find the subnetwork in four steps: draw random weights, train and cut, return what is left to its
# initial values, repeat. At the left the small network goes through them, at the right through the loop of lesson 01.

# %% tags=["hide-input"]
predict("03.step")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Until the first cut the two networks are the same. Step slowly where they part.
#
# **Ask** The left network has forgotten its training. What has it kept?
#
# **Expect** The mask, and the initial values of what is left. Trained again, it recovers.
#
# </details>

# %% tags=["picture-s7", "hide-output"]
widgets.explore(pictures.ticket_loop(mnist))
fine_tuned, returned = loops(mnist)
parted = next(i for i, step in enumerate(returned) if step.name != fine_tuned[i].name)
change = returned[parted].accuracy - returned[parted - 1].accuracy
where = "back" if returned[parted - 1].name == "cut" else "cut"
reveal("03.step", f"{where}-{'rises' if change > 0 else 'falls' if change < 0 else 'stays'}")

# %% [markdown]
# In one step alone the loops differ: the ticket returns to θ₀ (its trained values are pale behind), and Han's network
# keeps its weights. Everything else is the same. In so small a network each weight matters, and the last cuts cost both
# of them accuracy.
#
# ## The algorithm by hand
#
# The algorithm (S7) has four steps. **Step 1: create a network with random weights**, and keep a copy of them.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Slide S7 has four steps. Only step 3 is new: the weights return to their initial values. Everything else is
# lesson 01.
#
# **Ask** Why is the output layer pruned at only half the rate?
#
# **Expect** Count its weights in the table: after fifteen rounds at the full rate, only a few per digit would be left.
#
# </details>

# %% Step 1: keep a copy of the initial weights key="2-3"
steps = recipe.but(iterations=catalog.live(600), evaluate_every=catalog.live(600))
network = models.create("lenet-300-100", seed=1)
θ0 = snapshot(network)  # a copy: training must not change it

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Step 2: train it, and cut what is superfluous.** In each layer we cut the fifth with the smallest magnitudes. (In
# the small output layer we cut a tenth; the reason follows below.)

# %% Step 2: train, and cut the smallest magnitudes key="1|4-5|7-8"
_ = train(network, mnist, steps)

mask = {}
for name, w in masks.prunable(network).items():
    magnitude = w.detach().abs()
    rate = 0.1 if name == "fc3.weight" else 0.2
    cut = magnitude.flatten().kthvalue(round(rate * w.numel())).values  # the largest magnitude that goes
    mask[name] = magnitude > cut
print({name: percent(m.float().mean().item()) for name, m in mask.items()})

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Step 3: return the remaining parameters to their initial values.** Only this step separates a lottery ticket from
# Han's pruning. The biases return, too.

# %% Step 3: the survivors return to their initial values key="1|2"
network.load_state_dict(θ0)
_ = masks.apply(network, mask)  # m ⊙ θ₀

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Step 4: repeat 2 and 3.** We train the ticket. The next round would then cut a fifth of what is left.

# %% Step 4: train the ticket, and repeat key="1"
history = train(network, mnist, steps, mask=mask)
print(f"P_m = {percent(masks.density(mask))}: {history}")

# %% [markdown]
# The library's loop does the same four steps. The third is `restart=to_init`:

# %% A ticket is searched for by Han's loop with one argument changed key="2,6-7,9|8"
print("each round: ", steps)
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
# How do the weights move in a training, and which of them are cut? Each point is a weight of the second layer: its
# initial value, and its value after the first training. Gray points lie in the band around 0 that is cut.

# %% tags=["picture-weights"]
figure, ax = plt.subplots(figsize=(7, 6.4))
before, after = θ0["fc2.weight"], rounds[0].state["fc2.weight"]
_ = pictures.before_and_after(before, after, rounds[1].mask["fc2.weight"], ax, "fc2, before and after training")

# %% [markdown]
# Most points lie along the diagonal: training moves a weight less far than chance has put it. So what is cut is mostly
# what began small.
#
# Fifteen rounds leave the share 0.8¹⁵ of the hidden layers. Why is the output layer pruned at half the rate? Count its
# weights:

# %% The output layer is pruned at half the rate
sizes = {name: m.numel() for name, m in mask.items()}
Table(
    ["layer", "weights", "after 15 rounds, 20 % each", "after 15 rounds, 10 % of the last"],
    [
        [name, f"{n:,}", f"{n * 0.8**15:,.0f}", f"{n * (0.9 if name == 'fc3.weight' else 0.8) ** 15:,.0f}"]
        for name, n in sizes.items()
    ],
)

# %% [markdown]
# At the full rate the output layer would keep three or four weights per digit. This would be a bottleneck in the last
# layer, and it would save less than 0.1 % of the network.
#
# ## Two controls
#
# Suppose that the ticket does well. What would explain it? Perhaps the mask alone, perhaps only the small size. We
# therefore train two networks of exactly the same size beside each ticket, on the same examples in the same order:
#
# - **re-initialized**: the ticket's mask with newly drawn weights. The structure is the same, and the values differ.
# - **random**: the ticket's initial weights under a random mask, which keeps as many weights per layer.
#
# If the hypothesis is right, the ticket is better than both.

# %% tags=["hide-input"]
predict("03.controls")

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** If the ticket does well, is it because of the mask, the values, or only the size? The re-initialized control
# changes the values, the random control changes the mask, and both have the same size.
#
# **Ask** At a few percent of the weights, which is worse: the ticket's mask with new weights, or a random mask?
#
# **Expect** Opinions are usually divided. Take a vote, write it down, and run the experiment.
#
# </details>

# %% [markdown]
# ## The experiment
#
# We run two seeds live, each in its own process, with 15 rounds and both controls at four densities. The figure grows
# as results arrive; ■ stops the run and keeps them. It shows the validation set, because the run is still going on.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 5 minutes</summary>
#
# **Say** Start the cell, and describe the figure as it grows. Both seeds train at the same time.
#
# **Ask** Why does the accuracy rise at first?
#
# **Expect** The runs are short, so a network that learns faster has got further when the training ends. Then compare
# the figure with the vote.
#
# </details>

# %% The ticket beside two networks of its size tags=["hide-output"]
runner = runs.Runner("lottery-lenet-300-100")
methods = ("ticket", "re-initialized", "random")


def picture(arrived):
    record = runner.record
    here = [m for m in methods if any(a.row["method"] == m for a in arrived)]
    figure, ax = plt.subplots()
    curves = {m: record.curve(m, "validation_accuracy") for m in here}
    reference = {"dense": record.values("ticket", 0, "validation_accuracy")}
    plots.against_density(curves, ax, ylabel="validation accuracy", reference=reference)
    mark("03.controls", ax)
    return figure


print(f"{len(settings.seeds)} seeds, {settings.rounds} rounds, each trained with {settings.recipe}")
live = watch(runner, "lottery", total=len(settings.seeds) * settings.trainings, draw=picture)

# %% Live, in numbers tags=["hide-output"]
record = runner.record
last, middle = settings.rounds, settings.redrawn[1]
for number in (middle, last):
    print(f"P_m = {percent(record.values('ticket', number, 'density')[0])}, test accuracy:")
    for method in methods:
        print(f"  {method:15s} {spread(record.values(method, number, 'test_accuracy'))}")
print(f"dense:            {spread(record.values('ticket', 0, 'test_accuracy'))}")
reveal("03.controls", min(methods[1:], key=lambda method: sum(record.values(method, last, "test_accuracy"))))

# %% [markdown]
# Follow each line from left (dense) to right (sparse). Does the ticket gain accuracy as it gets smaller, and how much
# of the gain is left at the last density? Do the controls gain, too? Which of them ends lower?
#
# <details><summary>What one usually sees</summary>The ticket gains accuracy down to a few percent of the weights, and
# then loses a part of the gain. With the same mask and new weights there is no gain: the line is level at first, and
# then falls. With a random mask it ends lower still. So both the mask and the initial values matter, and only together
# do they win.</details>
#
# Why should a smaller network *gain* accuracy? These runs are short, so a network that learns faster has got further
# when the training ends. Speed is the other half of the hypothesis. It needs longer runs, which follow below.
#
# ## Step through the rounds
#
# The slider steps through the tickets of the loop above, one round at a time. "Before" shows the initial values of the
# surviving weights, "after" their trained values. Step forward and watch two things: in which round the gap at 0 opens,
# and in which round the accuracy begins to fall.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Let somebody from the class step through the rounds with the arrow keys, first with "after", then with
# "before".
#
# **Ask** In which round does the gap at 0 open? In which round does the accuracy begin to fall?
#
# **Expect** The gap opens early, long before the accuracy falls.
#
# </details>

# %% Step through the rounds
stepper = widgets.TicketStepper(rounds, θ0, "fc1.weight", (28, 28))
widgets.explore(stepper.draw, round=stepper.numbers, weights=("before", "after"))

# %% [markdown]
# The *initial* values of the survivors are not a random sample of $\mathcal{D}_\theta$: small values are missing. A
# weight that begins large tends to end large, and magnitude pruning keeps the weights that end large.

# %% The survivors began large
first, kept = θ0["fc1.weight"], rounds[-1].mask["fc1.weight"]
print(f"standard deviation of fc1's initial weights: all {first.std():.3f}, the last ticket's {first[kept].std():.3f}")
always_black = (mnist.train.x == 0).all(0).flatten()
reading = kept.sum(0).float()
print(f"weights kept per pixel: {reading[always_black].mean():.1f} where it is always black,", end=" ")
print(f"{reading[~always_black].mean():.1f} elsewhere")

# %% [markdown]
# In lesson 01 Adam drove the weights of black pixels to 0, because weight decay was their only gradient. Here there is
# no weight decay. A weight of a black pixel never gets a gradient and keeps its initial value. If this value is large,
# it survives longer than many weights that the network uses. Magnitude is a good criterion, not a perfect one.
#
# ## Recorded, at the paper's settings
#
# The paper trains each network of each round for 50,000 iterations and evaluates it every 100. It takes two numbers
# from each run: the iteration of the smallest validation loss (the *early stop*, a measure of speed) and the test
# accuracy at that iteration (Frankle & Carbin 2019, Sec. 2). This takes hours on two cores. **We recorded** it with the
# same settings: Adam at 0.0012, batches of 60, Gaussian Glorot (Xavier) initialization, 5,000 validation examples. We
# add a third number, the test accuracy at the end of training.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** This run is recorded. The first two panels show the two parts of the hypothesis: no slower, no less accurate.
# The third shows the accuracy at the end of training. Cover it until you have asked the question.
#
# **Ask** Will the ticket's lead be larger at the end of training, or smaller?
#
# **Expect** Most say larger. It is smaller, and in most seeds less than half of it is left, because the early stop
# comes before the dense network has reached its best accuracy. Then go through the table row by row, with the ranges.
#
# </details>

# %% Recorded at the paper's settings
paper = runs.load_or_run("lottery-lenet-300-100", "paper")
print(paper)
print(f"{paper.settings['recipe']['iterations']:,} iterations per round, {len(paper.trials)} seeds")

# %%
beside_paper("lottery-lenet-300-100", "paper")

# %% Tickets are sooner; at the end of training much of their lead is gone
accuracy, at_the_end = "early_stop_test_accuracy", "test_accuracy"
figure, axes = plt.subplots(1, 3, figsize=(15, 5))
curves, end = {m: paper.curve(m, "early_stop") for m in methods}, paper.settings["recipe"]["iterations"]
plots.against_density(curves, axes[0], ylabel="early stop (iteration)", shares=False, end=end)
for ax, key, when in ((axes[1], accuracy, "at the early stop"), (axes[2], at_the_end, "at the end of training")):
    plots.against_density({m: paper.curve(m, key) for m in methods}, ax, ylabel=f"test accuracy {when}")
    ax.set_ylim(0.955, 0.988)

# %% [markdown]
# In the left panel lower is faster; in the other two higher is better. The table puts each of the paper's statements
# about this network beside our result (mean and range over the seeds):

# %% The paper's statements beside our record
early = {m: {n: paper.values(m, n, "early_stop") for n in (0, 7)} for m in ("ticket", "re-initialized")}
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

# %% The lead depends on when it is measured
Table(
    ["P_m", *(f"{m} minus dense, {w}" for m in methods[:2] for w in ("at the early stop", "at the end"))],
    [
        [
            percent(paper.values("ticket", n, "density")[0]),
            *(points(paper.change(m, n, key)) for m in methods[:2] for key in (accuracy, at_the_end)),
        ]
        for n in paper.settings["redrawn"]
    ],
)

# %% Seed by seed, at two moments
for n in (0, 9):
    print(f"P_m = {percent(paper.values('ticket', n, 'density')[0])}, test accuracy, seed by seed:")
    for when, key in (("at the early stop", accuracy), ("at the end", at_the_end)):
        print(f"  {when:17s}", "  ".join(percent(a, 2) for a in paper.values("ticket", n, key)))

# %% [markdown]
# From 33 to 4.5 % our tickets are more accurate than the dense network at the early stop, as in the paper; they are
# sooner with an interval below 1× only from 26 to 17 %. At 13.5 % their lead in accuracy is on average twice the
# paper's; its interval holds the paper's number.
#
# The lead may depend on when it is measured. At the end of training the mean lead at 13.5 % is half as large; three
# seeds do not settle whether it shrinks. (One seed's dense network ended low, and this seed carries the mean.)
# The dense network reaches its smallest validation *loss* within the first tenth of the training, but in most seeds its
# *accuracy* continues to rise after that. So the early stop ends the dense network's training before its accuracy is at
# its best. A lead at the early stop shows that the ticket learns faster, rather than that it ends better.
#
# Two more results differ from the paper's. The paper's re-initialized networks lose accuracy from 21.1 % on; at that
# density the mean of ours is still level with the dense network, and only at 3.6 % do the seeds show it below. There
# the paper's ticket is back at the dense accuracy; so is ours, as far as the intervals tell. We have fewer seeds than
# the paper's five trials, so consider the ranges before you rely on either difference.
#
# ## Faster?
#
# The next figure shows the same runs during training. Each line is the mean of the seeds at one density, and its band
# is their range.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** These are the same runs during training. The left panel shows the tickets, the right panel the same masks with
# new weights.
#
# **Ask** Which line falls fastest?
#
# **Expect** That of a sparse ticket, but not of the sparsest, which has lost a part of its lead.
#
# </details>

# %% Same mask, new weights: the lead is gone
figure, axes = plt.subplots(1, 2, figsize=(14, 5), sharey=True)
density = {n: percent(paper.values("ticket", n, "density")[0]) for n in (0, 3, 7, 15)}
for ax, method in zip(axes, ("ticket", "re-initialized"), strict=True):
    curves = {f"$P_m$ = {density[n]}": paper.values(method, n, "curve") for n in (0, 3, 7, 15)}
    plots.against_iterations(curves, ax, key="validation_error", ylabel="validation error")
    ax.set(title=method, xlim=(0, 20_000), ylim=(0.014, 0.05))

# %% [markdown]
# In the left panel, down to a fifth of the weights, the sparser ticket learns faster and its error stays lower. A part
# of the lead is gone at 3.6 %. In the right panel the same masks with new weights have no lead, and the smallest
# network is far behind. (**The paper shows** this in its Fig. 3.)
#
# ## Which way to the ticket?
#
# *Iterative* pruning costs one training per round. Is it worth the cost? There are two alternatives. **One shot**
# trains once, prunes at once to the desired size, and resets. **Reset at the end** continues training from round to
# round, as Han does, and resets the weights only after the last round. (This is the paper's Strategy 2. Its Strategy 1
# resets the weights in every round.)

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** Iterative pruning needs one training per round. Is there a cheaper way?
#
# **Ask** What does one-shot pruning save, and what does it cost?
#
# **Expect** It saves trainings, but its tickets stop winning at a larger size.
#
# </details>

# %% One-shot tickets stop winning at a larger size
figure, ax = plt.subplots()
ways = ("ticket", "reset at the end", "one shot", "re-initialized")
plots.against_density({way: desk.curve(way, "test_accuracy") for way in ways}, ax, ylabel="test accuracy")
_ = ax.set_title(f"{desk.settings['recipe']['iterations']:,} iterations per round, {len(desk.trials)} seeds")

# %%
number = desk.settings["rounds"]
for way in ways:
    size = percent(desk.values(way, number, "density")[0])
    print(f"{way:17s} at {size}: {spread(desk.values(way, number, 'test_accuracy'))}")

# %% [markdown]
# One-shot pruning finds tickets, too, but they stop winning at a larger size: one training does not show which of the
# last few percent of the weights will matter. Resetting only at the end does as well as resetting in every round down
# to 13.5 % of the weights; below that its tickets fall behind. **The paper reports** the same order (Sec. 2; App. B,
# Figs. 9 and 10): iterative tickets stay ahead longer than one-shot tickets, and Strategy 1 longer than Strategy 2. Why
# should a reset in every round give better masks?
#
# ## Is it so?
#
# **The slides say** (S8): the outcome is a network of 1 to 15 % of the original size, which trains faster and reaches
# at least the same accuracy. We check every recorded ticket of that size, seed by seed. Two rules about speed must be
# kept apart. S8 says *faster*, so the ticket's early stop must come sooner. The hypothesis (S6) says *at most as many
# iterations*, so an equal early stop is enough. Evaluations are 100 iterations apart, and equal early stops do occur.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** We take S8 literally and check it ticket by ticket.
#
# **Ask** Does every ticket of that size win?
#
# **Expect** No. Find the rows in which a column does not count all seeds, and compare the two columns about accuracy.
#
# </details>

# %% Not every small ticket wins
comparisons.wins(paper, at_most=0.15)

# %% [markdown]
# Down to 5.6 % no ticket stops later than its dense network, in any seed. At 8.7 % one seed stops at the same iteration
# as its dense network: by S6's rule it wins, by S8's it does not. At 4.5 and 3.6 % the mean wins, but one seed does
# not. At 2.9 % the mean early stop is later than the dense network's. Every ticket is at least as accurate as the dense
# network at the early stop; at the end of training the tickets below 7 % are not, in one or two seeds. Tickets smaller
# than the last row were not recorded, so the slides' lower end, 1 %, is not tested here.
#
# ## Filters instead of weights
#
# There is counter-evidence. Liu et al. (2019) asked the question of S4 for *structured pruning*, which removes whole
# filters and neurons, so that what is left is an ordinary, smaller network. **Their paper reports** (Sec. 4) that
# such a network, trained from scratch for as long or at the same cost, is about as good as the pruned and fine-tuned
# one: what matters is its shape, not the inherited weights. They also report (Sec. 6) that tickets lose their
# advantage over newly drawn weights when the learning rate is as high as training usually has it.
#
# **We recorded** their comparison for LeNet-5, at two learning rates, the second a tenth of the first. From each
# layer we remove the filters whose absolute weights have the smallest sums (Li et al. 2017). What is left is trained
# in five ways:
#
# - *fine-tuned*: from its trained weights, for a quarter of the iterations, at a tenth of the rate;
# - *random filters*: the same, with filters chosen at random;
# - *ticket*: from its initial weights, for as long as the dense network;
# - *from scratch*: from newly drawn weights, for as long as the dense network;
# - *from scratch, longer*: the same for twice as long, which still costs less than training the dense network first.

# %% tags=["hide-input"]
predict("03.filters")

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** One paper objects strongly to the usual answer to S4; we repeat its experiment.
#
# **Ask** If whole filters go, what is worth keeping: the trained weights, the initial weights, or the shape alone?
#
# **Expect** Most say the trained weights. Compare the two training budgets before you compare the lines.
#
# </details>

# %%
rates = {}
for name in ("structured-lenet-5", "structured-lenet-5-low"):
    if filters := runs.if_recorded(name, "desk"):
        rates[f"learning rate {filters.settings['recipe']['lr']:g}"] = filters

# %% Filters instead of weights: five ways to train what is left tags=["hide-output"]
five = ("fine-tuned", "random filters", "ticket", "from scratch", "from scratch, longer")
if rates:
    figure, axes = plt.subplots(1, len(rates), figsize=(5.5 * len(rates), 4), sharey=True, squeeze=False)
    for ax, (rate, filters) in zip(axes.flat, rates.items(), strict=True):
        curves = {m: {d: e for d, e in filters.curve(m, "test_error").items() if d < 1} for m in five}
        dense = {"dense": filters.values("dense", 0, "test_error")}
        plots.against_density(curves, ax, ylabel="test error", reference=dense).set_title(rate)
        ax.set(yscale="log", yticks=(0.01, 0.03, 0.1, 0.3), yticklabels=("1 %", "3 %", "10 %", "30 %"))
        ax.minorticks_off()
        ax.get_legend().remove()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    filters = next(iter(rates.values()))
    at = filters.settings["shares"].index(0.125) + 1
    reveal("03.filters", sorted(five, key=lambda m: sum(filters.values(m, at, "test_error"))), axes[0, 0])

# %% Filters instead of weights, in numbers tags=["hide-output"]
rows = []
for rate, filters in rates.items():
    for number, kept in enumerate(filters.settings["shares"], 1):
        errors = [spread(filters.values(method, number, "test_error")) for method in five]
        rows.append([rate, percent(kept), percent(filters.values("ticket", number, "density")[0]), *errors])
Table(["", "filters", "weights", *five], rows)

# %% [markdown]
# Compare the costs. The fine-tuned network has the dense training behind it, so its rival is the network that was
# trained from scratch for longer. But fine-tuning is short and gentle, a quarter of the iterations at a tenth of the
# rate, while training from scratch for longer starts at the full rate. This may be the reason for a part of the
# difference, or for all of it. The ticket and the network from scratch differ only in their initial weights. The
# random filters show how much the choice of filters matters.

# %%
pairs = (("from scratch, longer", "fine-tuned"), ("ticket", "from scratch"), ("fine-tuned", "random filters"))
rows = []
for rate, filters in rates.items():
    shares = filters.settings["shares"]
    for one, other in pairs:
        row = [rate, f"{one} minus {other}"]
        for number in range(1, len(shares) + 1):
            wrong = (filters.values(method, number, "test_error") for method in (other, one))
            row.append(points_interval([theirs - ours for theirs, ours in zip(*wrong, strict=True)]))
        rows.append(row)
Table(["", "test accuracy", *(f"{percent(share)} of the filters" for share in shares)], rows)

# %% [markdown]
# From scratch does better. At both rates the newly drawn network is ahead of the fine-tuned one, at every size where the
# interval excludes 0. That is in line with Liu et al.'s answer to S4: they find fine-tuning comparable or worse. When
# few filters are left, little of the dense network is left to be tuned.
#
# The initial weights are worth little here. At the higher rate the ticket is ahead of newly drawn weights at one size of
# four, by a fraction of a point; at the lower rate its lead at the smallest size is over a point. Liu et al. report a
# lead only for single weights, at a low rate, and none for filters; our one lead of over a point, for filters at the
# low rate, differs from that. Which filters are kept does matter to the fine-tuned network: at the higher rate, the
# chosen ones beat random ones at all sizes but the smallest.
#
# So S4's question has two answers. When single weights are removed, the network from newly drawn weights fell short
# of the dense one at the smallest sizes, in this lesson's records. When whole filters are removed, it does better
# than our fine-tuning.

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** When single weights are removed, the small network can be trained from the beginning if it begins with its
# own initial values.
#
# **Ask** Is a ticket a way to save training time?
#
# **Expect** Not so far: finding it costs more than training the large network once. It shows what training needs.
#
# </details>

# %% What we measured
n = settings.rounds
print(f"here, {len(record.trials)} seeds, {percent(record.values('ticket', n, 'density')[0])} of the weights:")
print(f"  ticket minus dense:         {points(record.change('ticket', n, 'test_accuracy'))}")
print(f"  re-initialized minus dense: {points(record.change('re-initialized', n, 'test_accuracy'))}")
print(f"  random minus dense:         {points(record.change('random', n, 'test_accuracy'))}")
print(f"recorded at the paper's settings, {len(paper.trials)} seeds, ticket minus dense:")
for n in (9, 15):
    share = percent(paper.values("ticket", n, "density")[0])
    print(f"  at {share}: {points(paper.change('ticket', n, accuracy))} at the early stop,", end=" ")
    print(f"{points(paper.change('ticket', n, at_the_end))} at the end")

# %% tags=["hide-input"]
summary("03")

# %% [markdown]
# The slides' question has an answer: when single weights are removed, the small network *can* be trained from the
# beginning, if it begins with the values that it had inside the large network; when whole filters are removed, newly
# drawn weights do better than our fine-tuning, and at small sizes worse than the dense network. Finding the right
# mask costs one training per round, far more than training the large network once. So a ticket does not save time. It
# shows what training needs.
#
# MNIST is easy, and LeNet is small. Do convolutional networks and deep networks contain tickets, too? Lesson
# [04](04_when_tickets_fail.ipynb) shows where they fail.

# %% [markdown]
# ## Exercises
#
# As in lesson [01](01_pruning_lenet.ipynb), replace `return None` with your own code, run the cell, and run the check
# below it.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Exercise 1 asks for slide S7 in ten lines.
#
# **Ask** Before a ticket is trained, what must the optimizer forget?
#
# **Expect** Everything: its averages would move the weights in the direction of the dense training.
#
# </details>

# %% [markdown]
# ### 1. One round
#
# Write one round of iterative magnitude pruning with reset, in place. `network` holds its initial weights under `mask`,
# and `train(network, mask)` trains it.
#
# - Train it. Of the weights that each layer still keeps, prune the share `rate` with the smallest magnitudes,
#   the count rounded to the nearest.
# - Set the surviving weights and the biases back to `initial` (name → tensor, all parameters), and the pruned weights
#   to 0.
# - Return the next mask (name → booleans). Do not change `initial` or `mask`: later rounds need them.


# %% tags=["exercise"]
def imp_round(network, initial, mask, rate, train):
    return None


# %%
checks.imp_round(imp_round)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# Follow the order of "The algorithm by hand" above. Choose the mask before the reset: it depends on the magnitudes of
# the trained weights, and the reset overwrites them.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `magnitudes[mask[name]]` gives the surviving weights of a layer as a vector. Choose among them, and pruned weights
# cannot come back. For the reset, copy the values: after `p.data = initial[name]` the network and `initial` share one
# tensor, and the next training changes both.
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
# `pruning.prune_iteratively` with `restart=restarts.to_init` repeats such rounds.
#
# </details>

# %% [markdown]
# ### 2. How many rounds
#
# Every round prunes the share `rate` of the weights that a layer has left, and half of `rate` in the last layer. The
# number of weights that a layer loses is rounded to the nearest, with `round`. `sizes` lists the layers' numbers of
# weights, first to last. Return the number of rounds after which at most the share `density` of all weights is left.


# %% tags=["exercise"]
def rounds_until(density, sizes, rate):
    return None


# %%
checks.rounds_until(rounds_until)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The formula of lesson 01, exercise 4, has one rate, but here the layers have two. Do not use a formula: count round by
# round.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Keep a list of what each layer has left, and continue while its sum is larger than `density * sum(sizes)`. Stop when
# it is equal: *at most* includes equal.
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
# `criteria.layer_rates` returns such rates by layer, and `criteria.magnitude` rounds in the same way.
#
# </details>

# %% [markdown]
# ### 3. As if for the first time
#
# `network` has been trained densely with `optimizer`, and the optimizer remembers this training: momentum, Adam's
# averages. Train the ticket as if for the first time. Reset `network` to `initial` under `mask`, then make one step of
# the optimizer on each (x, y) of `batches`, with the gradient of the cross-entropy. Pruned weights must be exactly 0
# before the first step and after every step; do not change `initial`. Return the loss before the last step, as a
# number.


# %% tags=["exercise"]
def train_ticket(network, optimizer, initial, mask, batches):
    return None


# %%
checks.train_ticket(train_ticket)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# It is not enough to reset the weights: the optimizer's memory would still move them in the direction of the dense
# training. Print `optimizer.state`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `optimizer.state` is a dict, and `.clear()` empties it. Then make a step for each batch as in lesson 01, exercise 2.
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
# `training.train` creates a new optimizer in every call, so no memory of an earlier training is left.
#
# </details>

# %% [markdown]
# ### 4. The early stop
#
# `losses` lists the validation losses at the `iterations`; both lists have the same length and the order of the
# training. Return the iteration of the smallest loss. If several losses are equally small, return the first of these
# iterations.


# %% tags=["exercise"]
def early_stop(iterations, losses):
    return None


# %%
checks.early_stop(early_stop)

# %% [markdown] tags=["hint"]
# <details><summary>Hint 1</summary>
#
# The loss may fall again after it has risen, so look at all losses before you decide.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `min(losses)` gives the smallest loss, and `losses.index(…)` its first position. The position is not yet the
# iteration.
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
# This is the `early_stop` of the history that `train` returns.
#
# </details>

# %% [markdown]
# ## Two workers of one thread
#
# The trials of an experiment do not depend on each other, so each runs in its own process with one thread. Why not one
# process with two threads? The matrices are too small to be worth dividing. We measured this on the machine of the
# recorded runs:
#
# ![Iterations a second: one process of one thread, one process of two threads, two processes of one thread
# each.](figures/workers.png)

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 1 minute</summary>
#
# **Say** Each seed runs in its own process with one thread. The figure shows why.
#
# **Ask** Which is faster: two threads for one training, or one thread for each of two trainings?
#
# **Expect** The second: the matrices are too small to be worth dividing.
#
# </details>

# %% [markdown]
# ## References
#
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635. The hypothesis, the algorithm, and all results of the paper that are quoted above.
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural
#   Networks*, 2015, arXiv:1506.02626. On keeping the surviving weights rather than drawing new ones.
# - Hao Li, Asim Kadav, Igor Durdanovic, Hanan Samet, Hans Peter Graf: *Pruning Filters for Efficient ConvNets*, 2017,
#   arXiv:1608.08710. Filters with the smallest sums of absolute weights go.
# - Zhuang Liu, Mingjie Sun, Tinghui Zhou, Gao Huang, Trevor Darrell: *Rethinking the Value of Network Pruning*, 2019,
#   arXiv:1810.05270. The counter-evidence: for whole filters the shape counts, not the inherited weights.
# - Hattie Zhou, Janice Lan, Rosanne Liu, Jason Yosinski: *Deconstructing Lottery Tickets*, 2019, arXiv:1905.01067. On
#   why the initial values matter; lesson 07 returns to it.
