"""Tables as a notebook and a terminal show them, and shares as text."""

import pytest

from ltcourse.display.tables import (
    Table,
    percent,
    points,
    points_interval,
    share_interval,
    spread,
    times,
    times_interval,
)


def test_markdown_aligns_numbers_right():
    lines = Table(["layer", "weights"], [["fc1", "235,200"], ["fc2", 30_000]])._repr_markdown_().splitlines()
    assert lines == ["| layer | weights |", "| :-- | --: |", "| fc1 | 235,200 |", "| fc2 | 30000 |"]


def test_a_bar_in_a_cell_does_not_end_it():
    assert "| \\|w\\| | 1 |" in Table(["what", "value"], [["|w|", 1]])._repr_markdown_()


def test_text_is_aligned():
    table = Table(["layer", "kept"], [["fc1", "8 %"], ["conv10", "66.0 %"]])
    assert repr(table) == "layer     kept\nfc1        8 %\nconv10  66.0 %"


def test_words_are_aligned_left():
    table = Table(["layer", "what"], [["fc1", "dense"], ["conv10", "convolution"]], words=True)
    assert table._repr_markdown_().splitlines()[1] == "| :-- | :-- |"
    assert repr(table) == "layer   what\nfc1     dense\nconv10  convolution"


def test_a_table_without_rows_shows_its_header():
    assert repr(Table(["a", "b"], [])) == "a  b"
    assert Table(["a"], [])._repr_markdown_() == "| a |\n| :-- |"


@pytest.mark.parametrize("row", [[], ["a"], ["a", "b", "c"]])
def test_a_row_of_the_wrong_length_is_told(row):
    with pytest.raises(ValueError) as problem:
        Table(["one", "two"], [["x", "y"], row])
    assert str(problem.value) == f"a row of {len(row)} cells under a header of 2: {row}"


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.0818, 1, "8.2 %"), (1, 0, "100 %"), (0, 2, "0.00 %"), (0.036, 1, "3.6 %"), (0.00004, 2, "0.00 %")],
)
def test_percent(share, digits, text):
    assert percent(share, digits) == text


def test_percent_has_one_digit_unless_told():
    assert percent(0.97654) == "97.7 %"


def test_spread():
    assert spread([0.016, 0.0171, 0.0164]) == "1.65 % (1.60 to 1.71)"
    assert spread([0.1, 0.2], 0) == "15 % (10 to 20)"
    assert spread([0.0165]) == "1.65 %"


def test_points_are_signed():
    assert points([0.0031, 0.004, 0.0022]) == "+0.31 points (+0.22 to +0.40)"
    assert points([-0.005]) == "-0.50 points"
    assert points([0.0]) == "+0.00 points"


def test_times():
    assert times([2.4, 2.6]) == "2.50× (2.40 to 2.60)"
    assert times([0.62]) == "0.62×"


def test_an_interval_stands_beside_the_mean():
    # Student's t of 2 degrees of freedom is 4.303; the standard error of (1, 2, 3) is 1 / √3
    assert points_interval([0.01, 0.02, 0.03]) == "+2.00 points [-0.48, +4.48]"
    assert times_interval([0.5, 0.5]) == "0.50× [0.50, 0.50]"
    assert share_interval(3, 3) == "3 of 3 [Wilson: 44 to 100 %]"


def test_one_seed_is_said_to_have_no_interval():
    assert points_interval([0.013]) == "+1.30 points [one seed, no interval]"
    assert times_interval([0.5]) == "0.50× [one seed, no interval]"
