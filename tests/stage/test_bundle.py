"""The student copy stands alone, and nothing in it answers: no solution, key, note or expectation is found."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jupytext
import nbformat
import pytest

from ltcourse import cli, files
from ltcourse.classroom import kinds, packed, questions, review
from ltcourse.stage import bundle, lecture

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "lessons").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
FOLD = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
SAID = re.compile(r"\*\*(?:Say|Expect)\*\* (.*?)(?=\n\n|\Z)", re.DOTALL)


@pytest.fixture(scope="module")
def contents():
    return bundle.contents()


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "for students"
    bundle.write(folder)
    return folder


# What must not be there


def plain(text):
    return " ".join(text.split())


def sentences(text):
    """The text, and each of its sentences that is long enough to be nobody else's."""
    yield plain(text)
    yield from (part for part in re.split(r"(?<=[.?!]) ", plain(text)) if len(part) > 40)


def answers():
    """(what it is, text) of all that answers: from the lessons and from the files of questions."""
    for lesson in LESSONS:
        for cell in jupytext.read(lesson).cells:
            tags = cell.metadata.get("tags", [])
            if "solution" in tags:
                yield from (("solution", plain(block.split("\n", 1)[1])) for block in BLOCK.findall(cell.source))
            elif "notes" in tags:
                yield from (("note", part) for said in SAID.findall(cell.source) for part in sentences(said))
            elif cell.cell_type == "markdown":
                folds = [text for summary, text in FOLD.findall(cell.source) if not summary.startswith("Hint")]
                yield from (("expectation", part) for text in folds for part in sentences(text))
    yield from (("prediction", plain(one.wrong)) for one in kinds.load().values())
    for asked in (*questions.load(), *(question.choices for question in review.QUESTIONS)):
        yield "key", plain(asked.right.text)
        yield from (("key", plain(choice.reply)) for choice in asked.choices)
    for question in review.QUESTIONS:
        points = (text for point in question.points for text in (point.says, point.needed))
        claims = (claim.reply for claim in question.claims)
        yield from (("key", plain(text)) for text in (question.answer, *points, *claims))


def texts(value):
    """Every text in a value read from JSON, the lines of one together."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and all(isinstance(part, str) for part in value):
        yield "".join(value)
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def choices():
    """The right choice of each question → all of its choices: where all of them stand, the right one tells nothing."""
    asked = (*questions.load(), *(question.choices for question in review.QUESTIONS))
    return {plain(one.right.text): [plain(choice.text) for choice in one.choices] for one in asked}


def found(contents):
    """(file, kind, text) of every answer that a copy shows."""
    wanted, beside = sorted(set(answers())), choices()
    for name, content in contents.items():
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        text = plain("\n".join(texts(json.loads(text))) if name.endswith((".ipynb", ".json")) else text)
        yield from (
            (name, kind, answer)
            for kind, answer in wanted
            if answer in text and not (answer in beside and all(choice in text for choice in beside[answer]))
        )


def test_nothing_in_the_copy_answers(contents):
    known = [kind for kind, _ in answers()]
    least = {"solution": 25, "note": 200, "expectation": 25, "key": 350, "prediction": 30}
    assert all(known.count(kind) >= n for kind, n in least.items()), "the answers are not read"
    assert list(found(contents)) == []


@pytest.mark.parametrize("kind", ["solution", "note", "expectation", "key", "prediction"])
def test_an_answer_would_be_found(kind):
    answer = next(text for k, text in answers() if k == kind)
    cells = [nbformat.v4.new_markdown_cell(answer.replace(" ", "\n", 2))]
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()
    assert (kind, answer) in {(k, text) for _, k, text in found({"a.ipynb": notebook})}
    assert (kind, answer) in {(k, text) for _, k, text in found({"a.py": answer.encode()})}


def test_no_folder_of_the_authors_comes_along(contents):
    top = {name.split("/")[0] for name in contents}
    installed = {"LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml"}
    assert top == {"notebooks", "ltcourse", "data", "tools", *installed}
    assert [name for name in contents if name.startswith("tools/")] == ["tools/preflight.py"]
    assert not [name for name in contents if name.endswith((".pyc", ".toml")) and name != "pyproject.toml"]


def test_no_title_of_a_slide_says_what_comes_out(contents):
    titles = [
        cell.metadata.title
        for file in lecture.lessons()
        for cell in lecture.read(file).cells
        if "title" in cell.metadata
    ]
    assert len(titles) > 100
    for name, content in contents.items():
        if name.endswith(".ipynb"):
            cells = json.loads(content)["cells"]
            assert not [cell for cell in cells if {"title", "key"} & set(cell["metadata"])], name
    assert bundle.LECTURE not in contents


def test_what_git_keeps_of_package_data_and_records_is_there(contents):
    kept = {
        path.relative_to(ROOT).as_posix()
        for folder, pattern in (
            ("ltcourse", "**/*.*"),
            ("data/runs", "*.json"),
            ("data/unfinished", "*/*"),
            ("data", "**/*.gz"),
            ("data", "**/*.png"),
        )
        for path in (ROOT / folder).glob(pattern)
        if path.is_file() and not {"__pycache__", "raw"} & set(path.parts) and not path.name.startswith(".")
    }
    renamed = {name.replace(".toml", packed.SUFFIX) if "/classroom/" in name else name for name in kept}
    assert renamed - contents.keys() == {"ltcourse/stage/lecture.toml"}
    assert all(contents[name] == (ROOT / name).read_bytes() for name in kept & contents.keys())


def run(folder, code, **environment):
    """Run Python in a copy, with the package of the copy."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LTCOURSE")}
    inherited |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    command = [sys.executable, *code]
    return subprocess.run(command, cwd=folder, env=inherited, capture_output=True, text=True, check=False)


def test_the_copy_works_by_itself(copied):
    """Its own package runs: the same questions, its data and records; and it makes the same copy again."""
    code = (
        "from ltcourse import data, files\n"
        "from ltcourse.classroom import questions, quiz, review\n"
        "from ltcourse.experiments import runs\n"
        "from ltcourse.stage import bundle\n"
        "assert files.in_clone() and all(check.ok for check in data.verify())\n"
        "print([q.right.text for q in questions.load()] + [q.answer for q in review.QUESTIONS])\n"
        "print(len(runs.recorded()))\n"
        "print(sorted(bundle.contents()))\n"
    )
    done = run(copied, ["-c", code])
    assert done.returncode == 0, done.stderr
    keys, records, names = done.stdout.splitlines()
    assert keys == str([q.right.text for q in questions.load()] + [q.answer for q in review.QUESTIONS])
    assert int(records) == len(list((ROOT / "data" / "runs").glob("*.json")))
    assert names == str(sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*") if path.is_file()))


def test_a_copy_names_only_commands_and_files_that_it_has(copied):
    told = (copied / "README.md").read_text(encoding="utf-8")
    assert "    make lab\n" in told and "    python -m pip install -c constraints.txt -e .\n    ltcourse lab\n" in told
    for link in re.findall(r"\]\(([^)]+)\)", told):
        assert (copied / link).exists()
    planned = (copied / "Makefile").read_text(encoding="utf-8")
    assert "ifneq ($(wildcard tests),)\nEXTRA := [test]" in planned


# Folder and .zip


def test_a_zip_is_the_folder_and_always_the_same(contents, tmp_path):
    for name in ("a.zip", "b.zip"):
        assert bundle.write(tmp_path / name, notebooks=ROOT / "notebooks") == sorted(contents)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {name: archive.read(f"a/{name}") for name in contents} == contents
        assert len(archive.namelist()) == len(contents)
    with zipfile.ZipFile(io.BytesIO((tmp_path / "b.zip").read_bytes())) as again:
        assert [i.CRC for i in again.infolist()] == [i.CRC for i in zipfile.ZipFile(tmp_path / "a.zip").infolist()]


def test_without_outputs_every_cell_is_unrun():
    found = bundle.contents(outputs=False)
    notebooks = [nbformat.reads(found[name].decode(), 4) for name in found if name.endswith(".ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 100 and all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def refused(target, said):
    with pytest.raises(ValueError, match=said) as told:
        bundle.write(target)
    assert "\n" not in str(told.value)


def test_what_is_there_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "mine.zip").write_text("mine")
    refused(tmp_path, "is not empty, and nothing in it was changed")
    refused(tmp_path / "mine.txt", "is a file: name a folder")
    refused(tmp_path / "mine.zip", "is already there, and was not changed")
    refused(tmp_path / "mine.txt" / "copy", "cannot be written")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ["mine.txt", "mine.zip"], "mine"
    )


@pytest.mark.parametrize("name", ["notebooks", "notebooks/copy", "data/copy", "ltcourse/stage/copy.zip"])
def test_a_place_within_the_course_is_refused(name):
    refused(files.ROOT / name, f"is inside of the course's own {name.split('/')[0]}/")
    assert not (files.ROOT / name).exists() or name == "notebooks"


def test_a_missing_part_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "AS_THEY_ARE", ("LICENSE", "gone.txt"))
    refused(tmp_path / "copy", "^gone.txt is missing: ")
    assert not (tmp_path / "copy").exists()


# The command


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    assert cli.main(["student-copy", str(tmp_path / "copy"), "--no-outputs"]) == 0
    said = capsys.readouterr().out
    count = len(list((ROOT / "notebooks").rglob("*.ipynb")))
    assert f"copy: {count} notebooks without solutions, notes, keys and outputs, and " in said
    assert cli.main(["student-copy", str(tmp_path / "copy")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ltcourse: ") and "is not empty" in said and said.count("\n") == 1
