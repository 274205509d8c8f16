"""CUDA graphs: kernels recorded once and launched together, since launching them takes longer than a small network."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3  # calls before the recording, so that libraries have made their choices


class Recorded:
    """A function of tensors without gradients, recorded on its first call and replayed afterwards.

    Args:
        function: Takes a sequence of tensors and returns one, by kernels that depend on shapes alone.
    """

    def __init__(self, function: Callable[[Sequence[Tensor]], Sequence[Tensor]]) -> None:
        self.function, self.graph = function, torch.cuda.CUDAGraph()
        self.inputs: list[Tensor] = []
        self.outputs: Sequence[Tensor] = ()

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        """Return the outputs for inputs of the first call's shapes. The next call overwrites them."""
        if not self.inputs:
            self._record(inputs)
        torch._foreach_copy_(self.inputs, inputs)
        self.graph.replay()
        return self.outputs

    def _record(self, inputs: Sequence[Tensor]) -> None:
        self.inputs = [tensor.clone() for tensor in inputs]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(self.graph):
            self.outputs = self.function(self.inputs)


class RecordedModule:
    """Replays forward and backward pass of a module, recorded for each shape of its inputs.

    Args:
        module: Takes tensors without gradients and returns a tuple of tensors, by kernels that depend on shapes alone:
            it draws no random numbers and changes no buffers.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.recorded: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return what the module returns. The next call with inputs of these shapes overwrites it."""
        enabled, dtype = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        key = (enabled, dtype, *(tensor.shape for tensor in inputs))
        with torch.autocast("cuda", dtype, enabled, cache_enabled=False):  # recordings must not share casts of weights
            if key not in self.recorded:
                samples = tuple(tensor.clone() for tensor in inputs)
                alone = _Alone(self.module)
                self.recorded[key] = torch.cuda.make_graphed_callables(alone, samples, allow_unused_input=True)
            outputs: tuple[Tensor, ...] = self.recorded[key](*inputs)
        return outputs


class _Alone(nn.Module):
    """A module of its own around a shared one, since recording replaces the ``forward`` of what it is given."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.shared = module

    def forward(self, *inputs: Tensor) -> Any:
        return self.shared(*inputs)
