"""The Tokenizer protocol: what the tasks need of a network; and networks as class path and arguments."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, TypeGuard

from torch import Tensor, nn

from trajvq.errors import UserError
from trajvq.models.normalization import ClipNormalization


class Tokenizer(Protocol):
    """Clips to tokens and back. Any `torch.nn.Module` with these members will do.

    In evaluation mode ``decode(encode(video))`` equals ``forward(video)``. Tokens of latent frame k depend only on
    the first ``(k + 1) * strides[0]`` frames. If there is a method ``auxiliary_loss()``, training calls it after
    ``forward`` and adds the scalar that it returns, unless None, to the loss.

    Attributes:
        codebook_size: Number of different tokens.
        strides: Frames, rows and columns of the clip that a token covers.
    """

    codebook_size: int
    strides: tuple[int, int, int]

    def forward(self, video: Tensor) -> Tensor:
        """Reconstruct clips float ``(B, 3, T, H, W)`` in [0, 1], with gradients. Training calls this."""
        ...

    def encode(self, video: Tensor) -> Tensor:
        """Return tokens int64 ``(B, t, h, w)`` of clips float ``(B, 3, T, H, W)`` in [0, 1]."""
        ...

    def decode(self, indices: Tensor) -> Tensor:
        """Return clips float ``(B, 3, T, H, W)`` of tokens int64 ``(B, t, h, w)``."""
        ...

    def quantize(self, video: Tensor) -> Tensor:
        """Return codes float ``(B, d, t, h, w)``: the vectors that the tokens number."""
        ...


class NormalizedTokenizer(Tokenizer, Protocol):
    """A `Tokenizer` that is trained on clips normalized by their own data, so that faint clips train like any others.

    Other tokenizers are trained on clips in [0, 1].

    Attributes:
        normalization: Background and contrast of the training clips; training sets them before its first step.
    """

    normalization: ClipNormalization

    def reconstruct(self, normalized: Tensor) -> Tensor:
        """Reconstruct normalized clips, or windows of them, float ``(B, 3, T, H, W)``, with gradients."""
        ...


def is_normalized(network: Any) -> TypeGuard[NormalizedTokenizer]:
    """Return whether a network is a `NormalizedTokenizer`.

    ``isinstance`` cannot tell: from Python 3.12 on it does not see the submodules of a `torch.nn.Module`.
    """
    return isinstance(getattr(network, "normalization", None), ClipNormalization) and hasattr(network, "reconstruct")


class StreamingTokenizer(Tokenizer, Protocol):
    """A `Tokenizer` that says how far its layers look back, so that long clips go through it a piece at a time.

    Tokens and frames of latent frame k depend on latent frames ``k - context`` to k alone, and not on k itself. Before
    the first frame a piece is padded like a clip. Other tokenizers get whole clips; see `trajvq.tokens.streaming`.

    Attributes:
        encoder_context: Latent frames before its own that a token depends on; 0 if it sees its own frames alone.
        decoder_context: The same of the frames that tokens decode to.
    """

    encoder_context: int
    decoder_context: int


def is_streaming(network: Any) -> TypeGuard[StreamingTokenizer]:
    """Return whether a network is a `StreamingTokenizer`."""
    return hasattr(network, "encoder_context") and hasattr(network, "decoder_context")


def check_tokenizer(module: nn.Module) -> None:
    """Check that a network has all members of a `Tokenizer`.

    Raises:
        UserError: If one is missing; the message names it.
    """
    members = ("codebook_size", "strides", "encode", "decode", "quantize")
    missing = [name for name in members if not hasattr(module, name)]
    if missing:
        raise UserError(f"{type(module).__name__} is no tokenizer: it lacks {', '.join(missing)}")


def spec_of(module: nn.Module) -> dict[str, Any]:
    """Return a network's class path and constructor arguments as plain data; arguments are attributes of that name.

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
    """Create a tokenizer with fresh weights; see `module_of`.

    Raises:
        UserError: If the module is not a tokenizer.
    """
    tokenizer = module_of(spec)
    check_tokenizer(tokenizer)
    return tokenizer


def module_of(spec: Mapping[str, Any]) -> nn.Module:
    """Create a network with fresh weights from class path and arguments; the inverse of `spec_of`.

    Raises:
        UserError: If there is no such class, it is no network, or it does not take these arguments.
    """
    path = str(spec["class_path"])
    module, _, name = path.rpartition(".")
    settings = spec.get("init_args", {})
    arguments = {k: module_of(v) if isinstance(v, Mapping) and "class_path" in v else v for k, v in settings.items()}
    try:
        network_class = getattr(import_module(module), name)
        # Before it is called: a config from elsewhere may name any function.
        if not (isinstance(network_class, type) and issubclass(network_class, nn.Module)):
            raise TypeError("it is no torch.nn.Module")
        return network_class(**arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UserError(f"cannot build {path}: {error}") from None
