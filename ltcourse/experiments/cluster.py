"""A Dask cluster as the place where trials run: each of its workers one at a time, on this machine or on others."""

import ctypes
import gc
import json
import logging
import os
import platform
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import torch

from ltcourse import data, files
from ltcourse.data import DataError, streams
from ltcourse.experiments import catalog, executors, machine, trials
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Settings

PATIENCE = 10  # seconds until a scheduler that does not answer is given up
LOOK = 0.5  # seconds between two looks of a worker whether its trial is still wanted
PLACE = ("machine", "device", "system")  # what a record tells of where it was made
KEPT = "finished trials are kept, and the same command goes on"

Facts = dict[str, str]


class ClusterError(RuntimeError):
    """A cluster cannot be used, or was lost; the message says what to do."""


class Cluster:
    """The workers of a Dask cluster, which must be alike: the same code, versions, kind of device.

    device: "cuda" or "cpu", of all workers.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        if not self._workers():
            print("the cluster has no worker yet: waiting for the first one", file=sys.stderr, flush=True)
            client.wait_for_workers(1)
        answers = client.run(_facts, on_error="return")
        found = {address: answer for address, answer in answers.items() if not isinstance(answer, OSError)}  # just died
        strangers = [address for address, answer in found.items() if isinstance(answer, BaseException)]
        if strangers:
            raise ClusterError(
                f"the worker {strangers[0]} has no ltcourse, or a different one ({found[strangers[0]]}): "
                "install the course there as it is here"
            )
        if not found:
            raise ClusterError("the workers of the cluster do not answer: start them again")
        self.device = next(iter(found.values()))["kind"]
        self._wanted = facts() | {"threads": "1", "kind": self.device}
        for address, answer in found.items():
            _refuse_differences(address, answer, self._wanted)
        self._where = {tuple(answer[key] for key in PLACE) for answer in found.values()}

    @property
    def where(self) -> dict[str, str]:
        """Machine, device and system of the workers, several joined by a plus sign."""
        columns = zip(*sorted(self._where), strict=True)
        return {key: " + ".join(dict.fromkeys(column)) for key, column in zip(PLACE, columns, strict=True)}

    def __str__(self) -> str:
        count = len(self._workers())
        return f"a cluster of {count} worker{'s' * (count != 1)}: {self.where['machine']} ({self.where['device']})"

    def run(
        self, name: str, at: str, *, seeds: tuple[int, ...], sha256: str, folder: Path | None = None
    ) -> Iterator[tuple[int, Row]]:
        """Run the trials of an experiment and yield (seed, row) as the rows come.

        sha256: of the data, as it must be on the workers. folder: where the journals of finished trials are kept, on
        this machine. Where a worker is lost, its trial begins anew on another, and its rows come again. A trial that
        was stopped on this machine goes on there from its journal.
        Raises the error of the first trial that failed, when the others are done, and ClusterError where the scheduler
        is lost, a trial loses one worker after the other, or a worker is unlike the others.
        """
        chosen = catalog.settings(name, at)
        journals = {seed: None if folder is None else executors.journal_of(folder, seed) for seed in seeds}
        waiting: list[int] = []
        for seed, file in journals.items():
            journal = Journal.read(file)
            if journal.complete:
                for row in journal.rows:
                    yield seed, row
            else:
                waiting.append(seed)
        topic = f"ltcourse-{uuid4().hex}"
        arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        executor = self._client.get_executor(pure=False)
        self._client.subscribe_topic(topic, lambda event: arrived.put(json.loads(event[1])))
        running: dict[Future[tuple[str, dict[str, str], list[Row]]], int] = {}
        shown = dict.fromkeys(seeds, ("", 0))  # of each trial: which attempt the last rows were of, and how many
        failed: BaseException | None = None
        told = False
        try:
            while waiting or running:
                count = len(self._workers())
                if not count and not told:
                    print("no worker is left: start one, or stop with Ctrl-C", file=sys.stderr, flush=True)
                told = not count
                # no more trials than workers: a lost worker is held against every trial that was sent to it, and after
                # a few such losses Dask gives a trial up that never began
                while waiting and len(running) < max(1, count):
                    seed = waiting.pop(0)
                    content = file.read_bytes() if (file := journals[seed]) and file.exists() else None
                    wanted = self._wanted | {"data": sha256}
                    root = os.environ.get(streams.ROOT)
                    future = executor.submit(_trial, name, chosen, seed, wanted, content, topic, root)
                    running[future] = seed
                    future.add_done_callback(arrived.put)
                try:
                    item = arrived.get(timeout=1)
                except queue.Empty:
                    continue
                if not isinstance(item, Future):
                    seed, attempt, index, row = item
                    before, number = shown[seed]
                    if index == (number if attempt == before else 0):
                        shown[seed] = (attempt, index + 1)
                        yield seed, row
                    continue
                seed = running.pop(item)
                if item.cancelled():
                    raise ClusterError(f"the scheduler of the cluster was lost: start it again; {KEPT}")
                if (error := item.exception()) is not None:
                    failed = failed or _told(error, seed)
                    if isinstance(error, ClusterError):
                        waiting.clear()  # a worker that can run none would soon have refused them all
                    continue
                attempt, where, rows = item.result()
                self._where.add(tuple(where[key] for key in PLACE))
                journal = Journal(rows, file=journals[seed])
                journal.close()
                before, number = shown[seed]
                shown[seed] = (attempt, len(rows))  # what is still on its way comes too late
                for row in rows[number if attempt == before else 0 :]:
                    yield seed, row
        finally:
            with suppress(Exception):  # a cluster that is gone needs no goodbye
                executor.shutdown(wait=False)
                self._client.unsubscribe_topic(topic)
        if failed is not None:
            raise failed

    def _workers(self) -> dict[str, int]:
        try:
            return self._client.nthreads()
        except Exception as problem:
            raise ClusterError(f"the scheduler of the cluster was lost: start it again; {KEPT}") from problem


@contextmanager
def connect(scheduler: str) -> Iterator[Cluster]:
    """Connect to the Dask scheduler at an address, or of a scheduler file, for as long as the block lasts.

    Waits until there is a worker. Raises ClusterError where there is no Dask, nobody answers, or a worker is unlike
    this machine.
    """
    try:
        from distributed import Client
    except ImportError as problem:
        raise ClusterError("Dask is not installed: `pip install -c constraints.txt -e .[cluster]`") from problem
    logs = {log: log.level for log in map(logging.getLogger, ("distributed", "tornado.application"))}
    for log in logs:
        log.setLevel(logging.CRITICAL)  # all that they would tell comes as one sentence
    file = files.place(scheduler)
    try:
        if "://" not in scheduler and file.suffix == ".json":
            if not file.exists():
                raise ClusterError(f"there is no scheduler file {file}: start `dask scheduler --scheduler-file {file}`")
            where = {"scheduler_file": str(file)}
        else:
            where = {"address": scheduler}
        with _client(Client, scheduler, where) as client:
            yield Cluster(client)
    finally:
        for log, level in logs.items():
            log.setLevel(level)


def _end_failed(problem: BaseException) -> None:
    """Let a client of Dask's that failed end here and now.

    Collected while Dask starts another one, it would wait for ever for the lock that Dask holds in the meantime.
    """
    traceback.clear_frames(problem.__traceback__)
    gc.collect()


def _client(kind: Any, scheduler: str, where: dict[str, str]) -> Any:
    """Return a client of the scheduler; raises ClusterError where nobody answers, or this machine is too busy."""

    def begin() -> Any:
        return kind(**where, timeout=PATIENCE, set_as_default=False)

    try:
        try:
            return begin()
        except AssertionError as problem:  # Dask's thread has not begun within the 10 s that Dask gives it: once more
            _end_failed(problem)
            return begin()
    except (OSError, ValueError) as problem:
        _end_failed(problem)
        raise ClusterError(
            f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`, which prints its address"
        ) from problem
    except AssertionError as problem:
        _end_failed(problem)
        raise ClusterError(
            "this machine is too busy to start Dask's client: end other work, and try again"
        ) from problem


def facts() -> Facts:
    """Return what must be equal on all machines for results to be: the code, and the versions of what computes."""
    return {
        "code": machine.sources(),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": version("torch").partition("+")[0],
        "numpy": version("numpy"),
    }


# On a worker


def _facts(dask_worker: Any) -> Facts:
    """Return the facts of a worker, and where it is; Dask gives the worker, by this name."""
    kind = catalog.default_device()
    return facts() | {"threads": str(dask_worker.state.nthreads), "kind": kind} | machine.here(kind)


def _refuse_differences(address: str, found: Facts, wanted: Facts) -> None:
    """Raise ClusterError, one sentence, where a worker is not as it must be."""
    for key, value in wanted.items():
        what = {
            "threads": f"has {found[key]} threads: start it with `--nthreads 1`, and more workers instead",
            "code": "has other code of the course than this machine: take the same commit there",
            "kind": f"computes on {found[key]!r} and others on {value!r}: take workers of one kind",
            "data": "has other data than this machine: name the same folder there",
        }.get(key, f"has {key} {found[key]} and this machine {value}: install the same there")
        if found[key] != value:
            raise ClusterError(f"the worker {address} {what}")


def _trial(
    name: str, chosen: Settings, seed: int, wanted: Facts, content: bytes | None, topic: str, root: str | None
) -> tuple[str, dict[str, str], list[Row]]:
    """Run a trial in a worker, tell its rows as they come; return the attempt's name, where it ran, and all rows."""
    from distributed import get_worker

    worker, attempt = get_worker(), uuid4().hex
    if root and streams.ROOT not in os.environ:
        os.environ[streams.ROOT] = root
    found = _facts(worker)
    _refuse_differences(worker.address, found | {"data": wanted["data"]}, wanted)  # before its code loads any data
    try:
        _refuse_differences(worker.address, found | {"data": data.load(chosen.data).sha256}, wanted)
    except DataError as problem:
        raise DataError(f"on the worker {worker.address}: {problem}") from None
    if wanted["kind"] == "cpu":
        torch.set_num_threads(1)
    rows: list[Row] = []
    with _wanted(worker), TemporaryDirectory() as scratch:
        file = None
        if content is not None:
            file = Path(scratch) / "journal"
            file.write_bytes(content)
        for row in trials.rows(catalog.get(name), chosen, seed, wanted["kind"], file):
            worker.log_event(topic, json.dumps([seed, attempt, len(rows), row]))
            rows.append(row)
    return attempt, machine.here(wanted["kind"]), rows


class _Unwanted(BaseException):
    """Ends a trial that nobody waits for any more."""


@contextmanager
def _wanted(worker: Any) -> Iterator[None]:
    """End the block as soon as its task is canceled: Dask alone would let it train on, for hours perhaps."""
    key, thread, over = worker.get_current_task(), threading.get_ident(), threading.Event()
    lock = threading.Lock()

    def watch() -> None:
        while not over.wait(LOOK):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                with lock:
                    if not over.is_set():
                        number, error = ctypes.c_ulong(thread), ctypes.py_object(_Unwanted)
                        ctypes.pythonapi.PyThreadState_SetAsyncExc(number, error)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over.set()


def _told(error: BaseException, seed: int) -> BaseException:
    """Return an error as one sentence, where it is Dask's own."""
    if type(error).__name__ == "KilledWorker":
        return ClusterError(
            f"the trial of seed {seed} lost one worker after the other, perhaps for want of memory: "
            f"see what they printed; {KEPT}"
        )
    return error
