"""Sharded: Lightning's ModelParallelStrategy over all processes, with checkpoints in one plain file."""

from lightning.pytorch.strategies import ModelParallelStrategy


class Sharded(ModelParallelStrategy):
    """Weights, gradients and optimizer state are spread over all processes of all machines (FSDP2).

    The LightningModule shards its network in ``configure_model``, see `trajvq.optim.sharding`.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """Take every process into the mesh; Lightning's "auto" is one a machine."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()
