"""Quantizers of every kind: codes and indices agree, gradients pass, most codes are used; and a user's own."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.conftest import Run, save_tokenizer
from trajvq.data.storage.manifest import read_manifest
from trajvq.models import FSQ, CausalTokenizer
from trajvq.models.quantizer import levels_of
from trajvq.models.quantizers import LFQ, VQ, SimVQ
from trajvq.tokens import FrozenTokenizer, load_tokenizer

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


def test_codes_and_indices_agree(quantizer: Any) -> None:
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
    indices = quantizer.eval().indices(quantizer(latents(quantizer, 99, 4096)))
    assert len(indices.unique()) > 0.8 * quantizer.codebook_size


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


@pytest.mark.parametrize(
    ("quantizer", "levels"),
    [(FSQ([4, 3], [2]), (4, 3)), (LFQ(bits=3), (2, 2, 2)), (VQ(dim=2, codebook_size=6), (6,)), (None, (6,))],
)
def test_levels_are_those_of_the_digits(quantizer: Any, levels: tuple[int, ...]) -> None:
    size = 6 if quantizer is None else quantizer.codebook_size
    assert levels_of(quantizer, size) == levels
    assert math.prod(levels) == size


def test_contradictory_levels_and_incomplete_quantizers_are_refused() -> None:
    quantizer = LFQ(bits=3)
    quantizer.levels = (2, 2)
    with pytest.raises(ValueError, match=r"levels of LFQ are \[2, 2\], which do not multiply to 8 codes"):
        levels_of(quantizer, 8)
    with pytest.raises(ValueError, match="Identity is no quantizer: it lacks dim, codebook_size, indices, codes"):
        CausalTokenizer(quantizer=torch.nn.Identity())


def test_large_codebooks_train_in_little_memory() -> None:
    quantizer = LFQ(bits=18).train()
    values = latents(quantizer).requires_grad_()
    with TensorSizes() as sizes:
        codes = quantizer(values)
        (codes.sum() + quantizer.loss).backward()
    assert sizes.largest < 2**24
    assert torch.equal(quantizer.codes(quantizer.indices(codes)), codes.detach().round())


class TensorSizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the number of elements of the largest tensor that any operation returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and record the size."""
        returned = func(*args, **(kwargs or {}))
        if isinstance(returned, torch.Tensor):
            self.largest = max(self.largest, returned.numel())
        return returned


OWN = '''
import torch

class Signs(torch.nn.Module):
    """The sign of each channel."""

    def __init__(self, dim: int = 4):
        super().__init__()
        self.dim, self.codebook_size, self.levels = dim, 2**dim, (2,) * dim

    def forward(self, latent):
        soft = latent.float().tanh()
        return torch.where(soft > 0, 1.0, -1.0) + (soft - soft.detach())

    def indices(self, codes):
        return sum((codes[:, k] > 0).long() << k for k in range(self.dim))

    def codes(self, indices):
        return torch.stack([2.0 * (indices >> k & 1) - 1 for k in range(self.dim)], dim=1)
'''


def test_a_quantizer_in_a_file_outside_is_a_class_in_the_config(
    fit: Run, here: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "signs.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(here))
    assert fit("--model.tokenizer.quantizer=signs.Signs", "--model.tokenizer.quantizer.dim=5", "--run=a") == 0
    network = load_tokenizer(here / "runs/recon/a/checkpoints/best.ckpt")
    assert network.codebook_size == 32
    save_tokenizer(network, here / "good.ckpt", 0.9)
    layout = FrozenTokenizer("good.ckpt").layout(read_manifest(dataset))
    assert (layout.codebook_size, layout.levels) == (32, (2, 2, 2, 2, 2))


@pytest.mark.parametrize(("kind", "size"), [("VQ", 1000), ("SimVQ", 1000), ("LFQ", 1024)])
def test_each_is_a_class_in_the_config(fit: Run, here: Path, kind: str, size: int) -> None:
    assert fit(f"--model.tokenizer.quantizer=trajvq.models.{kind}", "--run=a") == 0
    network = load_tokenizer(here / "runs/recon/a/checkpoints/best.ckpt")
    video = torch.rand(1, 3, 8, 32, 32)
    indices = network.encode(video)  # type: ignore[operator]
    assert torch.equal(network.decode(indices), network(video))  # type: ignore[operator]
    assert network.codebook_size == size
