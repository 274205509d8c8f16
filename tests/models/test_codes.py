"""Codebooks of any size: digits shared among codes, probabilities that sum to one, samples that follow them, memory."""

import subprocess
import sys

import pytest
import torch

from trajvq.models import FSQ
from trajvq.models.codes import CodeHead, TokenEmbedding
from trajvq.models.sampling import Sampling
from trajvq.models.transformer import TokenLayout

LAYOUT = TokenLayout(1000, (8, 5, 5, 5), (2, 4, 4), 4)
GRID = (1, 1, 1)
FACTORIZED = TokenLayout(5000, (8, 5, 5, 5, 5), GRID)
TABLE = TokenLayout(50, (50,), GRID)

STEP_OF_FOUR_CLIPS = """
import os, resource, sys, torch
from trajvq.models import AppearanceModel, AutoregressiveTokens, AutoregressiveTrajectory, Conditions, Generator
from trajvq.models import Sampling, TokenLayout
for codebook in sys.argv[1:]:
    levels = tuple(map(int, codebook.split(",")))
    size = torch.tensor(levels).prod().item()
    network = Generator(AutoregressiveTokens(), AutoregressiveTrajectory(), AppearanceModel())  # of the shipped widths
    network.build(TokenLayout(size, levels, (4, 8, 8), 4), 4)
    optimizer = torch.optim.AdamW(network.parameters())
    tokens, label = torch.randint(size, (4, 4, 8, 8)), torch.arange(4)
    parts = network.log_likelihood(tokens, Conditions(label, torch.rand(4, 1, 16, 2) - 0.5, torch.rand(4, 1, 4)))
    (-sum(part.mean() for part in parts.values())).backward()
    optimizer.step()
    generators = [torch.Generator().manual_seed(k) for k in range(4)]
    sampled = network.eval().generate(tokens[:, :0], 4, Conditions(label), Sampling(top_p=0.9), generators).tokens
    assert 0 <= sampled.min() and sampled.max() < size and len(sampled.unique()) > 100
    assert all(parameter.grad is not None for parameter in network.parameters())
if os.path.exists("/proc/self/status"):  # Linux's ru_maxrss counts the memory of the process that started this one, too
    print(1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def head_of(layout: TokenLayout, width: int = 16) -> CodeHead:
    torch.manual_seed(0)
    head = CodeHead(layout, width)
    with torch.no_grad():
        for weight in head.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return head


def test_embeddings_use_the_digits_that_fsq_numbers() -> None:
    embedding, quantizer = TokenEmbedding(LAYOUT, 16), FSQ(LAYOUT.levels)
    tokens = torch.arange(1000)
    steps = (quantizer.codes(tokens.view(-1, 1, 1, 1))[..., 0, 0, 0] + 1) / 2
    digits = (steps * (torch.tensor(LAYOUT.levels) - 1)).round().long()
    codes = embedding.code[digits + torch.tensor([0, 8, 13, 18])].sum(dim=1)
    assert torch.allclose(embedding.codes(tokens), codes + embedding.mix(codes), atol=1e-5)


def test_large_codebooks_are_embedded_like_small_ones() -> None:
    small, large = TokenEmbedding(LAYOUT, 16), TokenEmbedding(TokenLayout(5000, (8, 5, 5, 5, 5), GRID), 16)
    with torch.no_grad():
        large.code.copy_(torch.cat([small.code, torch.zeros(5, 16)]))
    large.mix.load_state_dict(small.mix.state_dict())
    tokens = torch.arange(5000)
    assert torch.allclose(large.codes(tokens), small.codes(tokens % 1000), atol=1e-5)


def test_a_position_is_its_frame_row_and_column() -> None:
    embedding = TokenEmbedding(LAYOUT, 16)
    tokens = torch.zeros(1, 32, dtype=torch.int64)
    grid = embedding(tokens).view(2, 4, 4, 16)
    assert torch.allclose(grid[1, 2, 3] - grid[0, 2, 3], embedding.axes[0][1] - embedding.axes[0][0], atol=1e-5)
    assert torch.allclose(grid[1, 2, 3] - grid[1, 0, 3], embedding.axes[1][2] - embedding.axes[1][0], atol=1e-5)
    assert torch.allclose(grid[1, 2, 3] - grid[1, 2, 1], embedding.axes[2][3] - embedding.axes[2][1], atol=1e-5)
    positions = torch.tensor([[5, 30]])
    assert torch.allclose(embedding(tokens[:, :2], positions), embedding(tokens)[:, [5, 30]], atol=1e-6)


def test_few_tokens_are_embedded_like_many() -> None:
    embedding, tokens = TokenEmbedding(LAYOUT, 16), torch.arange(1000)
    assert torch.allclose(embedding.codes(tokens)[700:703], embedding.codes(tokens[700:703]), atol=1e-6)


@pytest.mark.parametrize("layout", [TABLE, LAYOUT, FACTORIZED])
def test_probabilities_of_all_codes_sum_to_one(layout: TokenLayout) -> None:
    head, codes = head_of(layout), torch.arange(layout.codebook_size)
    hidden = torch.randn(1, 1, 16).expand(1, len(codes), 16)
    log_probability = head.log_probability(hidden, codes[None])
    assert log_probability.shape == (1, layout.codebook_size)
    assert torch.allclose(log_probability.exp().sum(), torch.ones(()), atol=1e-4)


@pytest.mark.parametrize("layout", [TABLE, LAYOUT, FACTORIZED])
def test_samples_are_as_frequent_as_their_probability(layout: TokenLayout) -> None:
    head, count = head_of(layout), 40_000
    hidden = torch.randn(1, 16)
    uniform = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    codes = torch.arange(layout.codebook_size)
    with torch.no_grad():
        sampled = head.sample(hidden.expand(count, -1), uniform, Sampling())
        probability = head.log_probability(hidden[None].expand(1, len(codes), 16), codes[None])[0].exp()
    frequency = torch.bincount(sampled, minlength=len(codes)) / count
    error = (probability * (1 - probability) / count).sqrt()
    assert ((frequency - probability).abs() < 5 * error + 2 / count).all()


def test_groups_depend_on_the_groups_before_them() -> None:
    head, hidden = head_of(FACTORIZED), torch.randn(1, 1, 16)
    assert len(head.groups) > 1
    codes = torch.arange(5000)
    joint = head.log_probability(hidden.expand(1, 5000, 16), codes[None])[0].exp().view(5, 1000).double()
    independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    assert (joint - independent).abs().sum() > 0.05


def test_temperature_zero_takes_the_likeliest_and_guidance_follows_the_class() -> None:
    hidden, uniform = torch.randn(2, 16), torch.full((1,), 0.99, dtype=torch.float64)
    head = head_of(LAYOUT)
    greedy = head.sample(hidden[:1], uniform, Sampling(temperature=0.0))
    codes = torch.arange(LAYOUT.codebook_size)
    assert int(greedy) == int(head.log_probability(hidden[:1, None].expand(1, len(codes), 16), codes[None]).argmax())
    factorized = head_of(FACTORIZED)
    plain = factorized.sample(hidden[:1], uniform, Sampling(temperature=0.0))
    same = factorized.sample(hidden[:1].repeat(2, 1), uniform, Sampling(temperature=0.0, guidance=3.0))
    assert torch.equal(plain, same)
    guided = [factorized.sample(hidden, uniform, Sampling(temperature=0.0, guidance=g)) for g in (0.0, 3.0)]
    without = factorized.sample(hidden[1:], uniform, Sampling(temperature=0.0))
    assert torch.equal(guided[0], without)
    assert not torch.equal(guided[1], without)


def test_large_codebooks_train_and_sample_within_two_gigabytes() -> None:
    codebooks = ["16384", ",".join(["2"] * 18), ",".join(["10"] * 6)]
    command = [sys.executable, "-c", STEP_OF_FOUR_CLIPS, *codebooks]
    finished = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    assert int(finished.stdout) < 2 * 1024**3
