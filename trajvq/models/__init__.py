"""Networks as plain `torch.nn.Module`: no Lightning, no data, no metrics."""

from trajvq.models.classifier import Classifier, LinearProbe, TokenClassifier
from trajvq.models.forecaster import Forecaster
from trajvq.models.fsq import FSQ
from trajvq.models.generator import Generator
from trajvq.models.quantizers import LFQ, VQ, SimVQ
from trajvq.models.sampling import Sampling
from trajvq.models.tokenizer import CausalTokenizer
from trajvq.models.transformer import TokenLayout, TokenTransformer

__all__ = [
    "FSQ",
    "LFQ",
    "VQ",
    "CausalTokenizer",
    "Classifier",
    "Forecaster",
    "Generator",
    "LinearProbe",
    "Sampling",
    "SimVQ",
    "TokenClassifier",
    "TokenLayout",
    "TokenTransformer",
]
