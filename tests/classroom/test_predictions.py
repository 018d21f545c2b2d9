"""Predictions: what can be answered, how far an answer is off, what is kept, and what a lesson shows of it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from matplotlib import pyplot as plt

from ltcourse.classroom import answers, kinds, packed, predictions
from ltcourse.classroom.kinds import Amount, OneOf, PredictionError, Ranking
from ltcourse.classroom.predictions import mark, predict, reveal, summary, toward
from ltcourse.display.markdown import PREDICTION

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "lessons").glob("*.py"))

CHOICE = OneOf("99.choice", "a choice", "Which?", "Most say A.", {"a": "A, the first", "b": "B, the second"})
ORDER = Ranking("99.order", "an order", "In which order?", "C is first.", {"a": "A", "b": "B", "c": "C"})
SHARE = Amount("99.share", "a share", "How many?", "Too low.", 0, 100, 1, "%", 2)
FACTOR = Amount("99.factor", "a factor", "How much?", "It is a power.", 1, 10_000, 0, "×", 2)
CURVE = Amount(
    "99.curve", "a curve", "Where does it end?", "Lower.", 40, 90, 0.5, "%", 3, ("dense", "small"), "accuracy"
)
ALL = {one.name: one for one in (CHOICE, ORDER, SHARE, FACTOR, CURVE)}


@pytest.fixture(autouse=True)
def course(monkeypatch, tmp_path):
    """Five predictions of their own, in a kernel and a folder in which nobody has answered."""
    monkeypatch.setattr(kinds, "_all", lambda: ALL)
    monkeypatch.setenv("LTCOURSE_ANSWERS", str(tmp_path / "answers"))
    monkeypatch.delenv("LTCOURSE_BUILD", raising=False)
    restart(monkeypatch)
    yield
    plt.close("all")


def restart(monkeypatch):
    """A new kernel."""
    monkeypatch.setattr(answers, "_session", {})
    monkeypatch.setattr(predictions, "_measured", {})


def answer(name, value):
    """Answer as somebody would: set the input, press the button; return what is said."""
    (asked,) = predict(name).asked
    asked.input.value = value
    asked.button.click()
    return asked.said


@pytest.fixture
def told(monkeypatch):
    """What is displayed, bundle by bundle."""
    shown = []
    monkeypatch.setattr(predictions, "display", lambda bundle, raw: shown.append(bundle))
    return shown


def said(told):
    return told[-1]["text/markdown"]


def drawn(ax):
    """The texts of a figure that speak of a guess."""
    return [text for text in (*(t.get_text() for t in ax.texts), ax.get_xlabel()) if "you:" in text]


# What an answer is, and how far it is off


@pytest.mark.parametrize(
    ("prediction", "fits", "not_"),
    [
        (CHOICE, ["a", "b"], ["c", "A, the first", None, 1, ["a"]]),
        (ORDER, [["a", "b", "c"], ["c", "a", "b"]], [["a", "b"], ["a", "a", "b"], "abc", ["a", "b", 3], None]),
        (SHARE, [0, 97.5, 100], [-1, 101, True, "97", float("nan"), None]),
        (FACTOR, [1, 6561.0, 10_000], [0, 0.5, 20_000]),
        (CURVE, [40, 66.5], [30, "dense"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_answer_is_told_from_what_is_none(prediction, fits, not_):
    assert all(prediction.fits(value) for value in fits)
    assert not any(prediction.fits(value) for value in not_)


@pytest.mark.parametrize(
    ("prediction", "guess", "measured", "right", "apart"),
    [
        (CHOICE, "a", "a", True, "the same"),
        (CHOICE, "a", "b", False, "something else"),
        (ORDER, ["a", "b", "c"], ["a", "b", "c"], True, "0 of 3 pairs the other way round"),
        (ORDER, ["a", "b", "c"], ["b", "a", "c"], False, "1 of 3 pairs the other way round"),
        (ORDER, ["a", "b", "c"], ["c", "b", "a"], False, "3 of 3 pairs the other way round"),
        (SHARE, 95, 0.976, False, "2.6 points too low"),
        (SHARE, 97, 0.976, True, "0.6 points too low"),
        (SHARE, 100, 0.976, False, "2.4 points too high"),
        (SHARE, 97.6, 0.976, True, "the same"),
        (FACTOR, 3000, 6000, True, "2× too low"),
        (FACTOR, 10_000, 100, False, "100× too high"),
        (CURVE, 70, 0.667, False, "3.3 points too high"),
    ],
)
def test_how_far_a_guess_is_from_what_was_measured(prediction, guess, measured, right, apart):
    assert prediction.right(guess, measured) is right
    assert prediction.apart(guess, measured) == apart


def test_what_was_measured_is_said_in_the_unit_of_the_question():
    assert (SHARE.measured(0.976), FACTOR.measured(6561), CURVE.drawn(66.5)) == ("97.6 %", "6,561×", 0.665)
    assert CHOICE.said("a") == "A" and ORDER.said(["c", "a", "b"]) == "C > A > B"
    alike = OneOf("99.alike", "", "", "", {"x": "no, it falls", "y": "no, it stays"})
    assert alike.said("x") == "no, it falls", "what is before the comma does not tell them apart"


# With a kernel


@pytest.mark.parametrize(
    ("name", "value", "other", "measured"),
    [
        ("99.choice", "a", "b", "b"),
        ("99.order", ["b", "a", "c"], ["c", "b", "a"], ["c", "b", "a"]),
        ("99.share", 95, 97, 0.976),
        ("99.factor", 100, 6000, 6561),
        ("99.curve", 80, 66, 0.66),
    ],
)
def test_a_guess_is_kept_compared_and_never_overwritten(name, value, other, measured, told, monkeypatch):
    prediction = ALL[name]
    assert f"Kept: **{prediction.said(other)}**" in answer(name, other), "one may think again before the result"
    assert f"Kept: **{prediction.said(value)}**" in answer(name, value)
    restart(monkeypatch)
    (again,) = predict(name).asked
    assert again.input.value == value and f"You predicted **{prediction.said(value)}**" in again.said
    reveal(name, measured)
    assert f"you: **{prediction.said(value)}** · measured: **{prediction.measured(measured)}**" in said(told)
    assert prediction.apart(value, measured) in said(told) and prediction.wrong in said(told)
    stays = answer(name, other)
    assert f"stays **{prediction.said(value)}**" in stays and "second" in stays
    restart(monkeypatch)  # and Run All
    reveal(name, measured)
    assert f"you: **{prediction.said(value)}**" in said(told) and "second answer, after it" in said(told)
    assert [late for _, late in answers.load(name)[0].answers] == [False, False, True]


def test_a_right_guess_is_told_so_and_not_lectured(told):
    answer("99.share", 97)
    reveal("99.share", 0.976)
    assert "✔" in said(told) and SHARE.wrong not in said(told)


def test_run_all_without_answers_runs_draws_nothing_and_leaves_no_file(told, tmp_path):
    _figure, ax = plt.subplots()
    ax.plot([0, 1], [0.5, 0.9])
    for name, measured in {"99.choice": "a", "99.order": ["a", "b", "c"], "99.share": 0.9, "99.factor": 8}.items():
        predict(name)
        mark(name, ax)
        reveal(name, measured, ax)
        assert "no prediction" in said(told) and ALL[name].wrong not in said(told)
    reveal("99.curve", 0.66, ax, x=1, begin=(0, 0.9))
    summary("99")._ipython_display_()
    assert drawn(ax) == [] and len(ax.get_lines()) == 1 and ax.get_ylim()[1] < 1
    assert not (tmp_path / "answers").exists()
    late = answer("99.share", 90)
    assert "after the result" in late
    reveal("99.share", 0.9)
    assert "You answered after the result had been shown" in said(told)


def test_the_button_asks_for_an_answer_where_none_is_chosen(tmp_path):
    (asked,) = predict("99.choice").asked
    asked.button.click()
    assert asked.said == "Choose an answer first." and not (tmp_path / "answers").exists()


def test_what_the_run_does_not_show_is_said(told):
    answer("99.share", 50)
    reveal("99.share", None)
    assert "measured: not shown by what was tried" in said(told) and SHARE.wrong not in said(told)
    reveal("99.choice", None)
    assert "no prediction" in said(told)


def test_one_question_twice_in_a_notebook_has_one_history(told):
    first, second = (predict("99.share").asked[0] for _ in range(2))
    first.input.value = 40
    first.button.click()
    reveal("99.share", 0.9)
    second.input.value = 60
    second.button.click()
    assert "stays **40 %**" in second.said and "**60 %**" in second.said
    assert predict("99.share").asked[0].input.value == 60


def test_several_questions_stand_in_one_cell():
    shown = predict("99.choice", "99.share")
    assert [one.prediction.name for one in shown.asked] == ["99.choice", "99.share"]


def test_unknown_names_and_choices_are_told(told):
    with pytest.raises(ValueError, match=r"did you mean '99\.share'"):
        predict("99.shares")
    with pytest.raises(ValueError, match="has no choice 'c': it has a, b"):
        reveal("99.choice", "c")
    with pytest.raises(ValueError, match="give each of them once"):
        reveal("99.order", ["a", "b", "b"])
    with pytest.raises(ValueError, match="unknown lesson '42'"):
        summary("42")


# On disk


def file_of(name, tmp_path):
    return tmp_path / "answers" / f"{name}.json"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"answers": 3}', '{"answers": [{"answer": 1}]}', "\xff"])
def test_a_damaged_file_is_set_aside_and_told_once(content, tmp_path, monkeypatch):
    file = file_of("99.share", tmp_path)
    file.parent.mkdir()
    file.write_bytes(content.encode("latin-1"))
    (asked,) = predict("99.share").asked
    assert "was damaged" in asked.said and "99.share.damaged" in asked.said
    assert file.with_suffix(".damaged").read_bytes() == content.encode("latin-1") and not file.exists()
    assert predict("99.share").asked[0].said == ""
    answer("99.share", 50)
    restart(monkeypatch)
    assert predict("99.share").asked[0].input.value == 50


def test_an_answer_to_another_question_does_not_count(tmp_path, told):
    answer("99.choice", "a")
    file = file_of("99.choice", tmp_path)
    file.write_text(file.read_text().replace('"a"', '"gone"'))
    answers._session.clear()
    assert predict("99.choice").asked[0].said == ""
    reveal("99.choice", "b")
    assert "no prediction" in said(told)


def test_where_nothing_can_be_written_answers_last_as_long_as_the_kernel(tmp_path, told, monkeypatch):
    (tmp_path / "answers").write_text("a file in the way")
    kept = answer("99.share", 95)
    assert "Kept: **95 %**" in kept and "until the kernel stops" in kept and "cannot write" in kept
    reveal("99.share", 0.976)
    assert "you: **95 %**" in said(told)
    answer("99.share", 97)
    reveal("99.share", 0.976)
    assert "you: **95 %**" in said(told) and "97 %" in said(told)
    restart(monkeypatch)
    reveal("99.share", 0.976)
    assert "no prediction" in said(told)


def test_two_notebooks_add_to_what_the_other_has_kept(tmp_path):
    code = (
        "import sys; from ltcourse.classroom import answers\n"
        "answers.load('99.share'); print('ready', flush=True); sys.stdin.readline()\n"
        "answers.add('99.share', 30)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert other.stdout.readline() == "ready\n"
    answer("99.share", 20)
    answer("99.choice", "a")
    other.communicate("\n")
    assert other.returncode == 0
    assert [value for value, _ in answers.load("99.share")[0].answers] == [20, 30]
    assert answers.load("99.choice")[0].guess == "a"
    assert sorted(file.name for file in (tmp_path / "answers").iterdir()) == ["99.choice.json", "99.share.json"]


def test_off_reads_and_writes_nothing(tmp_path, monkeypatch):
    answer("99.share", 20)
    restart(monkeypatch)
    monkeypatch.setenv("LTCOURSE_ANSWERS", "off")
    assert "No answers are kept on disk" in answer("99.share", 90)
    monkeypatch.setenv("LTCOURSE_ANSWERS", str(tmp_path / "answers"))
    restart(monkeypatch)
    assert predict("99.share").asked[0].input.value == 20


def test_a_file_can_be_read_by_a_person(tmp_path):
    answer("99.order", ["c", "a", "b"])
    assert json.loads(file_of("99.order", tmp_path).read_text()) == {
        "prediction": "99.order",
        "answers": [{"answer": ["c", "a", "b"], "after the result": False}],
        "result shown": False,
    }


# In a figure


def test_a_number_is_a_line_a_curve_ends_in_a_star_and_words_stand_below(told):
    for name, value in {"99.share": 95, "99.curve": 80, "99.choice": "a", "99.factor": 100}.items():
        answer(name, value)
    _figure, (one, two, three, four) = plt.subplots(1, 4)
    for ax in (one, two, three, four):
        ax.plot([0, 1], [0.5, 0.9])
    reveal("99.share", 0.976, one)
    assert drawn(one) == ["you: 95 %; measured: 97.6 %"] and one.get_lines()[-1].get_ydata()[0] == 0.95
    assert one.get_ylim()[1] > 0.95, "the axis makes room"
    reveal("99.curve", 0.66, two, x=1.0, begin=(0.0, 0.9))
    way, star = two.get_lines()[-2:]
    assert list(way.get_ydata()) == [0.9, 0.8] and (star.get_xdata()[0], star.get_ydata()[0]) == (1.0, 0.8)
    mark("99.choice", three)
    assert drawn(three) == ["you: A"]
    reveal("99.factor", 50, four, times=0.02)
    mark("99.share", four, of="small")
    assert four.texts[-1].get_text() == "you, small: 95 %; measured: 97.6 %"
    assert four.get_lines()[-2].get_ydata()[0] == pytest.approx(2.0)


# At the end of a lesson


def test_a_lesson_is_summed_up(told):
    for name, value in {"99.choice": "a", "99.order": ["a", "b", "c"], "99.share": 97, "99.factor": 2}.items():
        answer(name, value)
    reveal("99.choice", "b")
    reveal("99.order", ["b", "a", "c"])
    reveal("99.share", 0.976)
    found = summary("99")
    assert [list(row) for row in found.table.rows] == [
        ["a choice", "A", "B", "something else"],
        ["an order", "A > B > C", "B > A > C", "1 of 3 pairs the other way round"],
        ["a share", "97 %", "97.6 %", "0.6 points too low"],
        ["a factor", "2×", "–", "–"],
        ["a curve", "–", "–", "–"],
    ]
    assert found.sentence == "You were right, or near enough, in 1 of 3; 2 cannot be compared."
    found._ipython_display_()
    assert found.sentence in said(told) and "| a share |" in said(told)


def test_nothing_predicted_is_said_plainly():
    assert "no prediction of yours" in summary("99").sentence


# Without a kernel


def test_a_built_notebook_asks_folds_the_answer_and_knows_nobodys_guess(told, monkeypatch):
    answer("99.share", 95)
    answer("99.choice", "a")
    monkeypatch.setenv("LTCOURSE_BUILD", "1")
    predict("99.choice", "99.share")._ipython_display_()
    assert said(told).startswith("*Predict:* Which?\n\n- A, the first\n- B, the second") and "<details>" not in said(
        told
    )
    assert "(Between 0 % and 100 %.)" in said(told) and not any("widget" in mime for mime in told[-1])
    _figure, ax = plt.subplots()
    reveal("99.share", 0.976, ax)
    assert said(told).startswith("<details><summary>") and "Measured: **97.6 %**. Too low." in said(told)
    summary("99")._ipython_display_()
    assert said(told).startswith("<details><summary>") and "97.6 %" in said(told)
    assert "95 %" not in str(told) and drawn(ax) == []
    assert [bundle[PREDICTION]["part"] for bundle in told] == ["question", "answer", "answer"]


def test_with_a_kernel_the_question_is_a_widget_with_its_text(told):
    predict("99.choice")._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in told[-1] and "*Predict:* Which?" in said(told)


@pytest.mark.parametrize(
    ("differences", "which"),
    [
        ([0.02, 0.021, 0.019], "above"),
        ([-0.02, -0.021, -0.019], "below"),
        ([0.02, -0.01, 0.0], "around"),
        ([0.5], "around"),
    ],
)
def test_seeds_speak_for_one_side_where_their_interval_lies_on_it(differences, which):
    assert toward(differences, "above", "around", "below") == which


# The file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[prediction]", "is no TOML"),
        ("x = 1", "should hold [[prediction]] after"),
        ('[[prediction]]\nname = "03.a"\nkind = "poem"', "unknown kind 'poem': choose one of choice"),
        ('[[prediction]]\nname = "03.a"\nkind = "choice"\ntopic = "t"\nquestion = "q"\nwrong = "w"', "lacks choices"),
        ('[[prediction]]\nname = "03.a"\nkind = "choice"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
         'measured = 1\nchoices = {a = "A", b = "B"}', "has an unknown measured"),
        ('[[prediction]]\nname = "03.a"\nkind = "choice"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
         'choices = {a = "A"}', "two or more lines"),
        ('[[prediction]]\nname = "a"\nkind = "choice"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
         'choices = {a = "A", b = "B"}', "a name like 03.controls"),
        ('[[prediction]]\nname = "03.a"\nkind = "choice"\ntopic = "t"\nquestion = " "\nwrong = "w"\n'
         'choices = {a = "A", b = "B"}', "question should be a text"),
        ('[[prediction]]\nname = "03.a"\nkind = "number"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
         'low = 0\nhigh = 9\nstep = 0\nunit = "×"\nnear = 2', "above 0 where a step of 0"),
        ('[[prediction]]\nname = "03.a"\nkind = "number"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
         'low = 0\nhigh = "9"\nstep = 1\nunit = "×"\nnear = 2', "should be numbers"),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_told(text, words, tmp_path):
    file = tmp_path / "predictions.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PredictionError, match=re.escape(words)):
        kinds.load(file)


def test_two_of_one_name_are_told(tmp_path):
    one = '[[prediction]]\nname = "03.a"\nkind = "choice"\ntopic = "t"\nquestion = "q"\nwrong = "w"\n'
    one += 'choices = {a = "A", b = "B"}\n'
    (tmp_path / "p.toml").write_text(one + one)
    with pytest.raises(PredictionError, match=re.escape("two predictions '03.a'")):
        kinds.load(tmp_path / "p.toml")


def test_a_packed_file_is_read_and_a_damaged_one_told(tmp_path):
    text = kinds.FILE.read_text(encoding="utf-8")
    (tmp_path / "p.packed").write_bytes(packed.pack(text))
    assert kinds.load(tmp_path / "p.toml") == kinds.load(kinds.FILE)
    (tmp_path / "p.packed").write_bytes(b"AAAA")
    with pytest.raises(PredictionError, match="damaged"):
        kinds.load(tmp_path / "p.toml")


# The lessons


def code_cells(lesson):
    return [cell for cell in jupytext.read(lesson).cells if cell.cell_type == "code"]


def called(source, *functions):
    """The names in the calls of these functions in a piece of code."""
    return [
        ast.literal_eval(argument)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
        for argument in (node.args if node.func.id == "predict" else node.args[:1])
    ]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_asks_all_its_predictions_reveals_each_and_sums_them_up(lesson):
    declared = [name for name in kinds.load() if name.startswith(lesson.stem[:2])]
    asked, revealed, sums = [], [], []
    for cell in code_cells(lesson):
        now = called(cell.source, "predict")
        asked += now
        for name in called(cell.source, "reveal", "mark"):
            assert name in asked, f"{name} is shown before it is asked"
            assert "hide-output" in cell.metadata.get("tags", []), f"{name}: its result is not folded"
        if now:
            assert "hide-input" in cell.metadata.get("tags", []) and len(cell.source.splitlines()) <= 2
        revealed += called(cell.source, "reveal")
        sums += called(cell.source, "summary")
    assert asked == declared and revealed == declared
    assert sums == ([lesson.stem[:2]] if declared else [])


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_no_prediction_is_asked_in_prose_alone(lesson):
    assert not re.search(r"\*Predict\b", lesson.read_text(encoding="utf-8"))


def test_every_prediction_has_a_lesson_and_ends_in_a_sentence():
    numbers = {lesson.stem[:2] for lesson in LESSONS}
    for one in kinds.load().values():
        assert one.name[:2] in numbers
        assert one.wrong.endswith((".", "?")) and one.wrong[0].isupper() and len(one.topic) <= 60
        assert "?" in one.question or one.question.endswith(".")
