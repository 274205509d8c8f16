"""The Tokenizer protocol: what a network must offer to be trained, tested and used by the tasks."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from trajvq.errors import UserError


@runtime_checkable
class Tokenizer(Protocol):
    """Clips to tokens and back. Any `torch.nn.Module` with these members will do.

    ``decode(encode(video))`` equals ``forward(video)`` in evaluation mode. Tokens of latent frame k
    depend on frames up to ``(k + 1) * strides[0]`` only.

    Attributes:
        codebook_size: Number of different tokens.
        strides: Frames, rows and columns of the clip that a token covers.
    """

    codebook_size: int
    strides: tuple[int, int, int]

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips float ``(B, 3, T, H, W)`` in [0, 1] with gradients; this is what training calls.

        A method ``auxiliary_loss()``, if there is one, is asked afterwards for a scalar to be added to the loss.
        """
        ...

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        ...

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        ...

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes float ``(B, d, t, h, w)``: the vectors that the tokens stand for."""
        ...


def check_tokenizer(module: nn.Module) -> None:
    """Check that a network offers all that a tokenizer must.

    Raises:
        UserError: If something is missing; names it.
    """
    wanted = ("codebook_size", "strides", "encode", "decode", "quantize")
    missing = [name for name in wanted if not hasattr(module, name)]
    if missing:
        raise UserError(f"{type(module).__name__} is no tokenizer: it lacks {', '.join(missing)}")


def spec_of(module: nn.Module) -> dict[str, Any]:
    """Describe a network by class path and primitive arguments, read from attributes of the same names.

    Raises:
        UserError: If a constructor argument is not kept as an attribute.
    """
    parameters = inspect.signature(type(module)).parameters.items()
    names = [name for name, p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        raise UserError(
            f"{type(module).__name__} does not keep its argument {missing[0]!r} as an attribute of that name"
        )
    arguments = {name: getattr(module, name) for name in names}
    primitive = {name: _primitive(value) for name, value in arguments.items()}
    return {"class_path": f"{type(module).__module__}.{type(module).__qualname__}", "init_args": primitive}


def _primitive(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return spec_of(value)
    if isinstance(value, Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def build(spec: Mapping[str, Any]) -> nn.Module:
    """Make a tokenizer with fresh weights; see `module_of`.

    Raises:
        UserError: If it is none.
    """
    made = module_of(spec)
    check_tokenizer(made)
    return made


def module_of(spec: Mapping[str, Any]) -> nn.Module:
    """Make a network with fresh weights from its class path and arguments.

    Raises:
        UserError: If there is no such class or it does not take these arguments.
    """
    path = str(spec["class_path"])
    module, _, name = path.rpartition(".")
    given = spec.get("init_args", {})
    arguments = {k: module_of(v) if isinstance(v, Mapping) and "class_path" in v else v for k, v in given.items()}
    try:
        made = getattr(import_module(module), name)(**arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(f"cannot build {path}: {error}") from None
    if not isinstance(made, nn.Module):
        raise UserError(f"cannot build {path}: it is no torch.nn.Module")
    return made
