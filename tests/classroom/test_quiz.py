"""The quiz without a browser: what is answered, what comes back, what is told at the end, the text with no kernel."""

import re
from html.parser import HTMLParser

import pytest
from IPython.display import Markdown

from ltcourse.classroom import questions, quiz
from ltcourse.classroom.questions import BankQuestion, Choice
from ltcourse.classroom.quiz import FoldedAnswers, MultipleChoice, Quiz, Session
from ltcourse.display.markdown import text_of

BANK = questions.load()


def question(name, lesson="01_small", level=1, kind="recall"):
    choices = (Choice("yes", f"reply yes {name}", True), *(Choice(t, f"reply {t} {name}") for t in ("no", "never")))
    return BankQuestion(f"Is it {name}?", choices, lesson, "One two?", level, kind)


def right(asked):
    return asked.right


def wrong(asked):
    return next(choice for choice in asked.choices if not choice.right)


@pytest.fixture
def shown(monkeypatch):
    """What is displayed."""
    seen = []
    monkeypatch.setattr(quiz, "display", seen.append)
    return seen


# One question


def test_a_question_shows_its_options_in_the_order_of_its_buttons():
    one = question("a")
    asked = MultipleChoice(one, seed=4)
    assert asked.choices == one.shuffled(4)
    lines = asked.text.split("\n\n")
    assert lines[0] == one.prompt
    assert lines[1] == "\n".join(
        f"- **{b.description}** {c.text}" for b, c in zip(asked.buttons, asked.choices, strict=True)
    )
    assert asked.reply == "" and asked.answers == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_button_gives_the_reply_of_its_option(place):
    heard = []
    asked = MultipleChoice(question("a"), answered=heard.append)
    asked.buttons[place].click()
    choice = asked.choices[place]
    assert asked.reply == f"{'✔' if choice.right else '✘'} **{'ABC'[place]}** · {choice.reply}"
    assert [b.button_style for b in asked.buttons].count("") == 2
    assert asked.buttons[place].button_style == ("success" if choice.right else "danger")
    assert heard == asked.answers == [choice]


def test_other_options_can_be_tried_and_the_first_stays_the_first():
    asked = MultipleChoice(question("a"))
    for button in asked.buttons:
        button.click()
    assert asked.answers == list(asked.choices)
    assert asked.choices[-1].reply in asked.reply


def test_a_kernel_shows_buttons_and_a_built_notebook_the_question_without_replies(shown, monkeypatch):
    monkeypatch.delenv("LTCOURSE_BUILD", raising=False)
    asked, some = MultipleChoice(question("a")), Quiz(BANK)
    asked._ipython_display_()
    some._ipython_display_()
    assert shown == [asked.box, some.box]
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    for widget in (asked, some):
        widget._ipython_display_()
        assert isinstance(shown[-1], Markdown)
    text, folded = shown[-2].data.split("<details>")
    assert text.strip() == asked.text
    assert all(choice.reply in folded for choice in asked.choices)
    assert not any(c.reply in shown[-1].data for q in BANK for c in q.choices)


# A session


def go(session, *pick):
    """Answer the questions in turn."""
    for choose in pick:
        session.answer(choose(session.current))
        session.advance()


def test_what_is_right_at_once_is_asked_once():
    session = Session([question("a"), question("b")])
    go(session, right, right)
    assert session.current is None and session.left == 0 and session.missed == ()
    assert session.summary() == "**2 of 2 right at the first answer.**"


def test_what_is_missed_comes_back_until_it_is_right():
    session = Session([question(name) for name in "abc"])
    first = session.current
    go(session, wrong, right, right)
    assert session.current == first and session.left == 1
    go(session, wrong)
    assert session.current == first
    go(session, right)
    assert session.current is None
    assert session.missed == (first,)
    assert [c.right for c in session.tries[first]] == [False, False, True]
    said = session.summary()
    assert "**2 of 3 right at the first answer.**" in said
    assert f"- {first.prompt} *(asked 3 times)* See [lesson 01, One two?](01_small.ipynb#One-two?)." in said
    assert said.count("\n- ") == 1


def test_the_first_answer_counts():
    session = Session([question("a")])
    session.answer(wrong(session.current))
    session.answer(right(session.current))
    session.advance()
    assert session.left == 1 and len(session.missed) == 1


def test_without_an_answer_there_is_no_next():
    session = Session([question("a"), question("b")])
    now = session.current
    session.advance()
    assert session.current == now and session.left == 2
    go(session, right, right)
    session.advance()
    session.answer(right(now))
    assert session.current is None and session.summary().startswith("**2 of 2")


def test_the_order_is_the_seeds(global_randomness_untouched):
    orders = {tuple(Session([question(n) for n in "abcde"], seed).tries) for seed in range(8)}
    assert len(orders) > 4
    assert list(Session(BANK, 1).tries) == list(Session(BANK, 1).tries)


def test_an_early_summary_counts_what_was_asked():
    session = Session([question(name) for name in "abc"])
    go(session, wrong)
    assert session.summary().startswith("**0 of 1 right")


# The quiz


def press(asked, choose):
    """Press the button of an option of the question that is asked now, and go on."""
    now = asked.asked
    now.buttons[now.choices.index(choose(now.question))].click()
    asked._go_on.click()


def words(asked):
    return "\n".join(text_of(part) for part in asked.box.children if hasattr(part, "outputs"))


def test_a_quiz_goes_through_its_questions_and_repeats_what_was_missed():
    asked = Quiz([question(name) for name in "abc"])
    first = asked.asked.question
    assert f"3 to go · lesson 01 · recall · level 1 of 3*\n{first.prompt}" in words(asked)
    press(asked, wrong)
    assert asked.asked.question != first and "2 to go" not in words(asked)
    press(asked, right)
    press(asked, right)
    assert asked.asked.question == first and "once more" in words(asked)
    press(asked, right)
    assert asked.session.current is None and asked.missed == (first,)
    assert "2 of 3 right" in words(asked) and "(01_small.ipynb#One-two?)" in words(asked)
    assert asked._go_on.description == "Once more: what was missed" and not asked._go_on.disabled
    asked._go_on.click()
    assert asked.session.left == 1 and asked.asked.question == first and asked._go_on.description == "Next"
    press(asked, right)
    assert "1 of 1 right" in words(asked) and asked._go_on not in asked.box.children
    asked.advance()
    assert "1 of 1 right" in words(asked)


def test_the_next_question_waits_for_an_answer():
    asked = Quiz([question("a"), question("b")])
    now = asked.asked
    assert asked._go_on.disabled
    asked.advance()
    assert asked.asked is now
    now.choose(wrong(now.question))
    assert not asked._go_on.disabled and "Try another option, or go on." in words(asked)
    now.choose(right(now.question))
    assert "Shown in [lesson 01, One two?](01_small.ipynb#One-two?)." in words(asked)
    asked.advance()
    assert asked.asked is not now and asked.session.left == 2, "the first answer was wrong"


def test_what_comes_back_comes_in_another_order():
    orders = set()
    for seed in range(6):
        asked = Quiz([BANK[0]], seed=seed)
        before = asked.asked.choices
        press(asked, wrong)
        orders.add(before == asked.asked.choices)
    assert False in orders


def test_the_focus_follows_the_keys(monkeypatch):
    seen = []
    monkeypatch.setattr("ipywidgets.Button.focus", lambda button: seen.append(button.description))
    asked = Quiz([question(name) for name in "ab"])
    assert seen == [], "a quiz that is shown takes no focus"
    now = asked.asked
    now.choose(wrong(now.question))
    assert seen == [], "after a wrong answer the other options are as near as Next"
    now.choose(right(now.question))
    assert seen == ["Next"]
    asked.advance()
    assert seen == ["Next", "A"]
    press(asked, right)
    assert seen == ["Next", "A", "Next", "A"]
    press(asked, right)
    assert seen[4:] == ["Next", "Once more: what was missed"]


def test_a_quiz_of_some():
    asked = Quiz(BANK, lessons=["03"], levels=[1, 2], count=3, seed=1)
    assert len(asked.session.tries) == 3
    assert all(q.lesson[:2] == "03" and q.level < 3 for q in asked.session.tries)
    other = Quiz(BANK, lessons=["03"], levels=[1, 2], count=3, seed=2)
    assert set(other.session.tries) != set(asked.session.tries)
    assert len(Quiz(BANK).session.tries) == len(BANK) == len(Quiz(BANK, count=1000).session.tries)


@pytest.mark.parametrize(
    ("choices", "said"), [({"lessons": ["11"]}, "unknown lesson"), ({"count": 0}, "ask for at least 1")]
)
def test_a_quiz_of_nothing_is_refused(choices, said):
    with pytest.raises(ValueError, match=said):
        Quiz(BANK, **choices)


# With no kernel


class Folds(HTMLParser):
    """Which text lies within <details>, and that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.inside, self.outside, self.count = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.count += tag == "details"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.inside if "details" in self.open else self.outside).append(data)


def parsed(text):
    folds = Folds()
    folds.feed(text)
    folds.close()
    assert folds.open == []
    return folds


def test_all_questions_are_there_and_all_that_tells_the_answer_is_folded():
    folds = parsed(FoldedAnswers(BANK)._repr_markdown_())
    assert folds.count == len(BANK)
    inside, outside = "".join(folds.inside), "".join(folds.outside)
    for q in BANK:
        assert q.prompt in outside and all(c.text in outside for c in q.choices)
        assert q.link in inside
        for choice in q.choices:
            assert choice.reply in inside and choice.reply not in outside
    assert "** is right." not in outside
    assert re.findall(r"^### Lesson (\d\d)", outside, re.MULTILINE) == sorted({q.lesson[:2] for q in BANK})


def test_a_folded_answer_names_the_letter_of_the_right_option():
    (one,) = [q for q in BANK if q.heading == "What is a ticket?"]
    text = FoldedAnswers((one,), seed=3)._repr_markdown_()
    letter = re.search(r"\*\*(\w)\*\* is right", text).group(1)
    assert f"- **{letter}** {one.right.text}" in text
    assert len(re.findall(r"^- \*\*", text, re.MULTILINE)) == 2 * len(one.choices) - 1


def test_markdown_around_a_fold_stays_markdown():
    """A block of HTML ends at an empty line, so that what follows is read as Markdown again."""
    text = FoldedAnswers(BANK[:2])._repr_markdown_()
    for line in ("<details><summary>Answer</summary>", "</details>"):
        assert f"\n\n{line}\n\n" in text + "\n\n"
    assert repr(FoldedAnswers(BANK[:2])) == "2 questions with answers, shown where Markdown is"
