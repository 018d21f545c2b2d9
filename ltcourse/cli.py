"""The command line: `ltcourse lab`, `slides`, `student-copy`, `grade`, `record` and its other commands."""

import argparse
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

from ltcourse import files

FIRST_LESSON = files.ROOT / "notebooks" / "00_start_here.ipynb"
# no pop-up that asks for news, in the middle of a lecture; and it runs for root, whom most containers have
JUPYTER = Path(__file__).resolve().parent / "jupyter"
# tables and figures grow with the presentation mode, and figures do not glare in a dark theme
STYLE = f"--LabApp.extra_labextensions_path={JUPYTER / 'labextensions'}"

# where JupyterLab and the kernels write, by default below the home folder
HOMES = ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR")


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0 if all is well, 1 with one sentence if not."""
    for stream in (sys.stdout, sys.stderr):  # a console that cannot write τ or ✔ shows ? there
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.run is not lab:
        _parser().error(f"unknown argument {rest[0]!r}")
    options.rest = rest

    # below what needs no more than the parser: these import PyTorch, and --help shall not wait for that
    from ltcourse.data import DataError
    from ltcourse.experiments.cluster import ClusterError
    from ltcourse.experiments.runs import RunError

    try:
        return options.run(options)
    except (ClusterError, DataError, RunError, ValueError, FloatingPointError, MemoryError) as problem:
        print(f"ltcourse: {problem}", file=sys.stderr)
        return 1
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        why = problem.strerror or problem
        print(f"ltcourse: {where}{why}; make room, give access, or name another place, and try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nltcourse: stopped", file=sys.stderr)
        return 130


def lab(options: argparse.Namespace) -> int:
    """Open JupyterLab on the first lesson; without a browser its address is printed. Loopback only, with a token.

    It takes this process over, and with it the terminal: Ctrl-C asks, a second one ends it, and so does SIGTERM.
    """
    from ltcourse.experiments import machine

    if not FIRST_LESSON.exists():
        missing = f"{FIRST_LESSON} is missing: {files.restore(f'notebooks/{FIRST_LESSON.name}')}"
        print(f"ltcourse: {missing if files.in_clone() else files.NO_CLONE}", file=sys.stderr)
        return 1
    root = FIRST_LESSON.parent.parent
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1"]
    # the address opens the first lesson, with or without a browser on this machine
    opening = f"--LabApp.default_url=/lab/tree/{FIRST_LESSON.relative_to(root).as_posix()}"
    paths = [str(JUPYTER), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment = {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    command = [*command, opening, STYLE, *options.rest]
    if not machine.has_home():
        print("ltcourse: the home folder cannot be written to: JupyterLab forgets its settings", file=sys.stderr)
        with TemporaryDirectory(prefix="ltcourse-") as scratch:
            return _wait_for(command, dict.fromkeys(HOMES, scratch) | environment)
    if os.name != "posix":  # Windows starts another process and returns to the shell at once
        return _wait_for(command, environment)
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run a program to its end: Ctrl-C, which a terminal sends to it, too, is its to answer; SIGTERM is handed on."""
    with subprocess.Popen(command, env=environment) as program:
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: program.terminate()),
        }
        try:
            return program.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def slides(options: argparse.Namespace) -> int:
    """Write the lecture, or lessons, as slides: one file each, which opens in a browser with no network."""
    from ltcourse.stage import lecture
    from ltcourse.stage import slides as export

    if options.all == bool(options.lessons):
        raise ValueError(
            "name the lecture or lessons, as in `ltcourse slides lecture` or `ltcourse slides 03`, or say --all: "
            "one of the two"
        )
    names = [file.stem for file in lecture.lessons()] if options.all else options.lessons
    only = tuple(name.strip() for name in options.only.split(",") if name.strip())
    byline = tuple(filter(None, (options.author, options.place, options.date)))
    how = export.Options(options.minutes, only, options.code, options.for_students, byline)
    folder = files.place(options.to)
    for name in names:
        write = export.write_lecture if name == "lecture" else partial(export.write, lecture.find(name))
        file, count = write(folder, how)
        print(f"{file}: {count} slides, {file.stat().st_size / 1000:,.0f} kB", flush=True)
    notes = "" if options.for_students else "S opens the notes, "
    print(f"In the browser: arrows turn pages, {notes}B blanks, F fills the screen, ? lists all keys.")
    print("As PDF: put ?print-pdf behind the address, and print.")
    return 0


def rehearse(options: argparse.Namespace) -> int:
    """Run lessons and print what each cell takes beside the plan, and when to start those that take long."""
    from ltcourse.experiments import catalog
    from ltcourse.stage import lecture, plan, rehearsal

    names = [name for name in options.lessons if name != "lecture"]
    notebooks, budget = [lecture.find(name) for name in names], catalog.budget(options.budget)
    if len(names) < len(options.lessons):
        print("\n".join(plan.timetable(plan.read(), options.minutes)), flush=True)
    sums = []
    for notebook in notebooks:
        print(f"{notebook.stem} at the budget {budget}", flush=True)
        rehearsed = rehearsal.Rehearsed(rehearsal.rehearse(notebook, budget))
        for line in rehearsal.report(rehearsed, options.minutes):
            print(line, flush=True)
        sums.append((notebook.stem, rehearsed))
    if len(sums) > 1:
        print("\n".join(rehearsal.total(sums, options.minutes)), flush=True)
    return 0


def data(options: argparse.Namespace) -> int:
    """Fetch data sets, or verify the embedded ones where none is named."""
    from ltcourse.data import obtain, verify

    for name in options.names:
        obtain(name)
        print(f"{name}: here, and verified")
    if options.names:
        return 0
    found = verify()
    for file in found:
        print(("✔ " if file.ok else "✘ ") + file.sentence)
    return 0 if all(file.ok for file in found) else 1


def doctor(options: argparse.Namespace) -> int:
    """Examine this machine."""
    from ltcourse.doctor import report

    well = True
    for ok, line in report():
        print(("✔ " if ok else "✘ ") + line, flush=True)
        well = well and ok
    return 0 if well else 1


def record(options: argparse.Namespace) -> int:
    """Run experiments, one after the other, and write their records; stop in time where a time is given."""
    from ltcourse.data import streams
    from ltcourse.experiments import catalog, cluster, runs
    from ltcourse.training import checkpoints

    for name in options.names:
        catalog.settings(name, options.budget)  # what is not known is told before a cluster is asked
    if options.data:
        os.environ[streams.ROOT] = str(files.place(options.data).resolve())  # for the workers; a record names no folder
    if options.minutes and options.scheduler:
        raise ValueError("--minutes is for this machine: on a cluster, stop the command with Ctrl-C")
    journals = files.place(options.journals) if options.journals else None
    how = {"trials": options.trials, "restart": options.restart, "echo": True, "journals": journals}
    with cluster.connect(options.scheduler) if options.scheduler else nullcontext() as workers:
        if workers:
            print(workers, file=sys.stderr, flush=True)
        with checkpoints.time_limit(options.minutes):
            for name in options.names:
                try:
                    print(runs.record(name, options.budget, **how, workers=workers), flush=True)
                except checkpoints.OutOfTime:
                    print(f"{name}: the time is over. All is kept; the same command goes on from there", flush=True)
                    break
    return 0


def list_runs(options: argparse.Namespace) -> int:
    """List what is recorded: by which machine, when, how long."""
    from ltcourse.experiments import runs

    for file in runs.recorded():
        name, at = file.name.split(".")[:2]
        print(f"{name}: {runs.load(name, at)}")
    for folder in sorted(runs.UNFINISHED.glob("*.partial")):
        name, at = folder.name.split(".")[:2]
        go_on = f"ltcourse record {name} --budget {at} --journals {runs.UNFINISHED}"
        print(f"{name}: {runs.so_far(name, at)}; `{go_on}` goes on")
    return 0


def copy_for_students(options: argparse.Namespace) -> int:
    """Write a copy of the course for students, without solutions, notes and keys."""
    from ltcourse.stage import bundle

    target = files.place(options.folder)
    written = bundle.write(target, outputs=options.outputs, notebooks=FIRST_LESSON.parent)
    notebooks = sum(name.endswith(".ipynb") for name in written)
    without = "solutions, notes and keys" if options.outputs else "solutions, notes, keys and outputs"
    print(f"{target}: {notebooks} notebooks without {without}, and {len(written) - notebooks} other files")
    return 0


def look_up(options: argparse.Namespace) -> int:
    """Say what a term of the course means, or list all terms where none is named."""
    from ltcourse.classroom import glossary

    if options.term:
        print(glossary.find(" ".join(options.term)))
    else:
        print("\n".join(f"{term.name}: {term.russian}" for term in glossary.terms()))
    return 0


def grade(options: argparse.Namespace) -> int:
    """Run the exercises of submitted notebooks and write what each is worth."""
    from ltcourse.stage import grading, sandbox

    rows = []
    handed_in = grading.submissions(files.place(options.folder))
    with sandbox.Sandbox(options.memory * 10**9) as place:
        for submission in handed_in:
            graded = grading.grade(submission, place, options.seconds)
            rows += graded
            passed = sum(row.result == "passed" for row in graded)
            print(f"{submission.name}: {passed} of {len(graded)} passed", flush=True)
    target = files.place(options.to)
    grading.write(rows, target)
    print(f"{target}: {len(rows)} rows. What was done against other people's code: {grading.LIMITS}")
    return 0


def _count(text: str) -> int:
    """Read a number of things from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _minutes(text: str) -> float:
    try:
        if (minutes := float(text)) > 0 and minutes != float("inf"):
            return minutes
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no time: write a number of minutes above 0, such as 12")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ltcourse", description="A course on pruning, lottery tickets and supermasks."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("lab", help="open JupyterLab on the first lesson; further arguments go to JupyterLab")
    command.set_defaults(run=lab)
    command = commands.add_parser("slides", help="write the lecture, or lessons, as slides that open with no network")
    command.add_argument(
        "lessons",
        nargs="*",
        metavar="LESSON",
        help="lecture (S1 to S17), a lesson such as 03, or the path of a notebook",
    )
    command.add_argument("--all", action="store_true", help="every lesson")
    command.add_argument("--to", default="slides", metavar="FOLDER", help="where to write them (default: slides)")
    command.add_argument("--minutes", type=int, choices=(45, 90), default=45, help="that there are (default: 45)")
    command.add_argument(
        "--only", default="", metavar="SECTIONS", help="such as S6-S8, or words of headings, with commas"
    )
    command.add_argument(
        "--code", choices=("none", "key", "all"), default="key", help="key: the lines that carry the idea (default)"
    )
    command.add_argument("--for-students", action="store_true", help="without notes, solutions and answers")
    for part in ("author", "place", "date"):
        command.add_argument(f"--{part}", default="", help="for the title")
    command.set_defaults(run=slides)
    command = commands.add_parser("rehearse", help="run a lesson and compare each cell with the lecture's plan")
    command.add_argument("lessons", metavar="LESSON", nargs="+", help="such as 03; lecture: the plan of S1 to S17")
    command.add_argument("--budget", help="smoke, class, desk, night or paper (default: LTCOURSE_BUDGET, else class)")
    command.add_argument("--minutes", type=_count, default=45, help="of the lecture (default: 45)")
    command.set_defaults(run=rehearse)
    command = commands.add_parser("data", help="fetch data sets, or verify the embedded ones")
    command.add_argument("names", nargs="*", metavar="NAME", help="mnist, fashion-mnist, cifar-10; none: verify")
    command.set_defaults(run=data)
    command = commands.add_parser("doctor", help="versions, device, data, speed, expected minutes per lesson")
    command.set_defaults(run=doctor)
    command = commands.add_parser("record", help="run an experiment and write its record; a stopped run goes on")
    command.add_argument("names", metavar="NAME", nargs="+", help="the experiments, the most important first")
    command.add_argument("--budget", help="smoke, class, desk, night or paper (default: LTCOURSE_BUDGET, else class)")
    command.add_argument(
        "--trials", type=_count, help="how many, from the first seed on (default: all of the settings)"
    )
    command.add_argument(
        "--minutes", type=_minutes, help="stop in time, in the midst of a training if need be; the same command goes on"
    )
    command.add_argument("--journals", metavar="FOLDER", help="where unfinished trials are kept, to be carried along")
    command.add_argument("--restart", action="store_true", help="forget a stopped run, and an earlier record")
    command.add_argument("--data", metavar="PATH", help="the folder of ImageNet: train/CLASS/… and val/CLASS/…")
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="run the trials on a Dask cluster: tcp://HOST:PORT, or a scheduler file"
    )
    command.set_defaults(run=record)
    command = commands.add_parser("runs", help="list the recorded runs")
    command.set_defaults(run=list_runs)
    command = commands.add_parser("student-copy", help="write a copy of the course without solutions, notes and keys")
    command.add_argument("folder", metavar="FOLDER", help="a folder that is empty or not there yet, or a name.zip")
    command.add_argument(
        "--no-outputs", dest="outputs", action="store_false", help="empty all outputs, for students who predict first"
    )
    command.set_defaults(run=copy_for_students)
    command = commands.add_parser("glossary", help="say what a term of the course means, or list all terms")
    command.add_argument("term", nargs="*", metavar="TERM", help="such as winning ticket; none: list all")
    command.set_defaults(run=look_up)
    command = commands.add_parser(
        "grade",
        help="run the exercises of submitted notebooks and write a CSV",
        epilog="Submissions run with your rights, within limits that stop accidents and pranks, and nobody who means "
        'harm: see "Grading" in the README.',
    )
    command.add_argument("folder", metavar="FOLDER", help="of submissions: notebooks, or a folder for each student")
    command.add_argument("--to", default="grades.csv", metavar="FILE", help="where to write (default: grades.csv)")
    command.add_argument(
        "--seconds", type=_count, default=60, help="of processor time, for each exercise (default: 60)"
    )
    command.add_argument("--memory", type=_count, default=8, metavar="GB", help="for each submission (default: 8)")
    command.set_defaults(run=grade)
    return parser


if __name__ == "__main__":
    sys.exit(main())
