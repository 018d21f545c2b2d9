"""Build notebooks/ from lessons/: percent source in, executed notebook out.

    python tools/build_notebooks.py                      every lesson
    python tools/build_notebooks.py 01                   one lesson, by its number or its name
    python tools/build_notebooks.py --check              compare only, run nothing
    python tools/build_notebooks.py --keep-outputs       take over changed texts, notes and tags; run nothing

Building twice gives the same bytes wherever the numbers are the same: a cell's id follows from its
lesson and position, and outputs lose what changes from run to run (memory addresses, widget ids,
the text chunks of a PNG).
"""

import argparse
import base64
import json
import os
import re
import sys
import tempfile
import time
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

from ltcourse.classroom import glossary
from ltcourse.display.markdown import PREDICTION
from ltcourse.doctor import step_milliseconds
from ltcourse.experiments.machine import has_home
from ltcourse.stage import lecture

ROOT = Path(__file__).resolve().parent.parent

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# What jupytext notes about blank lines, for its way back to a script: we never go back.
JUPYTEXT_KEYS = ("lines_to_next_cell", "lines_to_end_of_cell_marker")
# A tag of Jupyter's tools for pages → what JupyterLab folds of a cell; running a cell unfolds its output.
FOLDED = {"hide-input": "source_hidden", "hide-output": "outputs_hidden"}
EMPTY = {"text/markdown": "", "text/plain": "", PREDICTION: {"part": "fold"}}
# PNG chunks that hold text or dates and no picture; matplotlib writes its version into one.
PNG_TEXT_CHUNKS = {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf"}

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
LIBRARY = re.compile(r"(?:~|[A-Za-z]:|/)[^\s:\x1b]*?[/\\](?:site-packages|lib/python3\.\d+)[/\\]")
OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)

Minutes = dict[str, dict[str, Any]]


class LessonFailed(Exception):
    """A lesson did not run to its end; the message says where and why."""


# Lesson → cells


def lesson_files(lessons: Path) -> list[Path]:
    """The lessons in a folder, NN_name.py, in order."""
    return sorted(lessons.glob("[0-9][0-9]_*.py"))


def cell_id(lesson: str, position: int) -> str:
    """A valid nbformat id from a lesson's name and a cell's position from 1: 01-pruning-lenet-007."""
    return f"{lesson.replace('_', '-')[:60]}-{position:03d}"


def read_lesson(lesson: Path) -> NotebookNode:
    """The notebook that a lesson asks for, not run yet: in cells for its slides, its terms with hover texts.

    `{minutes}` stands unfilled. The instructor's notes are in its metadata, where nobody who reads it meets them.
    """
    source = jupytext.reads(lesson.read_text(encoding="utf-8"), fmt="py:percent")
    cells = []
    for position, cell in enumerate(lecture.tucked(lecture.in_slides(source.cells)), start=1):
        metadata = {key: value for key, value in cell.metadata.items() if key not in JUPYTEXT_KEYS}
        if folded := {FOLDED[tag]: True for tag in lecture.tags(cell) if tag in FOLDED}:
            metadata["jupyter"] = folded
        fresh = {"id": cell_id(lesson.stem, position), "metadata": metadata, "source": cell.source}
        if cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(**fresh))
        elif cell.cell_type == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(**fresh))
        else:
            cells.append(nbformat.v4.new_raw_cell(**fresh))
    glossary.mark(cells, lesson.stem[:2])
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


# The measured minutes


def spoken_minutes(seconds: float) -> str:
    """Seconds as a reader wants them: "under a minute", "about 2 minutes"."""
    if seconds < 60:
        return "under a minute"
    minutes = round(seconds / 60)
    return "about a minute" if minutes == 1 else f"about {minutes} minutes"


def fill_minutes(notebook: NotebookNode, seconds: float | None) -> None:
    """Put the minutes in place of `{minutes}` in the first markdown cell, if they were ever measured."""
    first = next((cell for cell in notebook.cells if cell.cell_type == "markdown"), None)
    if first is not None and seconds is not None:
        first.source = first.source.replace("{minutes}", spoken_minutes(seconds))


def read_minutes(notebooks: Path) -> Minutes:
    """The measured seconds of every lesson built so far.

    Raises LessonFailed where minutes.json is damaged.
    """
    file = notebooks / "minutes.json"
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise LessonFailed(f"{file.name} is damaged ({error}): delete it and build every lesson again.") from error


def updated_minutes(minutes: Minutes, lesson: str, seconds: float, budget: str) -> Minutes:
    """The minutes with one lesson's new measurement, kept as they were where it differs by noise only."""
    rounded = max(5, 5 * round(seconds / 5))
    old = minutes.get(lesson, {"seconds": 0, "budget": None, "step_ms": None})
    # A quarter of a short lesson and ten seconds of a long one are both noise: the larger counts.
    if old["budget"] == budget and abs(rounded - old["seconds"]) <= max(10, 0.25 * old["seconds"]):
        return minutes
    # What a training step takes here tells another machine what the lesson will take there (`ltcourse doctor`).
    return {**minutes, lesson: {"seconds": rounded, "budget": budget, "step_ms": round(step_milliseconds(), 2)}}


# Running


def run_cells(notebook: NotebookNode, folder: Path, environment: dict[str, str]) -> float:
    """Run the cells top to bottom in a fresh kernel, outputs stored in place; returns the seconds it took.

    Raises LessonFailed where a cell raises (and is not tagged raises-exception) or the kernel dies.
    """
    # The kernel of this very environment, whatever kernels the machine has installed as "python3".
    kernels = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels)
    # store_widget_state stays on: without it nbclient 0.11 fails on the first Output widget. It reaches
    # the notebook only through execute(), which we do not call.
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=None,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # else each kernel warns of its (loopback) TCP
        skip_cells_with_tag="",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel(env=environment, cleanup_kc=True):
        start = time.perf_counter()
        executed = 0
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            executed += 1
            if sys.stdout.isatty():
                print(f"\rcell {index + 1} of {len(notebook.cells)} ", end="", flush=True)
            try:
                client.execute_cell(cell, index, execution_count=executed)
            except CellExecutionError as error:
                # nbclient's traceback begins with the cell's source
                raise LessonFailed(f"cell {index + 1} ({cell.id}) failed.\n\n{error.traceback}") from error
            except DeadKernelError as error:
                raise LessonFailed(
                    f"the kernel died in cell {index + 1} ({cell.id}): out of memory?\n\n{cell.source}"
                ) from error
            except KeyboardInterrupt:
                client.shutdown_kernel = "immediate"  # the cell is still running and would not listen
                raise LessonFailed(f"interrupted in cell {index + 1} ({cell.id}).\n\n{cell.source}") from None
        return time.perf_counter() - start


def execute(notebook: NotebookNode, folder: Path, budget: str) -> float:
    """Run a notebook as a reader on a fresh machine would, and normalize what it leaves; returns seconds."""
    with tempfile.TemporaryDirectory(prefix="ltcourse-") as profile:
        environment = {
            **os.environ,
            "LTCOURSE_BUDGET": budget,
            "LTCOURSE_BUILD": "1",
            "IPYTHONDIR": profile,  # no start-up files, no history of whoever builds
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }
        if not has_home():  # else matplotlib's warning of it would be stored
            environment["MPLCONFIGDIR"] = profile
        seconds = run_cells(notebook, folder, environment)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = normal_outputs(cell.outputs, folder.parent)
            hide_first_line(cell)
    notebook.metadata = nbformat.from_dict(METADATA)
    return seconds


# What is stored


def small_png(png: bytes) -> bytes:
    """The same figure with a palette of 256 colors, which the eye does not miss: a third of the bytes."""
    small = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
        flat.quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return min(png, small.getvalue(), key=len)


def without_png_text(png: bytes) -> bytes:
    """A PNG without its text and date chunks, the picture untouched."""
    kept, place = [png[:8]], 8
    while place < len(png):
        end = place + 12 + int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] not in PNG_TEXT_CHUNKS:
            kept.append(png[place:end])
        place = end
    return b"".join(kept)


def normal_text(text: str) -> str:
    """Text without memory addresses, and of lines drawn over each other only the last."""
    return ADDRESS.sub("at 0x…", OVERWRITTEN.sub("", text))


def normal_traceback(text: str, root: Path) -> str:
    """A traceback that names files from the repository's root or Python's, not from the builder's disk."""
    try:
        home = str(Path.home())
    except RuntimeError:  # there is none
        home = os.devnull
    # IPython writes ~ for the home folder.
    short = f"~{str(root)[len(home) :]}" if root.is_relative_to(home) else str(root)
    for folder in (str(root), short):
        text = text.replace(f"{folder}{os.sep}", "")
    return LIBRARY.sub("", normal_text(text))


def normal_data(data: dict[str, Any]) -> dict[str, Any]:
    """A mime bundle without the widget's view, whose id is new in every run."""
    bundle = {}
    for mime, content in data.items():
        if mime == WIDGET_VIEW:
            continue
        if mime == "image/png":
            content = base64.b64encode(small_png(without_png_text(base64.b64decode(content)))).decode("ascii")
        elif isinstance(content, str) and mime.startswith("text/"):
            content = normal_text(content)
        bundle[mime] = content
    return bundle


def normal_outputs(outputs: list[NotebookNode], root: Path) -> list[NotebookNode]:
    """A cell's outputs in the form that is stored: streams merged, nothing that changes from run to run."""
    stored: list[NotebookNode] = []
    for output in outputs:
        last = stored[-1] if stored else None
        if output.output_type == "stream":
            if last is not None and last.output_type == "stream" and last.name == output.name:
                last.text += output.text
            else:
                stored.append(output)
        elif output.output_type == "error":
            output.traceback = [normal_traceback(line, root) for line in output.traceback]
            output.evalue = normal_text(output.evalue)
            stored.append(output)
        else:
            output.data = nbformat.from_dict(normal_data(output.data))
            if output.data:
                # of the metadata by type (alt texts) those of the types that are here
                output.metadata = {k: v for k, v in output.metadata.items() if k in output.data or "/" not in k}
                stored.append(output)
    for output in stored:
        if output.output_type == "stream":
            # Only after merging: a line and what is drawn over it can come in two messages.
            output.text = normal_text(output.text)
    return [output for output in stored if output.output_type != "stream" or output.text]


def hide_first_line(cell: NotebookNode) -> None:
    """Put an empty output before those that are folded: JupyterLab shows the first line of the first one."""
    if "hide-output" in lecture.tags(cell) and cell.outputs and cell.outputs[0].get("data") != EMPTY:
        cell.outputs.insert(0, nbformat.v4.new_output("display_data", EMPTY))


def write_atomically(file: Path, text: str) -> None:
    """Write a file so that at any moment it is the whole old one or the whole new one."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        temporary.chmod(0o644)  # mkstemp's own files are for the owner's eyes only
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def build(lesson: Path, notebooks: Path) -> str:
    """Run one lesson and write its notebook and its minutes; returns the line to print.

    Raises LessonFailed, and leaves the old notebook, where the lesson does not run to its end.
    """
    budget = os.environ.get("LTCOURSE_BUDGET") or "class"
    notebook = read_lesson(lesson)
    minutes = read_minutes(notebooks)
    seconds = execute(notebook, notebooks, budget)
    new = updated_minutes(minutes, lesson.stem, seconds, budget)
    fill_minutes(notebook, new[lesson.stem]["seconds"])
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    if new != minutes:
        write_atomically(notebooks / "minutes.json", json.dumps(new, indent=2, sort_keys=True) + "\n")
    write_atomically(notebooks / f"{lesson.stem}.ipynb", text)
    return f"{lesson.stem}: {seconds:.0f} s, {len(text.encode()) / 1000:.0f} kB"


# --keep-outputs


def keep_outputs(lesson: Path, notebooks: Path) -> str:
    """Write a lesson's texts, notes and metadata into its notebook, whose outputs stay; returns the line to print.

    Raises LessonFailed, and leaves the notebook, where the lesson's code is not the notebook's.
    """
    file = notebooks / f"{lesson.stem}.ipynb"
    if not file.exists():
        raise LessonFailed("has no notebook whose outputs could be kept: run `make notebooks`.")
    notebook = read_lesson(lesson)
    fill_minutes(notebook, read_minutes(notebooks).get(lesson.stem, {}).get("seconds"))
    code, old = (
        [cell for cell in cells if cell.cell_type == "code"]
        for cells in (notebook.cells, nbformat.read(file, as_version=4).cells)
    )
    for new_cell, old_cell in zip_longest(code, old):
        if new_cell is None or old_cell is None or new_cell.source != old_cell.source:
            where = (new_cell or old_cell).id
            raise LessonFailed(f"the code has changed ({where}), and its outputs would not be its own: build it.")
        new_cell.outputs, new_cell.execution_count = old_cell.outputs, old_cell.execution_count
        hide_first_line(new_cell)
    nbformat.validate(notebook)
    write_atomically(file, nbformat.writes(notebook).rstrip("\n") + "\n")
    return f"{lesson.stem}: {len(notebook.cells)} cells, outputs kept"


# --check


def first_difference(wanted: str, found: str) -> str:
    """The first line in which two texts differ, from both."""
    for want, have in zip_longest(wanted.splitlines(), found.splitlines(), fillvalue="(no such line)"):
        if want != have:
            return f"lesson {want.strip()!r}, notebook {have.strip()!r}"
    return "line ends only"


def differences(lesson: Path, notebooks: Path) -> list[str]:
    """Sentences that say where a lesson's notebook is not what the lesson asks for: empty if it is.

    Only the first cell that differs is named, since after an inserted one all do.
    """
    file = notebooks / f"{lesson.stem}.ipynb"
    if not file.exists():
        return [f"{lesson.stem} has no notebook: run `make notebooks`."]
    try:
        cells = nbformat.read(file, as_version=4).cells
    # No JSON, or JSON that is no notebook.
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        return [f"{file.name} cannot be read ({error}): run `make notebooks`."]
    wanted = read_lesson(lesson)
    fill_minutes(wanted, read_minutes(notebooks).get(lesson.stem, {}).get("seconds"))
    for position, (want, have) in enumerate(zip(wanted.cells, cells, strict=False), start=1):
        where = f"{lesson.stem}, cell {position} ({want.id})"
        if want.cell_type != have.cell_type:
            return [f"{where}: {want.cell_type} in the lesson, {have.cell_type} in the notebook."]
        if want.source != have.source:
            return [f"{where}: another source: {first_difference(want.source, have.source)}."]
        if want.id != have.get("id"):
            return [f"{where}: the notebook's cell has the id {have.get('id')!r}."]
        if want.metadata != have.metadata:
            return [f"{where}: metadata {dict(want.metadata)}, in the notebook {dict(have.metadata)}."]
    if len(wanted.cells) != len(cells):
        return [f"{lesson.stem}: {len(wanted.cells)} cells, its notebook has {len(cells)}."]
    return []


def orphans(lessons: Path, notebooks: Path) -> list[str]:
    """Sentences about notebooks and measured minutes that belong to no lesson."""
    names = {lesson.stem for lesson in lesson_files(lessons)}
    strays = [file.name for file in sorted(notebooks.glob("*.ipynb")) if file.stem not in names]
    sentences = [f"{name} has no lesson: delete it." for name in strays]
    forgotten = sorted(set(read_minutes(notebooks)) - names)
    return sentences + [f"minutes.json has no lesson {name}: delete its entry." for name in forgotten]


# The command


def chosen_lessons(names: list[str], lessons: Path) -> list[Path]:
    """The lessons that a command line names, by number, name, file name or path; all if it names none.

    Raises ValueError on an unknown name.
    """
    files = {lesson.stem: lesson for lesson in lesson_files(lessons)}
    numbers = {stem[:2]: stem for stem in files}
    stems = [numbers.get(Path(name).stem.zfill(2), Path(name).stem) for name in names]
    for stem in stems:
        if stem not in files:
            raise ValueError(f"unknown lesson {stem!r}: choose from {', '.join(files) or '(none yet)'}")
    return [files[stem] for stem in stems] or list(files.values())


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Build, or with --check compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01_pruning_lenet; default: all")
    parser.add_argument("--check", action="store_true", help="compare notebooks with lessons, run nothing")
    parser.add_argument(
        "--keep-outputs", action="store_true", help="take over changed texts, notes and tags, run nothing"
    )
    options = parser.parse_args(arguments)
    lessons, notebooks = root / "lessons", root / "notebooks"
    try:
        chosen = chosen_lessons(options.lessons, lessons)
    except ValueError as error:
        parser.error(str(error))
    name = ""
    try:
        if options.check:
            problems = [sentence for lesson in chosen for sentence in differences(lesson, notebooks)]
            if not options.lessons:
                problems += orphans(lessons, notebooks)
            print("\n".join(problems) or f"{len(chosen)} notebooks are their lessons'.")
            return 1 if problems else 0
        notebooks.mkdir(exist_ok=True)
        for lesson in chosen:
            name = f"{lesson.stem}: "
            line = keep_outputs(lesson, notebooks) if options.keep_outputs else build(lesson, notebooks)
            print(f"\r{line}" if sys.stdout.isatty() else line, flush=True)
    except (LessonFailed, OSError, KeyboardInterrupt) as error:
        reason = "interrupted." if isinstance(error, KeyboardInterrupt) else str(error)
        print(f"\n{name}{reason}\nThe old notebook, if there was one, is left as it was.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
