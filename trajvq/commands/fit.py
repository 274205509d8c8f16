"""``fit``, ``validate``, ``test`` and ``predict``: run one training command."""

import errno
import sys
from collections.abc import Sequence

import torch
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException

from trajvq.commands.arguments import resolved
from trajvq.commands.cluster import forget_leftover_ranks
from trajvq.commands.lightning_cli import TrajvqCLI
from trajvq.commands.messages import first_problem
from trajvq.commands.warnings import silence_warnings
from trajvq.errors import UserError
from trajvq.io.urls import refuse_credentials
from trajvq.runs.wandb_runs import finish_wandb


def main(arguments: Sequence[str]) -> int:
    """Run ``fit``, ``validate``, ``test`` or ``predict`` and return the exit code.

    Args:
        arguments: The command and its options.

    Raises:
        UserError: If the user made a mistake or the disk is full.
    """
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.deterministic = True  # or a run that is continued ends with other weights
    torch.set_flush_denormal(True)  # numbers close to 0 slow a CPU down tenfold
    silence_warnings()
    forget_leftover_ranks()
    for argument in arguments:
        refuse_credentials(argument)
    try:
        TrajvqCLI(resolved(arguments), arguments)
    except (ArgumentError, MisconfigurationException) as error:
        raise UserError(first_problem(error)) from None
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None  # Lightning makes this exit code 1 of it
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"cannot write {error.filename or 'the run folder'}: {error.strerror}; free some space and repeat the "
            "command, which continues from the last checkpoint"
        ) from None
    finally:
        if "wandb" in sys.modules:
            finish_wandb()  # otherwise the next run in this process would log to this one
    return 0
