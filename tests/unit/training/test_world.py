"""Two processes with half a batch each are one process with the whole batch: weights, figures and generator."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from test_session import train, weights

from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.data.image_data import ImageData
from vae_explorer.errors import ConfigError, RunError, UsageError
from vae_explorer.settings import DataConfig
from vae_explorer.training.session import Advance, TrainingSession
from vae_explorer.training.world import ALONE, Share, World, own_config, reason_of, whole_config

STEPS = 50
KINDS = {
    "vae": {"train.batch_size": 16, "train.evaluate_every": 20},  # so that the held-out images are several chunks
    "importance weighted": {"objective.bound": "iwae", "objective.samples": 3, "objective.gradient": "dreg"},
    "binarised anew": {"data.binarize": "dynamic", "objective.samples": 2},
    "free bits": {"objective.free_bits": 0.3, "train.lr_schedule": "1: 0.5"},
    "free bits, sampled": {"objective.free_bits": 0.3, "objective.kl": "monte_carlo"},
    "mmd and total correlation": {
        "objective.mmd_weight": 5.0, "objective.tc_weight": 2.0, "objective.weight_prior": 1.0,
    },
    "score function": {  # with an epsilon: Adam takes a step of full length from a gradient that is rounding alone
        "objective.kl": "monte_carlo", "objective.gradient": "score_function", "objective.samples": 2,
        "train.eps": 1e-5,
    },
    "mixture": {"model.prior": "mixture", "model.components": 3, "objective.mmd_weight": 2.0},
    "autoencoder": {"model.kind": "autoencoder"},
    "m2": {"model.kind": "m2", "data.labels_per_class": 10, "train.labelled_batch": 16},
    "m1m2": {
        "model.kind": "m1m2", "data.labels_per_class": 10, "train.labelled_batch": 16, "train.pretrain_steps": 20,
        "model.style_dim": 3,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """What a session came to."""

    weights: np.ndarray
    generator: np.ndarray
    records: list[dict]


@cache
def digits() -> ImageData:
    return open_data(DataConfig())


def config_of(kind: str) -> RunConfig:
    tiny = {"model.hidden": [32], "train.batch_size": 64, "train.log_every": 25, "train.device": "cpu"}
    return RunConfig().with_values({**tiny, **KINDS[kind]})


def trained(kind: str, *, world: World = ALONE) -> Trained:
    session = TrainingSession.new(config_of(kind), digits(), world=world)
    records = [msgspec.to_builtins(record) for record in train(session, STEPS)]
    return Trained(weights(session), session.state()[0]["generator"], records)


def join_and_train(rank: int, folder: str) -> None:
    """One of two processes: train every kind, and leave what came of it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for kind in KINDS:
        done = trained(kind, world=World(rank, 2))
        np.savez(Path(folder) / f"{kind} {rank}.npz", weights=done.weights, generator=done.generator)
        (Path(folder) / f"{kind} {rank}.json").write_bytes(msgspec.json.encode(done.records))
    check_talk(World(rank, 2))
    check_divergence(World(rank, 2))
    dist.destroy_process_group()


def check_talk(world: World) -> None:
    """What processes tell each other beside the training; failures come out of `mp.spawn`."""
    assert world.largest((world.rank, 3 - world.rank)) == [1, 3]
    world.check_alike("the same", what="thing")
    with pytest.raises(RunError, match="Process 1 has another thing than process 0"):
        world.check_alike(f"told {world.rank}", what="thing")


def check_divergence(world: World) -> None:
    """Where one process has a loss that is not finite, all refuse the same update."""
    session = TrainingSession.new(config_of("vae").with_values({"train.log_every": 1}), digits(), world=world)
    assert session.advance() is Advance.STEP
    before = weights(session)
    if world.rank == 1:
        next(session.model.parameters()).data.view(-1)[0] = np.nan
    assert session.advance() is Advance.DIVERGED
    assert session.step == 1
    np.testing.assert_array_equal(weights(session)[1:], before[1:])


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trained]]:
    """By kind what each of two processes came to."""
    folder = tmp_path_factory.mktemp("together")
    mp.spawn(join_and_train, (str(folder),), nprocs=2)

    def read(kind: str, rank: int) -> Trained:
        arrays = np.load(folder / f"{kind} {rank}.npz")
        records = msgspec.json.decode((folder / f"{kind} {rank}.json").read_bytes())
        return Trained(arrays["weights"], arrays["generator"], records)

    return {kind: [read(kind, rank) for rank in range(2)] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_are_one_with_twice_the_batch(together, kind):
    alone = trained(kind)
    first, second = together[kind]
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_allclose(first.weights, alone.weights, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(first.generator, alone.generator)
    np.testing.assert_array_equal(second.generator, alone.generator)


@pytest.mark.parametrize("kind", KINDS)
def test_their_figures_are_those_of_the_whole_batch(together, kind):
    alone, (first, second) = trained(kind).records, (done.records for done in together[kind])
    assert [record["split"] for record in first] == [record["split"] for record in alone]
    for one, other in zip(first, alone, strict=True):
        assert one["step"] == other["step"]
        assert one["epoch"] == other["epoch"]
        for name in ("loss", "elbo", "distortion", "kl", "bound", "mmd", "total_correlation", "classification_loss"):
            assert one[name] == (None if other[name] is None else pytest.approx(other[name], abs=1e-3, rel=1e-5))
    assert [without_time(record) for record in first] == [without_time(record) for record in second]


def without_time(record: dict) -> dict:
    return {name: value for name, value in record.items() if name != "time_s"}


def test_the_shares_of_a_batch_are_all_of_it_and_the_labelled_come_first():
    whole, labels = torch.arange(24).view(12, 2), torch.arange(6)
    shares = [Share(World(rank, 3), batch_size=12, n_labelled=6) for rank in range(3)]
    parts = [share.of(whole) for share in shares]
    assert [part[:, 0].tolist() for part in parts] == [[0, 2, 12, 14], [4, 6, 16, 18], [8, 10, 20, 22]]
    assert [share.of_labels(labels).tolist() for share in shares] == [[0, 1], [2, 3], [4, 5]]
    assert all(torch.equal(share.of(whole.T, dim=1), part.T) for share, part in zip(shares, parts, strict=True))
    alone = Share(ALONE, batch_size=12, n_labelled=6)
    assert alone.of(whole) is whole
    assert alone.of_labels(labels) is labels
    assert alone.of_labels(None) is None


def test_the_run_has_the_batch_of_all_and_each_process_its_part():
    config = RunConfig().with_values({"train.batch_size": 32, "train.labelled_batch": 8})
    assert whole_config(config, World(0, 4)).train.batch_size == 128
    assert whole_config(config, World(0, 4)).train.labelled_batch == 8
    m2 = config.with_values({"model.kind": "m2"})
    assert whole_config(m2, World(0, 4)).train.labelled_batch == 32
    assert own_config(whole_config(m2, World(0, 4)), World(1, 4)) == m2
    assert whole_config(m2, ALONE) is m2


def test_a_batch_that_cannot_be_shared_is_refused_with_what_can():
    m2 = RunConfig().with_values({"model.kind": "m2", "train.batch_size": 64, "train.labelled_batch": 6})
    with pytest.raises(UsageError, match=r"train.labelled_batch = 6 .* among 4 processes; start 2 of them"):
        own_config(m2, World(0, 4))
    with pytest.raises(ConfigError, match=r"With 4 processes, .*train\.batch_size"):
        whole_config(m2.with_values({"train.batch_size": 65536}), World(0, 4))


def test_a_run_of_two_processes_says_that_going_on_with_one_is_not_bit_exact():
    config = config_of("vae")
    state = TrainingSession.new(config, digits(), world=World(0, 2)).state()
    alone, pair = TrainingSession.new(config, digits()), TrainingSession.new(config, digits(), world=World(1, 2))
    alone.load(*state)
    pair.load(*state)
    assert pair.notes == ()
    (note,) = alone.notes
    assert "by 2 processes, resumed on cpu" in note
    assert note.endswith("by 1 process: not bit-exact.")


def test_what_torch_says_of_a_lost_process_becomes_one_plain_sentence():
    told = "[/build/gloo/transport/tcp/pair.cc:537] Read error [::1]:1938: Connection reset by peer. Check.\nMore."
    assert reason_of(RuntimeError(told)) == "Read error [::1]:1938: Connection reset by peer"
