"""Generate the shards of a plan in this process and in worker processes."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trajvq.data.storage.shards import write_shard
from trajvq.data.synthetic.plan import Plan, Shard, import_plugins
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.scene import lay_out, render_blocks

Finished = Callable[[Shard, dict[str, Any]], None]


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Handle SIGTERM like Ctrl-C, and yield a function that raises an interrupt that got lost.

    Python discards a `KeyboardInterrupt` raised within some callbacks, and prints a traceback. The function raises it
    again, and nothing is printed.
    """
    caught: list[int] = []
    report = sys.unraisablehook

    def ignored(error: Any) -> None:
        if not (caught and issubclass(error.exc_type, KeyboardInterrupt)):
            report(error)

    def handle(number: int, _: Any) -> None:
        caught.append(number)
        raise KeyboardInterrupt

    def check() -> None:
        if caught:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.unraisablehook = ignored
    try:
        yield check
    finally:
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, handler)


def make_shard(out: Path, plan: Plan, shard: Shard) -> dict[str, Any]:
    """Generate and write one shard; return its entry in the manifest."""
    preset = preset_named(plan.preset)
    columns = lay_out(preset, plan.seed, shard.split, shard.start, shard.stop, plan.frames, plan.size)
    blocks = render_blocks(columns, preset.make_style(), plan.seed, shard.split, shard.start, plan.size)
    return write_shard(out / shard.file, columns, blocks)


def make_all(out: Path, plan: Plan, shards: list[Shard], workers: int, finished: Finished) -> None:
    """Generate shards, in any order.

    Args:
        out: The dataset folder.
        plan: Plan of the dataset.
        shards: The shards to generate.
        workers: Number of processes, including this one.
        finished: Called in this process with every finished shard and its entry in the manifest. After an error or
            an interrupt it is still called for the shards that workers finish, before the error is raised.
    """
    if workers <= 1:
        for shard in shards:
            finished(shard, make_shard(out, plan, shard))
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread per worker; more would compete for the cores
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers - 1, context, initializer=_start_worker, initargs=(plan.plugins,)) as pool:
        # Workers inherit blocked signals, so that an interrupt reaches this process alone, which then stops them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        jobs: dict[Future[dict[str, Any]], Shard] = {pool.submit(make_shard, out, plan, s): s for s in shards}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            for job in reversed(list(jobs)):  # this process works from the other end of the queue
                if job.cancel():
                    shard = jobs.pop(job)
                    finished(shard, make_shard(out, plan, shard))
                for ended in [other for other in jobs if other.done()]:
                    finished(jobs.pop(ended), ended.result())
            for job in list(jobs):
                entry = job.result()
                finished(jobs.pop(job), entry)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)  # busy workers finish their shard
            for job, shard in jobs.items():
                if not job.cancelled() and job.exception() is None:
                    with suppress(KeyboardInterrupt):  # the interrupt is already being raised
                        finished(shard, job.result())
            raise


def _start_worker(plugins: Sequence[str]) -> None:
    """Import the plugins, and make the worker exit when its parent exits."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    import_plugins(plugins)
