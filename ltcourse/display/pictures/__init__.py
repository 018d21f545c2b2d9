"""The pictures that explain: most on one small network, really trained, in steps.

Read `frames` first: a picture in steps, and its letters, chips and bars. `networks` draws a network edge by edge,
`small` trains the one of the pictures. Then the pictures: `reasons`, the opening; `loops`, the pruning loop and the
ticket's; `claims`, the hypothesis, the hidden subnetwork, the closing; `popup`, edge-popup; `weights`, before against
after training; `sketches`, drawn from formulas.
"""

from ltcourse.display.pictures.claims import closing, hidden, hypothesis
from ltcourse.display.pictures.frames import Frames
from ltcourse.display.pictures.loops import pruning_loop, ticket_loop
from ltcourse.display.pictures.networks import edges, paths
from ltcourse.display.pictures.popup import edge_popup
from ltcourse.display.pictures.reasons import opening
from ltcourse.display.pictures.sketches import straight_through, subset_sums, valleys
from ltcourse.display.pictures.weights import before_and_after

__all__ = [
    "Frames",
    "before_and_after",
    "closing",
    "edge_popup",
    "edges",
    "hidden",
    "hypothesis",
    "opening",
    "paths",
    "pruning_loop",
    "straight_through",
    "subset_sums",
    "ticket_loop",
    "valleys",
]
