"""On a GPU: importance samples say what they say on a CPU, from noise that never leaves the device."""

import numpy as np
import pytest
import torch

from vae_explorer.evaluation.importance import figures_slices
from vae_explorer.evaluation.slices import drain
from vae_explorer.training.session import TrainingSession

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

IMAGES = np.arange(40)


def figures(model, indices=IMAGES, *, samples):
    return drain(figures_slices(model, np.asarray(indices), samples=samples, seed=0))


@pytest.fixture(scope="module")
def session(tiny_config, digits_data):
    session = TrainingSession.new(tiny_config, digits_data, device="cuda")
    while session.step < 30 or session.is_evaluating:
        session.advance()
    return session


def test_figures_are_those_of_the_cpu_within_their_errors(session, tiny_config, digits_data):
    on_cpu = TrainingSession.new(tiny_config, digits_data, device="cpu")
    on_cpu.load(*session.state())
    there, here = (figures(one.frozen(), samples=4000) for one in (session, on_cpu))
    np.testing.assert_allclose(there.kl, here.kl, rtol=1e-3)
    for name in ("log_px", "elbo"):
        error = "log_px_mc_se" if name == "log_px" else "elbo_mc_se"
        away = getattr(there, name) - getattr(here, name)
        assert (np.abs(away) < 5 * np.hypot(getattr(there, error), getattr(here, error))).all()


def test_an_image_has_its_noise_whatever_is_asked_with_it(session):
    model = session.frozen()
    together = figures(model, [3, 900, 41, 7], samples=3000)
    alone = figures(model, [900], samples=3000)
    assert alone.log_px[0] == pytest.approx(together.log_px[1], rel=1e-5)
    np.testing.assert_allclose(figures(model, samples=9).elbo, model.figures(IMAGES, samples=9).elbo, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_between_the_first_piece_and_the_last_nothing_is_copied(session):
    model = session.frozen()
    figures(model, samples=60_000)  # kernels are made
    work = figures_slices(model, IMAGES, samples=60_000, seed=1)
    share = next(work)
    torch.cuda.set_sync_debug_mode("error")
    try:
        while share < 1.0:
            share = next(work)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert drain(work).log_px.shape == IMAGES.shape
