"""Shards as joblib jobs in processes of this machine or a cluster.

Writes masks/<split>/shard-*.h5, one job per shard. loky starts processes on this machine. dask and ray use an existing
cluster; its machines must see the images and the runs under the same paths.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.shards.digest import ShardContent
from pipeline.shards.labeling import Labeling, ShardLabeler
from pipeline.shards.plan import PlannedShard
from sorn.threads import use_one_torch_thread

PACKAGES = {"dask": ("dask", "distributed"), "ray": ("ray",)}
STREAMING = ("loky", "dask")  # backends that give results while others are computed; ray's gives all at the end


def require_backend(name: str) -> None:
    """Check that a backend's package and cluster exist.

    Raises UserError where one is missing. It is cheap: nothing is imported or started.
    """
    missing = [package for package in PACKAGES.get(name, ()) if importlib.util.find_spec(package) is None]
    if missing:
        command = f"pip install {' '.join(PACKAGES[name])}"
        raise UserError(f"backend '{name}' needs the package {missing[0]}, which is not installed", f"Run: {command}")
    if name == "dask" and not _dask_scheduler():
        raise UserError(
            "backend 'dask' needs a cluster, and DASK_SCHEDULER_ADDRESS does not say where one is",
            "Start `dask scheduler` and `dask worker`, and set DASK_SCHEDULER_ADDRESS=tcp://HOST:8786.",
        )


def write_all(
    labeler: ShardLabeler, shards: list[PlannedShard], advance: Callable[[int], None]
) -> Iterator[tuple[Path, ShardContent]]:
    """Every shard when it is written, by threads or by a backend.

    labeler: prepared. advance: called with the number of images written since its last call.
    """
    if labeler.work.runtime.backend == "threads":
        yield from labeler.write(shards, lambda: advance(1))
        return
    for path, content in write_shards(labeler.work, shards):
        advance(len(content.items))
        yield path, content


def write_shards(work: Labeling, shards: list[PlannedShard]) -> Iterator[tuple[Path, ShardContent]]:
    """Shards written by `runtime.workers` processes.

    Yields the path and the content of each shard when it is finished. Raises UserError as `ShardLabeler.write` does,
    and for a process that ended.
    """
    name, workers = work.runtime.backend, max(1, work.runtime.workers)
    import joblib  # here, since `sorn status` imports the stage and must not wait for it

    options, lost = _start(name)
    with joblib.parallel_config(backend=name, n_jobs=workers, **options):
        returned = "generator_unordered" if name in STREAMING else "list"
        parallel = joblib.Parallel(return_as=returned, batch_size=1, pre_dispatch=2 * workers)
        try:
            yield from parallel(joblib.delayed(write_shard)(work, shard) for shard in shards)
        except lost as error:
            if isinstance(error, UserError):  # ray gives it the class of its own errors as well
                raise UserError(error.wrong, error.remedy) from error
            raise UserError(
                f"a process of backend '{name}' ended before its shard was written ({type(error).__name__})",
                "Its machine may lack memory: use fewer --workers. Run again: finished shards are kept.",
            ) from error


def _start(name: str) -> tuple[dict[str, str], tuple[type[Exception], ...]]:
    """Registration of the backend in joblib.

    Returns its options, and its exceptions for a lost process.
    """
    require_backend(name)
    if name == "dask":
        from distributed import KilledWorker

        return {"scheduler_host": _dask_scheduler()}, (KilledWorker, OSError)
    if name == "ray":
        from ray.exceptions import RayError
        from ray.util.joblib import register_ray

        register_ray()
        return {}, (RayError,)
    return {}, (BrokenExecutor,)


def write_shard(work: Labeling, shard: PlannedShard) -> tuple[Path, ShardContent]:
    """One shard, in the process that takes the job.

    A prepared labeler serves the following jobs as long as they are of the same split, because it learns only once
    which images will follow. torch uses a single thread from then on, as another job may work beside this one.
    """
    with _preparing:
        if not _prepared or _prepared[0] != (work, shard.split):
            labeler = _made_here(work)
            labeler.prepare(shard.records)
            use_one_torch_thread()
            _prepared[:] = [(work, shard.split), labeler]
        labeler = _prepared[1]
    written: tuple[Path, ShardContent] = next(labeler.write([shard]))
    return written


def _made_here(work: Labeling) -> ShardLabeler:
    """Labeler made in this process.

    The caller has made one as well. A class that only the caller can import raises an error here.
    """
    try:
        return ShardLabeler(work)
    except UserError as error:
        wrong = f"a worker process of backend '{work.runtime.backend}' cannot make what labels: {error.wrong}"
        raise UserError(wrong, f"{error.remedy.rstrip('.')}, or label in one process: --backend threads") from error


_preparing = threading.Lock()  # a worker of dask runs jobs in several threads
_prepared: list[Any] = []  # nothing, or (work, split) and the labeler


def _dask_scheduler() -> str:
    return os.environ.get("DASK_SCHEDULER_ADDRESS", "")
