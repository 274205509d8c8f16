"""The generator: exact probabilities, clips independent of each other, and parts of the user's own."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.models.common import chi_square_fits, generators
from trajvq.models import (
    AppearanceModel,
    AutoregressiveTokens,
    AutoregressiveTrajectory,
    Generator,
    MaskedTokens,
    ParallelTokens,
    PolynomialTrajectory,
    TrajectoryPredictor,
)
from trajvq.models.sampling import Sampling
from trajvq.models.token_model import Conditions, Generated
from trajvq.models.transformer import TokenLayout

TINY = TokenLayout(3, (3,), (2, 1, 2), 2)
SMALL = TokenLayout(12, (4, 3), (3, 2, 2), 2)
CLIPS = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 1, 2)  # all clips of TINY
TRACK = torch.tensor([[[0.4, 0.0], [0.5, 0.1], [0.5, 0.1], [0.6, 0.0]]])  # in the right one of two cells
APPEARANCE = torch.tensor([[[-0.8, 0.1, 0.5, -0.4]], [[0.2, 0.9, -1.0, 0.3]], [[0.0, 0.0, 1.0, -0.6]]])
DIGITS = torch.tensor([27, 9, 3, 1])
SAMPLING = Sampling()
TOKENS: dict[str, Callable[[], nn.Module]] = {
    "autoregressive": lambda: AutoregressiveTokens(width=16, depth=2, heads=2, radius=0, background_width=16),
    "parallel": lambda: ParallelTokens(width=16, radius=0, background_width=16),
    "masked": lambda: MaskedTokens(width=16, depth=2, heads=2, passes=1, by_frame=True, likelihood_passes=1),
}  # all of them say exactly how likely a clip is, the last one since a single pass tells a latent frame of two tokens
every_token_model = pytest.mark.parametrize("tokens", TOKENS)


def make(
    layout: TokenLayout, tracks: bool = False, tokens: str | nn.Module = "autoregressive", objects: int = 1
) -> Generator:
    torch.manual_seed(0)
    tokens = TOKENS[tokens]() if isinstance(tokens, str) else tokens
    trajectory = AutoregressiveTrajectory(width=16, depth=1, mixtures=3) if tracks else None
    network = Generator(tokens, trajectory, AppearanceModel(16) if tracks else None, objects)
    network.build(layout, 2)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "head" in name or "own" in name or "narrow" in name:
                weight.add_(torch.randn_like(weight) * 0.3)
    return network.eval()


def generate(
    network: Generator,
    count: int,
    label: Tensor | None = None,
    prefix: Tensor | None = None,
    frames: int | None = None,
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    tracks: Tensor | None = None,
    appearance: Tensor | None = None,
) -> Generated:
    t, h, w = network.layout.grid
    prefix = torch.zeros(count, 0, h, w, dtype=torch.int64) if prefix is None else prefix
    conditions = Conditions(label, tracks, appearance)
    return network.generate(prefix, t if frames is None else frames, conditions, sampling, generators(count, seed))


def probability(network: Generator, tokens: Tensor, conditions: Conditions) -> Tensor:
    with torch.no_grad():
        total = sum(network.token_log_likelihood(tokens, conditions).values())
    assert isinstance(total, Tensor)
    return total.exp()


@pytest.mark.parametrize("tracks", [False, True])
@every_token_model
def test_the_probabilities_of_all_clips_sum_to_one(tracks: bool, tokens: str) -> None:
    network = make(TINY, tracks, tokens)
    conditions = (TRACK.expand(81, 1, -1, -1), APPEARANCE[:1].expand(81, -1, -1)) if tracks else (None, None)
    for label in (None, torch.ones(81, dtype=torch.int64)):
        assert abs(float(probability(network, CLIPS, Conditions(label, *conditions)).sum()) - 1) < 1e-5


@every_token_model
def test_the_likelihood_after_a_context_is_conditional_on_it(tokens: str) -> None:
    network = make(TINY, True, tokens)
    conditions = Conditions(None, TRACK.expand(81, 1, -1, -1), APPEARANCE[:1].expand(81, -1, -1), context=1)
    total = probability(network, CLIPS, conditions).view(9, 9).sum(dim=1)  # of each first latent frame
    assert torch.allclose(total, torch.ones(9), atol=1e-5)


def test_clips_are_sampled_as_often_as_their_probability_says() -> None:
    network, label = make(TINY), torch.zeros(4000, dtype=torch.int64)
    tokens = generate(network, 4000, label).tokens
    expected = probability(network, CLIPS, Conditions(label[:81]))
    assert chi_square_fits((tokens.flatten(1) * DIGITS).sum(dim=1), expected)
    assert not chi_square_fits((tokens.flatten(1).flip(1) * DIGITS).sum(dim=1), expected)


@every_token_model
def test_along_a_track_too(tokens: str) -> None:
    network = make(TINY, True, tokens)
    assert network.trajectory_model is not None
    assert network.appearance is not None
    track, appearance = network.trajectory_model.snap(TRACK), network.appearance.snap(APPEARANCE[:1])
    conditions = Conditions(torch.full((4000,), 2), track.expand(4000, 1, -1, -1), appearance.expand(4000, -1, -1))
    prefix = torch.zeros(4000, 0, 1, 2, dtype=torch.int64)
    sampled = network.token_model.generate(prefix, 2, conditions, SAMPLING, generators(4000))
    expected = probability(
        network, CLIPS, Conditions(None, TRACK.expand(81, 1, -1, -1), APPEARANCE[:1].expand(81, -1, -1))
    )
    assert chi_square_fits((sampled.flatten(1) * DIGITS).sum(dim=1), expected)


def test_a_prefix_stays_and_what_follows_is_conditional_on_it() -> None:
    network = make(TINY)
    prefix = torch.tensor([[[[2, 1]]]]).expand(4000, -1, -1, -1)
    tokens = generate(network, 4000, prefix=prefix).tokens
    assert torch.equal(tokens[:, :1], prefix)
    same = (CLIPS[:, 0] == prefix[0, 0]).all(dim=-1)[:, 0]
    joint = probability(network, CLIPS[same], Conditions())
    assert chi_square_fits((tokens[:, 1].flatten(1) * DIGITS[2:]).sum(dim=1), joint / joint.sum())


def test_short_clips_are_sampled_as_the_beginnings_of_whole_ones() -> None:
    network = make(TINY)
    tokens = generate(network, 4000, frames=1).tokens
    expected = probability(network, CLIPS, Conditions()).view(9, 9).sum(dim=1)
    assert tokens.shape == (4000, 1, 1, 2)
    assert chi_square_fits((tokens.flatten(1) * DIGITS[2:]).sum(dim=1), expected)


@every_token_model
def test_no_frame_depends_on_later_ones(tokens: str) -> None:
    network = make(SMALL, True, tokens)
    clips, tracks = torch.randint(12, (3, 3, 2, 2)), torch.rand(3, 1, 6, 2) * 2 - 1
    later, others = clips.clone(), tracks.clone()
    later[:, 2], others[:, :, 4:] = (clips[:, 2] + 1) % 12, torch.rand(3, 1, 2, 2) * 2 - 1
    with torch.no_grad():
        before, after = (
            sum(network.token_log_likelihood(c, Conditions(None, t, APPEARANCE)).values())
            - sum(network.token_log_likelihood(c, Conditions(None, t, APPEARANCE, context=2)).values())
            for c, t in ((clips, tracks), (later, others))
        )  # of the first two latent frames
    assert isinstance(before, Tensor)
    assert torch.allclose(before, torch.as_tensor(after), atol=1e-4)
    first, second = (
        generate(network, 3, prefix=c[:, :2], tracks=t[:, :, :4], appearance=APPEARANCE)
        for c, t in ((clips, tracks), (later, others))
    )
    assert torch.equal(first.tokens, second.tokens)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@every_token_model
def test_a_clip_does_not_depend_on_those_sampled_beside_it(guidance: float, tokens: str) -> None:
    network, label = make(SMALL, True, tokens), torch.tensor([0, 1, -1, 0, 1])
    sampling = Sampling(temperature=0.8, top_p=0.9, noise_scale=0.5, guidance=guidance)
    together = generate(network, 5, label, sampling=sampling)
    prefix = torch.zeros(1, 0, 2, 2, dtype=torch.int64)
    for k in range(5):
        alone = network.generate(prefix, 3, Conditions(label[k : k + 1]), sampling, generators(5)[k : k + 1])
        assert torch.equal(alone.tokens[0], together.tokens[k])
    assert torch.equal(generate(network, 5, label, sampling=sampling).tokens, together.tokens)
    assert not torch.equal(generate(network, 5, label, sampling=sampling, seed=1).tokens, together.tokens)


@every_token_model
def test_without_temperature_and_noise_sampling_is_deterministic(tokens: str) -> None:
    network, greedy = make(SMALL, True, tokens), Sampling(temperature=0, noise_scale=0)
    first, second = (generate(network, 3, sampling=greedy, seed=seed) for seed in (0, 1))
    assert torch.equal(first.tokens, second.tokens)
    assert first.appearance is not None
    assert second.appearance is not None
    assert torch.equal(first.appearance, second.appearance)


@pytest.mark.parametrize("kind", [AutoregressiveTokens, MaskedTokens, ParallelTokens])
def test_dropout_acts_in_training_alone(kind: Callable[..., nn.Module]) -> None:
    conditions = Conditions(None, torch.rand(3, 1, 6, 2) * 2 - 1, APPEARANCE)
    networks = [make(SMALL, True, kind(width=16, dropout=dropout)) for dropout in (0.5, 0.0)]
    tokens, likelihoods = torch.randint(12, (3, 3, 2, 2)), {}
    for training in (False, True):
        for network in networks:
            torch.manual_seed(0)  # the same random masks and frames
            with torch.no_grad():
                parts = network.train(training).token_log_likelihood(tokens, conditions)
            likelihoods[training, network is networks[0]] = torch.stack(list(parts.values()))
    assert torch.equal(likelihoods[False, True], likelihoods[False, False])
    assert bool((likelihoods[True, True] != likelihoods[True, False]).all())


def test_tokens_depend_on_the_appearance() -> None:
    network = make(SMALL, tracks=True)
    tokens, tracks = torch.randint(12, (3, 3, 2, 2)), torch.rand(3, 1, 6, 2) * 2 - 1
    with torch.no_grad():
        first, second = (
            network.log_likelihood(tokens, Conditions(None, tracks, a)) for a in (APPEARANCE, APPEARANCE.flip(0))
        )
    assert not torch.allclose(first["object"], second["object"])
    assert not torch.allclose(first["background"], second["background"])
    assert torch.equal(first["trajectory"], second["trajectory"])
    prefix, positions = tokens[:1, :1].expand(200, -1, -1, -1), tracks[:1, :, :2].expand(200, -1, -1, -1)
    red, blue = (
        generate(network, 200, prefix=prefix, tracks=positions, appearance=a.expand(200, -1, -1)).tokens
        for a in (APPEARANCE[:1], APPEARANCE[1:2])
    )
    assert not torch.equal(red, blue)


@every_token_model
def test_longer_clips_than_in_training_continue_from_the_last_frames(tokens: str) -> None:
    network = make(SMALL, True, tokens)
    longer, whole = generate(network, 4, frames=5), generate(network, 4)
    assert longer.tokens.shape == (4, 5, 2, 2)
    assert longer.tracks is not None
    assert whole.tracks is not None
    assert longer.tracks.shape == (4, 1, 10, 2)
    assert torch.equal(longer.tokens[:, :3], whole.tokens)
    assert torch.equal(longer.tracks[:, :, :6], whole.tracks)
    assert longer.appearance is not None
    assert whole.appearance is not None
    assert torch.equal(longer.appearance, whole.appearance)
    with pytest.raises(ValueError, match="0 latent frames"):
        generate(network, 4, frames=0)


def test_some_background_tokens_estimate_all_of_them_without_bias() -> None:
    tokens = AutoregressiveTokens(width=16, depth=1, heads=2, radius=0, background_width=16, background_tokens=3)
    network = make(SMALL, True, tokens)
    clips, tracks = torch.randint(12, (400, 3, 2, 2)), torch.rand(400, 1, 6, 2) * 2 - 1
    conditions = Conditions(None, tracks, APPEARANCE[:1].expand(400, -1, -1))
    with torch.no_grad():
        exact = network.token_log_likelihood(clips, conditions)["background"]
        estimate = network.train().token_log_likelihood(clips, conditions)["background"]
    assert not torch.equal(exact, estimate)
    assert abs(float((exact - estimate).mean())) < 4 * float((exact - estimate).std()) / 20


def test_missing_conditions_are_refused() -> None:
    network = make(SMALL, tracks=True)
    tokens = torch.zeros(2, *SMALL.grid, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"conditioned on tracks: set data\.tracks"):
        network.log_likelihood(tokens, Conditions())
    with pytest.raises(ValueError, match="conditioned on tracks"):
        generate(network, 2, prefix=tokens[:, :1])
    with pytest.raises(ValueError, match="conditioned on appearance"):
        network.token_log_likelihood(tokens, Conditions(tracks=torch.zeros(2, 1, 6, 2)))


@pytest.mark.parametrize("trajectory", [AutoregressiveTrajectory, PolynomialTrajectory, TrajectoryPredictor])
@every_token_model
def test_every_pair_of_parts_learns_and_continues_clips(trajectory: type[nn.Module], tokens: str) -> None:
    torch.manual_seed(0)
    layout = TokenLayout(1000, (8, 5, 5, 5), (3, 4, 4), 4)
    network = Generator(TOKENS[tokens](), trajectory(width=16))
    network.build(layout, 0)
    clips, tracks = torch.randint(1000, (5, 3, 4, 4)), 0.3 * torch.randn(5, 12, 2)
    tracks[0, 3] = torch.nan
    parts = network.token_log_likelihood(clips, Conditions(tracks=tracks[:, None], context=1))
    loss = network.trajectory_loss(tracks, torch.tensor([4, 4, 8, 8, 4])) - sum(p.mean() for p in parts.values())
    loss.backward()  # type: ignore[no-untyped-call]
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]
    network.eval()
    for sampling in (Sampling(temperature=0, noise_scale=0), Sampling()):
        conditions = {"prefix": clips[:, :1], "frames": 5, "tracks": tracks[:, None, :4].nan_to_num()}
        extended = generate(network, 5, sampling=sampling, **conditions)  # type: ignore[arg-type]
        assert extended.tokens.shape == (5, 5, 4, 4)
        assert torch.equal(extended.tokens[:, :1], clips[:, :1])
        assert extended.tracks is not None
        assert extended.tracks.shape == (5, 1, 20, 2)


def two_objects() -> tuple[Tensor, Tensor]:
    """Return tracks ``(3, 2, 6, 2)`` and appearances of three clips, of which the last has one object."""
    tracks, appearance = torch.rand(3, 2, 6, 2) * 2 - 1, torch.rand(3, 2, 4) * 2 - 1
    tracks[2, 1], appearance[2, 1] = torch.nan, torch.nan
    return tracks, appearance


@every_token_model
def test_the_likelihood_of_several_objects_is_that_of_each_and_of_their_number(tokens: str) -> None:
    network, (tracks, appearance) = make(SMALL, True, tokens, objects=2), two_objects()
    assert network.number is not None
    with torch.no_grad():
        network.number[2] = torch.tensor([0.25, 0.75]).log()
        whole = network.trajectory_log_likelihood(tracks, None)
        each = torch.stack([network.trajectory_log_likelihood(tracks[:, k : k + 1], None) for k in range(2)])
        each -= torch.tensor(0.25).log()  # each of them as if it were the only one
    assert torch.allclose(whole[:2], each[:, :2].sum(dim=0) + torch.tensor(0.75).log(), atol=1e-4)
    assert torch.allclose(whole[2], each[0, 2] + torch.tensor(0.25).log(), atol=1e-4)
    parts = network.log_likelihood(torch.randint(12, (3, 3, 2, 2)), Conditions(None, tracks, appearance))
    assert all(part.isfinite().all() for part in parts.values())


@every_token_model
def test_tokens_know_every_object_and_not_their_order(tokens: str) -> None:
    network, (tracks, appearance) = make(SMALL, True, tokens, objects=2), two_objects()
    clips = torch.randint(12, (3, 3, 2, 2))
    swap = torch.cat([tracks[:2].flip(1), tracks[2:]]), torch.cat([appearance[:2].flip(1), appearance[2:]])
    whole, swapped, single = (
        probability(network, clips, Conditions(None, *objects)).double().log()
        for objects in ((tracks, appearance), swap, (tracks[:, :1], appearance[:, :1]))
    )
    assert torch.allclose(whole, swapped, atol=1e-4)
    assert abs(float(whole[2] - single[2])) < 1e-4
    assert float((whole - single)[:2].abs().min()) > 1e-2


@every_token_model
def test_as_many_objects_are_sampled_as_clips_have(tokens: str) -> None:
    network = make(SMALL, True, tokens, objects=2)
    assert network.number is not None
    with torch.no_grad():
        network.number[0] = torch.tensor([0.25, 0.75]).log()
    sampled = generate(network, 1000, torch.zeros(1000, dtype=torch.int64), frames=1)
    assert sampled.tracks is not None
    exists = sampled.tracks.isfinite().all(dim=-1).all(dim=-1)
    assert exists[:, 0].all()
    assert abs(float(exists[:, 1].float().mean()) - 0.75) < 0.05
    assert not torch.equal(sampled.tracks[exists[:, 1], 0], sampled.tracks[exists[:, 1], 1])
    tracks, appearance = two_objects()
    clips = generate(
        network, 3, prefix=torch.randint(12, (3, 1, 2, 2)), frames=4, tracks=tracks[:, :, :2], appearance=appearance
    )
    assert clips.tracks is not None
    assert torch.equal(clips.tracks.isfinite().all(dim=-1).all(dim=-1), tracks[:, :, 0, 0].isfinite())


class Uniform(nn.Module):
    """A token model of the user's own: every code alike."""

    def build(self, layout: TokenLayout, classes: int, *, tracks: bool = False, appearance: bool = False) -> None:
        self.layout, self.bias = layout, nn.Parameter(torch.zeros(layout.codebook_size))

    def log_likelihood(self, tokens: Tensor, conditions: Conditions) -> dict[str, Tensor]:
        return {"tokens": self.bias.log_softmax(dim=0)[tokens].flatten(1).sum(dim=1)}

    def generate(
        self, prefix: Tensor, frames: int, conditions: Conditions, sampling: Sampling, generators: list[torch.Generator]
    ) -> Tensor:
        shape = (frames - prefix.shape[1], *prefix.shape[2:])
        codes = [torch.randint(self.layout.codebook_size, shape, generator=g) for g in generators]
        return torch.cat([prefix, torch.stack(codes)], dim=1)


def test_a_token_model_of_the_users_own_is_composed_with_a_trajectory() -> None:
    network = make(SMALL, True, Uniform())
    sampled = generate(network, 3)
    assert sampled.tokens.shape == (3, 3, 2, 2)
    assert sampled.tracks is not None
    parts = network.log_likelihood(sampled.tokens, Conditions(None, sampled.tracks, APPEARANCE))
    assert parts.keys() == {"trajectory", "appearance", "tokens"}


def test_a_part_that_lacks_a_method_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Linear is not a TokenModel: it lacks build, log_likelihood, generate"):
        Generator(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="Linear is not a TrajectoryModel: it lacks has_density"):
        Generator(None, nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"network\.appearance needs network\.trajectory"):
        Generator(appearance=AppearanceModel())
