"""Sharding: spread a network's weights, gradients and optimizer state over processes (FSDP2)."""

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

SMALL = 10_000  # weights below which a part is not worth a message of its own


def shard(network: nn.Module, mesh: DeviceMesh, methods: tuple[str, ...] = ()) -> None:
    """Shard a network in place, each residual block by itself so that one block at a time is whole.

    Args:
        network: The network.
        mesh: The processes, one dimension.
        methods: Methods besides ``forward`` that compute with the weights.
    """
    for module in network.modules():
        if isinstance(module, nn.Sequential) and any(list(child.parameters()) for child in module):
            for block in module:
                if sum(p.numel() for p in block.parameters()) > SMALL:
                    fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)
    for name in methods:
        register_fsdp_forward_method(network, name)
