"""Quantizers of every kind: codes come back from their numbers, gradients pass, codes are used and revived."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Run
from trajvq.models import FSQ
from trajvq.models.quantizers import LFQ, VQ, SimVQ
from trajvq.tokens import load_tokenizer

KINDS: dict[str, Callable[[], Any]] = {
    "FSQ": lambda: FSQ([4, 4, 4]),
    "VQ": lambda: VQ(dim=4, codebook_size=64),
    "SimVQ": lambda: SimVQ(dim=4, codebook_size=64),
    "LFQ": lambda: LFQ(bits=6),
}


def latents(quantizer: Any, seed: int = 0, count: int = 512) -> torch.Tensor:
    channels = quantizer.dim
    return torch.randn(2, channels, 1, 1, count, generator=torch.Generator().manual_seed(seed))


def used(quantizer: Any, values: torch.Tensor) -> int:
    return len(torch.unique(quantizer.indices(quantizer(values))))


@pytest.fixture(params=sorted(KINDS))
def quantizer(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return KINDS[request.param]()


def test_codes_and_numbers_are_two_ways_to_say_the_same(quantizer: Any) -> None:
    quantizer.train()(latents(quantizer))
    quantizer.eval()
    everything = torch.arange(quantizer.codebook_size).view(1, 1, 1, -1)
    assert torch.equal(quantizer.indices(quantizer.codes(everything)), everything)
    codes = quantizer(latents(quantizer, seed=1))
    indices = quantizer.indices(codes)
    assert indices.dtype == torch.int64
    assert 0 <= int(indices.min()) <= int(indices.max()) < quantizer.codebook_size
    assert torch.equal(quantizer.codes(indices), codes)


def test_training_and_evaluation_give_the_same_codes(quantizer: Any) -> None:
    frozen = quantizer.eval()(latents(quantizer))
    torch.testing.assert_close(quantizer.train()(latents(quantizer)), frozen, rtol=1e-4, atol=1e-5)


def test_the_gradient_reaches_the_latents(quantizer: Any) -> None:
    values = latents(quantizer).requires_grad_()
    (quantizer.train()(values) * torch.linspace(1, 2, 512)).sum().backward()
    assert values.grad is not None
    assert (values.grad != 0).float().mean() > 0.9


def test_most_codes_are_used_after_some_steps(quantizer: Any) -> None:
    quantizer.train()
    optimizer = torch.optim.Adam([*quantizer.parameters(), torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    for seed in range(60):
        quantizer(latents(quantizer, seed))
        loss = getattr(quantizer, "loss", None)
        if loss is not None and loss.requires_grad:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    found = quantizer.eval().indices(quantizer(latents(quantizer, 99, 4096)))
    assert len(found.unique()) > 0.8 * quantizer.codebook_size


def test_dead_codes_are_revived() -> None:
    torch.manual_seed(0)
    quantizer = VQ(dim=2, codebook_size=32, decay=0.8)
    far = latents(quantizer) / 2 + 5  # nearest to one code alone
    assert used(quantizer.eval(), far) < 8
    for _ in range(30):
        quantizer.train()(far)
    assert used(quantizer.eval(), far) > 16


@pytest.mark.parametrize("make", [lambda: VQ(0, 5), lambda: SimVQ(4, 1), lambda: LFQ(0)])
def test_useless_sizes_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="give at least"):
        make()


@pytest.mark.parametrize(("kind", "size"), [("VQ", 1000), ("SimVQ", 1000), ("LFQ", 1024)])
def test_each_is_a_class_in_the_config(fit: Run, here: Path, kind: str, size: int) -> None:
    assert fit(f"--model.tokenizer.quantizer=trajvq.models.{kind}", "--run=a") == 0
    network = load_tokenizer(here / "runs/recon/a/checkpoints/best.ckpt")
    video = torch.rand(1, 3, 8, 32, 32)
    indices = network.encode(video)  # type: ignore[operator]
    assert torch.equal(network.decode(indices), network(video))  # type: ignore[operator]
    assert network.codebook_size == size
