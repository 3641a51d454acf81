"""Updates of one part's weights alone: which weights move, the marks in the log, and how it ends."""

import numpy as np
import pytest

from vae_explorer.engine import messages as m
from vae_explorer.runs.folder import RunFolder
from vae_explorer.runs.records import MarkRecord
from vae_explorer.training.session import TrainingSession


def marks_of(engine):
    records = [record for event in engine.of_kind(m.RecordsAdded) for record in event.records]
    return [(mark.step, mark.value) for mark in records if isinstance(mark, MarkRecord) and mark.name == "part"]


def weights(engine):
    session = engine.loop._open.run.session
    return {name: parameter.detach().numpy().copy() for name, parameter in session.model.named_parameters()}


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_one_part_moves_and_the_other_stands(engine, new_run, part):
    engine.put(new_run)
    engine.wait_for(m.RunOpened)
    engine.wait_until_idle()
    before = weights(engine)
    engine.put(m.StepPart(part, 7))
    engine.wait_for_state(m.EngineState.PAUSED, step=7)
    engine.wait_until_idle()
    after = weights(engine)
    has_moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert has_moved == {name for name in before if name.startswith("encoder.") == (part == "encoder")}
    assert marks_of(engine) == [(0, {"encoder": 1.0, "decoder": 2.0}[part]), (7, 0.0)]


def test_steps_that_are_asked_for_together_are_all_done_and_training_goes_on_with_all_weights(engine, new_run):
    engine.put(new_run, m.StepPart("encoder", 20), m.StepPart("encoder", 20))
    engine.wait_for_state(m.EngineState.PAUSED, step=40)
    engine.put(m.StepPart("decoder", 5))
    engine.wait_for_state(m.EngineState.PAUSED, step=45)
    engine.wait_until_idle()
    before = weights(engine)
    engine.put(m.StepOnce())
    engine.wait_for_state(m.EngineState.PAUSED, step=46)
    engine.wait_until_idle()
    after = weights(engine)
    assert not any(np.array_equal(before[name], after[name]) for name in before if name.endswith("bias"))
    assert marks_of(engine) == [(0, 1.0), (40, 0.0), (40, 2.0), (45, 0.0)]


def test_a_run_with_parts_is_repeated_bit_by_bit_from_its_marks(engine, new_run, config, data):
    engine.put(new_run, m.StepPart("encoder", 6))
    engine.wait_for_state(m.EngineState.PAUSED, step=6)
    engine.put(m.StepPart("decoder", 4))
    engine.wait_for_state(m.EngineState.PAUSED, step=10)
    engine.put(m.Save())
    engine.wait_for(m.RunStatus, lambda status: status.step == 10 and status.is_saved)
    engine.wait_until_idle()
    session = TrainingSession.new(config, data)
    for step in range(10):
        session.set_part("encoder" if step < 6 else "decoder")
        session.advance()
    resumed = TrainingSession.resume(RunFolder.open(new_run.run_path), data)
    assert resumed.part is None
    theirs = dict(resumed.model.named_parameters())
    for name, parameter in session.model.named_parameters():
        np.testing.assert_array_equal(parameter.detach().numpy(), theirs[name].detach().numpy())


def test_what_has_no_parts_says_so(engine, new_run, config, data, tmp_path):
    config = config.with_values({"model.kind": "autoencoder"})
    engine.put(m.NewRun(config, data, tmp_path / "points"), m.StepPart("encoder", 5))
    failed = engine.wait_for(m.EngineFailed)
    assert "An autoencoder has no q" in failed.message
    engine.put(new_run, m.StepPart("encoder", 0))
    assert engine.wait_for(m.EngineFailed, lambda event: "at least 1" in event.message)
