"""Tickets beside their dense network: wins are counted seed by seed, and the largest lead is that of the means."""

import pytest

from ltcourse.display import comparisons
from ltcourse.experiments import runs


class Made:
    """A record of a dense network and two tickets, of two seeds."""

    trials = ({}, {})
    whole = True

    def __init__(self):
        self.settings = {"rounds": 2}
        self._values = {
            "density": ([1.0, 1.0], [0.2, 0.2], [0.1, 0.1]),
            "early_stop": ([400, 400], [200, 400], [100, 500]),
            "early_stop_test_accuracy": ([0.9, 0.92], [0.93, 0.92], [0.9, 0.9]),
            "test_accuracy": ([0.95, 0.95], [0.95, 0.94], [0.97, 0.95]),
        }

    def values(self, method, number, key):
        assert method == "ticket"
        return self._values[key][number]

    def curve(self, method, key):
        return {self.values(method, n, "density")[0]: self.values(method, n, key) for n in range(3)}


@pytest.mark.parametrize(("at_most", "shares"), [(0.15, ["10.0 %"]), (0.2, ["20.0 %", "10.0 %"]), (0.05, [])])
def test_wins_are_counted_seed_by_seed_for_small_tickets_alone(at_most, shares):
    table = comparisons.wins(Made(), at_most)
    assert [row[0] for row in table.rows] == shares
    wanted = {
        "20.0 %": ["0.75×", "1 of 2", "2 of 2", "2 of 2", "1 of 2"],
        "10.0 %": ["0.75×", "1 of 2", "1 of 2", "1 of 2", "2 of 2"],
    }
    assert {row[0]: row[1:] for row in table.rows} == {share: wanted[share] for share in shares}


def test_the_largest_lead_is_that_of_the_means():
    assert comparisons.largest_leads(Made()) == ["2.40× at 10.0 %", "+1.50 points at 20.0 %", "+1.00 points at 10.0 %"]


def test_the_tables_are_of_the_records_that_the_lessons_show():
    paper = runs.if_recorded("lottery-lenet-300-100", "paper")
    assert paper and all(len(row) == 6 for row in comparisons.wins(paper, 0.15).rows)
