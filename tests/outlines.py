"""The counts of a histogram that is drawn as one outline."""

import numpy as np


def counted(outline):
    """The middle of each bin and its count, from the outline's corners: up one side of a bin, along it, and down."""
    corners = outline.get_xy()
    edges = (len(corners) + 3) // 4
    x, y = corners[: 2 * edges - 1 : 2, 0], corners[1 : 2 * edges - 1 : 2, 1]
    return (x[1:] + x[:-1]) / 2, np.round(y).astype(int)
