"""Retry work with a remote store after errors that may pass."""

import errno
import random
import time
from collections.abc import Callable
from typing import TypeVar

from trajvq.errors import UserError
from trajvq.io.urls import reason

T = TypeVar("T")
ATTEMPTS = 6
FIRST, LONGEST = 0.5, 8.0  # seconds between attempts: the first wait, which doubles each time, and its limit
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError)
PERMANENT_NAMES = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ParamValidationError")
DAMAGE_NAMES = ("FlexibleChecksumError",)  # botocore: the data do not match the store's own checksum
# Not the generator that a training run seeds: a retry must not change its random numbers.
_JITTER = random.SystemRandom()


class RemoteError(UserError):
    """A remote file cannot be read or written."""


class CorruptError(RemoteError):
    """The content of a store is not what was written there."""


def is_permanent(error: Exception) -> bool:
    """Return whether a retry would be useless."""
    full = isinstance(error, OSError) and error.errno in FULL
    return full or isinstance(error, PERMANENT) or type(error).__name__ in PERMANENT_NAMES


def attempt(action: str, work: Callable[[], T]) -> T:
    """Do some work with a store. Retry after transient errors, with random waits that grow exponentially.

    Args:
        action: What the work does, such as ``read s3://bucket/x``, for the error message.
        work: The work.

    Raises:
        RemoteError: After the last attempt, or at once if a retry would be useless.
    """
    for number in range(ATTEMPTS):
        try:
            return work()
        except UserError:
            raise
        except Exception as error:  # fsspec's stores raise what their libraries raise
            if is_permanent(error):
                raise RemoteError(f"cannot {action}: {reason(error)}") from None
            if number == ATTEMPTS - 1:
                kind = CorruptError if type(error).__name__ in DAMAGE_NAMES else RemoteError
                raise kind(f"cannot {action}, after {ATTEMPTS} attempts: {reason(error)}") from None
        time.sleep(min(LONGEST, FIRST * 2**number) * _JITTER.uniform(0.5, 1))
    raise AssertionError("unreachable")
