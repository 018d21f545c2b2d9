# %% [markdown]
# # Start here
#
# **Question** What is this course, how do you use it, and does it work on your machine?
#
# **Slides** before S1
#
# **Before you start** You can read Python and know what a neural network and gradient descent are. Everything here runs
# on a laptop with no graphics card and no network.
#
# **Time** {minutes} to run on two processor cores
#
# **Outline** the course · three ways to use it · three voices · four budgets · the data · a first network

# %% [markdown]
# ## The course
#
# A trained network is much larger than it needs to be. That one observation leads through three surprises, and the
# lessons follow the slides of a lecture (S1 to S17) through them:
#
# 1. **Network pruning** (S1–S3): take a trained network, remove nine tenths of its weights, fine-tune the rest, and it
#    is as accurate as before.
# 2. **The lottery ticket hypothesis** (S4–S8): the small network could have been trained on its own, if only it had
#    started from the right random numbers. A large network is a stack of lottery tickets.
# 3. **Supermasks** (S9–S14): a large enough random network contains a small one that works *with no training at all*.
#
# | lesson | what it asks | slides |
# |:--|:--|:--|
# | [01 Pruning LeNet](01_pruning_lenet.ipynb) | how much of a network can go? | S1–S3 |
# | [02 The slides' table whole](02_han_tables.ipynb) | what is 12× in bytes and in milliseconds? | S3 |
# | [03 The lottery ticket](03_lottery_ticket.ipynb) | could the rest have been trained alone? | S4–S8 |
# | [04 When tickets fail](04_when_tickets_fail.ipynb) | does every network hold a ticket? | S8 |
# | [05 One ticket to win them all](05_one_ticket_to_win_them_all.ipynb) | is a ticket good for other data? | S6, S7 |
# | [06 Initialization](06_initialization.ipynb) | how large should a network's first numbers be? | S12 |
# | [07 Supermasks](07_supermasks.ipynb) | can a network work with no training at all? | S9–S14 |
# | [08 Review](08_review.ipynb) | can you say it, and which claims hold? | S15–S17 |

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Three surprises, in the order of the slides. Do not explain any of them yet: the point of this minute is
# that each sounds wrong. Read the three aloud and stop.
#
# **Ask** Which of the three do you believe least?
#
# **Expect** Most hands go up for the third, a network that works with no training. Note the count on the board;
# lesson 07 comes back to it.
#
# </details>

# %% [markdown]
# ## Three ways to use it
#
# - **As a student**, run a lesson cell by cell (`Shift`+`Enter`). Before most runs you are asked to predict; do it, on
#   paper. At the end of a lesson there are exercises. Each has hints and a solution, folded, and a check that tells you
#   what your function returns where it is wrong.
# - **As an instructor**, you need not run anything: every output is stored in the notebook, and every slider has its
#   picture. What takes hours is recorded; what runs live takes seconds.
# - **As a reviewer**, pick any number. It was printed by the cell above it, or it is cited from a paper with its table,
#   or it comes from a record that says on which machine, when, with which settings and seeds it was made.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** Everything that you will see today is in a notebook that they can open themselves. Nothing here needs a
# network or a graphics card.
#
# **Ask** Who has it running already?
#
# **Expect** A few. The others need two commands, which are in the README.
#
# </details>

# %% [markdown]
# ## Three voices
#
# Three kinds of statement are kept apart in every lesson:
#
# - **The slides say**: what the lecture claims.
# - **The paper reports**: what the authors measured, with the section, table or figure.
# - **We measured**: what came out here, live on your machine or recorded. Where it differs from the paper, the lesson
#   says so, and by how much.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** The rule of the course: what the slides say, what a paper reports and what we measured are three different
# things, and are never mixed.
#
# **Ask** If our number differs from the paper's, which one is wrong?
#
# **Expect** Perhaps neither: other settings, other seeds, a shorter run. That is why a number without its settings is
# worth little.
#
# </details>

# %%
from ltcourse import data
from ltcourse.display import plots
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent
from ltcourse.experiments import catalog
from ltcourse.networks import models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.training import Recipe, evaluate, evaluations

plots.use_style()

# %% [markdown]
# ## Four budgets
#
# The papers trained for days on many graphics cards. Every experiment of this course exists at four sizes, *the same
# code with other settings*:
#
# - `smoke`: seconds, to test that it runs. Its numbers mean nothing.
# - `class`: what a lesson does live, in at most three minutes on two processor cores.
# - `desk`: an hour or two on two processor cores, recorded in the repository.
# - `paper`: the paper's own settings, as far as it prints them.
#
# Here is one experiment of lesson 01 at all four.

# %% [markdown] tags=["notes", "skip-when-late"]
# <details><summary>For the instructor, 3 minutes</summary>
#
# **Say** One code, four sizes. What runs in this room is the class budget; what took hours is recorded and says where
# and when it was made.
#
# **Ask** Why several seeds, and not one long run?
#
# **Expect** One run cannot tell a difference from chance. Several show how far apart two equal runs are.
#
# </details>

# %%
Table(
    ["budget", "iterations, dense", "pruning rounds", "iterations a round", "seeds"],
    [
        [at, f"{s.recipe.iterations:,}", s.rounds, f"{s.retrain.iterations:,}", len(s.seeds)]
        for at in catalog.get("han-lenet-300-100").budgets
        for s in [catalog.settings("han-lenet-300-100", at)]
    ],
)

# %% [markdown]
# An **iteration** is one step of the optimizer on one batch of examples. A **seed** decides all random numbers of one
# trial: the same seed on the same machine gives the same result, bit for bit, and several seeds show how much is chance.

# %% [markdown]
# ## The data
#
# MNIST, 70,000 handwritten digits, is in the repository whole, and so are class-balanced parts of Fashion-MNIST and
# CIFAR-10. Every file is verified by its checksum before it is used. `data/README.md` says where each set comes from.

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 4 minutes</summary>
#
# **Say** Three parts: one to train on, one to choose with, one to report on. The test part is looked at once.
#
# **Ask** What goes wrong if I choose the pruning rate by the test accuracy?
#
# **Expect** The number becomes a little too good: the choice has seen the examples that it is judged by. Black pixels
# are exactly 0: ask them to remember that.
#
# </details>

# %%
mnist = data.load("mnist")
figure = plots.examples(mnist, mnist.train)

# %% [markdown]
# The 60,000 training images are divided once, by a fixed seed, into a part to **train** on and a part to **validate**
# on: every choice (when to stop, how much to prune) is made on the validation set. The **test** set is looked at once,
# at the end, and no choice depends on it. Otherwise its accuracy would be a little too good to be true.
#
# The images become one tensor each, (examples, channels, height, width). Black is exactly 0, which will matter.

# %% tags=["nbval-check-output"]
for name, part in (("train", mnist.train), ("validation", mnist.validation), ("test", mnist.test)):
    print(f"{name:10s} x {tuple(part.x.shape)}  y {tuple(part.y.shape)}  smallest pixel {part.x.min():.0f}")

# %% [markdown]
# ## A first network
#
# LeNet-300-100 is the small network of the first two papers, and lesson 07 takes it for the third: 784 pixels in, a
# layer of 300 neurons, one of 100, and ten outputs, one a digit. A **recipe** holds all that decides how a network is
# trained.
#
# *Predict: how many of the 10,000 test digits will it get right after 600 iterations of 60 digits each?*

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 6 minutes</summary>
#
# **Say** Run the training cell live: it takes seconds. Collect guesses before you do, then read the left figure from
# left to right and stop at the early stop.
#
# **Ask** How many of the test digits will it get right? And has it begun to learn its examples by heart?
#
# **Expect** Guesses are usually too low. It has hardly begun: the run is too short for the validation loss to turn.
#
# </details>

# %%
iterations = catalog.live(600)
recipe = Recipe(iterations=iterations, batch=60, lr=1.2e-3, evaluate_every=iterations // 10)
network = models.create("lenet-300-100", initializer=kaiming_normal, seed=0)

training = watch(evaluations(network, mnist, recipe), "training")
history = training.last

# %% [markdown]
# The line above was live while the network trained. You can stop a training cell at any time (the ■ button, or `I` `I`):
# what was computed is kept, and the next cells work with it. A cell that needs more says in one line which cell to run to
# the end.

# %%
figure = plots.learning_curves(history)

# %% [markdown]
# Left, the **loss**, what training makes smaller: −log of the probability that the network gives to the right digit,
# averaged over digits. Where the validation loss is smallest is the **early stop**. In a long training the loss turns
# there: from then on the network mostly learns its training examples by heart (lesson 03 shows it). In one as short as
# this, the smallest value is simply one of the last. Right, the share of validation digits that it gets right.
#
# How fast a network reaches its early stop, and how accurate it is there, are the two things that lottery tickets will
# be judged by.

# %%
loss, accuracy = evaluate(network, mnist.test)
print(f"after {history.iterations[-1]:,} iterations: test accuracy {percent(accuracy, 2)}, loss {loss:.3f}")
print(f"wrong: {round((1 - accuracy) * len(mnist.test)):,} of {len(mnist.test):,} test digits")

# %% [markdown]
# ## What we saw

# %% [markdown] tags=["notes"]
# <details><summary>For the instructor, 2 minutes</summary>
#
# **Say** One network, one number to start from. From here on we take weights away.
#
# **Ask** How many of these weights do you think it needs?
#
# **Expect** Take three numbers from the room and keep them for lesson 01.
#
# </details>

# %%
print(
    f"data        {mnist.name}: {len(mnist.train):,} + {len(mnist.validation):,} + {len(mnist.test):,} images, verified"
)
print(f"network     LeNet-300-100: {models.weight_count(network):,} weights")
print(f"training    {history.iterations[-1]:,} iterations, early stop at {history.early_stop:,}")
print(f"accuracy    {percent(accuracy, 1)} of the test digits")

# %% [markdown]
# Your machine works. Are that many weights really needed? Lesson [01, pruning LeNet](01_pruning_lenet.ipynb),
# takes them away.
#
# ## References
#
# - Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner: *Gradient-Based Learning Applied to Document Recognition*,
#   1998 (MNIST, LeNet).
# - Song Han, Jeff Pool, John Tran, William Dally: *Learning both Weights and Connections for Efficient Neural Networks*,
#   2015, arXiv:1506.02626.
# - Jonathan Frankle, Michael Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, 2019,
#   arXiv:1803.03635.
# - Vivek Ramanujan, Mitchell Wortsman, Aniruddha Kembhavi, Ali Farhadi, Mohammad Rastegari: *What's Hidden in a Randomly
#   Weighted Neural Network?*, 2020, arXiv:1911.13299.
