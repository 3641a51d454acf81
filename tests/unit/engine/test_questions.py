"""Questions of the theory through the engine: what the library says, one lattice for all, refusals in a sentence."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Engine

from vae_explorer.engine import messages as m
from vae_explorer.engine import questions
from vae_explorer.engine.questions import COARSE_SIDE, FINE_SIDE, LIVE_SIDE, Lattice, theory_slices
from vae_explorer.engine.slices import drain
from vae_explorer.evaluation.exact_posterior import inspect_slices
from vae_explorer.evaluation.improve import improve_slices
from vae_explorer.evaluation.ladder import climb_slices
from vae_explorer.evaluation.shared_grid import grid_slices


@pytest.fixture
def trained(engine: Engine, new_run: m.NewRun) -> Engine:
    engine.put(new_run, m.Start(until_step=30))
    engine.wait_for_state(m.EngineState.FINISHED, step=30)
    engine.wait_until_idle()
    return engine


def model_of(engine: Engine) -> Any:
    assert engine.loop._open is not None
    return engine.loop._open.run.session.frozen()


def same(answer: Any, found: Any, names: tuple[str, ...]) -> None:
    for name in names:
        np.testing.assert_array_equal(getattr(answer, name), getattr(found, name), err_msg=name)


def test_answers_are_those_of_the_library(trained: Engine) -> None:
    trained.put(
        m.Inspect("bound", 1, 7, is_fine=False), m.Climb("ladder", 1, 7, samples=300), m.ReadTerms("terms", 1, 7)
    )
    inspected, climbed = trained.wait_for(m.Inspected), trained.wait_for(m.Climbed)
    terms = trained.wait_for(m.TermsRead)
    model = model_of(trained)
    grid = drain(grid_slices(model, side=COARSE_SIDE))
    exact = drain(inspect_slices(model, grid, 7, is_fine=False))
    figures = ("log_px", "error", "elbo", "gap", "mode", "log_px_error", "elbo_error")
    same(inspected, exact, ("log_density", "energy", "extent", "loc", "scale", *figures))
    assert inspected.error == inspected.log_px_error + inspected.elbo_error
    assert (inspected.step, inspected.index, inspected.is_fine) == (30, 7, False)
    assert not inspected.log_density.flags.writeable
    ladder = drain(climb_slices(model, 7, samples=300))
    same(climbed, ladder, ("k", "bounds", "errors", "ess", "k_hat", "log_px", "log_px_mc_se"))
    same(terms, model.terms(7), ("z", "log_likelihood", "log_prior", "log_posterior", "kl", "kl_per_dim", "pixels"))
    assert terms.log_likelihood.shape == (64,)


def test_a_live_look_is_rough_and_says_by_how_much(trained: Engine) -> None:
    lattice = Lattice(model_of(trained))
    for index in (3, 7, 12):
        looks = [
            drain(theory_slices(m.Inspect("bound", 1, index, is_fine=is_fine), lattice, n_images=300, is_live=is_live))
            for is_live, is_fine in ((True, False), (True, True))
        ]
        live, fine = (look for look in looks if isinstance(look, m.Inspected))
        assert (live.is_fine, live.log_density.shape) == (False, (LIVE_SIDE, LIVE_SIDE))
        assert fine.log_density.shape == (FINE_SIDE, FINE_SIDE)
        assert live.gap == pytest.approx(fine.gap, abs=live.error + fine.error)
        assert fine.error < live.error < 0.1
        lattice = Lattice(lattice.model)


@pytest.mark.parametrize("latent_dim", [2, 3])
def test_the_best_q_is_that_of_the_library(engine: Engine, new_run: m.NewRun, latent_dim: int) -> None:
    config = new_run.config.with_values({"model.latent_dim": latent_dim})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start(until_step=30))
    engine.wait_for_state(m.EngineState.FINISHED, step=30)
    engine.put(m.Improve("walk", 1, 7))
    improved = engine.wait_for(m.Improved)
    same(
        improved, drain(improve_slices(model_of(engine), 7)), ("loc", "scale", "elbo", "amortisation_gap", "family_gap")
    )
    assert improved.amortisation_gap >= 0
    assert (improved.family_gap is None) == (latent_dim == 3)


def test_a_fine_look_is_nearer_and_its_lattice_serves_the_next_click(
    trained: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[int] = []

    def counted(model: Any, *, side: int, looked_at: int) -> Generator[float, None, Any]:
        sides.append(side)
        return grid_slices(model, side=side, looked_at=looked_at)

    monkeypatch.setattr(questions, "grid_slices", counted)
    for id_, (index, is_fine) in enumerate([(3, False), (3, True), (4, False), (4, True)], start=1):
        trained.put(m.Inspect("bound", id_, index, is_fine=is_fine))
        trained.wait_for(m.Inspected, lambda answer, id_=id_: answer.id == id_)
    assert sides == [COARSE_SIDE, FINE_SIDE]
    coarse, fine = trained.of_kind(m.Inspected)[:2]
    assert coarse.log_px == pytest.approx(fine.log_px, abs=coarse.error + fine.error)
    trained.put(m.StepOnce(), m.Inspect("bound", 9, 4, is_fine=False))
    assert trained.wait_for(m.Inspected, lambda answer: answer.id == 9).step == 31
    assert sides == [COARSE_SIDE, FINE_SIDE, COARSE_SIDE], "of the weights of another step nothing is taken over"


def test_a_lattice_that_one_question_begins_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[int] = []

    def slow(model: Any, *, side: int, looked_at: int) -> Generator[float, None, str]:
        for share in range(10):
            worked.append(share)
            yield share / 10
        return f"grid of {side}"

    monkeypatch.setattr(questions, "grid_slices", slow)
    lattice = Lattice(SimpleNamespace(step=1))
    first = lattice.slices(is_fine=True)
    for _ in range(6):
        next(first)
    first.close()
    assert drain(lattice.slices(is_fine=True)) == f"grid of {FINE_SIDE}"
    assert worked == list(range(10))
    assert drain(lattice.slices(is_fine=False)) == f"grid of {FINE_SIDE}", "what is there serves the first look too"


def test_a_lattice_that_failed_is_tried_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: Any, *, side: int, looked_at: int) -> Generator[float, None, str]:
        yield 0.5
        raise MemoryError

    lattice = Lattice(SimpleNamespace(step=1))
    monkeypatch.setattr(questions, "grid_slices", broken)
    for _ in range(2):
        with pytest.raises(MemoryError):
            drain(lattice.slices(is_fine=True))


def test_only_the_newest_weights_keep_their_lattice(trained: Engine) -> None:
    trained.put(m.Inspect("bound", 1, 3, is_fine=False))
    trained.wait_for(m.Inspected)
    trained.wait_until_idle()
    kept = weakref.ref(trained.loop._open.views._lattice)
    trained.put(m.StepOnce())
    trained.wait_for(m.CodesSnapshot, lambda snapshot: snapshot.step == 31 and snapshot.is_complete)
    trained.wait_until_idle()
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(
    ("values", "says"),
    [({"model.latent_dim": 3}, "1 and 2 dimensions"), ({"model.kind": "autoencoder"}, "autoencoder")],
)
def test_what_a_model_does_not_have_is_said_to_the_channel_alone(
    engine: Engine, new_run: m.NewRun, values: dict[str, Any], says: str
) -> None:
    engine.put(m.NewRun(new_run.config.with_values(values), new_run.data, new_run.run_path))
    engine.put(m.Inspect("bound", 4, 7, is_fine=True), m.Start(until_step=5))
    failure = engine.wait_for(m.RequestFailed)
    assert (failure.channel, failure.id) == ("bound", 4)
    assert says in failure.message
    engine.wait_for_state(m.EngineState.FINISHED, step=5)
    assert not engine.of_kind(m.EngineFailed)


def test_an_image_that_is_not_there_is_refused(trained: Engine) -> None:
    trained.put(m.Climb("ladder", 1, 300))
    assert "images 0 to 299" in trained.wait_for(m.RequestFailed).message


def test_while_it_trains_first_looks_are_given_again_and_again(engine: Engine, new_run: m.NewRun) -> None:
    """Asked anew with each answer, as a panel does: each is of newer weights than the one before."""
    engine.put(new_run, m.Start())
    for id_ in range(1, 6):
        engine.put(m.Inspect("bound", id_, 7, is_fine=False))
        engine.wait_for(m.Inspected, lambda answer, id_=id_: answer.id == id_)
    engine.put(m.Pause())
    engine.wait_for_state(m.EngineState.PAUSED)
    steps = [answer.step for answer in engine.of_kind(m.Inspected)]
    assert steps == sorted(set(steps))
