"""What a tokenizer is, and how one is loaded from a checkpoint."""

from trajvq.tokens.checkpoint import load_tokenizer
from trajvq.tokens.protocol import Tokenizer

__all__ = ["Tokenizer", "load_tokenizer"]
