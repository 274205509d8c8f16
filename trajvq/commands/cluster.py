"""Which processes belong to a run, as the scheduler of a cluster started them."""

import os
from collections.abc import Iterable
from typing import Any

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only

from trajvq.errors import UserError, first_line


def launched_together() -> bool:
    """Return whether a launcher, such as torchrun or srun, started this process together with others."""
    return ("LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE") or 1) > 1) or _tasks() > 1


def forget_leftover_ranks() -> None:
    """Give a process that no launcher started rank 0, whatever variables of another one it inherited.

    Lightning reads the variables when it is imported, and ``LOCAL_RANK`` again when it builds the trainer.
    """
    if not launched_together() and not TorchElasticEnvironment.detect():
        os.environ.pop("LOCAL_RANK", None)
        setattr(rank_zero_only, "rank", 0)  # noqa: B010 - mypy knows no such attribute


def cluster_environments(plugins: Iterable[Any], nodes: int) -> list[ClusterEnvironment]:
    """Return the environment of a process in a Slurm job; nothing outside of one.

    Lightning takes every process in a job of several tasks for one of several processes of the run, and waits for the
    others or refuses the number of devices. Only ``srun`` starts several processes, and it says how many.

    Args:
        plugins: The plugins of the config. A cluster environment among them stays.
        nodes: ``trainer.num_nodes``.

    Raises:
        UserError: If ``srun`` started processes in a way that Lightning does not support.
    """
    chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    if chosen or TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    if nodes == 1 and _tasks() == 1:
        return [LightningEnvironment()]
    try:
        return [SLURMEnvironment(auto_requeue=False)]  # `LastCheckpoint` saves on a signal
    except RuntimeError as error:
        raise UserError(first_line(error)) from None


def check_tasks(environment: ClusterEnvironment | None, devices: int, nodes: int) -> None:
    """Check that the processes that ``srun`` started are those of the run.

    Args:
        environment: The one that the trainer uses. Others than Slurm's start or count the processes themselves.
        devices: Number of devices a node.
        nodes: Number of nodes.

    Raises:
        UserError: If there are more or fewer, which would train side by side in one folder.
    """
    tasks = _tasks()
    if isinstance(environment, SLURMEnvironment) and tasks not in (1, devices * nodes):
        raise UserError(
            f"srun started {tasks} processes, but trainer.devices x trainer.num_nodes is {devices * nodes}; make them "
            "equal, or start the run with srun --ntasks=1"
        )


def _tasks() -> int:
    """Return the number of processes that ``srun`` started."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1)
