"""TrajectoryPredictor: blind to what comes later, alike everywhere in the picture, and as unsure as the world is."""

import torch

from tests.models.common import generators
from trajvq.models.sampling import Sampling
from trajvq.models.trajectory_predictor import TrajectoryPredictor
from trajvq.models.transformer import TokenLayout


def make(frames: int = 8) -> TrajectoryPredictor:
    torch.manual_seed(0)
    network = TrajectoryPredictor(width=32, layers=1, noisy_layers=1, noise=4)
    network.build(TokenLayout(10, (10,), (frames, 2, 2), 1), 0)
    return network


def test_frames_after_the_context_are_ignored() -> None:
    network, tracks, noise = make(), torch.randn(5, 8, 2), torch.randn(5, 3, 4)
    context = torch.tensor([4, 1, 7, 3, 4])
    other = tracks.clone()
    for row, count in enumerate(context.tolist()):
        other[row, count:] = torch.nan
    assert torch.equal(network(tracks, context, noise), network(other, context, noise))
    moved = tracks.clone()
    moved[:, 0] += 1
    assert not torch.equal(network(tracks, context, noise), network(moved, context, noise))


def test_dropout_acts_in_training_alone_and_alike_in_all_samples_of_a_context() -> None:
    torch.manual_seed(0)
    network = TrajectoryPredictor(width=32, layers=1, noisy_layers=1, noise=4, dropout=0.5)
    network.build(TokenLayout(10, (10,), (8, 2, 2), 1), 0)
    tracks, noise = torch.randn(5, 8, 2), torch.randn(5, 1, 4).expand(-1, 2, -1)
    first, second = (network(tracks, torch.full((5,), 4), noise) for _ in range(2))
    assert torch.equal(first[:, 0], first[:, 1])
    assert not torch.equal(first, second)
    network.eval()
    first, second = (network(tracks, torch.full((5,), 4), noise) for _ in range(2))
    assert torch.equal(first, second)


def test_a_rotated_and_mirrored_track_is_predicted_rotated_and_mirrored_but_for_the_picture() -> None:
    network, tracks, noise = make(), torch.randn(4, 8, 2).cumsum(dim=1), torch.randn(4, 3, 4)
    context = torch.full((4,), 6)
    with torch.no_grad():
        network.embed.weight[:, -4:] = 0  # where the picture lies
    angle = torch.tensor(0.7)
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([angle.sin(), -angle.cos()])])
    first, second = network(tracks, context, noise), network(tracks @ turn + 0.3, context, noise)
    torch.testing.assert_close(first @ turn + 0.3, second, atol=1e-4, rtol=1e-4)


def test_in_the_frame_of_the_picture_only_translated_tracks_look_alike() -> None:
    torch.manual_seed(0)
    network = TrajectoryPredictor(width=32, layers=1, noisy_layers=1, noise=4, reference_frame="picture")
    network.build(TokenLayout(10, (10,), (8, 2, 2), 1), 0)
    tracks, noise, context = torch.randn(4, 8, 2).cumsum(dim=1), torch.randn(4, 3, 4), torch.full((4,), 6)
    with torch.no_grad():
        network.embed.weight[:, -4:] = 0  # where the picture lies
    first, moved, turned = (network(t, context, noise) for t in (tracks, tracks + 0.3, tracks.flip(-1)))
    torch.testing.assert_close(first + 0.3, moved, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(first.flip(-1), turned, atol=0.1)


def test_the_frame_follows_the_symmetries_of_the_clips_unless_it_is_named() -> None:
    tracks = torch.zeros(2, 8, 2)
    for symmetric, frame in ((True, "motion"), (False, "picture")):
        network = TrajectoryPredictor()
        line = network.adapt(tracks, symmetric)
        assert network.reference_frame == frame
        assert ("turns with the motion" in line) == symmetric
    named = TrajectoryPredictor(reference_frame="motion")
    named.adapt(tracks, symmetric=False)
    assert named.reference_frame == "motion"


def test_the_prefix_stays_and_the_frames_after_it_come() -> None:
    network, prefix, label = make(), torch.randn(3, 4, 2), torch.zeros(3, dtype=torch.int64)
    for sampling in (Sampling(noise_scale=0), Sampling()):
        whole = network.sample(prefix, 8, label, sampling, generators(3))
        assert whole.shape == (3, 8, 2)
        assert torch.equal(whole[:, :4], prefix)
        assert torch.equal(network.sample(prefix, 6, label, sampling, generators(3)), whole[:, :6])
    assert torch.equal(network.sample(prefix, 4, label, Sampling(), generators(3)), prefix)
    best = network.sample(prefix, 8, label, Sampling(noise_scale=0), generators(3))
    assert torch.equal(best, network.sample(prefix, 8, label, Sampling(noise_scale=0), generators(3, seed=1)))


def test_it_learns_to_be_as_unsure_as_the_world_is() -> None:
    network = make(3)
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    context, label = torch.full((128,), 2), torch.zeros(128, dtype=torch.int64)
    for _ in range(150):
        tracks = torch.zeros(128, 3, 2)
        tracks[:, 1, 0] = 0.3
        tracks[:, 2] = torch.tensor([0.6, 0.0]) + 0.2 * torch.randn(128, 2)
        loss = network.loss(tracks, context, label)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        samples = network(tracks[:1], context[:1], torch.randn(1, 500, 4))[0, :, 2]
    assert (samples.mean(dim=0) - torch.tensor([0.6, 0.0])).norm() < 0.08
    assert 0.12 < samples.std(dim=0).mean() < 0.28
