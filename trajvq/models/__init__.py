"""Networks as plain `torch.nn.Module`: no Lightning, no data, no metrics."""

from trajvq.models.appearance import AppearanceModel
from trajvq.models.autoregressive_tokens import AutoregressiveTokens
from trajvq.models.autoregressive_trajectory import AutoregressiveTrajectory
from trajvq.models.classifier import Classifier, LinearProbe, TokenClassifier
from trajvq.models.fsq import FSQ
from trajvq.models.generator import Generator
from trajvq.models.masked_tokens import MaskedTokens
from trajvq.models.parallel_tokens import ParallelTokens
from trajvq.models.polynomial_trajectory import PolynomialTrajectory
from trajvq.models.quantizer import Quantizer
from trajvq.models.quantizers import LFQ, VQ, SimVQ
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions, Generated, TokenModel
from trajvq.models.tokenizer import CausalTokenizer
from trajvq.models.track_denoiser import TrackDenoiser
from trajvq.models.trajectory_model import TrajectoryModel
from trajvq.models.trajectory_predictor import TrajectoryPredictor
from trajvq.models.transformer import TokenLayout, TokenTransformer

__all__ = [
    "FSQ",
    "LFQ",
    "VQ",
    "AppearanceModel",
    "AutoregressiveTokens",
    "AutoregressiveTrajectory",
    "CausalTokenizer",
    "Classifier",
    "Conditions",
    "Generated",
    "Generator",
    "LinearProbe",
    "MaskedTokens",
    "ParallelTokens",
    "PolynomialTrajectory",
    "Quantizer",
    "Sampling",
    "SimVQ",
    "TokenClassifier",
    "TokenLayout",
    "TokenModel",
    "TokenTransformer",
    "TrackDenoiser",
    "TrajectoryModel",
    "TrajectoryPredictor",
]
