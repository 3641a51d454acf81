"""What `train` reads of torchrun's variables, and when it goes on with a folder that is there."""

import pytest

from vae_explorer.commands.torchrun import Launch, is_begun, run_together
from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.errors import UsageError
from vae_explorer.runs.folder import RunFolder

SET = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_a_process_knows_its_number_and_is_alone_without_torchrun():
    assert Launch.of({"PATH": "/bin"}) == Launch() == Launch(rank=0, size=1, local_rank=0, local_size=1)
    assert Launch.of(SET) == Launch(3, 4, 1, 2)
    assert Launch.of({**SET, "TORCHELASTIC_RUN_ID": "none"}).is_restartable
    assert Launch.of({"RANK": "1", "WORLD_SIZE": "2"}) == Launch(1, 2, 1, 2)


@pytest.mark.parametrize("wrong", [{"RANK": "first"}, {"RANK": "4"}, {"WORLD_SIZE": ""}, {"LOCAL_RANK": "-1"}])
def test_variables_that_make_no_sense_are_named(wrong):
    (name,) = wrong
    with pytest.raises(UsageError, match=f"{name}={wrong[name]}.* start by torchrun"):
        Launch.of({**SET, **wrong})


def test_one_process_works_alone_and_has_the_device_it_was_told():
    assert run_together(Launch(), lambda world: 7 if world is None else 8) == 7
    assert Launch().device("cuda:3") is None
    assert Launch(1, 2, 1, 2).device("cpu") == "cpu"
    with pytest.raises(UsageError, match="takes a device of its own; set auto, cuda or cpu"):
        Launch(1, 2, 1, 2).device("cuda:1")


def test_only_what_the_same_command_began_is_gone_on_with(tmp_path):
    config, out = RunConfig().with_values({"train.batch_size": 32}), tmp_path / "run"
    assert not is_begun(out, config, is_restartable=True)
    whole = config.with_values({"train.batch_size": 64})
    RunFolder.create(out, config=whole, data=open_data(config.data), device="cpu")
    assert is_begun(out, config, is_restartable=True)
    for other in ({"train.seed": 1}, {"train.batch_size": 48}):
        with pytest.raises(UsageError, match="exists already; name a new folder"):
            is_begun(out, config.with_values(other), is_restartable=True)
    with pytest.raises(UsageError, match="exists already"):
        is_begun(out, config, is_restartable=False)
    (tmp_path / "notes").write_text("no run")
    with pytest.raises(UsageError, match="exists already"):
        is_begun(tmp_path / "notes", config, is_restartable=True)
