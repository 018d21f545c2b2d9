"""The site: two lessons as pages, what a student's edition leaves out, and that the crawler finds what is wrong."""

import json
import re
import shutil
import sys
import zlib
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace

import pytest

from ltcourse.classroom import glossary, questions
from ltcourse.experiments import runs
from ltcourse.stage.pieces import STEPS

TOOLS = Path(__file__).resolve().parent.parent / "tools" / "site"
WHY = "the extra [site] is not installed: `make site` installs it, and these tests run"
for name in ("sphinx", "myst_nb", "pydata_sphinx_theme", "playwright"):
    pytest.importorskip(name, reason=WHY)
sys.path.insert(0, str(TOOLS))

import build  # noqa: E402
import check  # noqa: E402
import extension  # noqa: E402
import faster  # noqa: E402
import lesson_pages  # noqa: E402
import written  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, check.CHROMIUM)), None)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one pixel


@pytest.fixture(scope="module")
def lessons():
    return lesson_pages.read(build.ROOT / "notebooks", students=False)


@pytest.fixture(scope="module")
def site(lessons, tmp_path_factory):
    pages = lesson_pages.Pages(lessons, tmp_path_factory.mktemp("site") / "figures")
    return written.Site(lessons, pages, students=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Lessons 01 and 02, as pages for students."""
    folder = tmp_path_factory.mktemp("built")
    assert build.build(folder, students=True, only=["01", "02"]) == 0
    return folder


def test_two_lessons_become_pages_that_fetch_nothing_and_whose_pictures_say_what_they_show(built):
    for name in ("01_pruning_lenet", "02_han_tables"):
        page = (built / "lessons" / f"{name}.html").read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|link)\b[^>]*?\b(?:src|href)=\"([^\"]+)", page)
        assert fetched and not [address for address in fetched if "://" in address or address.startswith("//")]
        pictures = re.findall(r"<img\b[^>]*>", page)
        assert pictures and all(re.search(r'alt="[^"]+"', picture) for picture in pictures)
        assert all((built / "lessons" / source).is_file() for source in re.findall(r'<img src="([^"]+)"', page))
        assert "<svg" in page and "$P_m$" not in page
    assert 'type="range"' in (built / "lessons" / "01_pruning_lenet.html").read_text(encoding="utf-8")


def test_a_students_page_has_hints_and_no_solution_and_no_notes(built):
    page = (built / "lessons" / "02_han_tables.html").read_text(encoding="utf-8")
    assert "<summary>Hint 1</summary>" in page
    assert "<summary>Solution" not in page and "For the instructor" not in page


def test_the_search_finds_a_word_of_a_lesson_without_a_network(built):
    index = (built / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(") and '"filler"' in index


def test_the_alternative_text_of_an_output_comes_along_and_where_there_is_none_its_title(site):
    with_alt = {"data": {"image/png": PNG}, "metadata": {"image/png": {"alt": "error falls to 2 %"}}}
    without = {"data": {"image/png": PNG}, "metadata": {}}
    for output, alt in ((with_alt, "error falls to 2 %"), (without, "a &lt;title&gt;")):
        (made,) = site.pages.output(output, "x", "a <title>", "")
        assert f'alt="{alt}"' in made["data"]["text/html"]


def test_a_tables_numbers_stay_whole_in_a_narrow_column():
    table = "| P_m | `a % b` (c d) |\n| 7.0 % | +0.28 points (+0.10 to +0.43) |\nat 7.0 %"
    assert lesson_pages.unbroken(table).replace("\N{NO-BREAK SPACE}", "~") == (
        "| $P_m$ | `a % b` (c d) |\n| 7.0~% | +0.28~points (+0.10~to~+0.43) |\nat 7.0 %"
    )


def test_a_docstring_that_names_no_heading_is_told_by_its_name(site):
    extension.LINK = site.pages.link
    with pytest.raises(ValueError, match=r'^a\.f: lesson 03 has no heading "?\'?Nowhere'):
        extension._docstring(None, "function", "a.f", None, None, ['Lesson 03, "Nowhere".'])


def test_a_slider_has_every_stored_step_with_its_caption(site):
    steps = [{"caption": f"k {k}", "image/png": PNG, "alt": f"at {k}"} for k in (0.1, 0.5, 0.9)]
    (made,) = site.pages.output({"data": {STEPS: steps, "image/png": PNG}}, "s", "accuracy", "")
    source = made["data"]["text/html"]
    assert re.findall(r'data-caption="([^"]+)"', source) == ["k 0.1", "k 0.5", "k 0.9"]
    assert re.findall(r'alt="([^"]+)"', source) == ["at 0.1", "at 0.5", "at 0.9"]
    assert 'max="2"' in source and source.count(" hidden") == 3  # two of the steps, and the slider before its script


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("[a](03_lottery_ticket.ipynb#The-hypothesis)", "[a](03_lottery_ticket.ipynb#the-hypothesis)"),
        ("[a](01_pruning_lenet.ipynb#The-slides'-two-rows)", "[a](01_pruning_lenet.ipynb#the-slides-two-rows)"),
        ('<a href="02_han_tables.ipynb">', '<a href="02_han_tables.html">'),
        ("[a](#The-hypothesis)", "[a](#the-hypothesis)"),
        ('<a href="https://a.org/01_x.ipynb">', '<a href="https://a.org/01_x.ipynb">'),
        ("<details><summary>b</summary>c</details>", "<details><summary>b</summary>\n\nc\n\n</details>"),
        (
            '<abbr class="term" title="mask (маска): which weights">masks</abbr>',
            '<a class="course-term" href="../glossary.html#term-mask" title="mask (маска): which weights">masks</a>',
        ),
    ],
)
def test_links_folds_and_hover_texts_become_those_of_a_page(site, source, page):
    assert site.pages.text(source, "") == page


def test_an_output_that_is_folded_in_a_notebook_is_folded_on_its_page(site):
    cell = {
        "cell_type": "code", "source": "1", "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}],
        "metadata": {"tags": ["hide-output"], "jupyter": {"outputs_hidden": True}},
    }  # fmt: skip
    made = site.pages.page(lesson_pages.Lesson("x", {"cells": [cell]}))["cells"][0]
    assert made["metadata"]["tags"] == ["hide-output"]


def test_the_quiz_holds_every_question_and_no_answer_in_clear(site):
    page = site.quiz()
    packed = re.search(r'id="course-questions">([^<]+)<', page)[1]
    asked = json.loads(zlib.decompress(b64decode(packed)))
    assert len(asked) == len(questions.load())
    assert all(sum(choice["right"] for choice in question["choices"]) == 1 for question in asked)
    assert not [q for q in questions.load() for choice in q.choices if choice.reply[:40] in page]


def test_every_record_says_how_it_was_measured(site):
    page = site.measured()
    for file in runs.recorded():
        record = json.loads(file.read_text(encoding="utf-8"))
        begin = page.index(f"## {record['experiment']}, {record['budget']}\n")
        part = page[begin : page.find("\n## ", begin + 1)]
        where = record["provenance"]
        facts = (where["code"], where["machine"], where["data_sha256"], record["settings"]["network"])
        assert all(str(fact) in part for fact in facts), file.name


def test_each_term_of_a_glossary_has_its_place_and_its_lesson(site, monkeypatch):
    term = SimpleNamespace(
        name="re-initialized control", russian="контроль", meaning="A new draw.", lesson="03", heading="Two controls",
        source="Frankle 2019",
    )  # fmt: skip
    monkeypatch.setattr(glossary, "terms", lambda: [term])
    page = site.glossary()
    hover = f'<abbr class="term" title="{term.name} ({term.russian}): {term.meaning}">controls</abbr>'
    place = re.search(r'glossary\.html#([^"]+)"', site.pages.text(hover, ""))[1]
    assert f'id="{place}"' in page and '<span lang="ru">(контроль)</span>' in page
    assert "[lesson 03, Two controls](lessons/03_lottery_ticket.ipynb#two-controls)" in page


def test_the_page_of_the_common_question_prints_its_numbers(site):
    page = faster.page(site)
    assert not re.search(r"@[a-z-]+@", page)
    dense, after = re.findall(r"\| dense, (?:before|after) pruning \| ([\d,]+) ", page)
    assert dense == after == f"{266_200 * 4:,}"


def test_a_docstring_keeps_its_code_and_links_to_its_lesson(site):
    lines = ["Return `mask`s of *args, P_m.", "- `a`: b", "", "    x = 1", "", 'Lesson 03, "The hypothesis".']
    extension.LINK = site.pages.link
    extension._docstring(None, "function", "f", None, None, lines)
    assert "\n".join(lines) == (
        "Return ``mask``\\ s of \\*args, P\\_m.\n\n- ``a``: b\n\n::\n\n    x = 1\n\n"
        '`Lesson 03, "The hypothesis". <../lessons/03_lottery_ticket.html#the-hypothesis>`__'
    )


# The crawler


@pytest.fixture
def folder(tmp_path):
    """A small site: good.html is as it should be."""
    (tmp_path / "good.html").write_text('<html lang="en"><title>a</title><h1 id="a">a</h1><a href="#a">b</a></html>')
    return tmp_path


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("missing.html", "bad.html: missing.html is not there"),
        ("good.html#b", "bad.html: good.html#b has no such place"),
        ("#c", "bad.html: #c has no such place"),
    ],
)
def test_a_dead_link_is_found(folder, link, said):
    (folder / "bad.html").write_text(f'<a href="good.html#a">a</a><a href="https://a.org">a</a><a href="{link}">b</a>')
    assert list(check.dead_links(folder)) == [said]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed")
def test_the_browser_sees_requests_and_what_is_too_wide(folder):
    (folder / "asks.html").write_text('<img src="http://127.0.0.1:9/a.png" alt="a">')
    (folder / "wide.html").write_text('<main><div style="width: 600px; height: 9px">a</div></main>')
    with check.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = list(check.seen(folder, browser, None))
        browser.close()
    assert len(found) == 2
    assert found[0] == "asks.html: asked for http://127.0.0.1:9/a.png"
    assert re.match(r"wide.html, phone: \d+ pixels wider", found[1])
