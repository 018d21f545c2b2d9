"""Rehearsal: every cell is timed, the plan is added up, and a cell that fails is named."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ltcourse import cli
from ltcourse.stage import lecture, rehearsal
from ltcourse.stage.lecture import Section
from ltcourse.stage.rehearsal import Rehearsed, Timing, kind, report, total


def write(folder, *cells):
    file = folder / "01_small.ipynb"
    nbformat.write(new_notebook(cells=list(lecture.in_slides(cells))), file)
    return file


def notes(minutes, *tags):
    text = f"<details><summary>For the instructor, {minutes} minutes</summary>\n\n**Say** it.\n\n</details>"
    return new_markdown_cell(text, metadata={"tags": ["notes", *tags]})


def test_a_lesson_is_run_and_timed_at_the_budget_and_its_file_stays(tmp_path):
    file = write(
        tmp_path,
        new_markdown_cell("# A lesson"),
        new_code_cell("import os, time"),
        new_markdown_cell("## One"),
        notes(2, "skip-when-late"),
        new_code_cell("# why\ntime.sleep(0.5)\nassert os.environ['LTCOURSE_BUDGET'] == 'smoke'"),
        new_markdown_cell("## Two"),
        new_code_cell("train = print\ntrain('x')"),
    )
    before = file.read_bytes()
    (_, first), (one, timed), (_, last) = rehearsal.rehearse(file, "smoke")
    assert file.read_bytes() == before
    assert [t.first_line for t in (*first, *timed, *last)] == ["import os, time", "time.sleep(0.5)", "train = print"]
    assert one.minutes == 2 and timed[0].skip and not last[0].skip
    assert timed[0].seconds >= 0.5
    assert (timed[0].kind, last[0].kind) == ("", "live")


def test_a_cell_that_fails_is_named(tmp_path):
    file = write(tmp_path, new_markdown_cell("# A lesson"), new_code_cell("1 / 0"))
    with pytest.raises(ValueError, match=r"cell 2 fails \(ZeroDivisionError: division by zero\)"):
        list(rehearsal.rehearse(file, "smoke"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('record = runs.load_or_run("han-lenet-5", "desk")', "recorded"),
        ('lenet = recorded("transfer-lenet-300-100")', "recorded"),
        ("history = train(network, mnist, recipe)", "live"),
        ("_ = watch(runner, 'x')", "live"),
        ("widgets.explore(draw, k=ks)", "live"),
        ("print(recorded.values)", ""),
        ("trained = 3", ""),
    ],
)
def test_what_is_recorded_and_what_runs_live(source, expected):
    assert kind(source) == expected


def live(index, seconds):
    return Timing(index, "live", seconds, "train()", False)


def small():
    one = Section("One", [4], minutes=1)
    two = Section("Two", minutes=4, skip=True)
    rehearsed = [
        (one, [live(3, 70.0), Timing(4, "recorded", 0.2, "load_or_run()", False)]),
        (two, [Timing(6, "", 0.04, "print()", True)]),
    ]
    return Rehearsed(iter(rehearsed))


def lines(minutes):
    return "\n".join(report(small(), minutes))


def test_the_report_sets_the_cells_beside_the_plan():
    text = lines(6)
    assert "One (S4): from 0:00, plan 1:00, cells run 1:10" in text
    assert re.search(r"cell   4    70\.0 s  live      train\(\)  <- the audience waits", text)
    assert re.search(r"cell   5     0\.2 s  recorded  load_or_run\(\)$", text, re.MULTILINE)
    assert "Two: from 1:00, plan 4:00, cells run 0:00   [skip when late]" in text
    assert "plan 5:00 of a lecture of 6 minutes, 1 minutes to spare; the cells run 1:10 of that" in text
    assert "slower than its plan: One: its cells alone run 1:10 of 1:00" in text
    assert "skip when late: Two (4 min); that saves 4 minutes" in text


def test_a_plan_that_is_too_long_says_by_how_much():
    assert "2 minutes too long" in lines(3)
    assert "exactly as long" in lines(5)


@pytest.mark.parametrize(
    ("sections", "starts"),
    [
        ([(5, [60])], ["0:00"]),
        ([(5, []), (4, [60])], ["5:00"]),  # when its section begins
        ([(5, []), (4, [300])], ["3:00"]),  # five minutes before the last of its section
        ([(5, []), (4, [120, 120])], ["4:00", "6:00"]),  # one after the other, done by 8:00
        ([(5, []), (2, [60]), (2, [180])], ["4:00", "5:00"]),  # the second is started before its section
        ([(1, [60])], ["before the lecture"]),
        ([(5, [9.9])], []),  # nobody waits
    ],
)
def test_it_says_when_to_start_a_cell_that_takes_long(sections, starts):
    rehearsed = Rehearsed(
        (Section(f"Section {i}", minutes=minutes), [live(10 * i + j, s) for j, s in enumerate(seconds)])
        for i, (minutes, seconds) in enumerate(sections)
    )
    said = re.findall(r"^start cell \d+ (?:at minute )?(.*?): it runs", "\n".join(report(rehearsed)), re.MULTILINE)
    assert said == starts


def test_several_lessons_are_summed_up():
    both = [("01_one", small()), ("02_two", small())]
    for _, one in both:
        list(report(one))
    text = "\n".join(total(both, 6))
    assert "01_one: plan 5:00, cells run 1:10" in text
    assert "plan 10:00 of 2 lectures of 12 minutes, 2 minutes to spare; the cells run 2:20 of that" in text


def test_the_command_rehearses_a_lesson(capsys):
    assert cli.main(["rehearse", "00", "--budget", "smoke", "--minutes", "30"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("00_start_here at the budget smoke\n") and "of a lecture of 30 minutes" in said
    assert said.count("  cell ") == sum(
        cell.cell_type == "code" for cell in nbformat.read(lecture.find("00"), as_version=4).cells
    )


def test_the_command_refuses_an_unknown_budget(capsys):
    assert cli.main(["rehearse", "00", "--budget", "huge"]) == 1
    assert "unknown budget 'huge'" in capsys.readouterr().err
