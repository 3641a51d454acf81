"""Adam over stacked parameters: all models together do what torch's fused kernel does model by model."""

import pytest
import torch

from vae_explorer.model.model import build_model
from vae_explorer.model.stacked import StackedModels
from vae_explorer.training.stacked_adam import StackedAdam

N_MODELS, STEPS = 4, 50


@pytest.fixture
def config(tiny_config):
    return tiny_config.with_values({"model.likelihood": "gaussian", "model.variance": "learnt"})


def adam(config, *, is_together):
    stacked = StackedModels(build_model(config, (1, 8, 8), 16), N_MODELS)
    return stacked, StackedAdam(stacked, config.train, is_together=is_together)


def losses(stacked, *, step, poisoned=None, value=0.0):
    """A loss (M,) whose gradient is noise of another size for each parameter, and `value` in one model."""
    generator = torch.Generator().manual_seed(step)
    total = torch.zeros(N_MODELS)
    for place, parameter in enumerate(stacked.parameters.values()):
        noise = torch.randn(parameter.shape, generator=generator) * 10.0 ** (2 - place % 5)
        total = total + (noise * parameter).view(N_MODELS, -1).sum(1)
    scale = torch.ones(N_MODELS)
    if poisoned is not None:
        scale[poisoned] = value
    return total * scale


def work(stacked, optimiser, steps, **poison):
    rates = torch.tensor([1e-3, 3e-3, 1e-4, 1e-3])
    for step in steps:
        loss = losses(stacked, step=step, **poison)
        optimiser.minimise(loss, differentiated=loss, rates=rates)


def state(stacked, optimiser, model):
    return {**dict(stacked.models[model].named_parameters()), **optimiser.state_of(model)}


def copied(stacked, optimiser, model):
    return {name: tensor.detach().clone() for name, tensor in state(stacked, optimiser, model).items()}


def test_together_they_are_what_each_is_by_the_fused_kernel(config):
    kinds = [adam(config, is_together=is_together) for is_together in (False, True)]
    for kind in kinds:
        work(*kind, range(STEPS))
    for model in range(N_MODELS):
        fused, together = (state(*kind, model) for kind in kinds)
        assert set(fused) == set(together)
        for name, expected in fused.items():
            torch.testing.assert_close(together[name], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("is_together", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_a_model_that_diverges_changes_no_bit_and_holds_no_other_up(config, value, is_together):
    alone, stacked = (adam(config, is_together=is_together) for _ in range(2))
    for kind in (alone, stacked):
        work(*kind, range(5))
    before = copied(*stacked, 1)
    work(*alone, range(5, 8))
    work(*stacked, range(5, 6), poisoned=1, value=value)
    work(*stacked, range(6, 8))
    assert stacked[1].latches.tolist() == [0, 1, 0, 0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(*stacked, 1).items())
    for model in (0, 2, 3):
        expected = state(*alone, model)
        assert all(torch.equal(tensor, expected[name]) for name, tensor in state(*stacked, model).items())


@pytest.mark.parametrize("is_together", [False, True])
def test_the_very_first_update_may_be_refused(config, is_together):
    stacked, optimiser = adam(config, is_together=is_together)
    work(stacked, optimiser, range(2), poisoned=2, value=float("nan"))
    for model in range(N_MODELS):
        assert all(tensor.isfinite().all() for tensor in state(stacked, optimiser, model).values())
    assert {float(count) for name, count in optimiser.state_of(2).items() if ".step." in name} == {0.0}


def test_while_rehearsing_nothing_changes(config):
    stacked, optimiser = adam(config, is_together=True)
    work(stacked, optimiser, range(3))
    before = [copied(stacked, optimiser, model) for model in range(N_MODELS)]
    with optimiser.rehearsing():
        work(stacked, optimiser, range(3, 6))
    for model, of_model in enumerate(before):
        assert all(torch.equal(tensor, of_model[name]) for name, tensor in state(stacked, optimiser, model).items())
    assert optimiser.latches.tolist() == [0] * N_MODELS
