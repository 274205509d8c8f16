"""Write HDF5 files so that a full disk is an OSError; HDF5 itself crashes the process after a failed write."""

import io
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py


class HDF5Output:
    """A context with a new HDF5 file.

    Args:
        path: The file; an existing one is overwritten.

    Attributes:
        file: Write to it.

    Raises:
        OSError: At the latest at the end of the context, if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._output = _Output(path, "w+")
        self.file = h5py.File(self._output, "w")

    def check(self) -> None:
        """Raise the error of the first write that failed, if one did.

        Raises:
            OSError: If the file cannot be written.
        """
        if self._output.error is not None:
            raise self._output.error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.file.close()
        finally:
            self._output.close()
            self.check()


class _Output(io.FileIO):
    """A file that keeps its first error, and from then on accepts and drops all data.

    After a failed write HDF5 can neither close the file nor forget it, and crashes when Python ends.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        remaining = memoryview(data).cast("B")
        size = len(remaining)
        try:
            while len(remaining) and self.error is None:
                remaining = remaining[super().write(remaining) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0
