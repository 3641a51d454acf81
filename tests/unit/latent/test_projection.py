"""The map's plane: what is clicked is what is decoded, and the map does not flip between snapshots."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from vae_explorer.latent.projection import axis_basis, line_basis, pca_basis


def cloud(latent_dim, *, n=400, seed=0):
    """Codes whose variance falls from dimension to dimension, turned at random, with a mean that is not zero."""
    rng = np.random.default_rng(seed)
    turn = ortho_group.rvs(latent_dim, random_state=seed) if latent_dim > 1 else np.eye(1)
    return rng.standard_normal((n, latent_dim)) * (0.6 ** np.arange(latent_dim)) @ turn.T + rng.standard_normal(
        latent_dim
    )


def turned(basis, angle, *, is_mirrored):
    """The same plane, its two directions turned and perhaps mirrored."""
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * basis.u + sin * basis.v, -sin * basis.u + cos * basis.v
    return type(basis)(center=basis.center, u=u, v=-v if is_mirrored else v, through=basis.through, kind="pca")


def some_bases(latent_dim):
    codes = cloud(latent_dim)
    if latent_dim == 1:
        return [line_basis()]
    return [axis_basis(0, latent_dim - 1, codes[5]), axis_basis(1, 0, codes[6]), pca_basis(codes, codes[7])]


@pytest.mark.parametrize("latent_dim", [1, 2, 3, 17, 256])
def test_project_undoes_lift(latent_dim):
    xy = np.random.default_rng(1).standard_normal((20, 2)) * 3
    for basis in some_bases(latent_dim):
        codes = basis.lift(xy)
        assert codes.shape == (20, latent_dim)
        expected = xy * [1, 0] if latent_dim == 1 else xy
        assert np.allclose(basis.project(codes), expected, atol=1e-5)


@pytest.mark.parametrize("latent_dim", [2, 3, 17, 256])
def test_lift_of_the_selected_code_is_that_code(latent_dim):
    for basis in some_bases(latent_dim):
        lifted = basis.lift(basis.project(basis.through))[0]
        assert np.array_equal(lifted, basis.through.astype(np.float32))


def test_in_two_dimensions_every_code_is_in_the_plane():
    codes = cloud(2)
    for basis in some_bases(2):
        assert np.allclose(basis.lift(basis.project(codes)), codes, atol=1e-6)


def test_on_a_line_lift_ignores_y():
    basis = line_basis()
    assert basis.latent_dim == 1
    assert basis.lift([[0.5, -90.0], [0.5, 3.0]]).tolist() == [[0.5], [0.5]]
    assert basis.project([[2.0], [3.0]]).tolist() == [[2.0, 0.0], [3.0, 0.0]]


def test_axis_coordinates_are_the_codes_own_numbers():
    codes = cloud(4)
    assert np.allclose(axis_basis(3, 1, codes[0]).project(codes), codes[:, [3, 1]])


@pytest.mark.parametrize(("i", "j"), [(1, 1), (0, 4), (-1, 0)])
def test_axes_that_do_not_exist_are_refused(i, j):
    with pytest.raises(ValueError, match="two different ones from 0 to 3"):
        axis_basis(i, j, np.zeros(4))


def test_selecting_another_code_moves_no_point_and_moves_the_clicks():
    codes = cloud(6)
    basis = pca_basis(codes, codes[0])
    moved = basis.with_through(codes[1])
    assert np.array_equal(basis.project(codes), moved.project(codes))
    assert np.allclose(moved.lift(moved.project(codes[1])), codes[1], atol=1e-6)
    assert not np.allclose(basis.lift(basis.project(codes[1])), codes[1], atol=1e-3)


@pytest.mark.parametrize("latent_dim", [2, 5, 40])
def test_pca_directions_are_orthonormal_and_hold_the_most_variance(latent_dim):
    codes = cloud(latent_dim)
    basis = pca_basis(codes, codes[0])
    plane = np.stack([basis.u, basis.v], axis=1)
    assert np.allclose(plane.T @ plane, np.eye(2), atol=1e-10)
    singular = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    assert np.allclose(basis.project(codes).var(axis=0) * len(codes), singular[:2] ** 2)


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 9))
@pytest.mark.parametrize("latent_dim", [2, 3, 20])
def test_a_basis_is_matched_to_the_one_before(latent_dim, angle, is_mirrored):
    codes = cloud(latent_dim)
    previous = turned(pca_basis(codes, codes[0]), angle, is_mirrored=is_mirrored)
    matched = pca_basis(codes, codes[0], previous)
    assert np.allclose(matched.u, previous.u, atol=1e-8)
    assert np.allclose(matched.v, previous.v, atol=1e-8)


def test_a_sequence_of_snapshots_drifts_smoothly_where_unmatched_ones_jump():
    rng = np.random.default_rng(4)
    codes = rng.standard_normal((300, 4)) * [1.0, 1.0, 0.3, 0.1]  # two equal variances: the worst case
    previous, largest_jump, largest_jump_alone = None, 0.0, 0.0
    alone = pca_basis(codes, codes[0])
    for _ in range(30):
        codes = codes + 0.03 * rng.standard_normal(codes.shape)
        basis = pca_basis(codes, codes[0], previous)
        if previous is not None:
            largest_jump = max(largest_jump, np.abs(basis.project(codes) - previous.project(codes)).max())
        fresh = pca_basis(codes, codes[0])
        largest_jump_alone = max(largest_jump_alone, np.abs(fresh.project(codes) - alone.project(codes)).max())
        previous, alone = basis, fresh
    assert largest_jump < 0.15
    assert largest_jump_alone > 3 * largest_jump


def test_bases_of_another_space_are_not_matched():
    codes = cloud(3)
    fresh = pca_basis(codes, codes[0])
    for other in (line_basis(), axis_basis(0, 1, np.zeros(5))):
        assert np.array_equal(pca_basis(codes, codes[0], other).u, fresh.u)


@pytest.mark.parametrize("codes", [np.zeros((0, 3)), np.full((5, 3), np.nan), np.ones((4, 3)), np.ones((1, 3))])
def test_codes_without_variance_still_give_a_plane(codes):
    basis = pca_basis(codes, np.zeros(3))
    assert np.allclose(basis.project(basis.lift([[1.0, 2.0]])), [[1.0, 2.0]])


def test_one_dimension_has_no_plane():
    with pytest.raises(ValueError, match="d >= 2"):
        pca_basis(np.ones((4, 1)), np.zeros(1))
