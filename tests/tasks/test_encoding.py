"""Splits are encoded once: their tokens and codes are those of the tokenizer."""

from pathlib import Path

import torch
from torch import Tensor

from trajvq.data.storage.clips import Clips
from trajvq.io.video import to_float
from trajvq.models import CausalTokenizer
from trajvq.tasks.encoding import SplitEncoder


class Counted(torch.nn.Module):
    """A tokenizer that counts the calls of ``quantize``."""

    def __init__(self) -> None:
        super().__init__()
        self.network = CausalTokenizer(width=16)
        self.codebook_size, self.strides = self.network.codebook_size, self.network.strides
        self.calls = 0

    def encode(self, video: Tensor) -> Tensor:
        return self.network.encode(video)

    def decode(self, indices: Tensor) -> Tensor:
        return self.network.decode(indices)

    def quantize(self, video: Tensor) -> Tensor:
        self.calls += 1
        return self.network.quantize(video)


def test_tokens_and_codes_are_those_of_the_network_and_known_codes_are_not_computed_again(dataset: Path) -> None:
    torch.manual_seed(0)
    network = Counted().eval()
    clips = Clips(dataset, "test")
    with torch.inference_mode():
        encoder = SplitEncoder(network, torch.device("cpu"), 5)
        tokens, codes = encoder.encode(clips, with_codes=True)
        batches = [to_float(batch["video"]) for batch in clips.loader(5)]
        assert codes is not None
        torch.testing.assert_close(codes, torch.cat([network.quantize(video) for video in batches]), rtol=0, atol=0)
        assert torch.equal(tokens, torch.cat([network.encode(video) for video in batches]))
        network.calls = 0
        again, same = encoder.encode(clips, with_codes=True)
        assert network.calls == 0
        assert same is not None
        assert torch.equal(again, tokens)
        assert torch.equal(same, codes)
        assert encoder.encode(clips, with_codes=False)[1] is None
