"""The builder: what it stores, what it leaves out, what it says when a lesson fails, what --check finds."""

import base64
import importlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import nbformat
import pytest

from ltcourse.stage import lecture

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
builder = importlib.import_module("build_notebooks")

LESSON = """\
# %% [markdown] slideshow={"slide_type": "slide"}
# # A small lesson
#
# **Time** {minutes}

# %% tags=["nbval-check-output"]
kept = 3
print("kept", kept)

# %%
import os

print(os.path.basename(os.getcwd()), os.environ["LTCOURSE_BUDGET"], os.environ.get("LTCOURSE_BUILD"))
for i in range(3):
    print(f"\\rround {i}", end="", flush=True)
print(flush=True)
print("done")
object()

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(1, 1))
ax.plot([1, 2]);

# %%
from IPython.display import display

live = display("round 0", display_id=True)
for i in range(1, 4):
    live.update(f"round {i}")

# %%
from ipywidgets import interact


def draw(k):
    print("drawn at", k)


interact(draw, k=(0, 5));

# %% tags=["raises-exception"]
import json

json.loads("{")
"""


def make_root(folder: Path, source: str = LESSON, name: str = "01_small_lesson") -> Path:
    """A root with one lesson."""
    (folder / "lessons").mkdir()
    (folder / "notebooks").mkdir()
    (folder / "lessons" / f"{name}.py").write_text(source)
    return folder


@pytest.fixture(autouse=True)
def default_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tests at another budget, lessons are built at the default one here."""
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)


def timed(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let a lesson take so many seconds, however busy the machine is."""
    run_cells = builder.run_cells
    patch.setattr(builder, "run_cells", lambda *given: run_cells(*given) and seconds)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose only lesson has been built, shared by the tests that only read it."""
    root = make_root(tmp_path_factory.mktemp("built"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LTCOURSE_BUDGET", raising=False)
        patch.setenv("MPLBACKEND", "agg")  # whoever builds, figures are inline
        timed(patch, 6.2)
        assert builder.main([], root=root) == 0
    return root


@pytest.fixture
def rooted(built: Path, tmp_path: Path) -> Path:
    """A copy of the built root, to be damaged."""
    make_root(tmp_path)
    for file in (built / "notebooks").iterdir():
        (tmp_path / "notebooks" / file.name).write_bytes(file.read_bytes())
    return tmp_path


def notebook_of(root: Path) -> nbformat.NotebookNode:
    """The notebook of the small lesson."""
    return nbformat.read(root / "notebooks" / "01_small_lesson.ipynb", as_version=4)


# What is stored


def test_cells_have_ids_by_position_counts_in_order_and_their_metadata(built: Path) -> None:
    notebook = notebook_of(built)
    assert [cell.id for cell in notebook.cells] == [f"01-small-lesson-{i:03d}" for i in range(1, 8)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5, 6]
    assert notebook.cells[0].metadata == {"slideshow": {"slide_type": "slide"}}
    assert notebook.cells[1].metadata == {"tags": ["nbval-check-output"], "slideshow": {"slide_type": "subslide"}}
    assert all(set(cell.metadata) <= {"tags", "slideshow"} for cell in code)
    nbformat.validate(notebook)


def test_what_is_tagged_to_be_hidden_is_folded_in_jupyterlab(tmp_path: Path) -> None:
    source = '# %% tags=["hide-input"]\n1\n\n# %% tags=["hide-output"]\n2\n\n# %%\n3\n'
    (tmp_path / "01_a.py").write_text(source)
    folded = [cell.metadata.get("jupyter") for cell in builder.read_lesson(tmp_path / "01_a.py").cells]
    assert folded == [{"source_hidden": True}, {"outputs_hidden": True}, None]


def test_nothing_is_seen_of_what_is_folded() -> None:
    printed = nbformat.v4.new_output("stream", text="97 % right\n")
    for tags, first in ((["hide-output"], ""), ([], "97 % right\n")):
        cell = nbformat.v4.new_code_cell("print()", metadata={"tags": tags}, outputs=[printed])
        for _ in range(2):  # taken over once more, it stays one
            builder.hide_first_line(cell)
        assert cell.outputs[0].get("data", cell.outputs[0]).get("text/markdown", printed.text) == first
        assert len(cell.outputs) == (2 if tags else 1) and cell.outputs[-1] == printed


def test_notebook_metadata_is_fixed_and_holds_no_widget_state_and_no_version(built: Path) -> None:
    assert notebook_of(built).metadata == builder.METADATA


def test_runs_in_the_notebooks_folder_at_the_class_budget(built: Path) -> None:
    printed = notebook_of(built).cells[2].outputs[0]
    assert printed.text == "notebooks class 1\nround 2\ndone\n"


def test_a_memory_address_is_not_stored(built: Path) -> None:
    assert notebook_of(built).cells[2].outputs[1].data["text/plain"] == "<object at 0x…>"


def test_a_figure_is_stored_without_text_chunks(built: Path) -> None:
    png = base64.b64decode(notebook_of(built).cells[3].outputs[-1].data["image/png"])
    assert png.startswith(b"\x89PNG") and png.endswith(b"IEND\xaeB`\x82")
    assert b"tEXt" not in png and b"atplotlib" not in png


def test_of_a_live_display_the_last_state_is_stored(built: Path) -> None:
    outputs = notebook_of(built).cells[4].outputs
    assert [output.data["text/plain"] for output in outputs] == ["'round 3'"]


def test_of_a_widget_no_view_is_stored(built: Path) -> None:
    outputs = notebook_of(built).cells[5].outputs
    assert [list(output.data) for output in outputs] == [["text/plain"]]
    assert builder.WIDGET_VIEW not in (built / "notebooks" / "01_small_lesson.ipynb").read_text()


def test_a_traceback_names_no_folder_of_the_builder(built: Path) -> None:
    error = notebook_of(built).cells[6].outputs[0]
    assert error.ename == "JSONDecodeError"
    traceback = "\n".join(error.traceback)
    assert "json/__init__.py" in traceback
    assert sys.prefix not in traceback and sys.base_prefix not in traceback and "~" not in traceback


def test_the_minutes_are_in_the_title_cell_and_in_minutes_json(built: Path) -> None:
    assert "**Time** under a minute" in notebook_of(built).cells[0].source
    minutes = json.loads((built / "notebooks" / "minutes.json").read_text())
    (measured,) = minutes.values()
    assert list(minutes) == ["01_small_lesson"] and measured["budget"] == "class"
    assert measured["seconds"] == 5 and measured["step_ms"] > 0


def test_building_again_gives_the_same_bytes_and_leaves_no_other_file(
    rooted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(monkeypatch, 13.1)  # which differs by noise only
    before = {file.name: file.read_bytes() for file in (rooted / "notebooks").iterdir()}
    assert builder.main(["01_small_lesson"], root=rooted) == 0
    after = {file.name: file.read_bytes() for file in (rooted / "notebooks").iterdir()}
    assert after == before
    assert sorted(after) == ["01_small_lesson.ipynb", "minutes.json"]


def test_it_prints_the_lesson_its_seconds_and_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_root(tmp_path, "# %%\n1 + 1\n")
    assert builder.main(["lessons/01_small_lesson.py"], root=root) == 0
    assert re.fullmatch(r"01_small_lesson: \d+ s, \d+ kB\n", capsys.readouterr().out)


def test_streams_are_merged_and_lines_drawn_over_keep_the_last_state() -> None:
    def stream(name: str, text: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_output("stream", name=name, text=text)

    pieces = [
        stream("stdout", "\r 1/2"),
        stream("stdout", "\r 2/2\n"),
        stream("stderr", "x"),
        stream("stdout", ""),
    ]
    stored = builder.normal_outputs(pieces, ROOT)
    assert [(output.name, output.text) for output in stored] == [("stdout", " 2/2\n"), ("stderr", "x")]


def test_a_hexadecimal_number_that_is_no_address_stays() -> None:
    assert builder.normal_text("bits 0x3f800000, <f at 0x7f12ab34cd56>") == "bits 0x3f800000, <f at 0x…>"


def test_only_text_chunks_leave_a_png() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    picture = chunk(b"IHDR", b"13 bytes here") + chunk(b"IDAT", b"pixels tEXt pixels")
    noise = chunk(b"tEXt", b"Software\0x") + chunk(b"tIME", b"1234567")
    assert builder.without_png_text(head + noise + picture + noise + end) == head + picture + end


# Minutes


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [(5, "under a minute"), (60, "about a minute"), (85, "about a minute"), (125, "about 2 minutes")],
)
def test_minutes_are_spoken(seconds: int, spoken: str) -> None:
    assert builder.spoken_minutes(seconds) == spoken


@pytest.mark.parametrize(
    ("seconds", "stored"),
    [(14, 5), (18, 20), (1, 5)],
)
def test_minutes_of_a_short_lesson_change_past_ten_seconds(seconds: float, stored: int) -> None:
    old = {"a": {"seconds": 5, "budget": "class"}}
    assert builder.updated_minutes(old, "a", seconds, "class")["a"]["seconds"] == stored


@pytest.mark.parametrize(("seconds", "stored"), [(120, 100), (80, 100), (128.4, 130), (70, 70)])
def test_minutes_of_a_long_lesson_change_past_a_quarter(seconds: float, stored: int) -> None:
    old = {"a": {"seconds": 100, "budget": "class"}, "b": {"seconds": 5, "budget": "class"}}
    new = builder.updated_minutes(old, "a", seconds, "class")
    assert new["a"]["seconds"] == stored and new["b"] == old["b"]


def test_minutes_of_another_budget_replace_the_old() -> None:
    old = {"a": {"seconds": 5, "budget": "smoke"}}
    new = builder.updated_minutes(old, "a", 6, "class")["a"]
    assert (new["seconds"], new["budget"]) == (5, "class") and new["step_ms"] > 0


# Failures


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", ["cell 2 (01-small-lesson-002) failed", "1 / 0", "ZeroDivisionError"]),
        ("import os\n\nos.kill(os.getpid(), 9)", ["the kernel died in cell 2", "os.kill"]),
    ],
)
def test_a_failing_cell_is_named_and_the_old_notebook_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, said: list[str]
) -> None:
    root = make_root(tmp_path, f"# %%\nx = 1\n\n# %%\n{source}\n")
    old = root / "notebooks" / "01_small_lesson.ipynb"
    old.write_text("the old notebook")
    assert builder.main([], root=root) == 1
    complaint = capsys.readouterr().err
    for words in ["01_small_lesson: ", *said]:
        assert words in complaint
    assert [file.name for file in (root / "notebooks").iterdir()] == [old.name]
    assert old.read_text() == "the old notebook"


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_ends_the_build_politely_and_the_old_notebook_stays(tmp_path: Path) -> None:
    started = tmp_path / "started"
    root = make_root(
        tmp_path, f"# %%\nimport pathlib, time\n\npathlib.Path({str(started)!r}).touch()\ntime.sleep(600)\n"
    )
    old = root / "notebooks" / "01_small_lesson.ipynb"
    old.write_text("the old notebook")
    # a shell that starts the tests in the background has them ignore Ctrl-C
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"{heard}; import build_notebooks as b, pathlib, sys; sys.exit(b.main(root=pathlib.Path({str(root)!r})))"
    process = subprocess.Popen([sys.executable, "-c", command], cwd=ROOT / "tools", stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert started.exists()
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "01_small_lesson: interrupted in cell 1" in complaint and "Traceback" not in complaint
    assert old.read_text() == "the old notebook"


def test_an_unknown_lesson_is_answered_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        builder.main(["02_large_lesson"], root=make_root(tmp_path))
    assert stop.value.code == 2
    assert "unknown lesson '02_large_lesson': choose from 01_small_lesson" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["01", "1", "01_small_lesson", "lessons/01_small_lesson.py"])
def test_a_lesson_is_named_by_number_name_or_file(tmp_path: Path, name: str) -> None:
    (found,) = builder.chosen_lessons([name], make_root(tmp_path) / "lessons")
    assert found.stem == "01_small_lesson"


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(builder.Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        builder.write_atomically(file, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"] and file.read_text() == "old"


# --keep-outputs


def test_changed_texts_and_notes_are_taken_over_and_outputs_stay(rooted: Path) -> None:
    before = [cell.outputs for cell in notebook_of(rooted).cells if cell.cell_type == "code"]
    lesson = rooted / "lessons" / "01_small_lesson.py"
    notes = '# %% [markdown] tags=["notes"]\n# <details><summary>4 minutes</summary>\n#\n# Say.\n#\n# </details>\n\n'
    second = "# **Time** {minutes}\n#\n# ## A part\n#\n# Its text."
    changed = LESSON.replace("# **Time** {minutes}", second).replace("# %% tags", f"{notes}# %% tags", 1)
    lesson.write_text(changed)
    assert builder.main(["--keep-outputs"], root=rooted) == 0
    assert builder.main(["--check"], root=rooted) == 0
    notebook = notebook_of(rooted)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in notebook.cells]
    assert kinds[:4] == ["slide", "slide", "subslide", "skip"], "nobody who reads the notebook meets the notes"
    told = [cell.source for cell in lecture.read(rooted / "notebooks" / "01_small_lesson.ipynb").cells]
    assert told[1:3] == ["## A part\n\nIts text.", "<details><summary>4 minutes</summary>\n\nSay.\n\n</details>"]
    assert notebook.cells[1].source == "## A part\n\nIts text." and "under a minute" in notebook.cells[0].source
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code"] == before


@pytest.mark.parametrize(
    ("old", "new"), [("kept = 3", "kept = 4"), ('json.loads("{")\n', 'json.loads("{")\n\n# %%\n1\n')]
)
def test_changed_code_does_not_keep_its_outputs(
    rooted: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    before = (rooted / "notebooks" / "01_small_lesson.ipynb").read_bytes()
    (rooted / "lessons" / "01_small_lesson.py").write_text(LESSON.replace(old, new))
    assert builder.main(["--keep-outputs"], root=rooted) == 1
    assert "the code has changed" in capsys.readouterr().err
    assert (rooted / "notebooks" / "01_small_lesson.ipynb").read_bytes() == before


def test_a_lesson_that_was_never_built_has_no_outputs_to_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert builder.main(["--keep-outputs"], root=make_root(tmp_path)) == 1
    assert "no notebook whose outputs could be kept" in capsys.readouterr().err


# --check


def test_check_is_content_with_what_was_just_built(built: Path) -> None:
    assert builder.main(["--check"], root=built) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kept = 3", "kept = 4", "cell 2 (01-small-lesson-002): another source"),
        ("nbval-check-output", "nbval-skip", "cell 2 (01-small-lesson-002): metadata"),
        (
            "# %%\nimport os",
            "# %% [markdown]\n# import os",
            "cell 3 (01-small-lesson-003): markdown in the lesson",
        ),
        ("**Time** {minutes}", "**Time** an hour", "cell 1 (01-small-lesson-001): another source"),
        ('json.loads("{")\n', 'json.loads("{")\n\n# %%\n1\n', "8 cells, its notebook has 7"),
    ],
)
def test_check_names_the_cell_that_differs(
    rooted: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    lesson = rooted / "lessons" / "01_small_lesson.py"
    assert old in LESSON
    lesson.write_text(LESSON.replace(old, new, 1))
    assert builder.main(["--check"], root=rooted) == 1
    assert said in capsys.readouterr().out


def test_check_finds_a_changed_id(rooted: Path) -> None:
    file = rooted / "notebooks" / "01_small_lesson.ipynb"
    file.write_text(file.read_text().replace('"01-small-lesson-004"', '"fig"'))
    assert "id 'fig'" in builder.differences(rooted / "lessons" / "01_small_lesson.py", file.parent)[0]


def test_check_finds_other_minutes(rooted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    minutes = {"01_small_lesson": {"seconds": 120, "budget": "class"}}
    (rooted / "notebooks" / "minutes.json").write_text(json.dumps(minutes))
    assert builder.main(["--check"], root=rooted) == 1
    assert "about 2 minutes" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"nbformat": 4, "nbformat_minor": 5}'])
def test_check_finds_a_damaged_notebook(rooted: Path, text: str) -> None:
    (rooted / "notebooks" / "01_small_lesson.ipynb").write_text(text)
    assert builder.main(["--check"], root=rooted) == 1


def test_check_finds_a_missing_notebook_a_stray_one_and_a_forgotten_measurement(
    rooted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rooted / "lessons" / "01_small_lesson.py").rename(rooted / "lessons" / "02_renamed.py")
    assert builder.main(["--check"], root=rooted) == 1
    said = capsys.readouterr().out
    assert "02_renamed has no notebook" in said
    assert "01_small_lesson.ipynb has no lesson" in said
    assert "minutes.json has no lesson 01_small_lesson" in said


def test_check_says_what_to_do_about_damaged_minutes(rooted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rooted / "notebooks" / "minutes.json").write_text("{")
    assert builder.main(["--check"], root=rooted) == 1
    assert "delete it and build every lesson again" in capsys.readouterr().err


# nbval, as `make test` calls it: what we rely on, proved on this lesson


def run_nbval(root: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval over a root's notebooks as `make test` does, at the smoke budget."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["--nbval-lax", "--nbval-current-env", "-n", "2", "--dist", "loadscope"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(root),
            *options,
            "notebooks",
        ],
        cwd=root,
        env={**outside, "LTCOURSE_BUDGET": "smoke"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_nbval_passes_where_a_checked_cell_prints_what_is_stored(built: Path) -> None:
    # The other cells' outputs differ (budget, build) and are not compared: only the tagged cell's is.
    result = run_nbval(built)
    assert result.returncode == 0, result.stdout
    assert "6 passed" in result.stdout


def test_nbval_fails_where_a_checked_cell_prints_another_value(rooted: Path) -> None:
    file = rooted / "notebooks" / "01_small_lesson.ipynb"
    text = file.read_text()
    assert '"kept 3\\n"' in text
    file.write_text(text.replace('"kept 3\\n"', '"kept 4\\n"'))
    result = run_nbval(rooted)
    assert result.returncode == 1, result.stdout
    assert "1 failed, 5 passed" in result.stdout and "Cell outputs differ" in result.stdout
