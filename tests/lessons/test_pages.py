"""The pages for authors and instructors: every block of code runs, and what they name is there."""

import re
import types
from pathlib import Path

import jupytext
import pytest

from ltcourse.classroom import kinds, review

ROOT = Path(__file__).resolve().parents[2]
WRITING = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
TEACHING = (ROOT / "lessons" / "TEACHING.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", WRITING, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def example():
    """What the blocks of the worked example define, run in their order."""
    names = {}
    for number, block in enumerate(blocks("python"), 1):
        exec(compile(block, f"block {number} of lessons/README.md", "exec"), names)
    return names


def test_the_worked_example_runs_and_its_network_learns_its_data(example):
    assert [round(found.density, 2) for found in example["rounds"]] == [1.0, 0.5, 0.25]
    assert min(found.history.validation_accuracy[-1] for found in example["rounds"]) > 0.7


def test_its_check_tells_a_stub_a_right_and_a_wrong_function_apart(example):
    found = [example["kept_share"](example[name]) for name in ("stub", "right", "wrong")]
    assert [verdict.passed for verdict in found] == [None, True, False]
    assert "count the weights of all layers together" in str(found[2])


def test_its_cells_are_an_exercise_with_a_stub_a_check_hints_and_a_solution(example):
    text = blocks("text")[-1]
    cells = jupytext.reads(text, fmt="py:percent").cells
    assert [cell.metadata.get("tags") for cell in cells] == [None, ["exercise"], None, ["hint"], ["solution"]]
    names = {"checks": types.SimpleNamespace(kept_share=example["kept_share"])}
    exec(cells[1].source, names)
    assert eval(cells[2].source, names).passed is None
    exec(re.search(r"```python\n(.*?)```", cells[4].source, re.DOTALL)[1], names)
    assert eval(cells[2].source, names)


def test_its_prediction_can_be_read_and_its_cells_ask_and_reveal_it(tmp_path):
    (declared,) = blocks("toml")
    (tmp_path / "p.toml").write_text(declared, encoding="utf-8")
    (name,) = kinds.load(tmp_path / "p.toml")
    cells = jupytext.reads(blocks("text")[0], fmt="py:percent").cells
    assert [cell.metadata["tags"] for cell in cells] == [["hide-input"], ["hide-output"], ["hide-input"]]
    assert cells[0].source == f'predict("{name}")' and f'reveal("{name}", ' in cells[1].source
    assert cells[2].source == f'summary("{name[:2]}")'


@pytest.mark.parametrize("page", [WRITING, TEACHING], ids=["README.md", "TEACHING.md"])
def test_what_a_page_names_is_there(page):
    for link in re.findall(r"\]\(([^)]+)\)", page):
        assert (ROOT / "lessons" / link).exists(), link
    for name in re.findall(r"`((?:ltcourse|tools)/[\w/.]+)`", page):
        assert (ROOT / name).exists(), name
    lessons = [path.name[:2] for path in sorted((ROOT / "lessons").glob("[0-9]*.py"))]
    headings = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "lessons").glob("*.py"))
    for heading in re.findall(r'\(\d\d, "([^"]+)"\)', page):
        assert f"# ## {' '.join(heading.split())}\n" in headings
    if page is TEACHING:
        aims = re.findall(r"^\| (\d\d) \|", page.partition("## What each lesson is for")[2], re.MULTILINE)
        assert aims == lessons


def test_the_rubric_has_as_many_points_as_the_review():
    rows = re.findall(r"^\| (\d) \|(.+)\|$", TEACHING.partition("## A rubric")[2], re.MULTILINE)
    assert len(rows) == 6 and all(len(question.points) == 6 for question in review.QUESTIONS)
