"""The autoencoder beside a run: in step with it, asked and shown on its own, and without any trace in the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Engine
from engine_fakes import FakeSession, FakeSessions

from vae_explorer.config import RunConfig
from vae_explorer.config_rules import check_together
from vae_explorer.engine import messages as m
from vae_explorer.engine.companion import companion_config
from vae_explorer.engine.headless import train_headless
from vae_explorer.errors import UsageError
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.session import Advance

ORIGIN = np.zeros((1, 2), dtype=np.float32)
State = m.EngineState


def codes_at(step: int) -> Callable[[m.CodesSnapshot], bool]:
    return lambda snapshot: snapshot.of == "companion" and snapshot.step == step and snapshot.is_complete


def test_it_has_the_settings_of_the_run_but_for_what_a_prior_needs() -> None:
    values: dict[str, Any] = {
        "model.prior": "vampprior", "objective.bound": "iwae", "objective.samples": 5, "model.likelihood": "gaussian",
        "objective.weight_prior": 1.0, "model.hidden": [32], "train.seed": 7, "train.optimizer": "rmsprop",
    }  # fmt: skip
    run = RunConfig().with_values(values)
    config = companion_config(run)
    check_together(config)
    assert (config.model.kind, config.objective.bound, config.objective.samples) == ("autoencoder", "elbo", 1)
    kept = ("model.likelihood", "model.hidden", "objective.weight_prior", "train.seed", "train.optimizer", "data.name")
    assert {key: config.get(key) for key in kept} == {key: run.get(key) for key in kept}


def test_an_autoencoder_has_none_beside_it(engine: Engine, new_run: m.NewRun) -> None:
    with pytest.raises(UsageError, match="autoencoder itself"):
        companion_config(new_run.config.with_values({"model.kind": "autoencoder"}))
    values = {"model.kind": "autoencoder"}
    engine.put(m.NewRun(new_run.config.with_values(values), new_run.data, new_run.run_path), m.SetCompanion(True))
    assert engine.wait_for(m.EngineFailed).during == "SetCompanion"
    engine.put(m.StepOnce())
    assert engine.wait_for_state(State.PAUSED, step=1).companion_step is None


def test_it_catches_up_while_paused_goes_along_and_is_forgotten(engine: Engine, new_run: m.NewRun) -> None:
    engine.put(new_run, m.Start(until_step=40))
    engine.wait_for_state(State.FINISHED, step=40)
    engine.put(m.SetCompanion(True))
    engine.wait_for_state(State.FINISHED, step=40, companion_step=40)
    shown = engine.wait_for(m.CodesSnapshot, codes_at(40))
    assert (shown.kl_per_dim, shown.scale.any(), np.isnan(shown.elbo).all()) == (None, False, True)
    engine.put(m.Start(until_step=90))
    engine.wait_for_state(State.FINISHED, step=90, companion_step=90)
    engine.put(m.SetCompanion(False))
    engine.wait_for_state(State.FINISHED, companion_step=None)
    engine.wait_until_idle()


def test_it_answers_for_itself(engine: Engine, new_run: m.NewRun) -> None:
    many = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    engine.put(new_run, m.Decode("beside", 1, ORIGIN, of="companion"))
    assert "No autoencoder" in engine.wait_for(m.RequestFailed).message
    engine.put(m.SetCompanion(True), m.StepOnce())
    engine.wait_for_state(State.PAUSED, step=1, companion_step=1)
    engine.put(m.Encode("beside", 2, np.array([3]), of="companion"), m.Decode("plane", 3, many, of="companion"))
    encoded, decoded = engine.wait_for(m.Encoded), engine.wait_for(m.Decoded)
    assert (encoded.step, encoded.kl_per_dim, encoded.scale.tolist()) == (1, None, [[0.0, 0.0]])
    engine.put(m.Decode("here", 4, many[:1]), m.Decode("other", 5, many[:1], of="companion"))
    of_run = engine.wait_for(m.Decoded, lambda answer: answer.channel == "here")
    of_companion = engine.wait_for(m.Decoded, lambda answer: answer.channel == "other")
    np.testing.assert_allclose(of_companion.images[0], decoded.images[0], atol=1e-6)
    assert np.abs(of_run.images - of_companion.images).max() > 1e-4


@pytest.mark.parametrize("values", [{}, {"data.binarize": "dynamic", "model.latent_dim": 3}])
def test_the_run_has_the_same_bits_with_and_without_it(
    engine: Engine, new_run: m.NewRun, tmp_path: Path, values: dict[str, Any]
) -> None:
    config = new_run.config.with_values({"train.steps": 120, **values})
    engine.put(m.NewRun(config, new_run.data, new_run.run_path), m.Start(until_step=30))
    engine.wait_for_state(State.FINISHED, step=30)
    engine.put(m.SetCompanion(True), m.Start(until_step=80))
    for id_ in range(50):
        engine.put(m.Encode("beside", id_, np.array([id_]), of="companion"))
    engine.wait_for_state(State.FINISHED, step=80, companion_step=80)
    engine.put(m.SetCompanion(False), m.SetCompanion(True), m.Start(until_step=120))
    engine.wait_for_state(State.FINISHED, step=120, companion_step=120)
    engine.shut_down()
    alone = train_headless(config=config, data=new_run.data, run_path=tmp_path / "alone").run_path
    tensors = []
    for path in (new_run.run_path, alone):
        folder = RunFolder.open(path)
        tensors.append(folder.read_checkpoint(folder.find_checkpoint("last"))[0])
    assert tensors[0].keys() == tensors[1].keys()
    for name, array in tensors[1].items():
        if name != "metrics":  # sums since the last record, which a pause writes out
            assert array.tobytes() == tensors[0][name].tobytes(), name


def test_catching_up_can_be_ended_at_any_step(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    """A step takes a millisecond. Its step 5 is held: the run has come to step 1000, and nobody waits for that."""
    now_s = [0.0]

    def step() -> None:
        now_s[0] += 0.001

    sessions.prepare = lambda session: setattr(session, "on_step", step)
    engine = make_engine(sessions=sessions, clock=lambda: now_s[0])
    engine.put(new_run, m.Start(until_step=1000))
    engine.wait_for_state(State.FINISHED, step=1000)
    sessions.prepare = lambda session: session.__dict__.update(on_step=step, hold_at=5)
    engine.put(m.SetCompanion(True))
    engine.wait_until(lambda events: len(sessions.made) == 2)
    companion = sessions.made[1]
    assert companion.is_held.wait(60)
    engine.put(m.SetCompanion(False))
    companion.go_on.set()
    engine.wait_until(lambda events: [e for e in events if isinstance(e, m.RunStatus)][-1].companion_step is None)
    assert companion.step < 30


def test_a_companion_that_fails_ends_alone(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oh")

    def prepare(session: FakeSession) -> None:
        session.on_step = fail if session.config.model.kind == "autoencoder" else session.on_step

    sessions.prepare = prepare
    engine = make_engine(sessions=sessions)
    engine.put(new_run, m.SetCompanion(True), m.Start(until_step=50))
    assert engine.wait_for(m.EngineFailed).during == "SetCompanion"
    engine.wait_for_state(State.FINISHED, step=50, companion_step=None)


def test_it_stands_still_where_it_diverged_until_the_learning_rate_is_lowered(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun
) -> None:
    def prepare(session: FakeSession) -> None:
        advance = session.advance
        is_companion = session.config.model.kind == "autoencoder"
        session.advance = lambda until_step=None: (
            Advance.DIVERGED if is_companion and session.step == 20 and session.learning_rate > 1e-4 else advance()
        )

    sessions.prepare = prepare
    engine = make_engine(sessions=sessions)
    engine.put(new_run, m.SetCompanion(True), m.Start(until_step=50))
    assert "diverged at step 21" in engine.wait_for(m.Notice).message
    engine.wait_for_state(State.FINISHED, step=50, companion_step=20)
    engine.wait_until_idle()
    assert len(engine.of_kind(m.Notice)) == 1
    engine.put(m.SetLive("learning_rate", 1e-4))
    engine.wait_for_state(State.FINISHED, step=50, companion_step=50)
