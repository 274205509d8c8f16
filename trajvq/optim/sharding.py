"""Sharding: distribute the weights, gradients and optimizer state of a network over processes (FSDP2)."""

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

SMALL = 10_000  # weights; smaller blocks are not worth communicating on their own


def shard(network: nn.Module, mesh: DeviceMesh, methods: tuple[str, ...] = ()) -> None:
    """Shard a network in place. Each residual block is a unit, so that only one block at a time is unsharded.

    Args:
        network: The network.
        mesh: The processes, as a mesh of one dimension.
        methods: Names of the methods besides ``forward`` that use the weights.
    """
    for module in network.modules():
        if isinstance(module, nn.Sequential) and any(list(child.parameters()) for child in module):
            for block in module:
                if sum(p.numel() for p in block.parameters()) > SMALL:
                    fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)
    for name in methods:
        register_fsdp_forward_method(network, name)
