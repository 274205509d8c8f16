"""Networks as plain `torch.nn.Module`: no Lightning, no data, no metrics."""

from trajvq.models.fsq import FSQ
from trajvq.models.tokenizer import CausalTokenizer

__all__ = ["FSQ", "CausalTokenizer"]
