"""What is compiled agrees with what is not, and a compiler that does not work stops nobody."""

import shutil
from functools import partial

import numpy as np
import pytest
import torch
from test_captured import captured
from test_session import train, weights
from test_sweep import new_sweep
from test_sweep import train as train_sweep
from training_kinds import KINDS

from vae_explorer.training import compiling, sweep_updates, updates
from vae_explorer.training.compiling import Compiled, can_compile
from vae_explorer.training.optimiser import GuardedOptimiser
from vae_explorer.training.session import TrainingSession
from vae_explorer.training.stacked_adam import StackedAdam


def compiled(config, data):
    session = captured(config, data)
    session._updates.compile()
    return session


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == compiling.__name__]


def check_agreement(config, data, caplog):
    plain, fast = TrainingSession.new(config, data), compiled(config, data)
    expected, found = train(plain, 20), train(fast, 20)
    assert told(caplog) == []
    assert [r.loss for r in found] == pytest.approx([r.loss for r in expected], rel=1e-4)
    np.testing.assert_allclose(weights(fast), weights(plain), atol=1e-3)
    assert np.array_equal(plain.state()[0]["generator"], fast.state()[0]["generator"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # importing the compiler of torch 2.13 gives one
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_compiled_updates_agree_with_plain_ones(tiny_config, digits_data, caplog):
    check_agreement(tiny_config.with_values({"train.log_every": 20}), digits_data, caplog)


@pytest.mark.parametrize("kind", ["vae", "doubly reparameterised", "mmd and total correlation", "m1m2", "half"])
def test_updates_can_be_traced_whole(tiny_config, digits_data, caplog, monkeypatch, kind):
    """What a compiler begins with, on any machine: one graph, without a piece that it cannot take."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    monkeypatch.setattr(updates, "GuardedOptimiser", partial(GuardedOptimiser, is_flat=True))
    torch.compiler.reset()
    values = {"train.precision": "bf16"} if kind == "half" else KINDS[kind]
    check_agreement(tiny_config.with_values({"train.log_every": 20, "train.eps": 1e-4, **values}), digits_data, caplog)


@pytest.mark.filterwarnings("ignore:.*autograd.function.Function:DeprecationWarning")  # torch 2.13's own, of tracing
@pytest.mark.parametrize("kind", ["vae", "score function of a bound"])
def test_updates_of_a_sweep_can_be_traced_whole(tiny_config, digits_data, caplog, monkeypatch, kind):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    monkeypatch.setattr(sweep_updates, "StackedAdam", partial(StackedAdam, is_together=True))
    torch.compiler.reset()
    config = tiny_config.with_values({"train.log_every": 10, "train.eps": 1e-4, **KINDS[kind]})
    plain, fast = (new_sweep(config, digits_data) for _ in range(2))
    fast._updates.compile()
    for sweep in (plain, fast):
        train_sweep(sweep, 20)
    assert told(caplog) == []
    for member, expected in zip(fast.members, plain.members, strict=True):
        np.testing.assert_allclose(weights(member), weights(expected), atol=1e-3)


def test_a_compiler_that_fails_leaves_the_plain_function(monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise OSError("no such compiler")

    monkeypatch.setattr(torch, "compile", lambda plain, **kwargs: broken)
    double = Compiled(lambda value: 2 * value)
    assert [double(1), double(2)] == [2, 4]
    assert told(caplog) == ["a part of the training step is not compiled: no such compiler"]


def test_each_is_compiled_however_many_there_were_before(monkeypatch):
    sizes = []

    def backend(graph, inputs):
        sizes.append(len(inputs[0]))
        return graph.forward

    def double(value):
        return 2 * value

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    for size in range(2, 20):
        assert Compiled(double)(torch.ones(size)).tolist() == [2.0] * size
    assert sizes == list(range(2, 20))


def test_an_error_of_the_function_itself_is_its_own(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda plain, **kwargs: plain)
    with pytest.raises(ZeroDivisionError):
        Compiled(lambda value: value / 0)(1)


def test_a_gpu_with_triton_and_a_compiler_compiles(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(compiling, "find_spec", lambda name: object())
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    monkeypatch.delenv("CC", raising=False)
    assert not can_compile(cuda)
    monkeypatch.setattr(compiling.shutil, "which", lambda name: "/usr/bin/" + name)
    assert can_compile(cuda)
    assert not can_compile(torch.device("cpu"))
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    assert not can_compile(cuda)
