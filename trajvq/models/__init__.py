"""Networks as plain `torch.nn.Module`: no Lightning, no data, no metrics."""

from trajvq.models.fsq import FSQ
from trajvq.models.quantizers import LFQ, VQ, SimVQ
from trajvq.models.tokenizer import CausalTokenizer

__all__ = ["FSQ", "LFQ", "VQ", "CausalTokenizer", "SimVQ"]
