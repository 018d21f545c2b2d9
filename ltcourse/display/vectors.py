"""Figures as drawings without pixels, which a built notebook keeps beside its pictures, for its slides."""

import base64
import gzip

import matplotlib as mpl
from matplotlib.figure import Figure

# What a built notebook stores of a figure beside its PNG: the SVG, gzipped, in base64.
VECTOR = "application/vnd.ltcourse.svg+gzip"
_LARGEST = 45_000  # bytes: a notebook stays under 1 MB; a figure of thousands of points is shown as its picture


def bundle(figure: Figure) -> dict[str, str]:
    """Return a figure's drawing by its MIME type, or nothing where it would be too large; the same figure, the same
    bytes.

    Lesson 00, "The data".
    """
    from IPython.core.pylabtools import print_figure

    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "ltcourse"}):
        drawing = print_figure(figure, "svg", metadata={"Date": None, "Creator": None})
    packed = gzip.compress(drawing.encode(), compresslevel=9, mtime=0)
    return {VECTOR: base64.b64encode(packed).decode("ascii")} if len(packed) <= _LARGEST else {}


def unpacked(content: str) -> str:
    """Return the SVG of what `bundle` stored.

    Lesson 00, "The data".
    """
    return gzip.decompress(base64.b64decode(content)).decode()
