"""Paths between codes: exact ends, known norms and angles, and ends that have no direction."""

import numpy as np
import pytest

from vae_explorer.latent.paths import interpolate

T = np.linspace(0.0, 1.0, 11)


@pytest.mark.parametrize("path", ["linear", "spherical"])
@pytest.mark.parametrize("latent_dim", [1, 2, 3, 20])
def test_the_ends_are_exact(path, latent_dim):
    rng = np.random.default_rng(latent_dim)
    a, b = rng.standard_normal((2, latent_dim)).astype(np.float32)
    codes = interpolate(a, b, T, path=path)
    assert codes.shape == (11, latent_dim)
    assert codes.dtype == np.float32
    assert np.array_equal(codes[0], a)
    assert np.array_equal(codes[-1], b)


def test_linear_is_the_straight_line():
    codes = interpolate([0.0, 2.0], [4.0, -2.0], [0.25, 0.5])
    assert np.allclose(codes, [[1.0, 1.0], [2.0, 0.0]])


def test_spherical_turns_evenly_and_changes_its_norm_evenly():
    a, b = np.array([2.0, 0.0, 0.0]), np.array([0.0, 0.0, 4.0])
    codes = interpolate(a, b, T, path="spherical").astype(np.float64)
    norms = np.linalg.norm(codes, axis=1)
    assert np.allclose(norms, 2.0 + 2.0 * T, atol=1e-5)
    angles = np.arccos(np.clip(codes[:, 0] / norms, -1.0, 1.0))
    assert np.allclose(angles, T * np.pi / 2, atol=1e-3)
    assert np.allclose(codes[:, 1], 0.0, atol=1e-7)


def test_spherical_agrees_with_shoemake_on_unit_vectors():
    rng = np.random.default_rng(1)
    a, b = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 7)))
    omega = np.arccos(a @ b)
    expected = (np.sin((1 - T)[:, None] * omega) * a + np.sin(T[:, None] * omega) * b) / np.sin(omega)
    assert np.allclose(interpolate(a, b, T, path="spherical"), expected, atol=1e-6)


def test_spherical_does_not_cut_through_the_middle_in_high_dimensions():
    a, b = np.random.default_rng(2).standard_normal((2, 200))
    middle_linear = np.linalg.norm(interpolate(a, b, [0.5])[0])
    middle_spherical = np.linalg.norm(interpolate(a, b, [0.5], path="spherical")[0])
    assert middle_linear < 0.8 * np.linalg.norm(a)
    assert middle_spherical == pytest.approx((np.linalg.norm(a) + np.linalg.norm(b)) / 2, rel=1e-5)


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-12])
@pytest.mark.parametrize("latent_dim", [2, 3, 50])
def test_opposite_ends_keep_their_norm_and_turn_through_a_fixed_direction(latent_dim, noise):
    a = np.random.default_rng(3).standard_normal(latent_dim)
    b = -a * (1 + noise)
    codes = interpolate(a, b, T, path="spherical")
    assert np.allclose(np.linalg.norm(codes, axis=1), np.linalg.norm(a), rtol=1e-5)
    assert abs(codes[5] @ a) < 1e-4 * (a @ a)
    assert np.allclose(codes, interpolate(a, -a, T, path="spherical"), atol=1e-4)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1.0, 1.0], [3.0, 3.0]),
        ([2.0], [-2.0]),
    ],
)
def test_without_a_direction_spherical_is_the_straight_line(a, b):
    codes = interpolate(a, b, T, path="spherical")
    assert np.isfinite(codes).all()
    assert np.allclose(codes, interpolate(a, b, T), atol=1e-6)


def test_a_wrong_path_or_ends_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="expected linear or spherical"):
        interpolate([0.0], [1.0], T, path="bezier")
    with pytest.raises(ValueError, match="one length"):
        interpolate([0.0], [1.0, 2.0], T)
