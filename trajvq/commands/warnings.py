"""The warnings that the training commands silence, each with its reason.

Two places silence more: `trajvq.tasks.base`, around ``save_hyperparameters``, which warns about modules among the
arguments although they are replaced by plain values right after it; and the tests, which ignore deprecations inside
libraries (``pyproject.toml``).
"""

import warnings

# The beginning of a message, as a regular expression, and why a user need not read it.
SILENCED = {
    "LightningCLI's args parameter": "`main` passes its arguments itself, so that tests can call it like a shell",
    ".*isinstance\\(treespec, LeafSpec\\)": "Lightning uses a deprecated function of torch",
    ".*callbacks used to create the checkpoint": "a test of a checkpoint has other callbacks than its training",
    "You're using the WeightAveraging callback": "the average is not used where weights are sharded",
    "The dirpath has changed": "a run folder may be moved; LastCheckpoint updates the paths",
    ".*does not have many workers": "reading clips takes less time than a training step",
    "The number of training batches": "short runs log fewer rows than Lightning expects",
    "It is recommended to use .*sync_dist": "metrics gather from all processes themselves",
    "Checkpoint directory .* exists and is not empty": "an unfinished run continues in its own folder",
}
MID_EPOCH = "You're resuming from a checkpoint that ended before the epoch ended"


def silence_warnings() -> None:
    """Silence the warnings in `SILENCED`."""
    for message in SILENCED:
        warnings.filterwarnings("ignore", message)


def silence_mid_epoch_warning() -> None:
    """Silence Lightning's warning that data may repeat after a resume, for data whose order depends on the step alone.

    `trajvq.data.order` makes such an order. The warning stays for data modules of the user's own.
    """
    warnings.filterwarnings("ignore", MID_EPOCH)
