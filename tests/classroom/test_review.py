"""The review questions are whole and lead to headings that exist, and an answer in one's own words is led on."""

import re
from pathlib import Path

import ipywidgets
import pytest

from ltcourse.classroom import own_words, review
from ltcourse.classroom.own_words import OwnWords
from ltcourse.display.markdown import text_of

LESSONS = {path.stem[:2]: path for path in (Path(__file__).resolve().parents[2] / "lessons").glob("[0-9]*.py")}
EACH = pytest.mark.parametrize("question", review.QUESTIONS, ids=lambda question: question.slide)
WRITTEN = "There is a small part that learns as well as the whole if it starts from its first weights."


@pytest.fixture(autouse=True)
def alive(monkeypatch):
    monkeypatch.delenv("LTCOURSE_BUILD", raising=False)


def led_to_the_end(question, ticks=(), claims=()):
    """The widget after an answer, with some points and wrong claims ticked."""
    own = OwnWords(question)
    own.text.value = WRITTEN
    for _ in range(len(question.points) + 2):
        own.button.click()
    for i in ticks:
        own.points[i].value = True
    for i in claims:
        own.claims[i].value = True
    return own


# The texts


@EACH
def test_a_question_is_whole(question):
    assert len(question.points) >= 5 and len(question.claims) >= 6
    right = [choice for choice in question.choices.choices if choice.right]
    assert len(right) == 1 and len(question.choices.choices) >= 6
    texts = [c.text for c in (*question.choices.choices, *question.claims)]
    replies = [c.reply for c in (*question.choices.choices, *question.claims)]
    assert len(set(texts)) == len(texts) and len(set(replies)) == len(replies)
    for text in (*texts, *replies, question.answer, *(t for p in question.points for t in (p.says, p.needed))):
        assert text == text.strip() and text.endswith((".", "?"))
        assert text.count("$") % 2 == 0, text
        assert "  " not in text
    assert not any(claim.right for claim in question.claims)


@EACH
def test_the_right_option_does_not_stand_out_by_its_length(question):
    lengths = sorted(len(choice.text) for choice in question.choices.choices)
    (right,) = (len(choice.text) for choice in question.choices.choices if choice.right)
    assert right not in (lengths[0], lengths[-1])


@EACH
def test_every_point_leads_to_a_heading_that_exists(question):
    for point in question.points:
        found = re.findall(r"^# ## (.+)$", LESSONS[point.lesson].read_text(encoding="utf-8"), re.MULTILINE)
        assert point.heading in found, point.where
        assert re.search(r" et al\. \d{4}| & \w+ \d{4}", point.source) and "Sec." in point.source


def test_the_questions_are_those_of_the_slides():
    assert [question.slide for question in review.QUESTIONS] == ["S15", "S16", "S17"]


# In one's own words


@EACH
def test_points_appear_one_at_a_time(question):
    own = OwnWords(question)
    own.text.value = WRITTEN
    for shown in range(1, len(question.points) + 1):
        own.button.click()
        assert len(own._points.children) == shown and not own._claims.children and not own.summary
        text = text_of(own._points.children[-1].children[0])
        assert text == f"**{shown} of {len(question.points)}** · {question.points[shown - 1].says}"
        assert own._points.children[-1].children[1] is own.points[shown - 1]
    assert own.button.description == "Does it say anything wrong?"
    own.button.click()
    assert len(own._claims.children) == 1 + len(question.claims) and not own.summary
    own.button.click()
    assert own.summary and own.button.disabled


@EACH
def test_what_is_not_ticked_is_told_with_its_reason_and_its_place(question):
    own = led_to_the_end(question, ticks=(0, 2))
    total = len(question.points)
    assert f"says 2 of the {total} points" in own.summary
    for i, point in enumerate(question.points):
        line = f"- {point.says} {point.needed} *{point.where}*"
        assert (line in own.summary) is (i not in (0, 2)), line
    assert question.answer in own.summary and "complete" not in own.summary
    assert own.missing() == [p for i, p in enumerate(question.points) if i not in (0, 2)]


@EACH
def test_a_complete_answer_is_told_so(question):
    own = led_to_the_end(question, ticks=range(len(question.points)))
    assert "That is complete" in own.summary and "missing" not in own.summary
    own.points[1].value = False
    assert "That is complete" not in own.summary and question.points[1].needed in own.summary


@EACH
def test_each_wrong_claim_gets_its_own_reply(question):
    own = led_to_the_end(question, ticks=range(len(question.points)))
    assert own.replies == [""] * len(question.claims)
    for i, claim in enumerate(question.claims):
        own.claims[i].value = True
        assert own.replies[i] == f"✘ {claim.reply}"
        assert "says 1 of the things that are not so" in own.summary and "complete" not in own.summary
        own.claims[i].value = False
        assert own.replies[i] == ""
    assert "That is complete" in own.summary


@EACH
@pytest.mark.parametrize("text", ["", " \n ", "yes", "42", "a mask a mask a mask a mask", "ticket " * 40])
def test_no_point_is_shown_before_something_is_written(question, text):
    own = OwnWords(question)
    own.text.value = text
    own.button.click()
    assert own.message.startswith("Write your answer first") and "lesson 0" in own.message
    assert not own._points.children
    own.text.value = WRITTEN
    own.button.click()
    assert not own.message and len(own._points.children) == 1


@EACH
def test_a_copy_of_the_question_is_no_answer(question):
    own = OwnWords(question)
    own.text.value = f"{question.prompt} {question.prompt.upper()} Please."
    own.button.click()
    assert own.message.startswith(("This is the question itself", "Write your answer first"))
    assert not own._points.children


def test_any_attempt_is_led_on_whatever_its_style():
    for text in (WRITTEN, "θ0 random. m with |m| small, train m*θ0: j' <= j and a' >= a", "I do not know it any more."):
        own = OwnWords(review.HYPOTHESIS)
        own.text.value = text
        own.button.click()
        assert not own.message and len(own._points.children) == 1


# How it is shown


def test_with_a_kernel_it_is_a_widget(monkeypatch):
    shown = []
    monkeypatch.setattr(own_words, "display", shown.append)
    own = OwnWords(review.HYPOTHESIS)
    own._ipython_display_()
    assert shown == [own.box] and isinstance(own.box, ipywidgets.VBox)


@EACH
def test_a_built_notebook_keeps_a_text_that_is_folded(monkeypatch, question):
    shown = []
    monkeypatch.setattr(own_words, "display", shown.append)
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    OwnWords(question)._ipython_display_()
    (text,) = (markdown.data for markdown in shown)
    assert question.prompt in text.split("<details>")[0]
    for part in (question.answer, *(p.says for p in question.points), *(c.reply for c in question.claims)):
        assert part in text and part not in text.split("<details>")[0]
    assert text.count("<details>") == text.count("</details>") == len(question.points) + 2
