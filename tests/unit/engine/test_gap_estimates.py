"""Gaps of many images through the engine: those of the library, worked while nothing else is, refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Engine

from vae_explorer.engine import messages as m
from vae_explorer.engine.slices import drain
from vae_explorer.evaluation.importance import figures_slices


def finish(engine: Engine, run: m.NewRun) -> None:
    engine.put(run, m.Start(until_step=30))
    engine.wait_for_state(m.EngineState.FINISHED, step=30)


def test_gaps_are_those_of_the_library_and_above_zero_in_the_mean(engine: Engine, new_run: m.NewRun) -> None:
    finish(engine, new_run)
    images = np.arange(0, len(new_run.data), 2)
    engine.put(m.EstimateGaps("gaps", 1, images, samples=32))
    answer = engine.wait_for(m.GapsEstimated)
    assert (answer.step, answer.samples) == (30, 32)
    np.testing.assert_array_equal(answer.indices, images)
    assert not answer.gap.flags.writeable
    assert engine.loop._open is not None
    model = engine.loop._open.run.session.frozen()
    few = drain(figures_slices(model, images[:10], samples=32, seed=0))
    assert few.log_px is not None
    assert few.elbo is not None
    np.testing.assert_allclose(answer.gap[:10], few.log_px - few.elbo, rtol=1e-4, atol=1e-3)
    assert answer.gap.mean() > 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (m.EstimateGaps("gaps", 1, np.array([10**6])), "data has images 0 to"),
        (m.EstimateGaps("gaps", 1, np.zeros(0, np.int64)), "data has images 0 to"),
        (m.EstimateGaps("gaps", 1, np.array([0]), samples=1), "at least two codes"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(
    engine: Engine, new_run: m.NewRun, ask: m.EstimateGaps, words: str
) -> None:
    finish(engine, new_run)
    engine.put(ask)
    assert words in engine.wait_for(m.RequestFailed).message


def test_an_autoencoder_has_no_gap(engine: Engine, new_run: m.NewRun) -> None:
    config = new_run.config.with_values({"model.kind": "autoencoder"})
    finish(engine, m.NewRun(config, new_run.data, new_run.run_path))
    engine.put(m.EstimateGaps("gaps", 1, np.array([0])))
    assert "no bound" in engine.wait_for(m.RequestFailed).message
