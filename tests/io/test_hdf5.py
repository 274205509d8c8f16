"""A full disk is an error that names its reason, not the end of the process."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from trajvq.io.hdf5 import HDF5Output

FILL = """
import resource, sys
from pathlib import Path
from trajvq.io.hdf5 import HDF5Output
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # bytes
try:
    with HDF5Output(Path(sys.argv[1])) as output:
        rows = output.file.create_dataset("rows", (0, 3_000), "u1", maxshape=(None, 3_000), chunks=(1, 3_000))
        for row in range(1_000):
            rows.resize(row + 1, axis=0)
            rows[-1] = row
except OSError as error:
    print(error.strerror)
"""


def test_a_file_is_whole(tmp_path: Path) -> None:
    with HDF5Output(tmp_path / "a.h5") as output:
        output.file.create_dataset("rows", data=np.arange(1000), fletcher32=True)
        output.check()
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["rows"], np.arange(1000))


def test_a_full_disk_is_an_error_and_the_process_ends_well(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path / "a.h5")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "File too large\n", "")
