"""The Tokenizer protocol; trained tokenizers, loaded and frozen; and their tokens as data."""

from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import load_tokenizer
from trajvq.tokens.protocol import Tokenizer

__all__ = ["FrozenTokenizer", "Tokenizer", "load_tokenizer"]
