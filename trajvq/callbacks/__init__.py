"""Callbacks: checkpoints, remote copies, stops, pictures, predictions, scoreboards and the watch for collapse."""

from trajvq.callbacks.collapse import CollapseWatch
from trajvq.callbacks.confusion import ConfusionPicture
from trajvq.callbacks.forecast import ForecastPictures
from trajvq.callbacks.last import LastCheckpoint
from trajvq.callbacks.media import ReconstructionStrips
from trajvq.callbacks.mirror import RemoteMirror
from trajvq.callbacks.panels import WandbPanels
from trajvq.callbacks.predictions import PredictionFile
from trajvq.callbacks.progress import ProgressLines, progress_bar
from trajvq.callbacks.provenance import ProvenanceNote
from trajvq.callbacks.samples import SamplePictures
from trajvq.callbacks.scoreboard import ScoreboardFile
from trajvq.callbacks.seeds import StepSeeds
from trajvq.callbacks.spot import SpotInterruption
from trajvq.callbacks.table import PredictionTable

__all__ = [
    "CollapseWatch",
    "ConfusionPicture",
    "ForecastPictures",
    "LastCheckpoint",
    "PredictionFile",
    "PredictionTable",
    "ProgressLines",
    "ProvenanceNote",
    "ReconstructionStrips",
    "RemoteMirror",
    "SamplePictures",
    "ScoreboardFile",
    "SpotInterruption",
    "StepSeeds",
    "WandbPanels",
    "progress_bar",
]
