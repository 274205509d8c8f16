"""The classes that a config may name without their module, such as ``class_path: Reconstruct``.

jsonargparse finds a class by its bare name once its module is imported, so importing this module is enough. To give
another class a bare name, import it here and add it to ``__all__``.
"""

from trajvq.augment import ClipSymmetries, ObjectWindows
from trajvq.callbacks import SpotInterruption
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.losses import BalancedLoss, PlainLoss
from trajvq.models import (
    FSQ,
    LFQ,
    VQ,
    AppearanceModel,
    AutoregressiveTokens,
    AutoregressiveTrajectory,
    CausalTokenizer,
    Generator,
    LinearProbe,
    MaskedTokens,
    ParallelTokens,
    PolynomialTrajectory,
    SimVQ,
    TokenClassifier,
    TrajectoryPredictor,
)
from trajvq.optim.strategy import Sharded
from trajvq.runs.loggers import TensorBoard
from trajvq.tasks import Classify, Forecast, Reconstruct, Sample
from trajvq.tokens.datamodule import TokenDataModule

__all__ = [
    "FSQ",
    "LFQ",
    "VQ",
    "AppearanceModel",
    "AutoregressiveTokens",
    "AutoregressiveTrajectory",
    "BalancedLoss",
    "CausalTokenizer",
    "Classify",
    "ClipSymmetries",
    "Forecast",
    "Generator",
    "LinearProbe",
    "MaskedTokens",
    "ObjectWindows",
    "ParallelTokens",
    "PlainLoss",
    "PolynomialTrajectory",
    "Reconstruct",
    "Sample",
    "Sharded",
    "SimVQ",
    "SpotInterruption",
    "TensorBoard",
    "TokenClassifier",
    "TokenDataModule",
    "TrajectoryDataModule",
    "TrajectoryPredictor",
]
