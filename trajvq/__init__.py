"""trajvq: video tokenizers that keep small moving objects, and the measurements that prove it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajvq.tokens.loading import load_tokenizer

__all__ = ["__version__", "load_tokenizer"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import `load_tokenizer` when it is first used, since torch takes seconds to import."""
    if name != "load_tokenizer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trajvq.tokens.loading import load_tokenizer

    return load_tokenizer
