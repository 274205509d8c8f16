"""Clips told as departures from the usual clip: where and with which code, in order. Nothing is lost.

Most tokens of a clip are background, the same code in the same place in nearly all clips. What a clip says of its
own are the others, about a tenth of them.

B clips, N tokens of a clip in the order of the grid, L departures of the clip that has most.
"""

from typing import NamedTuple

import torch
from torch import Tensor

UNKNOWN = -1  # a usual code that no token is: its place departs in every clip


class Departures(NamedTuple):
    """The departures of B clips, each in the order of the grid.

    Attributes:
        place: int64 ``(B, L)``, rising; N after the last.
        code: int64 ``(B, L)``; 0 after the last.
    """

    place: Tensor
    code: Tensor


def departures(tokens_BN: Tensor, usual_N: Tensor) -> Departures:
    """Return where int64 tokens differ from the usual ones, and what they are there."""
    differs = tokens_BN != usual_N
    longest = int(differs.sum(dim=1).amax()) if len(tokens_BN) else 0
    place = (~differs).to(torch.uint8).sort(dim=1, stable=True).indices[:, :longest]
    there = differs.gather(1, place)
    count = tokens_BN.shape[1]
    return Departures(place.masked_fill(~there, count), tokens_BN.gather(1, place).masked_fill(~there, 0))


def retold(told: Departures, usual_N: Tensor) -> Tensor:
    """Return the tokens ``(B, N)`` that departures tell of."""
    spare = torch.cat([usual_N, usual_N[:1]]).repeat(len(told.place), 1)  # the last takes what comes after the end
    return spare.scatter(1, told.place, told.code)[:, :-1]


def usual_tokens(tokens: Tensor) -> Tensor:
    """Return the commonest token of every place ``(t, h, w)`` of clips ``(M, t, h, w)``; of equals the least."""
    usual: Tensor = tokens.long().mode(dim=0).values
    return usual


def reach(usual_N: Tensor) -> Tensor:
    """Return int64 ``(N + 1,)``: from each place on, the first that must depart; N, the end, where none must."""
    count = len(usual_N)
    places = torch.arange(count + 1, device=usual_N.device)
    must = torch.cat([usual_N == UNKNOWN, usual_N.new_ones(1, dtype=torch.bool)])
    return places.where(must, count).flip(0).cummin(dim=0).values.flip(0)
