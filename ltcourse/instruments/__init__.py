"""What is measured on a network and its mask.

In the order of the lessons: `sparsity` (parameters and arithmetic, layer by layer), `storage` (bytes), `latency`
(milliseconds), `neurons` (what has lost all its edges), `connectivity` (the line between two runs), `signals` (what
goes through a deep network), `subset_sum` (why a wide random layer contains a given weight), `statistics` (the interval
of a mean over seeds).
"""
