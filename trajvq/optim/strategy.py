"""Sharded: Lightning's ModelParallelStrategy over all processes, with ordinary checkpoint files."""

from lightning.pytorch.strategies import ModelParallelStrategy


class Sharded(ModelParallelStrategy):
    """Distribute weights, gradients and optimizer state over all processes of all machines (FSDP2).

    The LightningModule shards its network in ``configure_model`` with `trajvq.optim.sharding.shard`.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """Put every process into the mesh. Lightning's "auto" means one process per machine."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()
