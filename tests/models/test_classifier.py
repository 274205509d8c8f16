"""Classifiers select rare tokens, wherever they are, and take tokens or paths."""

import pytest
import torch

from trajvq.models.classifier import Classifier, LinearProbe, TokenClassifier, rarest
from trajvq.models.transformer import TokenLayout
from trajvq.tokens.protocol import spec_of

LAYOUT = TokenLayout(1000, (8, 5, 5, 5), (2, 4, 4), 4)


def test_the_rarest_tokens_of_each_frame_are_kept_with_their_positions() -> None:
    tokens = torch.full((1, 2, 4, 4), 500)
    tokens[0, 0, 1, 2], tokens[0, 0, 3, 3], tokens[0, 1, 0, 0] = 7, 8, 9
    kept, positions = rarest(tokens, 2)
    assert kept.shape == positions.shape == (1, 2, 2)
    assert sorted(zip(kept[0, 0].tolist(), positions[0, 0].tolist(), strict=True)) == [(7, 6), (8, 15)]
    assert (9, 16) in zip(kept[0, 1].tolist(), positions[0, 1].tolist(), strict=True)
    assert torch.equal(tokens.flatten(1).gather(1, positions.flatten(1)), kept.flatten(1))


def test_tokens_of_any_codebook_are_counted_and_equally_rare_ones_keep_their_order() -> None:
    code = torch.randint(40, (5, 2, 4, 4), generator=torch.Generator().manual_seed(0))
    kept, positions = rarest(code * 2**50, 6)  # a table of all codes would not fit into any memory
    for clip in range(5):
        counts = code[clip].flatten().bincount()[code[clip].flatten(1)]
        expected = [sorted(range(16), key=counts[frame].tolist().__getitem__)[:6] for frame in range(2)]
        assert positions[clip].tolist() == [expected[0], [16 + cell for cell in expected[1]]]
    assert torch.equal(kept.flatten(1), code.flatten(1).gather(1, positions.flatten(1)) * 2**50)


@pytest.mark.parametrize("keep", [None, 16, 99])
def test_keeping_all_keeps_the_grid(keep: int | None) -> None:
    tokens = torch.randint(1000, (3, 2, 4, 4))
    kept, positions = rarest(tokens, keep)
    assert torch.equal(kept.flatten(1), tokens.flatten(1))
    assert torch.equal(positions[0].flatten(), torch.arange(32))


@pytest.mark.parametrize(
    "network",
    [
        TokenClassifier(width=16, depth=1, keep=4, hidden=32),
        TokenClassifier(width=16, keep=None, hidden=32),
        TokenClassifier(width=16, keep=None, hidden=32, features=5),
        LinearProbe(),
    ],
)
@pytest.mark.parametrize("points", [False, True])
def test_tokens_or_paths_become_logits_of_any_number_of_classes(network: Classifier, points: bool) -> None:
    network.build(LAYOUT, 7, points)
    x = torch.rand(5, 8, 2) if points else torch.randint(1000, (5, 2, 4, 4))
    logits = network(x)
    assert logits.shape == (5, 7)
    assert torch.allclose(network(x[2:3]), logits[2:3], atol=1e-5)


def test_settings_describe_the_network_before_and_after_build() -> None:
    network = TokenClassifier(width=16, depth=1, dropout=0.2)
    before = spec_of(network)
    network.build(LAYOUT, 4)
    assert spec_of(network) == before
    assert set(network.settings()) == before["init_args"].keys()
    assert LinearProbe().settings() == []
