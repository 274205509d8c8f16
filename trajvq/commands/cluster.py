"""Which processes belong to a run, as the scheduler of a cluster started them."""

import os
from collections.abc import Iterable
from typing import Any

from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)


def cluster_environments(plugins: Iterable[Any], nodes: int) -> list[ClusterEnvironment]:
    """Return the environment of a process that runs in a Slurm job without company, or nothing where it has some.

    Lightning takes every process in a job of several tasks for one of several processes of the run, and waits for the
    others or refuses the number of devices. Only ``srun`` starts several processes, and it says how many.

    Args:
        plugins: The plugins of the config. A cluster environment among them stays.
        nodes: ``trainer.num_nodes``.
    """
    chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if chosen or nodes > 1 or tasks > 1 or TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [LightningEnvironment()]
