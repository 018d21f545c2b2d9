"""The networks of the slides, how their weights are drawn, and what a mask over them is.

Read `models` first, then `initializers` (Xavier, Kaiming) and `masks`; `weights` tells which parameters of a network
are weights, whoever built it, and `dropout` is the one layer that can be set anew after pruning. `transformer` is a
language model of today's design, small.
"""
