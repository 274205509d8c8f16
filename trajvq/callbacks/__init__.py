"""What happens beside training: pictures, progress, scoreboards and the watch for collapse."""

from trajvq.callbacks.collapse import CollapseWatch
from trajvq.callbacks.media import ReconstructionStrips
from trajvq.callbacks.predictions import PredictionFile
from trajvq.callbacks.progress import ProgressLines, progress_bar
from trajvq.callbacks.scoreboard import ScoreboardFile

__all__ = ["CollapseWatch", "PredictionFile", "ProgressLines", "ReconstructionStrips", "ScoreboardFile", "progress_bar"]
