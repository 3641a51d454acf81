"""The collapse verdict: which dimensions are off, since when, and what to try, and never a word too early."""

import numpy as np
import pytest

from vae_explorer.latent.collapse import LeastUsed, collapse_verdict
from vae_explorer.latent.collapse_words import verdict_sentences

STEPS = np.arange(100, 1100, 100)


def history(*columns):
    """(T, d) of KL, one column a dimension."""
    return np.stack([np.broadcast_to(column, STEPS.shape) for column in columns], axis=1).astype(float)


def fading(last_on: int):
    """A KL that is 2 nats up to and with step `last_on`, then next to nothing."""
    return np.where(last_on >= STEPS, 2.0, 0.001)


def test_a_model_that_uses_all_its_dimensions_is_told_so():
    verdict = collapse_verdict(STEPS, history(3.0, 0.5))
    assert (verdict.off, verdict.since, verdict.cures) == ((), (), ())
    assert (verdict.finding, verdict.least_used) == ("used", LeastUsed(1, 0.5, True))
    assert verdict_sentences(verdict) == ["No dimension is off. The least used, z1, costs 0.5 nats."]


def test_dimensions_that_went_off_are_named_with_the_step_and_those_that_never_were_on():
    verdict = collapse_verdict(STEPS, history(3.0, fading(400), 0.0, 2.0, fading(400)))
    assert verdict.off == (1, 2, 4)
    assert verdict.since == (500, 0, 500)
    assert verdict_sentences(verdict)[0] == "3 of 5 dimensions are off: z1, z4 since step 500; z2 from the beginning."
    assert verdict.cures == ("warmup", "free_bits", "beta")
    assert "warm-up of beta first" in verdict_sentences(verdict)[-1]


def test_a_few_unused_dimensions_need_no_cure():
    verdict = collapse_verdict(STEPS, history(3.0, 2.0, fading(600), 1.0))
    assert verdict_sentences(verdict)[0] == "1 of 4 dimensions is off: z2 since step 700."
    assert verdict.cures == ()
    assert "cost nothing" in verdict_sentences(verdict)[1]


def test_a_dimension_that_came_back_is_not_off_and_one_that_came_back_and_went_counts_from_the_last_time():
    back = np.where((STEPS > 300) & (STEPS < 600), 0.0, 1.0)
    again = np.where((STEPS == 200) | (STEPS == 700), 1.0, 0.0)
    verdict = collapse_verdict(STEPS, history(back, again))
    assert (verdict.off, verdict.since) == ((1,), (800,))


def test_full_collapse_is_said_first_with_the_cures_in_order():
    verdict = collapse_verdict(STEPS, history(fading(300), fading(300)))
    assert verdict.finding == "collapsed"
    assert verdict_sentences(verdict)[0] == "Collapsed: all 2 dimensions are off since step 400."
    assert verdict.cures == ("warmup", "free_bits", "beta")
    assert "from these weights" in verdict_sentences(verdict)[-1]
    single = collapse_verdict(STEPS, history(0.0))
    assert verdict_sentences(single)[0] == "Collapsed: the only dimension is off from the beginning."


def test_the_variance_of_the_mean_decides_where_it_is_known():
    """With free bits a dimension costs nats and yet says nothing; the history cannot tell since when."""
    verdict = collapse_verdict(STEPS, history(0.5, 3.0), variances=[0.0001, 0.9])
    assert (verdict.off, verdict.since) == ((0,), (None,))
    assert verdict_sentences(verdict)[0] == "1 of 2 dimensions is off: z0."


def test_a_prior_without_a_kl_of_each_dimension_is_judged_by_variances_alone():
    none = (np.empty(0), np.empty((0, 0)))
    assert collapse_verdict(*none, variances=[0.5, 0.001]).off == (1,)
    assert collapse_verdict(*none, variances=[0.5, 0.25]).least_used == LeastUsed(1, 0.25, False)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_nothing_is_said_too_early(n):
    verdict = collapse_verdict(STEPS[:n], np.zeros((n, 3)))
    assert (verdict.finding, verdict.n_dims, verdict.off) == ("early", 3, ())
    assert "too early" in verdict_sentences(verdict)[0]
    if n:
        assert collapse_verdict(STEPS[:n], np.zeros((n, 3)), variances=[0.0, 0.0, 0.0]).finding == "early"


def test_many_dimensions_are_counted_not_listed():
    verdict = collapse_verdict(STEPS, history(*[0.0] * 30, *[1.0] * 40))
    assert "and 22 more from the beginning" in verdict_sentences(verdict)[0]


def test_the_only_dimension_that_is_left_carries_in_the_singular():
    sentences = verdict_sentences(collapse_verdict(STEPS, history(0.0, fading(300), 2.0)))
    assert sentences[0] == "2 of 3 dimensions are off: z1 since step 400; z0 from the beginning."
    assert sentences[1] == "Only 1 of 3 carries anything."


def test_all_that_went_off_at_different_times_are_grouped_after_a_colon():
    first, *_ = verdict_sentences(collapse_verdict(STEPS, history(fading(300), fading(500))))
    assert first == "Collapsed: all 2 dimensions are off: z1 since step 600; z0 since step 400."
