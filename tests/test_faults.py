"""What can go wrong with a machine, a disk, a clock, a kernel: nothing is lost, and one sentence says what to do.

tests/README.md lists each fault with its test, here or in the file of what it hits.
"""

import errno
import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import clone
import pytest
from executors import OneAfterAnother
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from ltcourse import cli
from ltcourse.data import DataError, formats, sources
from ltcourse.display import progress
from ltcourse.experiments import catalog, executors, lock, runs
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.runs import RunError
from ltcourse.training import checkpoints

ROOT = Path(__file__).resolve().parent.parent
MINI = "fashion-mnist-mini"
NAME = "lottery-lenet-300-100"
DOWNLOAD_KILLS, BUILD_KILLS, PAIRS, STOPS = 20, 4, 3, 50
# without the right of root to write wherever it likes, where root runs the tests
AS_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes as Unix does")


# The list of faults


def listed():
    """The rows of the table in tests/README.md: fault, tries, what one sees, lost, tests."""
    lines = (ROOT / "tests" / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("row", listed(), ids=lambda row: row[0])
def test_each_fault_of_the_list_has_its_tests(row):
    assert len(row) == 5 and all(row)
    named = re.findall(r"`((?:\w+/)*test_\w+)\.(test_\w+)`", row[4])
    assert named, "no test is named"
    for file, test in named:
        source = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"there is no {file}.{test}"


def test_the_list_has_every_kind_of_fault():
    words = " ".join(row[0] for row in listed()).lower()
    for word in (
        "recording", "downloading", "building", "two processes", "disk", "read-only", "by hand", "cut short", "newer",
        "bit", "clock", "ctrl-c", "kernel", "home", "cyrillic", "worker", "scheduler",
    ):  # fmt: skip
        assert word in words, word


def test_the_tries_that_are_listed_are_those_that_are_made():
    tries = {row[0]: row[1] for row in listed()}
    for fault, number in (
        ("SIGKILL while downloading", DOWNLOAD_KILLS),
        ("SIGKILL while building a notebook", BUILD_KILLS),
        ("Two processes record the same run", PAIRS),
        ("Ctrl-C in a training cell", STOPS),
    ):
        assert re.match(r"\d+", tries[fault])[0] == str(number)


# Processes to kill


class Mother:
    """A process that forks a child for each line that it reads, kills it when told, and says how it ended.

    A child so begins at once; and the tests' own process, which has threads, need not fork.
    """

    def __init__(self, prepare, child, cwd=ROOT, environment=None, command=()):
        code = f"""
import os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
{prepare}
for line in sys.stdin:
    seconds, *given = line.rstrip("\\n").split("\\t")
    mine = os.fork()
    if mine == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # which is for the exit statuses
        os._exit(child(*given))
    ended, until = 0, time.monotonic() + float(seconds or "inf")
    while not ended:
        ended, status = os.waitpid(mine, os.WNOHANG)
        if not ended and time.monotonic() > until:
            os.kill(mine, signal.SIGKILL)
        time.sleep(0.002)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
        code = code.replace("for line in sys.stdin", "print(flush=True)\nfor line in sys.stdin", 1)
        body = "def child(*given):\n" + "".join(f"    {line}\n" for line in child.strip().splitlines())
        code = code.replace("for line in sys.stdin", body + "\nfor line in sys.stdin", 1)
        self._process = subprocess.Popen(
            [*command, sys.executable, "-c", code],
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._process.stdout.readline()  # it is ready: what follows can be timed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=240)
        self._process.stdout.close()

    def run(self, *given, killed_after=""):
        self._process.stdin.write("\t".join(map(str, [killed_after, *given])) + "\n")
        return int(self._process.stdout.readline())

    def measure(self, *given):
        """Return the seconds that a child takes that nobody kills."""
        begun = time.perf_counter()
        assert self.run(*given) == 0
        return time.perf_counter() - begun


# a data set of four files, which its source delivers slowly
SLOW_SOURCE = f"""
import hashlib, random
from ltcourse import data
from ltcourse.data import sources

whole = {{f"piece-{{i}}": random.Random(i).randbytes(100_000) for i in range(4)}}
sources.FILES[{MINI!r}] = tuple(
    sources.File(name, len(content), hashlib.sha256(content).hexdigest(), (f"small/{{name}}.gz",))
    for name, content in whole.items()
)

def slow(name, wanted, scratch):
    for piece in wanted:
        (scratch / "archive").write_bytes(whole[piece][:50_000])
        time.sleep(0.03)
        yield piece, whole[piece]

sources.EMBEDDED = Path("nowhere")
sources.SOURCES[{MINI!r}] = (("a slow source", slow),)
sys.stderr = open(os.devnull, "w")
"""


def test_a_download_killed_at_any_moment_leaves_only_whole_files_and_goes_on(tmp_path):
    folder, killed, before = tmp_path / "data", 0, 0
    small = {f"small/piece-{i}.gz": random.Random(i).randbytes(100_000) for i in range(4)}

    def there():
        found = {place: folder / place for place in small if (folder / place).exists()}
        assert all(formats.decode(place, file.read_bytes(), 100_000) == small[place] for place, file in found.items())
        return len(found)

    with Mother(SLOW_SOURCE, f"data.obtain({MINI!r}, Path(given[0])); return 0") as mother:
        seconds = mother.measure(tmp_path / "measured")
        while killed < DOWNLOAD_KILLS:
            status = mother.run(folder, killed_after=random.uniform(0, seconds / 2))
            assert status in (0, -signal.SIGKILL)
            killed += status != 0
            assert there() >= before, "what was fetched is lost"
            before = there()
            if before == 4:
                shutil.rmtree(folder)
                before = 0
        assert mother.run(folder) == 0 and there() == 4


def test_what_a_killed_download_left_goes_a_day_later(tmp_path, monkeypatch):
    old, young = tmp_path / ".fetch-old", tmp_path / ".fetch-young"
    for left in (old, young):
        left.mkdir()
        (left / "archive").write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path / "nowhere")
    monkeypatch.setitem(sources.SOURCES, MINI, ())
    with pytest.raises(DataError):
        sources.contents(MINI, tmp_path)
    assert not old.exists() and young.exists(), "another process may be at work in the young one"


# The folder of a course with a name that is not plain, and a home that cannot be written to

LESSON = """\
# %% [markdown]
# # A small lesson

# %%
import os, pathlib

_ = pathlib.Path(os.environ["KERNELS"]).open("a").write(f"{os.getpid()}\\n")

# %%
sum(range(3))
"""
FIGURE = """
# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(1, 1))
ax.plot([1, 2]);
"""


def make_lesson(tmp_path, source):
    """A root with one lesson, in a folder with a space and Cyrillic letters; where its kernels tell their numbers."""
    root = tmp_path / "папка с уроками"
    (root / "lessons").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "lessons" / "01_small_lesson.py").write_text(source, encoding="utf-8")
    minutes = {"01_small_lesson": {"seconds": 5, "budget": "class", "step_ms": 1.0}}
    (root / "notebooks" / "minutes.json").write_text(json.dumps(minutes))
    return root, root / "notebooks" / "01_small_lesson.ipynb", tmp_path / "kernels"


def builder(environment, kernels, command=()):
    """A process whose children build the lesson of a root."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    environment = {**environment, "PYTHONPATH": path, "KERNELS": str(kernels), "LTCOURSE_BUDGET": ""}
    child = "return build_notebooks.main([], root=Path(given[0]))"
    return Mother("import build_notebooks", child, environment=environment, command=command)


def test_a_build_killed_at_any_moment_leaves_the_old_notebook_or_the_new_one(tmp_path):
    root, notebook, kernels = make_lesson(tmp_path, LESSON)
    with builder(os.environ, kernels) as mother:
        seconds = mother.measure(root)
        new, killed = notebook.read_bytes(), 0
        while killed < BUILD_KILLS:
            old = b"the old notebook"
            notebook.write_bytes(old)
            status = mother.run(root, killed_after=random.uniform(0, seconds))
            assert status in (0, -signal.SIGKILL)
            assert notebook.read_bytes() in ((new,) if status == 0 else (old, new))
            assert json.loads((root / "notebooks" / "minutes.json").read_text())
            killed += status != 0
        assert mother.run(root) == 0 and notebook.read_bytes() == new
    deadline = time.monotonic() + 240
    while (left := [pid for pid in kernels.read_text().split() if alive(int(pid))]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left, "a kernel outlived its builder"


def alive(pid):
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="module")
def homeless(tmp_path_factory):
    """A command and an environment in which the home folder cannot be written to."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o555)
    command = [] if os.geteuid() else AS_USER
    if command and not shutil.which(command[0]):
        pytest.skip("root can write everywhere, and setpriv is not there to take that away")
    usual = {name: value for name, value in os.environ.items() if name not in cli.HOMES}
    yield command, usual | {"HOME": str(home)}
    home.chmod(0o755)
    assert list(home.iterdir()) == []


@pytest.fixture
def course(tmp_path):
    """A copy of the package with a mini set, in a folder whose name has a space and Cyrillic letters."""
    return clone.make(tmp_path / "курс по сетям", MINI)


def ltcourse(course, *arguments, command=(), environment=None):
    """Run the command line of that copy; return the finished process."""
    environment = {**(environment or os.environ), "PYTHONPATH": str(course)}
    environment.pop("LTCOURSE_DATA", None)
    return subprocess.run(
        [*command, sys.executable, "-m", "ltcourse.cli", *arguments],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_lesson_is_built_without_a_home_that_can_be_written_to(tmp_path, homeless):
    command, environment = homeless
    root, notebook, kernels = make_lesson(tmp_path, LESSON + FIGURE)
    with builder(environment, kernels, command) as mother:
        assert mother.run(root) == 0
    text = notebook.read_text(encoding="utf-8")
    assert '"image/png"' in text and '"stderr"' not in text, "a warning of the home folder is in the notebook"


def test_a_folder_with_a_space_and_cyrillic_letters_and_no_home(course, homeless):
    command, environment = homeless
    nowhere = {name: value for name, value in environment.items() if name != "HOME"}
    done = ltcourse(course, "record", NAME, "--budget", "smoke", command=command, environment=nowhere)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.splitlines()[-1] == str(course / "data" / "runs" / f"{NAME}.smoke.json")
    assert len(runs._read(Path(done.stdout.splitlines()[-1])).trials) == 1


def test_lab_opens_without_a_home_that_can_be_written_to(homeless):
    command, environment = homeless
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "ltcourse.cli", "lab", "--no-browser", "--port=0"],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
    reader.start()
    deadline = time.monotonic() + 240
    while not any("token=" in line for line in said) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=240)
    reader.join(timeout=240)
    text = "".join(said)
    assert "the home folder cannot be written to: JupyterLab forgets its settings" in text
    assert "token=" in text and "Traceback" not in text, text


def test_read_only_data_is_read_and_what_cannot_be_written_is_one_sentence(course, homeless):
    command, environment = homeless
    folders = [course / "data", course / "ltcourse"]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for arguments, why in (
            (("data", MINI), None),
            (("data", "cifar-10"), "set the environment variable LTCOURSE_DATA to another folder"),
            (("record", NAME, "--budget", "smoke"), "make room or give write access, and try again"),
        ):
            done = ltcourse(course, *arguments, command=command, environment=environment)
            if why is None:
                assert (done.returncode, done.stderr) == (0, "")
            else:
                assert done.returncode == 1 and "Traceback" not in done.stderr
                said = done.stderr.splitlines()[-1]
                assert "Permission denied" in said and str(course / "data") in said and why in said
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert sorted(p.name for p in (course / "data").iterdir()) == sorted(["README.md", MINI])


# A run in this process, whose trials are cheap


@pytest.fixture
def cheap(monkeypatch, tmp_path):
    """A folder for records, an experiment of two trials of three cheap rows, and what it finds undisturbed."""

    def trial(settings, seed, device, journal):
        for number in range(3):
            if journal.lacks("ticket", number):
                errors = dict.fromkeys(("validation_error", "test_error"), (seed + 1) / 7)
                yield {"method": "ticket", "round": number, "density": 1 / 3**number} | errors

    found = catalog.get(NAME)
    settings = replace(found.budgets["smoke"], seeds=(0, 1))
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, replace(found, budgets={"smoke": settings}, trial=trial))
    monkeypatch.setattr(executors, "run", functools.partial(executors.run, executor=OneAfterAnother()))
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "unbroken")
    runs.record(NAME, "smoke")
    unbroken = runs.load(NAME, "smoke").results
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "runs")
    return unbroken


@pytest.mark.parametrize("over_at", range(1, 9))
def test_a_time_limit_loses_nothing_and_the_journals_go_on_in_another_folder(
    cheap, monkeypatch, capsys, tmp_path, over_at
):
    asked = iter(range(1, 100))
    monkeypatch.setattr(checkpoints, "out_of_time", lambda: next(asked) >= over_at)
    command = ["record", NAME, "--budget", "smoke", "--minutes", "5", "--journals"]
    assert cli.main([*command, str(tmp_path / "here")]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"{NAME}: the time is over. All is kept; the same command goes on from there"
    kept = [len(Journal.read(file).rows) for file in sorted((tmp_path / "here").rglob("seed-*.safetensors"))]
    assert sum(kept) == (over_at - 1) - (over_at > 4), "each trial asks before every row, and once after its last"
    assert not runs.path(NAME, "smoke").exists()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    monkeypatch.setattr(checkpoints, "out_of_time", lambda: False)
    assert cli.main([*command, str(tmp_path / "there")]) == 0
    assert runs.load(NAME, "smoke").results == cheap
    assert list((tmp_path / "there").iterdir()) == []


def test_a_disk_that_is_full_at_any_write_costs_nothing_but_the_wait(cheap, monkeypatch):
    """Every write of a recording fails once, halfway; each failure is one sentence, and the next call goes on."""
    real, written = Path.write_bytes, []

    def count(self, content):
        written.append(self.name)
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", count)
        runs.record(NAME, "smoke")
    assert len(written) == 1 + 2 * (3 + 1) + 1, "the note, of each trial its rows and its end, the record"
    for number in range(len(written)):
        shutil.rmtree(runs.FOLDER)
        left = [number]

        def full(self, content, left=left):
            left[0] -= 1
            if left[0] == -1:
                real(self, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(self, content)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises((RunError, DataError)) as problem:
                runs.record(NAME, "smoke")
        text = str(problem.value)
        assert "No space left on device" in text and "make room" in text and "\n" not in text
        assert runs.recorded() == [] and not list(runs.FOLDER.rglob(".*")), "something half written, or a lock, is left"
        done = sum(len(Journal.read(file).rows) for file in runs.FOLDER.rglob("*.safetensors"))
        assert done >= number - 3, "what was written is lost"
        runs.record(NAME, "smoke")
        assert runs.load(NAME, "smoke").results == cheap


RECORDER = f"""
import resource
from concurrent.futures import Executor, Future
from dataclasses import replace
from ltcourse.experiments import catalog, executors, runs
from ltcourse.data import DataError

class OneAfterAnother(Executor):
    def submit(self, function, /, *given):
        future = Future()
        try:
            future.set_result(function(*given))
        except Exception as error:
            future.set_exception(error)
        return future

run = executors.run
executors.run = lambda *given, **named: run(*given, executor=OneAfterAnother(), **named)
found = catalog.get({NAME!r})
none = dict.fromkeys(("redrawn", "shuffled", "one_shot", "continued"), ())
small = replace(found.budgets["smoke"], rounds=2, **none)
catalog.EXPERIMENTS[{NAME!r}] = replace(found, budgets={{"smoke": small}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def record(folder, limit):
    runs.FOLDER = Path(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), before[1]))
        runs.record({NAME!r}, "smoke")
        return 0
    except (runs.RunError, DataError) as problem:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        Path(folder + ".said").write_text(str(problem))
        return 1
"""


def results_in(folder):
    (file,) = folder.iterdir()
    return runs._read(file).results


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A process that records, and what it finds where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("unbroken") / "runs"
    child = """
if given[1] != "two":
    return record(*given)
other = os.fork()
status = record(given[0], "")
if other == 0:
    os._exit(status)
return 2 * status + os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
"""
    with Mother(RECORDER, child) as mother:
        assert mother.run(folder, "") == 0
        yield mother, results_in(folder)


def test_a_write_that_the_system_breaks_off_is_one_sentence_and_the_run_goes_on(unbroken, tmp_path):
    """A limit to the size of files stands for a full disk: the kernel writes as much as there is room for."""
    mother, results = unbroken
    folder = tmp_path / "runs"
    for limit, what in ((100, "run.json"), (100_000, "seed-0.")):
        assert mother.run(folder, limit) == 1
        said = (tmp_path / "runs.said").read_text()
        assert what in said and "File too large" in said and "make room" in said and "\n" not in said
        assert list(folder.rglob(".*")) == []
    assert mother.run(folder, "") == 0 and results_in(folder) == results


def test_two_processes_that_record_the_same_run_do_not_meet(unbroken, tmp_path):
    mother, results = unbroken
    for number in range(PAIRS):
        folder = tmp_path / str(number)
        status = mother.run(folder, "two")
        assert status in (0, 1, 2), "both were refused, or one failed"
        assert results_in(folder) == results
        if status:
            said = (tmp_path / f"{number}.said").read_text()
            assert said == f"another process records '{NAME}' at the smoke budget just now: wait for it, or stop it"


def test_a_lock_holds_as_long_as_its_process_and_no_longer(cheap, tmp_path):
    file = runs.FOLDER / f".{NAME}.smoke.lock"
    hold = f"from pathlib import Path; from ltcourse.experiments import lock; held = lock.hold(Path({str(file)!r}))"
    code = f"{hold}; held.__enter__(); print(flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    holder.stdout.readline()
    with pytest.raises(RunError, match=r"another process records .* wait for it, or stop it"):
        runs.record(NAME, "smoke")
    holder.kill()
    holder.communicate()
    assert file.exists(), "a killed process leaves its lock's file"
    runs.record(NAME, "smoke")
    assert runs.load(NAME, "smoke").results == cheap
    assert not file.exists()


def test_a_lock_whose_file_is_removed_while_one_waits_for_it_is_taken_anew(tmp_path, monkeypatch):
    file, real, looks = tmp_path / "a.lock", lock._is, []

    def gone_once(path, handle):
        looks.append(path)
        if len(looks) == 1:
            path.unlink()
        return real(path, handle)

    monkeypatch.setattr(lock, "_is", gone_once)
    with lock.hold(file):
        assert len(looks) == 2 and file.exists()
        with pytest.raises(lock.Taken), lock.hold(file):
            pass
        assert file.exists(), "who did not get the lock has removed it"
    assert not file.exists()


def test_a_clock_that_is_set_back_changes_nothing_but_what_the_clock_said(cheap, monkeypatch):
    seconds = iter(range(10**6, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    monkeypatch.setattr(runs, "_now", lambda: time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time())))
    real, rows = progress.Live.__iter__, []
    with progress.Live(runs.Runner(NAME, "smoke", folder=runs.FOLDER / f"{NAME}.smoke.partial"), "a run") as live:
        for row in real(live):
            rows.append(row)
            if len(rows) == 4:
                raise KeyboardInterrupt
    assert live.interrupted
    runs.record(NAME, "smoke")
    record = runs.load(NAME, "smoke")
    assert record.results == cheap
    assert record.provenance["finished"] < record.provenance["started"]
    assert all(row["seconds"] >= 0 for t in record.trials for row in t["rows"])


# A notebook's kernel

SETUP = """
import multiprocessing, threading, time
from pathlib import Path
import torch
from ltcourse.networks import models
from ltcourse import data
from ltcourse.display.progress import watch
from ltcourse.experiments.runs import Runner
from ltcourse.training import Recipe, evaluations

clothes = data.load("fashion-mnist-mini")
small = clothes.each(lambda part: data.Split(part.x[:300, :, ::4, ::4].contiguous(), part.y[:300]))
recipe, patience = Recipe(iterations=60, evaluate_every=3), 0

def noted(work):
    for history in work:
        evaluated.append(len(history.iterations))
        yield history
"""
WAITED = """
try:  # a Ctrl-C that comes after the work is waited for here
    time.sleep(0 if live.interrupted else patience)
except KeyboardInterrupt:
    pass
"""
TRAINING = f"""
live, evaluated, begun = None, [], time.perf_counter()
network = models.create("lenet-300-100", shape=small.shape)
live = watch(noted(evaluations(network, small, recipe)), "training")
seconds = time.perf_counter() - begun
{WAITED}"""


class Kernel:
    """A kernel of this environment, with the course imported."""

    def __init__(self):
        specs = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
        self.manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        self.manager.start_kernel(cwd=str(ROOT), extra_arguments=["--log-level=ERROR"])
        self.connect()

    def connect(self):
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)
        self.run(SETUP)

    def run(self, code, stop=None, allow_errors=False, **expressions):
        """Run a cell and return what expressions are after it; `stop` is called, beside, when it first shows something.

        Not before: Ctrl-C while a kernel is between two messages would be Jupyter's affair.
        """
        stoppers = [threading.Thread(target=stop)] if stop else []
        begun = []

        def hook(message):
            if stoppers and not begun and message["msg_type"] == "display_data":
                begun.append(True)
                stoppers[0].start()

        reply = self.client.execute_interactive(code, timeout=300, output_hook=hook)["content"]
        assert reply["status"] == "ok" or (allow_errors and reply["ename"] == "KeyboardInterrupt"), reply
        for stopper in stoppers:
            stopper.join()
        if not expressions:
            return None
        asked = self.client.execute_interactive("None", timeout=300, user_expressions=expressions)["content"]
        found = asked["user_expressions"]
        return {name: eval(found[name]["data"]["text/plain"], {"inf": float("inf")}) for name in expressions}

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel():
    started = Kernel()
    yield started
    started.close()


def test_ctrl_c_at_fifty_moments_of_a_training_cell_keeps_the_history_and_leaves_the_notebook_usable(kernel):
    asked = {
        "there": "live is not None",
        "stopped": "live is not None and live.interrupted",
        "evaluated": "evaluated",
        "history": "live.last.to_dict() if live and live.items else {}",
        "threads": "threading.active_count()",
        "settings": "[torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()]",
    }
    kernel.run(TRAINING)
    # the fastest: moments of a run that others held up would come after the end of most
    whole = min((kernel.run(TRAINING, **asked, seconds="seconds") for _ in range(5)), key=itemgetter("seconds"))
    kernel.run("patience = 60")
    assert whole["evaluated"] == list(range(1, 21)) and not whole["stopped"]
    stopped = 0
    for _ in range(STOPS):
        moment = random.uniform(0, whole["seconds"])

        def stop(moment=moment):
            time.sleep(moment)
            kernel.manager.interrupt_kernel()

        found = kernel.run(TRAINING, stop, allow_errors=True, **asked, seconds="seconds")
        stopped += found["stopped"]
        if not found["stopped"]:  # the machine is less busy than it was when it was measured
            whole["seconds"] = min(whole["seconds"], found["seconds"])
        evaluated = len(found["evaluated"])
        # a stop after the last evaluation may come before the result has its name
        assert found["there"] or evaluated in (0, len(whole["evaluated"])), "what was computed is lost"
        for name in ("iterations", "train_loss", "validation_loss", "validation_accuracy"):
            assert found["history"].get(name, [])[:evaluated] == whole["history"][name][:evaluated]
        assert found["threads"] <= whole["threads"], "a thread is left"
        assert found["settings"] == whole["settings"], "PyTorch is left as training had it"
    assert stopped > STOPS / 5, "hardly a stop came in the middle of the training"
    kernel.run("patience = 0")
    assert kernel.run(TRAINING, **asked)["history"] == whole["history"], "the notebook is not usable"


def test_a_kernel_interrupted_and_restarted_in_the_middle_of_a_run_goes_on_and_leaves_no_process(kernel, tmp_path):
    journal = tmp_path / "seed-0.safetensors"
    cell = f"live = None\nlive = watch(Runner({NAME!r}, 'smoke', folder=Path({str(tmp_path)!r})), 'a run')\n{WAITED}"

    def when_rows(count, act):
        deadline = time.monotonic() + 240
        while not (journal.exists() and len(Journal.read(journal).rows) >= count):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        act()

    asked = {
        "rows": "[arrival.row for arrival in live.items]",
        "stopped": "live.interrupted",
        "left": "len(multiprocessing.active_children())",
    }
    kernel.run("patience = 60")
    for _ in range(20):
        found = kernel.run(cell, lambda: when_rows(2, kernel.manager.interrupt_kernel), **asked)
        written = Journal.read(journal).rows
        if found["stopped"] and len(written) < catalog.settings(NAME, "smoke").trainings:
            break
        journal.unlink()  # on a machine that is busy it can be over before it is stopped
    kernel.run("patience = 0")
    assert found["stopped"] and found["left"] == 0
    before = len(written)
    assert 2 <= before < catalog.settings(NAME, "smoke").trainings
    # the process that trains writes a row down before it hands it on: what is written may be ahead of what is shown
    assert found["rows"] == written[: len(found["rows"])]

    kernel.client.execute(cell)
    when_rows(before + 1, lambda: kernel.manager.restart_kernel(now=True))
    kernel.client.stop_channels()
    kernel.connect()
    kept = Journal.read(journal).rows
    assert len(kept) > before
    found = kernel.run(cell, **asked)
    assert not found["stopped"] and found["left"] == 0 and found["rows"][: len(kept)] == kept
    alone = executors.run(NAME, "smoke", seeds=(0,), executor=OneAfterAnother(), device="cpu")
    assert [untimed(row) for row in found["rows"]] == [untimed(row) for _, row in alone]


def test_a_cell_below_a_stopped_one_says_what_it_lacks_and_the_notebook_goes_on(kernel):
    kernel.run("def broken():\n    yield 'one'\n    raise KeyboardInterrupt\nlive = watch(broken(), 'work', total=3)")
    said = []

    def hook(message):
        said.append(message["content"].get("text", ""))

    reply = kernel.client.execute_interactive("live.items[1]", timeout=300, output_hook=hook)["content"]
    assert reply["status"] == "ok", "Run All goes on"
    assert "".join(said).startswith("Not there yet: 'work' was stopped after 1 of 3: run its cell, [")
    kernel.run("live = watch(iter('abc'), 'work', total=3)")
    said.clear()
    assert (
        kernel.client.execute_interactive("live.items[1]", timeout=300, output_hook=hook)["content"]["status"] == "ok"
    )
    assert "".join(said) == ""


def untimed(row):
    return {key: value for key, value in row.items() if key != "seconds"}
