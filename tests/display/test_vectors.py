"""Drawings beside pictures: the same figure gives the same bytes, and one of too many points gives none."""

import matplotlib.pyplot as plt
import torch

from ltcourse.display import vectors


def drawn(points):
    figure, ax = plt.subplots(figsize=(4, 3))
    x, y = torch.rand(2, points, generator=torch.Generator().manual_seed(0))
    ax.scatter(x, y)
    ax.set_title("a title")
    found = vectors.bundle(figure)
    plt.close(figure)
    return found


def test_a_figure_brings_its_drawing_and_the_same_one_again():
    (drawing,) = map(vectors.unpacked, drawn(10).values())
    assert drawing.count("<svg") == 1 and "http://www.w3.org/1999/xlink" in drawing
    assert "font-family" not in drawing, "letters are drawn, whatever fonts the viewer has"
    assert drawn(10) == drawn(10)


def test_a_figure_of_thousands_of_points_is_left_to_its_picture():
    assert drawn(20_000) == {}
