"""EM for Gaussian mixtures: it never loses, it finds scikit-learn's optimum, and its refusals say what to do."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from vae_explorer.errors import UsageError
from vae_explorer.latent import em
from vae_explorer.latent.em import act, expect, fit, jensen_bound, maximise, start
from vae_explorer.latent.mixture import Mixture, log_prob, sample

KINDS = ("full", "tied", "diagonal", "spherical")


def problem(number):
    """Points of 200 problems: plain, with duplicates, on a line, with half of them in one place."""
    rng = np.random.default_rng(number)
    n, d = int(rng.integers(4, 60)), int(rng.integers(1, 5))
    points = rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 3, size=(n, 1))
    if number % 4 == 1:
        points = points[rng.integers(0, max(1, n // 4), n)]
    if number % 4 == 2:
        points = np.outer(points[:, 0], rng.normal(size=d))
    if number % 4 == 3:
        points[: n // 2] = points[0]
    return points, int(rng.integers(1, min(n, 8) + 1))


def three_blobs(d=2, n=300, seed=3):
    rng = np.random.default_rng(seed)
    centres = 4.0 * rng.normal(size=(3, d))
    roots = np.eye(d) + 0.5 * rng.normal(size=(3, d, d))
    which = rng.integers(0, 3, n)
    return centres[which] + np.einsum("nij,nj->ni", roots[which], rng.normal(size=(n, d)))


def scikit_learns(first, max_iter):
    """Their mixture, unfitted, that begins where ours does."""
    precisions = np.linalg.inv(first.covariances)
    return GaussianMixture(
        first.n_components, covariance_type={"diagonal": "diag"}.get(first.kind, first.kind), reg_covar=0.0, tol=1e-10,
        max_iter=max_iter, weights_init=first.weights, means_init=first.means,
        precisions_init={
            "full": precisions, "tied": precisions[0], "diagonal": np.einsum("kii->ki", precisions),
            "spherical": precisions[:, 0, 0],
        }[first.kind],
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_loses_on_200_problems_and_the_bound_lies_under_the_likelihood(kind):
    for number in range(200):
        points, components = problem(number)
        stage = start(points, components, covariance=kind, seed=number)
        mixture, before = stage.mixture, stage.log_likelihood
        assert stage.bound <= before + 1e-9
        for _ in range(12):
            shares, reached = expect(points, mixture)
            slack = 1e-9 * (1.0 + abs(reached))
            assert reached >= before - slack
            assert jensen_bound(points, shares, mixture) == pytest.approx(reached, abs=slack)
            better = maximise(points, shares, mixture)
            raised = jensen_bound(points, shares, better)
            assert reached - slack <= raised <= expect(points, better)[1] + slack
            mixture, before = better, reached
        assert np.isfinite(mixture.means).all()
        assert (mixture.weights > 0).all()
        assert mixture.weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.linalg.eigvalsh(mixture.covariances).min() >= mixture.floor * (1 - 1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_optimum_is_scikit_learns_from_the_same_start(kind, d):
    points = three_blobs(d)
    first = start(points, 3, covariance=kind, seed=1).mixture
    stage = fit(points, first, iterations=2000)
    theirs = scikit_learns(first, max_iter=2000).fit(points)
    covariances = {
        "full": lambda c: c, "tied": lambda c: np.tile(c, (3, 1, 1)), "diagonal": lambda c: c[:, None] * np.eye(d),
        "spherical": lambda c: c[:, None, None] * np.eye(d),
    }[kind](theirs.covariances_)  # fmt: skip
    assert not stage.mixture.is_at_floor
    assert stage.log_likelihood == pytest.approx(theirs.score(points), abs=1e-6)
    np.testing.assert_allclose(stage.mixture.weights, theirs.weights_, atol=2e-3)
    np.testing.assert_allclose(stage.mixture.means, theirs.means_, atol=1e-2)
    np.testing.assert_allclose(stage.mixture.covariances, covariances, atol=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_one_m_step_is_scikit_learns_to_the_last_digits(kind):
    points = three_blobs()
    first = start(points, 3, covariance=kind, seed=1).mixture
    shares, _ = expect(points, first)
    ours = maximise(points, shares, first)
    theirs = scikit_learns(first, max_iter=1)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(points)
    np.testing.assert_allclose(ours.weights, theirs.weights_, rtol=1e-10)
    np.testing.assert_allclose(ours.means, theirs.means_, rtol=1e-10)
    variances = np.einsum("kii->ki", ours.covariances)
    wanted = {"full": ours.covariances, "tied": ours.covariances[0], "diagonal": variances}
    np.testing.assert_allclose(wanted.get(kind, variances[:, 0]), theirs.covariances_, rtol=1e-9)


def test_clipping_is_the_constrained_maximiser_and_an_added_floor_is_not():
    """Against every other covariance that the floor allows, on points that lie almost on a line."""
    rng = np.random.default_rng(0)
    points = np.stack([rng.normal(size=200), 0.05 * rng.normal(size=200)], axis=1)
    first = start(points, 1, floor=0.01).mixture
    best = jensen_bound(points, np.ones((200, 1)), first)
    values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
    assert values[0] < 0.01
    for _ in range(200):
        turned = vectors @ np.linalg.qr(np.eye(2) + 0.05 * rng.normal(size=(2, 2)))[0]
        spread = np.maximum(values * np.exp(0.1 * rng.normal(size=2)), 0.01)
        other = Mixture(first.weights, first.means, (turned * spread @ turned.T)[None], floor=0.01)
        assert jensen_bound(points, np.ones((200, 1)), other) <= best
    added = Mixture(first.weights, first.means, np.cov(points.T, bias=True)[None] + 0.01 * np.eye(2), floor=0.01)
    assert jensen_bound(points, np.ones((200, 1)), added) < best - 1e-3


def test_the_density_is_scipys():
    points = three_blobs(3, n=50)
    mixture = start(points, 3, seed=2).mixture
    parts = [w * multivariate_normal(m, c).pdf(points) for w, m, c in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True)]  # fmt: skip
    np.testing.assert_allclose(log_prob(points, mixture), np.log(np.sum(parts, axis=0)), rtol=1e-9)
    # far out, where every density underflows, it is still a number
    assert np.isfinite(log_prob(np.full((1, 3), 1e6), mixture)).all()


def test_the_bound_of_other_responsibilities_falls_short_by_their_divergence():
    points = 0.1 * three_blobs()
    mixture = Mixture(np.full(3, 1 / 3), np.eye(3, 2), np.tile(np.eye(2), (3, 1, 1)))
    exact, log_likelihood = expect(points, mixture)
    other = np.random.default_rng(0).dirichlet(np.ones(3), len(points))
    divergence = (other * (np.log(other) - np.log(np.maximum(exact, 1e-300)))).sum(axis=1).mean()
    assert jensen_bound(points, other, mixture) == pytest.approx(log_likelihood - divergence, rel=1e-9)


def test_seeds_are_points_and_spread_out_and_the_same_for_a_seed():
    blobs = np.concatenate([np.full((50, 2), place) + np.arange(50)[:, None] * 1e-4 for place in (0.0, 10.0, 20.0)])
    for seed in range(30):
        stage = start(blobs, 3, seed=seed)
        # chances that grow with the squared distance leave no blob without a seed
        assert sorted(np.round(stage.mixture.means[:, 0]).tolist()) == [0.0, 10.0, 20.0]
        assert set(stage.responsibilities.ravel().tolist()) == {0.0, 1.0}
        assert stage.bound <= stage.log_likelihood
    again = start(blobs, 3, seed=29)
    np.testing.assert_array_equal(again.mixture.means, stage.mixture.means)


def test_a_component_without_points_stays_where_it_is():
    points = three_blobs()
    first = start(points, 3, seed=1).mixture
    shares, before = expect(points, first)
    shares = np.concatenate([shares, np.zeros((len(points), 1))], axis=1)
    place = np.array([[50.0, 50.0]])
    with_empty = Mixture(
        np.append(first.weights, em.LEAST_WEIGHT), np.concatenate([first.means, place]),
        np.concatenate([first.covariances, 7.0 * np.eye(2)[None]]),
    )  # fmt: skip
    after = maximise(points, shares, with_empty)
    np.testing.assert_array_equal(after.means[3], place[0])
    np.testing.assert_array_equal(after.covariances[3], 7.0 * np.eye(2))
    assert 0.0 < after.weights[3] < 1e-300
    assert expect(points, after)[1] >= before


def test_duplicates_of_one_point_are_fitted_at_the_floor():
    stage = start(np.ones((6, 2)), 4, floor=1e-4)
    assert stage.mixture.is_at_floor
    assert fit(np.ones((6, 2)), stage.mixture).log_likelihood == pytest.approx(-np.log(2 * np.pi * 1e-4), rel=1e-6)


def test_fitting_goes_on_until_it_stands():
    points = three_blobs()
    first = start(points, 3, seed=1).mixture
    stage = fit(points, first)
    assert 0 < stage.iterations < 200
    assert fit(points, stage.mixture).iterations == 0
    assert fit(points, first, iterations=2).iterations == 2
    assert stage.bound == stage.log_likelihood


def test_actions_chain_as_a_window_asks_for_them():
    points = three_blobs().astype(np.float32)
    stage = act("start", points, components=3, covariance="tied", seed=4)
    for _ in range(5):
        after_e = act("e", points, mixture=stage.mixture)
        assert after_e.bound == after_e.log_likelihood >= stage.log_likelihood - 1e-12
        sent = after_e.responsibilities.astype(np.float32)
        after_m = act("m", points, mixture=after_e.mixture, responsibilities=sent)
        assert after_e.log_likelihood - 1e-9 <= after_m.bound <= after_m.log_likelihood
        stage = after_m
    alone = act("m", points, mixture=stage.mixture)
    np.testing.assert_allclose(
        alone.mixture.means, maximise(points, expect(points, stage.mixture)[0], stage.mixture).means
    )


def test_draws_have_the_mixtures_moments_and_do_not_depend_on_their_number():
    mixture = start(three_blobs(), 3, seed=1).mixture
    drawn = sample(mixture, 200_000, seed=5)
    assert drawn.dtype == np.float32
    mean = mixture.weights @ mixture.means
    second = np.einsum("k,kij->ij", mixture.weights, mixture.covariances + np.einsum(
        "ki,kj->kij", mixture.means, mixture.means))  # fmt: skip
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), second - np.outer(mean, mean), rtol=0.02, atol=0.05)
    np.testing.assert_array_equal(sample(mixture, 7, seed=5), drawn[:7])
    assert not np.array_equal(sample(mixture, 7, seed=6), drawn[:7])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda x: start(x, len(x) + 1), "301 components cannot be fitted to 300 points; choose 1 to 300"),
        (lambda x: start(x, 0), "0 components"),
        (lambda x: start(np.append(x, [[np.nan, 0.0]], axis=0), 2), "not finite"),
        (lambda x: start(np.append(x, [[np.inf, 0.0]], axis=0), 2), "not finite"),
        (lambda x: start(x[:, 0], 2), r"shape \(300,\)"),
        (lambda x: start(x, 2, floor=0.0), "floor of a covariance is 0"),
        (lambda x: start(np.zeros((60_000, 1)), 2_000), "beyond memory"),
        (lambda x: expect(np.zeros((4, 3)), start(x, 2).mixture), "do not fit a mixture of 2 dimensions"),
        (lambda x: maximise(x, np.ones((300, 3)), start(x, 2).mixture), "Responsibilities of shape"),
        (lambda x: maximise(x, np.zeros((300, 2)), start(x, 2).mixture), "none all 0"),
        (lambda x: act("e", x), "press Start first"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(ask, words):
    with pytest.raises(UsageError, match=words) as refusal:
        ask(three_blobs())
    assert "\n" not in str(refusal.value)
