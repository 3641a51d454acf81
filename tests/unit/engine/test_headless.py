"""Training without a window tells what a window would show as a notice."""

from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless

SMALL = {"model.hidden": [8], "train.steps": 3, "train.device": "cpu"}


def test_how_the_updates_of_a_new_run_are_done_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr("vae_explorer.training.updates.notes_on_half", lambda device: ("It is slow here.",))
    config = RunConfig().with_values(SMALL | {"train.precision": "bf16"})
    told: list[str] = []
    train_headless(data=open_data(config.data), run_path=tmp_path / "run", config=config, on_notice=told.append)
    assert told == ["It is slow here."]


def test_what_happens_on_the_way_is_told(tmp_path, monkeypatch):
    from vae_explorer.engine.run_control import RunControl

    train_slice = RunControl.train_slice

    def slice_with_a_word(self: RunControl) -> None:
        self._outbox.put(m.Notice("A floor was reached."))
        train_slice(self)

    monkeypatch.setattr(RunControl, "train_slice", slice_with_a_word)
    config = RunConfig().with_values(SMALL)
    told: list[str] = []
    train_headless(data=open_data(config.data), run_path=tmp_path / "run", config=config, on_notice=told.append)
    assert set(told) == {"A floor was reached."}
