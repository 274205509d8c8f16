"""What a tokenizer is, how one is loaded and frozen. Its tokens as data are in `trajvq.tokens.datamodule`."""

from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import load_tokenizer
from trajvq.tokens.protocol import Tokenizer

__all__ = ["FrozenTokenizer", "Tokenizer", "load_tokenizer"]
