"""Figures are the same from one process and from two with uneven shares of the clips."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from trajvq.data.synthetic.scene import make_clips
from trajvq.io.video import to_float
from trajvq.metrics.reconstruction.h264 import H264, is_available
from trajvq.metrics.reconstruction.ideal import TokenCounts
from trajvq.metrics.reconstruction.scoreboard import ReconstructionScoreboard

CLIPS, FIRST = 9, 6


def share(start: int, stop: int) -> dict[str, Tensor]:
    clips = make_clips(6, "test", 0, CLIPS, 8, 32)
    batch = {n: torch.from_numpy(v[start:stop]) for n, v in clips.items() if v.dtype.kind != "S"}
    return batch | {"video": to_float(batch["video"])}


def answer(batch: dict[str, Tensor]) -> Tensor:
    return (batch["video"] + batch["video"].roll(1, dims=-1)) / 2


def board_of(batch: dict[str, Tensor]) -> ReconstructionScoreboard:
    counts = TokenCounts(torch.arange(160).view(5, 2, 4, 4) % 50, 50)
    encoder = H264(40.0, 180.0, 1) if is_available() else None
    board = ReconstructionScoreboard(codebook_size=50, strides=(4, 8, 8), h264=encoder, train_counts=counts)
    tokens = (batch["index"][:, None, None, None] * 7 + torch.arange(2 * 4 * 4).view(2, 4, 4)) % 50
    board.update(batch, answer(batch), tokens)
    return board


def work(rank: int, port: int, out: str) -> None:
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    start, stop = ((0, FIRST), (FIRST, CLIPS))[rank]
    board = board_of(share(start, stop) | {"index": torch.arange(start, stop)}).compute()
    if rank == 0:
        torch.save(board, out)
    dist.destroy_process_group()


def flat(board: Any, name: str = "") -> dict[str, float]:
    if isinstance(board, dict):
        return {k: v for key, value in board.items() for k, v in flat(value, f"{name}/{key}").items()}
    if isinstance(board, Tensor):
        return {f"{name}/{k}": float(value) for k, value in enumerate(board.flatten())}
    return {} if isinstance(board, str | list) else {name: float(board)}


def test_two_processes_give_the_figures_of_one(tmp_path: Path) -> None:
    alone = flat(board_of(share(0, CLIPS) | {"index": torch.arange(CLIPS)}).compute())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, args=(port, str(tmp_path / "board.pt")), nprocs=2)  # type: ignore[attr-defined, no-untyped-call]
    together = flat(torch.load(tmp_path / "board.pt", weights_only=True))
    assert alone.keys() == together.keys()
    expected = {"/rows/model/visible/low", "/per_clip/centroid_error/0", "/counts/object/0", "/still_clips"}
    expected |= {f"/rows/model/{name}" for name in ("bits_ideal", "moving_psnr/value")}
    expected |= {f"/rows/h264/{name}" for name in ("bits", "bits_beyond_still", "skill")} if is_available() else set()
    assert expected <= alone.keys()
    for name, value in alone.items():
        if name.endswith(("/low", "/high")):
            np.testing.assert_allclose(together[name], value, rtol=0.05, err_msg=name)  # clips come in another order
        else:
            np.testing.assert_allclose(together[name], value, rtol=1e-6, err_msg=name)
