"""Every likelihood and every prior is trained, looked at, stored and taken up again, bit by bit the same."""

from __future__ import annotations

import numpy as np
import pytest

from vae_explorer.training.session import Advance, TrainingSession

MODELS = {
    "continuous Bernoulli": {"model.likelihood": "continuous_bernoulli"},
    **{
        f"{likelihood}, {variance}": {"model.likelihood": likelihood, "model.variance": variance}
        for likelihood in ("gaussian", "discretised_logistic")
        for variance in ("learnt", "per_pixel", "decoder")
    },
    "free means": {"model.likelihood": "gaussian", "model.variance": "learnt", "model.output": "identity"},
    "mixture": {"model.prior": "mixture", "model.components": 5},
    "VampPrior": {"model.prior": "vampprior", "model.components": 5},
    "softplus": {"model.activation": "softplus", "model.init": "glorot"},
}


def train(session, steps):
    for _ in range(steps):
        while (done := session.advance()) is not Advance.STEP:
            assert done is Advance.EVALUATION
    return [record for record in session.take_records() if record.split == "train"]


@pytest.mark.parametrize("values", MODELS.values(), ids=MODELS.keys())
def test_it_learns_and_goes_on_from_its_state_as_if_it_had_never_stopped(tiny_config, digits_data, values):
    config = tiny_config.with_values({"train.learning_rate": 5e-3, "train.log_every": 20, **values})
    whole = TrainingSession.new(config, digits_data)
    records = train(whole, 80)
    assert records[-1].elbo > records[0].elbo + 3
    arrays, meta = whole.state()

    again = TrainingSession.new(config, digits_data)
    again.load(arrays, meta)
    for session in (whole, again):
        train(session, 20)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert np.array_equal(one.detach().numpy(), other.detach().numpy())

    looked_at = again.frozen()
    z = looked_at.codes(np.arange(8)).loc
    assert np.isfinite(looked_at.decode(z, draw_seed=1)).all()
    assert np.array_equal(whole.decode(z), looked_at.decode(z))
