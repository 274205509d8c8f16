"""What a tokenizer is, how one is loaded and frozen, and its tokens as data."""

from trajvq.tokens.checkpoint import load_tokenizer
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.protocol import Tokenizer

__all__ = ["FrozenTokenizer", "TokenDataModule", "Tokenizer", "load_tokenizer"]
