"""How the trials of an experiment are run: here, in a pool of processes, by any executor."""

import os
import queue
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ltcourse.experiments import catalog, trials
from ltcourse.experiments.journal import Row
from ltcourse.experiments.trials import Settings
from ltcourse.quantities import whole
from ltcourse.spawning import without_main
from ltcourse.training import checkpoints, process

SIDE_BY_SIDE = 4  # trials on a GPU; LeNet-300-100 on an H200, 1, 2, 4, 8 at a time: 1.7, 2.9, 2.9, 1.7 trials a second


def run(
    name: str,
    at: str | None = None,
    *,
    seeds: tuple[int, ...] | None = None,
    executor: Executor | None = None,
    device: str | None = None,
    folder: Path | None = None,
) -> Iterator[tuple[int, Row]]:
    """Run the trials of an experiment and yield (seed, row) as the rows come.

    at: the budget. seeds: instead of those of the settings. executor: where the trials run; by default a pool of
    processes of one thread each on the CPU, and threads of this process, side by side, on a GPU. A given executor
    hands a trial's rows over when the trial is done. folder: where each trial keeps its journal, for a later call to go
    on from; the executor's workers must reach it. What is in the journals is yielded first.
    The rows do not depend on the executor. Raises the error of the first trial that failed, when the others are done.
    Lesson 03, "Two workers of one thread".
    """
    chosen = catalog.settings(name, at)
    seeds = chosen.seeds if seeds is None else tuple(whole("seed", seed) for seed in seeds)
    device = device or catalog.default_device()
    if executor is not None:
        yield from _submit(executor, name, chosen, seeds, device, folder)
    elif device == "cpu":
        yield from _pool(name, chosen, seeds, device, folder)
    else:
        yield from side_by_side(name, chosen, seeds, device, folder)


def journal_of(folder: Path | None, seed: int) -> Path | None:
    """Return where the journal of a trial is kept."""
    return None if folder is None else folder / f"seed-{seed}.safetensors"


def side_by_side(
    name: str, chosen: Settings, seeds: tuple[int, ...], device: str, folder: Path | None
) -> Iterator[tuple[int, Row]]:
    """Run trials in threads, each in a stream of its own, and yield their rows as they come.

    A small network leaves most of a GPU idle, which several use at the same time, each to the result that it has alone.
    Raises, when all are done, the error of the first that failed. Left before its end, it waits for the trials, which
    stop in the midst of a training.
    """
    arrived: queue.Queue[tuple[int, Row] | None] = queue.Queue()

    def begin() -> None:  # a stream for each thread, not for each trial: PyTorch's are 32, and then come again
        if device == "cuda":
            torch.cuda.set_stream(torch.cuda.Stream())

    def work(seed: int) -> None:
        for row in trials.rows(catalog.get(name), chosen, seed, device, journal_of(kept, seed)):
            arrived.put((seed, row))

    with ExitStack() as held:
        kept = folder or Path(held.enter_context(TemporaryDirectory()))  # for checkpoints, at which trainings stop
        # flags are the whole process's: set before all trials, they are not put back under one that still runs
        held.enter_context(process.exact(torch.device(device)))
        pool = held.enter_context(ThreadPoolExecutor(min(len(seeds), SIDE_BY_SIDE), initializer=begin))
        futures = [pool.submit(work, seed) for seed in seeds]
        for future in futures:
            future.add_done_callback(lambda _: arrived.put(None))
        left = len(futures)
        try:
            while left:
                if (came := arrived.get()) is None:
                    left -= 1
                else:
                    yield came
        finally:
            with checkpoints.time_limit(0 if left else None):
                pool.shutdown(cancel_futures=True)
    for future in futures:
        future.result()  # raises what the trial raised


def _submit(
    executor: Executor, name: str, chosen: Settings, seeds: tuple[int, ...], device: str, folder: Path | None
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of the trials that succeed as they finish, then raise the error of the first that failed."""
    futures = {executor.submit(_trial, name, chosen, seed, device, folder): seed for seed in seeds}
    failed: BaseException | None = None
    try:
        for future in as_completed(futures):
            if (error := future.exception()) is None:
                for row in future.result():
                    yield futures[future], row
            else:
                failed = failed or error
    finally:
        for future in futures:
            future.cancel()
    if failed is not None:
        raise failed


_ALONE = threading.Lock()  # PyTorch's threads and flags are the whole process's


def _trial(name: str, chosen: Settings, seed: int, device: str, folder: Path | None) -> list[Row]:
    count = 1 if device == "cpu" else torch.get_num_threads()  # as in the pool: two add sums up in another order
    with _ALONE, process.threads(count):
        return list(trials.rows(catalog.get(name), chosen, seed, device, journal_of(folder, seed)))


# The pool of this machine


def _pool(
    name: str, chosen: Settings, seeds: tuple[int, ...], device: str, folder: Path | None
) -> Iterator[tuple[int, Row]]:
    """Run trials in processes of one thread each, and yield their rows as they come.

    Two processes of one thread beat one of two: small matrix products do not scale with threads. However this process
    ends, killed or interrupted, its workers end with it: they hold one end of a line whose other end it alone holds.
    """
    context = get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    arrived: queue.Queue[tuple[int, Row]] = context.Queue()  # type: ignore[assignment]
    workers = min(len(seeds), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(workers, context, _prepare, (theirs, arrived))
    futures: dict[Future[int], int] = {}
    came = dict.fromkeys(seeds, 0)
    silent = 0
    try:
        with without_main():
            for seed in seeds:
                futures[pool.submit(_send, name, chosen, seed, device, folder)] = seed
        # of each trial by itself: the rows of one that failed do not stand for those that another has still on the way
        while any(not f.done() or (_well(f) and came[seed] < f.result()) for f, seed in futures.items()):
            try:
                seed, row = arrived.get(timeout=0.1)
            except queue.Empty:
                over = all(f.done() for f in futures) and not all(_well(f) for f in futures)
                silent = silent + 1 if over else 0
                if silent > 100:
                    break  # a worker that died took rows with it that were on their way: they will not come
                continue
            came[seed] += 1
            yield seed, row
        for future in futures:
            future.result()  # raises what the trial raised
    finally:
        if not all(f.done() for f in futures):
            ours.close()  # workers still at work end at once
        pool.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


def _well(future: Future[int]) -> bool:
    return not future.cancelled() and future.exception() is None


_arrived: Any = None  # in a worker: where its rows go


def _prepare(line: Connection, arrived: Any) -> None:
    """Make a worker ready: one thread, deaf to Ctrl-C, which its parent hears, and gone when its parent is."""
    global _arrived
    _arrived = arrived
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(line,), daemon=True).start()


def _leave_with(line: Connection) -> None:
    try:
        line.recv()
    except (EOFError, OSError):
        os._exit(1)


def _send(name: str, chosen: Settings, seed: int, device: str, folder: Path | None) -> int:
    """Run a trial in a worker, send its rows, and return how many there were."""
    count = 0
    for row in trials.rows(catalog.get(name), chosen, seed, device, journal_of(folder, seed)):
        _arrived.put((seed, row))
        count += 1
    return count
