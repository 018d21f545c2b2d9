"""The bank of questions is whole, fair to a reader who guesses, and taught where it says; a broken file is told."""

import re
from collections import Counter
from pathlib import Path

import pytest

from ltcourse.classroom import questions
from ltcourse.classroom.questions import KINDS, LEVELS, BankQuestion, Choice, ChoiceQuestion, QuestionError

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
BANK = questions.load()
ALL = [pytest.param(q, id=f"{q.lesson[:2]} {' '.join(q.prompt.split())[:40]}") for q in BANK]


def texts(question):
    """All that a reader sees of a question."""
    yield question.prompt
    for choice in question.choices:
        yield choice.text
        yield choice.reply


def prose(text):
    """A text without its formulas and code."""
    return re.sub(r"`[^`]*`|\$[^$]*\$", "", text)


# The bank


def test_there_are_enough_of_each_sort():
    assert len(BANK) >= 44
    by_lesson = Counter(q.lesson[:2] for q in BANK)
    assert all(by_lesson[f"0{i}"] >= 5 for i in (*range(1, 8), 9)) and by_lesson["00"] >= 1
    by_kind = Counter(q.kind for q in BANK)
    assert by_kind["spot the flaw"] >= 8 and by_kind["what would happen if"] >= 10
    assert set(by_kind) == set(KINDS)
    assert set(Counter(q.level for q in BANK)) == set(LEVELS)


@pytest.mark.parametrize("question", ALL)
def test_a_question_has_one_right_option_and_a_reply_of_its_own_for_each(question):
    assert sum(choice.right for choice in question.choices) == 1
    assert question.right.right
    assert 3 <= len(question.choices) <= 5
    assert len({choice.text for choice in question.choices}) == len(question.choices)
    assert all(len(choice.reply) >= 20 for choice in question.choices)


def test_no_prompt_and_no_reply_is_there_twice():
    for what in ([q.prompt for q in BANK], [c.reply for q in BANK for c in q.choices]):
        assert [text for text, often in Counter(what).items() if often > 1] == []


@pytest.mark.parametrize("question", ALL)
def test_it_is_taught_where_it_says(question):
    lesson = LESSONS / f"{question.lesson}.py"
    assert lesson.exists(), f"there is no lesson {question.lesson}"
    headings = re.findall(r"^# ## (.+)$", lesson.read_text(encoding="utf-8"), re.MULTILINE)
    assert question.heading in headings, f"{lesson.name} has no heading '## {question.heading}'"
    text, target = re.fullmatch(r"\[(.+)\]\((\S+)\)", question.link).groups()
    assert text == f"lesson {question.lesson[:2]}, {question.heading}"
    assert target == f"{question.lesson}.ipynb#{question.heading.replace(' ', '-')}"


def test_a_reader_who_guesses_by_length_or_place_learns_nothing():
    lengths = [(len(q.right.text), [len(c.text) for c in q.choices]) for q in BANK]
    assert sum(right == max(of) for right, of in lengths) <= 0.4 * len(BANK), "the longest option is right too often"
    assert sum(right == min(of) for right, of in lengths) <= 0.4 * len(BANK), "the shortest option is right too often"
    places = Counter(q.shuffled(0).index(q.right) for q in BANK)
    assert all(places[place] <= 0.4 * len(BANK) for place in range(4)) and len(places) >= 4


@pytest.mark.parametrize("question", ALL)
def test_formulas_and_code_are_closed_and_there_is_no_html(question):
    for text in texts(question):
        assert text.count("$") % 2 == 0 and text.count("`") % 2 == 0, text
        for formula in re.findall(r"\$([^$]*)\$", text):
            assert formula == formula.strip() and formula.count("{") == formula.count("}"), formula
        assert not re.search(r"[<>]|&\w+;|\\", prose(text)), text
        assert prose(text).replace("**", "").count("*") % 2 == 0, f"an asterisk is open: {text}"


# A question


def small(texts="abcd", prompt="Which?"):
    return ChoiceQuestion(prompt, tuple(Choice(t, f"reply {t}", right=t == "a") for t in texts))


def test_the_order_depends_on_seed_and_question_alone(global_randomness_untouched):
    question = small()
    assert question.shuffled(3) == small().shuffled(3)
    assert sorted(c.text for c in question.shuffled(3)) == list("abcd")
    assert len({question.shuffled(seed) for seed in range(20)}) > 5
    assert len({tuple(c.text for c in small(prompt=p).shuffled(0)) for p in "abcdefgh"}) > 2


# Choosing some


def test_select_by_lesson_level_and_kind():
    assert questions.select(BANK) == BANK
    some = questions.select(BANK, lessons=["03", "04_when_tickets_fail"], levels=[2, 3], kinds=["spot the flaw"])
    assert some and {q.lesson[:2] for q in some} == {"03", "04"}
    assert all(q.level in (2, 3) and q.kind == "spot the flaw" for q in some)
    assert len(questions.select(BANK, lessons=["03"])) == sum(q.lesson[:2] == "03" for q in BANK)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"lessons": ["42"]}, "unknown lesson '42': choose one of 00, 01"),
        ({"levels": [4]}, "unknown level '4': choose one of 1, 2, 3"),
        ({"kinds": ["recal"]}, "unknown kind 'recal' \\(did you mean 'recall'\\?\\)"),
        ({"lessons": []}, "no question is of these lessons"),
        ({"lessons": ["00"], "levels": [3]}, "no question is of these lessons, levels and kinds"),
    ],
)
def test_select_refuses_what_it_does_not_know(choices, said):
    with pytest.raises(ValueError, match=said):
        questions.select(BANK, **choices)


# Files

GOOD = r"""
[[question]]
heading = 'One'
kind = 'recall'
level = 1
prompt = '''
What is $\theta$?

`code`'''

[question.right]
text = '''It is
this.'''
reply = 'Yes.'

[[question.wrong]]
text = 'That'
reply = 'No.'

[[question.wrong]]
text = 'Those'
reply = 'Not either.'
"""


def loaded(folder, content, name="01_small.toml"):
    (folder / name).write_text(content, encoding="utf-8")
    return questions.load(folder)


def test_a_file_is_read(tmp_path):
    assert loaded(tmp_path, GOOD) == (
        BankQuestion(
            "What is $\\theta$?\n\n`code`",
            (Choice("It is this.", "Yes.", True), Choice("That", "No."), Choice("Those", "Not either.")),
            lesson="01_small",
            heading="One",
            level=1,
            kind="recall",
        ),
    )


def test_lessons_come_in_order(tmp_path):
    loaded(tmp_path, GOOD, "02_b.toml")
    assert [q.lesson for q in loaded(tmp_path, GOOD + GOOD, "01_a.toml")] == ["01_a", "01_a", "02_b"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[question]]", "[[question]", "01_small.toml is no TOML"),
        ("[[question]]", "[[questions]]", "should hold [[question]] after [[question]]"),
        ("heading = 'One'\n", "", "question 1 lacks heading: its fields are heading, kind, level"),
        ("heading = 'One'\n", "heading = 'One'\nhint = 'x'\n", "question 1 has an unknown hint"),
        ("heading = 'One'\n", "headline = 'One'\n", "question 1 lacks heading and has an unknown headline"),
        ("'recall'", "'quiz'", "unknown kind 'quiz': choose one of recall"),
        ("level = 1", "level = 4", "has the level 4: choose 1, 2 or 3"),
        ("level = 1", "level = true", "has the level True"),
        ("level = 1", "level = '1'", "has the level '1'"),
        ("[question.right]", "[[question.right]]", "needs one [question.right]"),
        ("\n[[question.wrong]]\ntext = 'Those'\nreply = 'Not either.'\n", "", "two or more [[question.wrong]]"),
        ("reply = 'Yes.'", "", "the right option should have a text and a reply"),
        ("reply = 'No.'", "reply = 'No.'\nright = true", "wrong option 1 should have a text and a reply"),
        ("reply = 'Not either.'", "reply = ''", "wrong option 2, reply should be a text"),
        ("'One'", "1", "heading should be a text"),
        ("'No.'", '"$\\theta$"', "holds '\\t': write it between ''' and '''"),
    ],
)
def test_a_broken_file_is_told(tmp_path, old, new, said):
    assert GOOD.count(old) >= 1
    with pytest.raises(QuestionError) as told:
        loaded(tmp_path, GOOD.replace(old, new))
    assert said in str(told.value) and str(told.value).startswith("01_small.toml")
