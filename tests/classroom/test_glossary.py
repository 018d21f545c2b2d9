"""The glossary: one word, one meaning, said where the lessons say it; and hover texts that break nothing."""

import html
import re
from collections import Counter
from pathlib import Path

import jupytext
import mistune
import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from ltcourse import cli
from ltcourse.classroom import glossary, packed
from ltcourse.stage import lecture
from ltcourse.stage.pieces import Pieces

ROOT = Path(__file__).resolve().parents[2]
LESSONS = {file.stem[:2]: file for file in sorted((ROOT / "lessons").glob("[0-9]*.py"))}
TERMS = glossary.terms()


def prose_of(lesson):
    """The text of a lesson by its headings, without code, formulas and what is folded."""
    found, here = {}, ""
    for cell in lecture.in_slides(jupytext.read(LESSONS[lesson]).cells):
        if cell.cell_type != "markdown" or {"notes", "solution", "key"} & set(cell.metadata.get("tags", [])):
            continue
        if heading := re.match(r"## (.+)", cell.source):
            here = heading[1]
        text = re.sub(r"`[^`]*`|\$[^$]*\$|<details>.*?</details>", " ", cell.source, flags=re.DOTALL)
        found[here] = f"{found.get(here, '')} {' '.join(text.split())}"
    return found


PROSE = {lesson: prose_of(lesson) for lesson in LESSONS}


def used(term, text):
    forms = "|".join(map(re.escape, (term.name, *term.forms)))
    return re.search(rf"(?<![\w-])(?:{forms})(?![\w-])", text, re.IGNORECASE)


# The entries


def test_there_are_as_many_terms_as_a_course_needs_in_order():
    assert 50 <= len(TERMS) <= 90
    assert [t.name.lower() for t in TERMS] == sorted(t.name.lower() for t in TERMS)


def test_one_word_has_one_meaning_and_one_meaning_one_word():
    words = Counter(form.lower() for t in TERMS for form in {t.name, *t.forms})
    assert [word for word, count in words.items() if count > 1] == []
    for what in ("meaning", "russian"):
        said = Counter(getattr(t, what) for t in TERMS)
        assert [text for text, count in said.items() if count > 1] == []


@pytest.mark.parametrize("term", TERMS, ids=lambda t: t.name)
def test_a_term_is_said_where_it_is_introduced(term):
    assert term.heading in PROSE[term.lesson], f"lesson {term.lesson} has no heading {term.heading}"
    text = f"{term.heading} {PROSE[term.lesson][term.heading]}"
    assert used(term, text), f"“{term.heading}” of lesson {term.lesson} does not use the word {term.name}"


@pytest.mark.parametrize("term", TERMS, ids=lambda t: t.name)
def test_an_entry_is_two_sentences_at_most_in_plain_text_with_a_russian_word(term):
    assert term.meaning.endswith(".") and len(re.findall(r"[.?!](?: |$)", term.meaning)) <= 2
    assert not re.search(r"[$`*<>|]", f"{term.meaning}{term.russian}"), "it stands in a title"
    assert re.search("[а-яё]", term.russian.lower())
    assert not set(term.only_in) - set(LESSONS)


@pytest.mark.parametrize("term", [t for t in TERMS if t.instead_of], ids=lambda t: t.name)
def test_no_other_word_is_used_for_it(term):
    for other in term.instead_of:
        found = [
            f"{lesson}: {hit[0]}"
            for lesson, parts in PROSE.items()
            for heading, text in parts.items()
            if heading != "References"
            for hit in re.finditer(rf"\b{other}\b", text, re.IGNORECASE)
        ]
        assert not found, f"write {term.name!r}: {found}"


def test_the_page_is_up_to_date_and_its_links_lead_to_notebooks():
    page = (ROOT / "notebooks" / "GLOSSARY.md").read_text(encoding="utf-8")
    assert page == glossary.page(), "run python tools/glossary_page.py"
    for target in re.findall(r"\(<([^>]+)>\)", page):
        assert (ROOT / "notebooks" / target.partition("#")[0]).exists(), target


def test_a_student_copy_reads_the_packed_file(tmp_path, monkeypatch):
    text = glossary.FILE.read_text(encoding="utf-8")
    (tmp_path / "glossary.packed").write_bytes(packed.pack(text))
    monkeypatch.setattr(glossary, "FILE", tmp_path / "glossary.toml")
    glossary._read.cache_clear()
    assert glossary.terms() == TERMS
    glossary._read.cache_clear()


# The command


@pytest.mark.parametrize("words", [["winning", "ticket"], ["Winning tickets"]])
def test_the_command_says_what_a_term_means(capsys, words):
    assert cli.main(["glossary", *words]) == 0
    said = capsys.readouterr().out
    assert said.startswith("winning ticket (выигрышный билет): ") and "Lesson 03, “The hypothesis”" in said


def test_the_command_lists_all(capsys):
    assert cli.main(["glossary"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TERMS)


def test_an_unknown_term_is_guessed(capsys):
    assert cli.main(["glossary", "winning", "tiket"]) == 1
    assert "unknown term 'winning tiket' (did you mean 'winning ticket'?)" in capsys.readouterr().err


# Hover texts


def marked(*texts, lesson="03", **metadata):
    cells = [
        new_markdown_cell("# A title with a mask"),
        *(new_markdown_cell(text, metadata=metadata) for text in texts),
    ]
    glossary.mark(cells, lesson)
    assert cells[0].source == "# A title with a mask"
    return [cell.source for cell in cells[1:]]


def words(text):
    """The words with hover texts in a text."""
    return glossary._MARK.findall(text)


def test_the_first_use_alone_is_marked_with_name_russian_and_meaning():
    first, second = marked("Two Masks and a mask.", "A mask.")
    assert words(first) == ["Masks"] and words(second) == []
    title = html.unescape(re.search('title="([^"]*)"', first)[1])
    assert title == f"mask (маска): {glossary.find('mask').meaning}"


def test_the_longest_term_is_marked_across_a_line():
    (text,) = marked("A winning\nticket is a ticket; an edge-popup is no edge.")
    assert words(text) == ["winning\nticket", "ticket", "edge-popup"], "edge has this meaning in lesson 07 alone"


@pytest.mark.parametrize(
    "text",
    [
        "## The mask\n### A ticket",
        "`mask` and ``a ticket``",
        "```\nmask\n```\n\n~~~python\nticket\n~~~",
        "$m$ask $ticket$ $$\nmask\n$$",
        "[a mask](03.ipynb) ![a ticket](x.png) [the mask of [one]](y.ipynb) [mask][ref]",
        "**The mask of a ticket** **Read the mask**",
        "<details><summary>Hint</summary>\n\nA mask.\n\n</details>",
        '<a href="mask">a mask</a> <img alt="a ticket" src="mask.png">',
        "| mask | ticket |\n|:--|:--|\n| mask | 1 |",
        "unmasked supermask_search mask-like",
    ],
)
def test_what_is_no_running_text_stays_as_it_is(text):
    assert marked(text) == [text]


def test_a_bold_word_that_is_introduced_is_marked_within_its_bold():
    (text,) = marked("A **mask** says.")
    assert words(text) == ["mask"] and text.startswith("A **<abbr") and "</abbr>** says." in text


@pytest.mark.parametrize("tag", ["notes", "solution", "key"])
def test_cells_that_a_reader_may_not_have_are_not_marked(tag):
    assert marked("A mask.", tags=[tag]) == ["A mask."]


def test_the_references_and_what_follows_are_not_marked():
    assert marked("## References\n\nA mask.", "A ticket.") == ["## References\n\nA mask.", "A ticket."]


def test_a_slide_has_neither_hover_texts_nor_a_link_to_the_page(tmp_path):
    (text,) = marked("All masks: see the [glossary](GLOSSARY.md).")
    notebook = new_notebook(cells=[new_markdown_cell(text)])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    (cell,) = lecture.read(tmp_path / "a.ipynb").cells
    (block,) = Pieces(tmp_path, {}).of(cell)
    assert block.html == "<p>All masks: see the glossary.</p>"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_marked_once_a_term_and_is_itself_when_unmarked(lesson):
    before = list(lecture.in_slides(jupytext.read(LESSONS[lesson]).cells))
    texts = [cell.source for cell in before]
    glossary.mark(before, lesson)
    after = [cell.source for cell in before]
    assert [glossary.unmarked(text) for text in after] == texts
    found = [word for text in after for word in words(text)]
    names = [glossary.find(" ".join(word.split())).name for word in found]
    assert len(names) == len(set(names)) >= 8
    for text in after:  # the tags end up in the paragraphs as tags, none as text
        page = str(mistune.create_markdown(escape=False, plugins=["table"])(text))
        assert page.count("<abbr") == page.count("</abbr>") == len(words(text)) and "&lt;abbr" not in page
