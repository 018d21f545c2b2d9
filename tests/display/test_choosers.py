"""What takes an answer: its value is what was chosen, and nothing can be chosen that is no answer."""

import pytest
from matplotlib import pyplot as plt

from ltcourse.display.choosers import EndChosen, NumberChosen, OneChosen, Ranked

OPTIONS = {"a": "the first", "b": "the second", "c": "the third"}


def test_of_several_options_none_is_chosen_at_first():
    one = OneChosen(OPTIONS)
    assert one.value is None and [box.description for box in one.boxes.values()] == list(OPTIONS.values())
    one.boxes["b"].value = True
    assert one.value == "b"
    one.value = "c"
    assert one.value == "c" and [box.value for box in one.boxes.values()] == [False, False, True]
    one.boxes["c"].value = False
    assert one.value is None


def test_a_number_is_slid_or_typed():
    number = NumberChosen(0, 100, 0.5, "%")
    assert number.value == 50
    number.slider.value = 12.5
    assert (number.value, number.typed.value) == (12.5, 12.5)
    number.typed.value = 97.3
    assert number.value == 97.3, "what is typed may lie between the slider's steps"
    number.typed.value = 400
    assert number.value == 100 and number.slider.value == 100


def test_a_logarithmic_number_keeps_what_was_typed():
    number = NumberChosen(1, 1_000_000, 0, "×", log=True)
    assert number.value == 1000
    for typed in (6561, 1, 2, 1_000_000, 3.14):
        number.typed.value = typed
        assert number.value == typed
    number.slider.value = 123456.789
    assert number.value == 123000, "three digits are enough for a guess"


@pytest.mark.parametrize(
    ("moves", "order"),
    [
        ([], "abc"),
        ([("down", 0)], "bac"),
        ([("up", 2)], "acb"),
        ([("up", 2), ("up", 1)], "cab"),
        ([("up", 0), ("down", 2)], "abc"),
    ],
)
def test_items_are_ranked_by_moving_one_up_or_down(moves, order):
    ranked = Ranked(OPTIONS)
    for way, place in moves:
        ranked.move(place, place + (1 if way == "down" else -1))
    assert "".join(ranked.value) == order
    assert [text.value for text in ranked.texts] == [f"{i}. {OPTIONS[key]}" for i, key in enumerate(order, 1)]
    assert ranked.up[0].disabled and ranked.down[-1].disabled


def test_each_button_says_what_it_moves_and_the_focus_goes_along(monkeypatch):
    ranked, focused = Ranked(OPTIONS), []
    for name, buttons in (("up", ranked.up), ("down", ranked.down)):
        for i, button in enumerate(buttons):
            monkeypatch.setattr(button, "focus", lambda name=name, i=i: focused.append((name, i)), raising=False)
    ranked.up[2].click()
    ranked.up[1].click()
    assert focused == [("up", 1), ("down", 0)], "at the top the other button is the next one"
    assert ranked.down[0].tooltip == "move the third down"


def test_the_end_of_a_curve_is_slid_or_typed():
    ends = []

    def draw(end):
        ends.append(end)
        return plt.figure()

    chosen = EndChosen(draw, 40, 90, 0.5, "%", 74)
    before = chosen.value
    chosen.slider.value = 66.5
    assert (before, chosen.value, ends) == (74, 66.5, [74, 66.5])
    chosen.typed.value = 70
    assert (chosen.value, chosen.slider.value, ends[2:]) == (70, 70, [70])
    assert bytes(chosen.image.value).startswith(b"\x89PNG") and not plt.get_fignums()
    assert EndChosen(draw, 40, 90, 0.5, "%", 300).value == 90, "a beginning out of range"
