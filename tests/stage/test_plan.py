"""The lecture: every slide of the plan is found in the lessons, in order, in its minutes, and shows what it names."""

import importlib
import re
import sys
from copy import deepcopy
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ltcourse import cli
from ltcourse.classroom import glossary
from ltcourse.stage import lecture, plan, slides
from ltcourse.stage.pieces import Pieces

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
builder = importlib.import_module("build_notebooks")

PLAN = plan.read()
TABLE = "| net | a | b |\n|:--|--:|--:|\n| One, slides | 1 | 2 |\n| One, ours | 3 | 4 |"


@cache
def lesson(number):
    """A lesson's cells as its source has them, so that a plan is checked before the notebooks are built again."""
    found = builder.read_lesson(next((ROOT / "lessons").glob(f"{number}_*.py")))
    for cell in found.cells:
        cell.source = glossary.unmarked(cell.source)  # as `lecture.read` does
    return found


# The plan


def test_the_lessons_have_what_the_plan_names():
    assert not list(plan.problems(PLAN, lesson))


def test_the_slides_come_in_order_and_each_is_there():
    numbers = [min(entry.numbers) for entry in PLAN.slides]
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, 18))
    short = PLAN.chosen(45, [])
    assert {min(entry.numbers) for entry in short} == set(range(1, 18)), "in 45 minutes, too"
    assert [min(entry.numbers) for entry in short if entry.part] == [1, 5, 9]


def test_it_takes_its_minutes_on_as_many_slides_as_an_audience_bears():
    short, long = PLAN.chosen(45, []), PLAN.chosen(90, [])
    assert sum(entry.minutes for entry in short) == 45 and sum(entry.minutes for entry in long) == 90
    assert 25 <= len(short) + 1 <= 35, "with the title"


def test_the_command_lists_the_slides_with_their_minutes(capsys):
    assert cli.main(["rehearse", "lecture"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PLAN.chosen(45, [])) + 1 and all(
        re.match(r" +\d+:\d\d  S\d+ +\S", line) for line in lines[:-1]
    )
    assert lines[-1].startswith("plan 45:00 of 45 minutes")


def test_answers_are_told_and_not_shown():
    asked = PLAN.slides[-3:]
    assert [entry.at for entry in asked] == ["S15", "S16", "S17"]
    for entry in asked:
        assert entry.answer and all("text" in item for item in entry.show)


def test_no_slide_is_told_twice():
    assert len({(entry.title, str(entry.show)) for entry in PLAN.slides}) == len(PLAN.slides)


@pytest.mark.parametrize("stem", [file.stem for file in lecture.lessons()])
def test_key_lines_are_few_and_none_is_empty(stem):
    for cell in lesson(stem[:2]).cells:
        if "key" in cell.metadata:
            first = Pieces(ROOT, {}).of(cell)[0].html.partition("</pre>")[0]
            shown = re.sub("<[^>]*>", "", first).split("\n")
            assert 1 <= len(shown) <= 6 and all(line.strip() for line in shown), cell.source


# What a plan can say


def small(*cells):
    """A plan's lessons: one, "01", with these cells."""
    made = new_notebook(cells=[new_markdown_cell("# A lesson"), *map(deepcopy, cells)])
    for number, cell in enumerate(made.cells, 1):
        cell.number = number
    return lambda name: made


def code(title, *outputs, source="draw()", **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata={"title": title, **metadata})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def page_of(show, *cells, code_shown="key", **entry):
    """The slide that shows these items, from a lesson of these cells."""
    lessons = small(*cells)
    entry = {"at": "S6", "lesson": "01", **entry}
    made = plan.Entry(show=tuple(show), **entry)
    (page,) = plan.pages([made], lessons, lambda name: Pieces(ROOT, {}, code_shown))
    return page


def html(page):
    return "".join(block.html for block in page.blocks)


def test_sentences_are_cut_out_of_their_paragraph():
    text = "It was so (Han et al. 2015, Sec. 3). **The slides say** (S6): a network *wins*. Then *Why?* it asks. End."
    page = page_of([{"text": "a network *wins*", "sentences": 1}], new_markdown_cell(f"Before.\n\n{text}"))
    assert html(page) == "<p>A network <em>wins</em>.</p>"
    assert plan.sentences(text, "It was so", 1) == "It was so (Han et al. 2015, Sec. 3)."
    whole = page_of([{"text": "It was so"}], new_markdown_cell(text))
    assert "End." in html(whole) and "(S6)" not in html(whole) and "slides say" not in html(whole)


def test_a_table_loses_rows_and_columns():
    cell = code("Tables", new_output("display_data", {"text/markdown": TABLE}))
    shown = html(page_of([{"table": "Tables", "rows": [", slides"], "columns": ["net", "b"]}], cell))
    assert re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", shown) == ["net", "b", "One", "2"]


def test_a_printed_line_is_the_result():
    cell = code("Numbers", printed("here 1\nrecorded 2 points\n"))
    shown = html(page_of([{"printed": "Numbers", "lines": ["recorded"]}], cell))
    assert shown == '<pre class="printed result">recorded 2 points</pre>'


def test_key_lines_light_up_step_by_step():
    cell = code("Loop", source="a = 1\nfor b in c:\n    d()\n    e()", key="2-3|4")
    block, *_ = page_of([{"code": "Loop"}], cell).blocks
    first, second = re.findall(r"<pre.*?</pre>", block.html, re.DOTALL)
    assert first.count('class="lit"') == 2 and first.count('class="dim"') == 1 and "fragment" not in first
    assert 'class="code fragment" data-fragment-index="0"' in second and second.count('class="lit"') == 1
    assert "a = " not in re.sub("<[^>]*>", "", block.html)
    assert not page_of([{"code": "Loop"}], cell, code_shown="none").blocks


@pytest.mark.parametrize("key", ["0-1", "5", "3-2", "one", ""])
def test_a_key_that_names_no_lines_is_refused(key):
    with pytest.raises(ValueError, match="names no lines of the cell"):
        page_of([{"code": "Loop"}], code("Loop", source="a\nb\nc", key=key))


def test_a_slide_takes_the_title_of_its_cell_and_the_notes_of_its_section():
    notes = "<details><summary>For the instructor, 4 minutes</summary>\n\n**Say** it.\n\n</details>"
    cells = (
        new_markdown_cell("## One"),
        new_markdown_cell(notes, metadata={"tags": ["notes"]}),
        code("In numbers", printed("won")),
        code("Small networks win", new_output("display_data", {"text/markdown": TABLE})),
    )
    show = [{"printed": "In numbers"}, {"table": "Small networks win"}]
    page = page_of(show, *cells)
    assert (page.title, page.notes, page.about) == ("Small networks win", "**Say** it.", "S6")
    assert page_of(show, *cells, title="They do").title == "They do"


def test_what_is_not_there_yet_is_replaced_or_left_out_where_the_plan_says_so():
    cell = code("Numbers", printed("one\n"))
    instead = {"figure": "picture-s9", "or": {"printed": "Numbers"}}
    assert "one" in html(page_of([instead], cell))
    assert "one" in html(page_of([{"figure": "picture-s9", "maybe": True}, {"printed": "Numbers"}], cell))
    picture = new_output("display_data", {"image/svg+xml": "<svg></svg>"})
    assert "data:image/svg+xml" in html(page_of([instead], cell, code("", picture, tags=["picture-s9"])))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"figure": "No such cell"}, "lesson 01 has no cell with the title or the tag 'No such cell'"),
        ({"text": "never written"}, "lesson 01 has no paragraph with the words 'never written'"),
        ({"figure": "Numbers"}, "shows nothing"),
        ({"printed": "Numbers", "lines": ["three"]}, r"no line that was printed has the words \['three'\]"),
        ({"table": "Tables", "columns": ["c"]}, "the table has no column 'c': it has net, a, b"),
        ({"table": "Tables", "rows": ["Two"]}, r"the table has no row with the words \['Two'\]"),
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused(item, words):
    cells = (code("Numbers", printed("one\n")), code("Tables", new_output("display_data", {"text/markdown": TABLE})))
    with pytest.raises(ValueError, match=f"^the lecture's slide S6, 'Here': .*{words}") as caught:
        page_of([item], *cells, title="Here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("slide", "words"),
    [
        ('at = "S1"\nsize = 3', "the unknown key 'size'"),
        ('at = "S1"\nshow = [{ picture = "x" }]', "name one of text, figure"),
        ('at = "S1"\nshow = [{ figure = "x", table = "y" }]', "name one of text, figure"),
        ('at = "S1"\nshow = [{ figure = "x", or = { } }]', "name one of text, figure"),
    ],
)
def test_a_plan_of_another_form_is_one_sentence(slide, words):
    with pytest.raises(ValueError, match=words):
        plan.read(f'title = "t"\nabout = "a"\n[[slide]]\n{slide}\n')


def test_a_plan_that_no_lesson_can_follow_is_told_slide_by_slide():
    bad = plan.Plan("t", "a", (plan.Entry("S1", lesson="01", show=({"figure": "x"},), answer="y", notes="z"),))
    assert len(list(plan.problems(bad, small()))) == 2


@pytest.mark.parametrize(
    ("only", "numbers"), [(["S6-S8"], {6, 7, 8}), (["S3", "s12"], {3, 12}), (["edge-popup"], {11})]
)
def test_some_slides_alone(only, numbers):
    assert {min(entry.numbers) for entry in PLAN.chosen(45, only)} == numbers


def test_slides_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="the lecture has no slide 'S18'"):
        PLAN.chosen(45, ["S18"])


# The deck


def write(folder, options=None):
    """The lecture's HTML, slide by slide, from the notebooks in the repository."""
    file, count = slides.write_lecture(folder, options)
    text = file.read_text(encoding="utf-8")
    found = re.findall(r"<section data-until=.*?</section>", text, re.DOTALL)
    assert len(found) == count
    return found


def test_the_deck_has_no_voice_but_the_statements(tmp_path):
    shown = [
        re.sub(r"<aside.*?</aside>|<svg.*?</svg>|base64,\S+", "", slide, flags=re.DOTALL) for slide in write(tmp_path)
    ]
    assert 25 <= len(shown) <= 35
    for slide in shown:
        words = re.sub("<[^>]*>", " ", slide)
        assert not re.search(r"The slides\b|this lesson|lesson \d\d|\bS\d+\)", words), words
    titles = [re.search("<h2>(.*?)</h2>", slide)[1] for slide in shown]
    assert all(titles) and not [a for a, b in pairwise(titles) if a == b]


def test_students_get_no_answers_and_no_notes(tmp_path):
    told = write(tmp_path)
    handed = write(tmp_path, slides.Options(students=True))
    assert sum("<aside" in slide for slide in told) > 20 and not any("<aside" in slide for slide in handed)
    for slide in told[-3:]:
        assert "<aside" in slide and len(slide.partition("<aside")[2]) > 500, "the answer is in the notes"
    assert {file.name for file in tmp_path.iterdir()} == {"lecture.html", "lecture-students.html"}


def test_the_title_says_who_where_and_when(tmp_path):
    (title, *_) = write(tmp_path, slides.Options(byline=("A. Lecturer", "Somewhere", "16 March"), only=("S4",)))
    assert "The Lottery Ticket Hypothesis" in title and "A. Lecturer · Somewhere · 16 March" in title
