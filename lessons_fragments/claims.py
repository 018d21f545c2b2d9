# %% [markdown]
# ## The claims table
#
# The review questions ask what the slides say. This section asks whether it is so. Every claim of the slides is a row, and
# three voices speak in it: what **the slides say**, what **the paper reports**, and what **we measured**.
#
# Whether a claim holds is not an opinion here. Each claim has a rule, which says what a **case** is and when it is *met*:
# one ticket of one seed, one layer, one network. The program looks at every case by itself, in the recorded run or in a
# computation of a moment, and counts:
#
# | verdict | when |
# |:--|:--|
# | ✔ holds | every case is met |
# | ◐ holds in part | some cases are met; or all, but the evidence is too small to say more |
# | ✘ does not hold here | no case is met |
# | – not tested at this scale | there is nothing that could be asked |
#
# *Too small to say more* is one of three things, and the row says which: one seed alone; runs far shorter than the paper's;
# a smaller network, or easier images, than those that the claim is about. Behind a verdict is the count: "19 of 24" are 19
# cases met of 24.
#
# *Predict: of the claims on S6 to S8, which one will hold in part only? The network is there, it is small, it is accurate,
# it trains faster.*

# %%
from ltcourse import claims
from ltcourse.evidence import Verdict

table = claims.table()
for verdict, count in table.verdicts.items():
    print(f"{verdict}: {count} of {len(table.rows)} claims")

# %% [markdown]
# The first part of the lecture, pruning. Read a row from left to right; the last column leads to the cell that shows it.

# %%
claims.table("S1", "S2", "S3", "S4")

# %% [markdown]
# One pair of rows is worth a second look. That the two LeNets err no more than *before* is the slides' comparison (S3).
# The row on quality (S4) asks more: the pruned network has been trained for longer than the dense one was, so that one is
# trained on for as long, and set beside it. Read off how much of "no loss" was the longer training.
#
# The second part, lottery tickets:

# %%
claims.table("S6", "S7", "S8")

# %% [markdown]
# The third part, supermasks and the weights that they are found in:

# %%
claims.table("S10", "S11", "S12", "S13", "S14")

# %% [markdown]
# And the slides' second source, on tickets that travel:

# %%
claims.table("source 2")

# %% [markdown]
# ## What does not hold, and why
#
# A table of nothing but ✔ would say more about the table than about the claims. Here are the others, each with what
# stands in the way: cases that are not met, or evidence that is too small.

# %%
for row in table.of(Verdict.PART, Verdict.FAILS).rows:
    against = [case for case in row.measured.cases if not case.met]
    print(f"{row.verdict}  {row.claim.key}: {row.claim.says}")
    if against:
        first = against[0].what if against[0].seed is None else f"{against[0].what}, seed {against[0].seed}"
        print(
            f"      not met in {len(against)} of {len(row.measured.cases)} cases, such as {first}: {against[0].found}"
        )
    for limit in row.limits:
        print(f"      {limit}")

# %% [markdown]
# Two kinds of "in part" should not be mixed up. Where *cases* stand against a claim, it is the claim that reaches less far
# than its sentence: down to some size, in some layers, at some seeds. Where only a *limit* is named, nothing speaks against
# it; our runs are too short or too small to speak for it, either. The paper's may not be.
#
# And "does not hold here" is about *here*: the same experiment at the paper's settings may come out otherwise.
# `ltcourse record NAME --budget paper` runs it, where there is a graphics card and time, and the table will use that record
# in place of ours.
#
# ## Ask for the evidence
#
# Pick a claim by what stands in the first column, and see every case. Try another key in place of this one: `"S8 faster"`,
# `"S4 quality"`, `"S12 neurons"`.

# %%
row = claims.examine("S8 faster")
print(row)
row.evidence

# %% [markdown]
# Below the verdict is where the record was made, when, and with which versions. Above it is the rule. If you think that
# another rule would be fairer, you can count the cases yourself:

# %%
cases = claims.examine("S8 faster").measured.cases
for seed in sorted({case.seed for case in cases}):
    own = [case for case in cases if case.seed == seed]
    print(f"seed {seed}: {sum(case.met for case in own)} of {len(own)} small tickets train faster")
