"""Slides: one file, nothing fetched, everything that the notebook shows, and one sentence for what cannot be shown."""

import base64
import json
import re
from io import BytesIO
from itertools import pairwise

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import v3
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from PIL import Image

from ltcourse import cli
from ltcourse.display import vectors
from ltcourse.display.markdown import PREDICTION
from ltcourse.stage import formulas, lecture, pieces, slides

NOTES = "<details><summary>For the instructor, 4 minutes</summary>\n\n**Say** *slowly*.\n\n</details>"
CDN = re.compile(r"cdn|jsdelivr|unpkg|cloudflare|googleapis", re.IGNORECASE)
# Whatever a browser fetches when it opens a page; a link that somebody has to click is none.
FETCHED = re.compile(
    r"""<(?!a\b)[a-z]+\b[^>]*\s(?:src|href|data|poster)\s*=\s*(?!["']?(?:data:|\#))|@import|url\((?!["']?data:)"""
)


def png(width=400, height=200):
    file = BytesIO()
    Image.new("RGB", (width, height), "white").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def shown(**data):
    return new_output("display_data", {mime.replace("_", "/", 1): value for mime, value in data.items()})


def printed(text):
    return new_output("stream", name="stdout", text=text)


ALL = slides.Options(code="all")
TITLE = "# A lesson\n\n**Question** Is $a' \\ge a$?\n\n**Slides** S6\n\n**Outline** one · two"


@pytest.fixture
def export(tmp_path):
    """Write slides of cells, and return the HTML."""

    def write(*cells, **options):
        listed = list(lecture.in_slides([new_markdown_cell(TITLE), *cells]))
        nbformat.write(new_notebook(cells=listed), tmp_path / "01_small.ipynb")
        file, count = slides.write(tmp_path / "01_small.ipynb", tmp_path / "out", slides.Options(**options))
        text = file.read_text(encoding="utf-8")
        assert count == text.count('<div class="page')
        return text

    return write


def pages(text):
    """The slides' HTML, one by one."""
    return re.findall(r"<section data-until=.*?</section>", text, re.DOTALL)


# What is shown


def test_the_title_asks_the_question_and_the_plan_says_the_minutes(export):
    text = export(
        new_markdown_cell("## One\n\nAs S7 says."),
        new_markdown_cell(NOTES, metadata={"tags": ["notes", "skip-when-late"]}),
        new_markdown_cell("## Two\n\nMore."),
    )
    title, plan, one, two = pages(text)
    assert "A lesson" in title and "Question" in title and "Outline" not in title
    assert "The plan" in plan and "S7" in plan and "4 min" in plan and "skip when late" in plan
    assert '<aside class="notes">' in one and "<em>slowly</em>" in one and "<b>skip when late</b>" in one
    assert 'data-until="4"' in one and 'data-until="4"' in two and "<aside" not in two
    assert '<span class="number">S7</span>' in one


def test_formulas_are_drawn(export):
    text = export(new_markdown_cell("## One\n\nIn a line $\\theta_0$, and alone\n\n$$\\frac{1}{n_i}$$"))
    assert text.count('<svg role="img"') == 3, "one is in the title"
    assert 'aria-label="\\theta_0"' in text and 'class="display"><svg' in text
    assert "$" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("source", "formulas"),
    [
        ("Is $a +\nb$ more?", ["a + b"]),
        ("$a\n= b$ at the begin, at the end\n$c\nd$", ["a = b", "c d"]),
        ("Two $a\nb$, $c$ and $d\ne$.", ["a b", "c", "d e"]),
        ("Of three lines $a\nb\nc$.", ["a b c"]),
        ("With commands $\\lvert w \\partial L\n\\rvert$.", [r"\lvert w \partial L \rvert"]),
        ("With a blank at the end of the line $a\\\nb$.", [r"a\ b"]),
        ("- In a list $a\n  b$.\n- And $c$.", ["a b", "c"]),
        ("<details><summary>Hint</summary>\n\nFolded $a\nb$.\n\n</details>", ["a b"]),
        ("In *stressed $a\nb$ words*.", ["a b"]),
        ("An empty line $a\n\nb$ ends it.", []),
        ("An empty line $a\n \nb$ of blanks, too.", []),
        ("Money: $5 is\nless than $6.", []),
        ("Escaped: \\$a\nb\\$.", []),
        ("Code: `$a\nb$`.\n\n```\n$c\nd$\n```", []),
    ],
)
def test_a_formula_may_be_broken_over_the_end_of_a_line(export, source, formulas):
    _, page = pages(export(new_markdown_cell(f"## One\n\n{source}")))
    assert re.findall('aria-label="(.*?)"', page, re.DOTALL) == formulas
    assert ("$" in page) == (not formulas)


def test_a_formula_is_as_large_as_the_letters_around_it():
    large, small = (
        re.search(r'height="([\d.]+)em"', formulas.draw(tex, display=True)) for tex in (r"\frac{a}{b}", "a")
    )
    assert 0.3 < float(small[1]) < 1 < float(large[1]) < 3


def test_code_stands_with_what_it_shows_and_the_text_that_reads_it_comes_at_the_next_key(export):
    text = export(
        new_markdown_cell("## One"),
        new_code_cell("print(1)", outputs=[printed("one\n"), shown(image_png=png(), text_plain="<Figure>")]),
        new_markdown_cell("Read it: it is one.\n\n*Predict: what is two?*"),
        new_code_cell("print(2)", outputs=[printed("two <b>\n")]),
        code="all",
    )
    one, two = pages(text)[2:] if "The plan" in text else pages(text)[1:]
    assert "print" in one and "one</pre>" in one and "data:image/png" in one
    assert '<div class="fragment"><p>Read it' in one and "Predict" not in one
    assert "Predict" in two and '<div class="fragment"><pre class="printed">two &lt;b&gt;' in two, "guess first"


def test_a_prediction_is_a_slide_and_what_it_came_to_is_in_the_notes(export):
    def predicted(part, text):
        return shown(text_markdown=text, text_plain=text, **{PREDICTION: {"part": part}})

    cells = [
        new_markdown_cell("## One\n\nWe prune."),
        new_code_cell("predict('a')", outputs=[predicted("question", "*Predict:* Which?\n\n- the left\n- the right")]),
        new_code_cell("print(2)", metadata={"title": "The left wins"}, outputs=[
            predicted("answer", "<details><summary>Predicted and measured</summary>\n\nIt was **left**.\n\n</details>"),
            printed("two\n"),
        ]),
        new_markdown_cell("Read it: it is two."),
        new_code_cell("summary('a')", outputs=[predicted("answer", "<details><summary>A</summary>\n\nsum</details>")]),
    ]  # fmt: skip
    asks, result = pages(export(*cells))[-2:]
    assert "Which?" in asks and "<li>the left</li>" in asks and "two" not in asks and "The left wins" not in asks
    assert "The left wins" in result and "two" in result and "Read it" in result.partition("<aside")[0]
    body, _, notes = result.partition("<aside")
    assert "It was" not in body and "sum" not in body and "It was <strong>left</strong>" in notes and "sum" in notes
    assert "It was" not in export(*cells, students=True)


def test_tables_imports_notes_and_skipped_cells(export):
    table = "| a | b |\n|:--|--:|\n| 1 | $x$ |"
    text = export(
        new_code_cell("import torch", outputs=[]),
        new_markdown_cell("## One"),
        new_code_cell("Table()", outputs=[shown(text_markdown=table, text_plain="a b")]),
        new_code_cell("secret", metadata={"slideshow": {"slide_type": "skip"}}),
    )
    assert "<table>" in text and "torch" not in text and "secret" not in text


def test_solutions_stay_folded(export):
    folded = "<details><summary>Solution</summary>\n\n```python\nreturn 1\n```\n\n</details>"
    text = export(new_markdown_cell("## One\n\nDo."), new_markdown_cell(folded, metadata={"tags": ["solution"]}))
    assert "<details><summary>Solution</summary>" in text and "<details open" not in text


def test_a_stepper_begins_with_its_first_step_and_is_printed_with_its_last(monkeypatch):
    steps = [{"caption": f"x {i}", "image/webp": content} for i, content in enumerate(("AAAA", "BBBB", "CCCC"))]
    bundle = new_output("display_data", {"image/webp": "AAAA", pieces.STEPS: steps})
    monkeypatch.setattr(pieces, "_inches", lambda *_: (9.0, 4.5))
    block = pieces._steps(bundle.data, "a story").html
    assert [block.count(content) for content in ("AAAA", "BBBB", "CCCC")] == [1, 1, 1]
    assert re.findall(r'class="(fragment[^"]*)" data-fragment-index="(\d)"', block) == [
        ("fragment", "0"),
        ("fragment printed", "1"),
    ]
    assert "<b>x 0</b> · 1 of 3" in block
    assert "printed" not in pieces._steps(bundle.data | {"image/webp": "DDDD"}, "a widget").html


def test_a_widget_is_its_picture_and_a_few_steps(export):
    steps = [{"caption": f"x {i}", "image/webp": "UklGRg=="} for i in range(3)]
    text = export(new_markdown_cell("## One"), new_code_cell("explore()", outputs=[shown(image_png=png())]))
    assert 'class="figure steps"' not in text
    bundle = new_output("display_data", {"image/png": png(), pieces.STEPS: steps})
    text = export(new_markdown_cell("## One"), new_code_cell("explore()", outputs=[bundle]))
    assert text.count('<figure class="fragment"') == 3 and "<b>x 2</b> · 3 of 3" in text


def test_long_text_goes_on_as_many_slides_as_it_needs(export):
    text = export(new_markdown_cell("## One\n\n" + "\n\n".join(["A paragraph of some words. " * 12] * 12)))
    assert len(pages(text)) >= 4


def test_a_long_table_and_long_output_go_on_with_no_row_lost_and_the_header_repeated(export):
    rows = "\n".join(f"| row{i} | {'some words ' * 9}| [there](a/long/address/{'x' * 300}) |" for i in range(20))
    printed_rows = "\n".join(f"line{i}\n    of it" for i in range(40))
    text = export(
        new_markdown_cell("## One"),
        new_code_cell("Table()", outputs=[shown(text_markdown=f"| a | b | c |\n|:--|:--|:--|\n{rows}", text_plain="")]),
        new_markdown_cell("## Two"),
        new_code_cell("print()", outputs=[printed(printed_rows)]),
        code="all",
    )
    tables = [page for page in pages(text) if "<table>" in page]
    assert 2 <= len(tables) <= 4 and all("<th" in page for page in tables), "an address takes no room"
    assert "print" not in tables[0] and "Table" in tables[0], "the first rows stand with the code"
    assert re.findall(r">(row\d+)<", text) == [f"row{i}" for i in range(20)]
    pieces = re.findall(r'<pre class="printed">(.*?)</pre>', text, re.DOTALL)
    assert len(pieces) > 2 and "\n".join(pieces) == printed_rows and all(p.startswith("line") for p in pieces)


@pytest.mark.parametrize(
    ("table", "seen"),
    [
        ("| a || b |\n|:--|:--|:--|\n| 1 || 2 |", ">2</td>"),
        ("| a | b |\n|:--|:--|\n| \\|w\\| | 2 |", ">|w|</td>"),
        ("|a|b|\n|-|-|\n|1|", "|1|"),
        ("|w| is one", "|w| is one"),
    ],
    ids=["an empty column", "a bar in a cell", "a short row", "no table"],
)
def test_a_table_of_another_form_is_shown_too(export, table, seen):
    text = export(new_markdown_cell(f"## One\n\n{table}"))
    assert len(pages(text)) == 2 and seen in text


def test_what_an_exercise_asks_stands_before_its_code(export):
    asked = "\n\n".join(["Write a function that does what these words ask for. " * 6] * 3)
    text = export(
        new_markdown_cell("## One"),
        new_code_cell("print(1)", outputs=[printed("\n".join(["one"] * 14))]),
        new_markdown_cell(asked),
        new_code_cell("def f(): ...", metadata={"tags": ["exercise"]}),
        code="all",
    )
    assert 0 < text.rindex("Write a function") < text.index('<span class="k">def</span>')


# What is chosen


NOTED = new_markdown_cell(NOTES, metadata={"tags": ["notes"]})


def sections_of_an_hour():
    """Three sections of half an hour, each of which can be left out."""
    notes = NOTES.replace("4", "30")
    return [
        cell
        for name in ("One", "Two", "Three")
        for cell in (
            new_markdown_cell(f"## {name}\n\nText of S7."),
            new_markdown_cell(notes, metadata={"tags": ["notes", "skip-when-late"]}),
        )
    ]


def titles(text):
    return [re.search("<h2>(.*?)</h2>", page)[1] for page in pages(text)]


def test_what_can_be_skipped_is_left_out_until_the_plan_fits(export):
    assert titles(export(*sections_of_an_hour())) == ["A lesson", "One"]
    assert titles(export(*sections_of_an_hour(), minutes=90)) == ["A lesson", "The plan", "One", "Two", "Three"]


def test_some_sections_alone(export):
    assert titles(export(*sections_of_an_hour(), only=("two",))) == ["A lesson", "Two"]
    assert titles(export(*sections_of_an_hour(), only=("S6-S8",)))[2:] == ["One", "Two", "Three"]
    with pytest.raises(
        ValueError, match="no section is 'Four': name slides, such as S6-S8, or words of One, Two, Three"
    ):
        export(*sections_of_an_hour(), only=("Four",))


def test_a_cell_brings_its_title_and_its_key_lines(export):
    cell = new_code_cell(
        "x = 1\ny = 2\nprint(x)", outputs=[printed("one\n")], metadata={"title": "It is one", "key": "1|3"}
    )
    text = export(new_markdown_cell("## One"), cell)
    assert titles(text) == ["A lesson", "It is one"]
    assert text.count('class="lit"') == 2 and text.count('class="dim"') == 2 and "y = 2" not in text
    assert "y = 2" in re.sub("<[^>]*>", "", pages(export(new_markdown_cell("## One"), cell, code="all"))[1])
    assert '<pre class="code' not in export(new_markdown_cell("## One"), cell, code="none")


def test_the_title_of_a_cell_is_not_that_of_the_section_after_it():
    cell = new_markdown_cell("It is so.\n\n## Next\n\nText.", metadata={"title": "So it is"})
    assert [part.metadata.get("title") for part in lecture.in_slides([cell])] == ["So it is", None]


def test_students_get_no_notes_no_solutions_and_no_answers(export):
    cells = (
        new_markdown_cell("## One\n\nDo."), NOTED,
        new_code_cell("answers()", outputs=[printed("forty-two\n")], metadata={"tags": ["key-output"]}),
        new_markdown_cell("It is this.", metadata={"tags": ["solution"]}),
    )  # fmt: skip
    told, handed = export(*cells), export(*cells, students=True)
    for secret in ("slowly", "forty-two", "It is this"):
        assert secret in told and secret not in handed


def test_what_has_no_room_below_its_figure_is_told_in_the_notes(export):
    reading = "\n\n".join(["What the figure shows, in some words. " * 6] * 5)
    figure = shown(image_png=png(900, 450), text_plain="<Figure>")
    text = export(new_markdown_cell("## One"), new_code_cell("draw()", outputs=[figure]), new_markdown_cell(reading))
    _, page = pages(text)
    on_the_slide, _, told = page.partition("<aside")
    assert on_the_slide.count("What the figure shows") + told.count("What the figure shows") == 30
    assert "What the figure shows" in on_the_slide and "From the lesson" in told


def test_a_drawing_is_shown_rather_than_its_picture(export):
    figure, ax = plt.subplots(figsize=(4, 3))
    ax.plot([1, 2])
    data = {**vectors.bundle(figure), "image/png": png(), "text/plain": "<Figure>"}
    plt.close(figure)
    text = export(new_markdown_cell("## One"), new_code_cell("draw()", outputs=[new_output("display_data", data)]))
    assert "data:image/svg+xml" in text and "data:image/png" not in text
    assert 150 < int(re.search(r"min-height: (\d+)px", text)[1]) < 240, "75 pixels an inch"


# Nothing from outside


def test_pictures_are_put_in_and_links_lead_from_slides_to_slides(export, tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "dot.png")
    text = export(
        new_markdown_cell("## One\n\n![a dot](dot.png) [two](02_x.ipynb) [up](#One) [p](https://example.org)")
    )
    assert '<img alt="a dot" src="data:image/png;base64,' in text and 'href="02_x.html"' in text
    assert 'href="#' not in text and 'href="https://example.org"' in text


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return {file.stem: slides.write(file, folder)[0] for file in lecture.lessons()}


@pytest.mark.parametrize("file", lecture.lessons(), ids=lambda file: file.stem)
def test_a_lesson_is_one_file_that_fetches_nothing_and_leaves_no_figure_out(file, exported):
    text = exported[file.stem].read_text(encoding="utf-8")
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not FETCHED.search(re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert not CDN.search(re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "default-src 'none'" in text, "the browser itself refuses what would come from elsewhere"
    assert len(text) < 6_000_000
    lesson = nbformat.read(file, as_version=4)
    for cell in lesson.cells:
        if cell.metadata["slideshow"]["slide_type"] in ("skip", "notes") or cell.cell_type != "code":
            continue
        for data in (output.get("data", {}) for output in cell.outputs):
            if vectors.VECTOR in data and pieces.STEPS not in data:
                drawing = vectors.unpacked(data[vectors.VECTOR])
                assert base64.b64encode(drawing.encode()).decode() in text, cell.id
            elif "image/png" in data and pieces.STEPS not in data:
                assert data["image/png"].replace("\n", "") in text, cell.id
    assert "**Say**" not in text and "$" not in re.sub(r"<(pre|code)\b.*?</\1>|base64,\S+", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("file", lecture.lessons(), ids=lambda file: file.stem)
def test_a_lesson_reads_as_a_lecture(file, exported):
    """No slide of code alone, none of a printed line alone beside others of its section, no two of one title."""
    found = pages(exported[file.stem].read_text(encoding="utf-8"))
    titles = [re.search("<h2>(.*?)</h2>", page)[1] for page in found]
    assert not [a for a, b in pairwise(titles) if a == b]
    for page in found:
        body = re.search(r'<div class="body">(.*)</div>', page.partition("<aside")[0], re.DOTALL)[1]
        assert re.sub(r'<div class="keyed">.*?</div>|<pre class="code">.*?</pre>', "", body, flags=re.DOTALL).strip()
        if file.stem[:2] != "00":  # which says what these words mean
            assert "The slides say" not in body and "The slides ask" not in body


def test_what_would_be_fetched_is_found():
    for bad in ('<img src="x.png">', '<script src="//a/b.js">', "@import 'a.css'", "url(font.woff)", '<link href="a">'):
        assert FETCHED.search(bad)
    assert not FETCHED.search('<a href="https://example.org"> <img src="data:image/png;base64,"> url(data:x)')


# Notebooks that are not the course's


def slides_of(folder, notebook, version=4):
    """The pages, with all code, of a notebook that nobody has prepared for slides."""
    nbformat.write(notebook, folder / "talk.ipynb", version=version)
    return pages(slides.write(folder / "talk.ipynb", folder, ALL)[0].read_text(encoding="utf-8"))


def code(source="x = 1", *outputs):
    return new_code_cell(source, outputs=list(outputs))


ODD = {
    "code after the title": ([new_markdown_cell("# Talk\n\nHello."), code()], ["Hello", "x"]),
    "a check after the title": ([new_markdown_cell("# Talk"), code("checks.one(1)")], ["Talk", "checks"]),
    "code before the title": ([code(), new_markdown_cell("# Talk\n\nHello.")], ["talk", "x", "Hello"]),
    "code alone": ([code()], ["talk", "x"]),
    "text without a heading": ([new_markdown_cell("Hello.\n\nWorld.")], ["Hello.</p><p>World"]),
    "notes alone": ([new_markdown_cell(NOTES, metadata={"tags": ["notes"]})], ["slowly"]),
    "raw text first": ([new_raw_cell("---"), new_markdown_cell("# Talk\n\nHello.")], ["talk", "Hello"]),
    "headings in one cell": ([new_markdown_cell("# Talk\n\nHello.\n\n## One\n\nWorld.")], ["Hello", "World"]),
    "an empty cell": ([new_markdown_cell(""), code("")], ["talk"]),
}


@pytest.mark.parametrize("what", ODD)
def test_a_notebook_without_slide_metadata_is_shown_all_the_same(tmp_path, what):
    cells, words = ODD[what]
    found = slides_of(tmp_path, new_notebook(cells=cells))
    text = re.sub(r"<span[^>]*>|</span>", "", "\n".join(found))
    places = [text.find(word) for word in words]
    assert -1 not in places and places == sorted(places)
    assert all("<h2>" in page for page in found)


def test_headings_begin_slides_where_no_cell_says_what_it_is(tmp_path):
    cells = [new_markdown_cell("# Talk\n\nHello."), code(), new_markdown_cell("## One\n\nA."), code()]
    headings = [re.search("<h2>(.*?)</h2>", page)[1] for page in slides_of(tmp_path, new_notebook(cells=cells))]
    assert headings == ["Talk", "Talk", "One"]


def test_an_older_format_is_read_without_a_word(tmp_path, recwarn):
    older = v3.new_notebook(
        worksheets=[
            v3.new_worksheet(
                cells=[
                    v3.new_heading_cell("Talk"),
                    v3.new_text_cell("markdown", source="Hello."),
                    v3.new_code_cell(input="x = 1"),
                ]
            )
        ]
    )
    text = "".join(slides_of(tmp_path, older, version=3))
    assert "Talk" in text and "Hello" in text and '<pre class="code">' in text
    without_ids = new_notebook(cells=[new_markdown_cell("# Talk")])
    del without_ids.cells[0]["id"]
    (tmp_path / "talk.ipynb").write_text(json.dumps(without_ids))
    slides.write(tmp_path / "talk.ipynb", tmp_path)
    assert not [warning for warning in recwarn if "id" in str(warning.message)]


def test_pasted_images_are_those_of_their_cells(tmp_path):
    first, second = png(10, 10), png(20, 20)
    cells = [
        new_markdown_cell("# Talk\n\n![a](attachment:image.png)", attachments={"image.png": {"image/png": first}}),
        new_markdown_cell("## One\n\n![b](attachment:image.png)", attachments={"image.png": {"image/png": second}}),
        new_markdown_cell(
            '## Two\n\n<img src="attachment:my%20photo.png" width="40">\n\nSee <img src="attachment:my%20photo.png">.',
            attachments={"my photo.png": {"image/png": first}},
        ),
    ]
    title, _, one, two = slides_of(tmp_path, new_notebook(cells=cells))
    assert first in title and second in one and first not in one
    assert two.count(first) == 2 and 'width="40"' in two and "attachment:" not in title + one + two


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"])
def test_figures_of_every_kind_are_shown(tmp_path, kind):
    file = BytesIO()
    if kind == "image/svg+xml":
        content = '<svg xmlns="http://www.w3.org/2000/svg"></svg>'
        shown_as = base64.b64encode(content.encode()).decode()
    else:
        Image.new("RGB", (40, 20), "white").save(file, kind.partition("/")[2])
        content = shown_as = base64.b64encode(file.getvalue()).decode()
    figure = new_output("display_data", {kind: content, "text/plain": "<Figure>"})
    text = "".join(slides_of(tmp_path, new_notebook(cells=[code("draw()", figure)])))
    assert f'src="data:{kind};base64,{shown_as}"' in text and "&lt;Figure" not in text


# What cannot be shown

FORMULA = r"the formula '\\\\frac\{1\}' cannot be drawn \(.*\): write it with other commands$"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (new_markdown_cell("## One\n\n![x](gone.png)"), r"there is no image .*gone\.png"),
        (new_markdown_cell('## One\n\n<img src="gone.png">'), r"there is no image .*gone\.png"),
        (new_markdown_cell("## One\n\n![x](attachment:gone.png)"), r"the pasted image .*gone\.png' is not in the"),
        (new_markdown_cell("## One\n\nIs $\\frac{1}$"), FORMULA),
        (new_markdown_cell("## One\n\n$$\\frac{1}$$"), FORMULA),
        (new_markdown_cell("Here.\n\n## One\n\n| a | b |\n|:--|:--|\n| 1 | $\\frac{1}$ |"), FORMULA),
        (new_markdown_cell("A note.", metadata={"tags": ["notes"]}), "notes begin with <details>"),
        (code("draw()", shown(image_png="AAAA")), "the figure is damaged: run the cell again"),
        (code("f", shown(text_markdown="Is $\\frac{1}$")), FORMULA),
    ],
)
def test_what_cannot_be_shown_is_one_sentence_that_names_the_cell(tmp_path, cell, words):
    cells = [new_markdown_cell("# Talk\n\n## Begin\n\nHello."), code(), cell]
    with pytest.raises(ValueError, match=f"^in cell 3, {words}") as caught:
        slides_of(tmp_path, new_notebook(cells=cells))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no notebook .*: open it in JupyterLab and save it again"),
        ("{", "is no notebook"),
        ("[]", "is no notebook"),
        ("{}", "is no notebook"),
        ('{"nbformat": 9, "nbformat_minor": 0, "metadata": {}, "cells": []}', "is no notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "has no cells: write something in it"),
    ],
)
@pytest.mark.parametrize("command", ["slides", "rehearse"])
def test_what_is_no_notebook_is_one_sentence(tmp_path, capsys, command, content, words):
    (tmp_path / "bad.ipynb").write_text(content)
    assert cli.main([command, str(tmp_path / "bad.ipynb")]) == 1
    said = capsys.readouterr().err
    assert re.search(words, said) and said.count("\n") == 1


# The command


def test_the_command_writes_the_lessons_that_it_is_told(tmp_path, capsys):
    assert cli.main(["slides", "00", "--to", str(tmp_path / "talk")]) == 0
    assert [file.name for file in (tmp_path / "talk").iterdir()] == ["00_start_here.html"]
    said = capsys.readouterr().out
    assert re.search(r"00_start_here\.html: \d+ slides, \d+ kB", said) and "?print-pdf" in said


@pytest.mark.parametrize(
    "arguments",
    [[], ["03", "--all"], ["--all", "03"], ["lecture", "--all"], ["77"], [""], [" "], ["."], [".."], ["/"], ["03", ""]],
    ids=repr,
)
def test_the_command_says_what_it_needs(arguments, capsys):
    assert cli.main(["slides", *arguments]) == 1
    assert capsys.readouterr().err.count("\n") == 1
