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
from IPython.display import display

from ltcourse import data
from ltcourse.classroom import checks
from ltcourse.display import plots
from ltcourse.display.progress import watch
from ltcourse.display.tables import Table, percent, points_interval, spread
from ltcourse.experiments import catalog, runs
from ltcourse.networks import masks, models

plots.use_style()

# %% [markdown]
# ## Before training

# %% [markdown]
# ## During training

# %% [markdown]
# ## The proof

# %% [markdown]
# ## Networks of today

# %% [markdown]
# ## What is it good for?

# %% [markdown]
# ## What the papers claim

# %% [markdown]
# ## What we saw

# %% [markdown]
# ## Exercises

# %% [markdown]
# ## References
