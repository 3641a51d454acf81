"""Rules between settings: which have an effect under the others, and which do not go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vae_explorer.config import FIELDS, RunConfig
from vae_explorer.errors import ConfigError

LABELLED = ("m2", "m1m2")
"""Kinds that learn from labels."""
SCALED = ("gaussian", "discretised_logistic")
"""Likelihoods with a scale."""


def has_normal_prior(config: RunConfig) -> bool:
    """Whether the prior of the codes is N(0, I): not of an autoencoder, of a learnt prior, or of M1 under its M2."""
    return config.model.kind == "m2" or (config.model.kind == "vae" and config.model.prior == "standard_normal")


def is_relevant(key: str, config: RunConfig) -> bool:
    """Whether a setting has an effect under the other settings (a form hides the rest)."""
    model, data, objective, train = config.model, config.data, config.objective, config.train
    is_vae, is_labelled = model.kind == "vae", model.kind in LABELLED
    has_mmd = is_vae and (objective.similarity == "mmd" or objective.mmd_weight > 0)
    rules = {
        "model.channels": model.network == "conv",
        "model.style_dim": model.kind == "m1m2",
        "model.variance": model.likelihood in SCALED,
        "model.scale": model.likelihood in SCALED and model.variance == "fixed",
        "model.output": model.likelihood in SCALED,
        "model.prior": is_vae,
        "model.components": is_vae and model.prior != "standard_normal",
        "model.init_scale": model.init == "normal",
        "data.binarize": model.likelihood == "bernoulli",
        "data.fit": data.side is not None,
        "data.count": data.name == "shapes",
        "data.hue": data.name == "shapes",
        "data.validation": data.train_on == "train",
        "data.labels_per_class": is_labelled,
        "objective.bound": is_vae,
        "objective.samples": model.kind != "autoencoder",
        "objective.kl": is_vae
        and model.prior == "standard_normal"
        and objective.bound == "elbo"
        and objective.similarity == "kl",
        "objective.gradient": is_vae,
        "objective.beta": model.kind != "autoencoder" and objective.similarity != "mmd",
        "objective.warmup": model.kind != "autoencoder" and objective.similarity != "mmd",
        "objective.warmup_steps": model.kind != "autoencoder" and objective.warmup != "none",
        "objective.free_bits": is_vae and objective.similarity == "kl" and objective.bound == "elbo",
        "objective.similarity": is_vae,
        "objective.renyi_alpha": is_vae and objective.similarity == "renyi",
        "objective.mmd_weight": is_vae,
        "objective.mmd_kernel": has_mmd,
        "objective.mmd_scale": has_mmd,
        "objective.tc_weight": is_vae,
        "objective.classification_weight": is_labelled,
        "train.labelled_batch": is_labelled,
        "train.pretrain_steps": model.kind == "m1m2",
        "train.epochs": train.steps is None,
        "train.betas": train.optimizer != "adagrad",
    }
    return rules.get(key, True)


def note_without_effect(keys: Iterable[str], config: RunConfig) -> str | None:
    """Return one sentence on those of these settings that have no effect under the others; None where all have.

    A setting comes with the nearest other one under which it would have an effect, where a single one does.
    """
    idle = [key for key in keys if not is_relevant(key, config)]
    if not idle:
        return None
    named = ", ".join(f"{key} (it goes with {needed})" if (needed := _needed(key, config)) else key for key in idle)
    return f"Without effect under the other settings: {named}."


def _needed(key: str, config: RunConfig) -> str | None:
    """'model.network=conv', the first choice of another setting that gives this one an effect."""
    for other, spec in FIELDS.items():
        for value in spec.choices:
            if is_relevant(key, config.with_values({other: value})):
                return f"{other}={value}"
    return None


def check_together(config: RunConfig) -> None:
    """Raise ConfigError with one sentence for the first two settings that do not go together."""
    for sentence in _conflicts(config):
        raise ConfigError(sentence)


def _conflicts(config: RunConfig) -> Iterator[str]:
    data, model, train = config.data, config.model, config.train
    if data.binarize != "none" and model.likelihood != "bernoulli":
        yield (
            f"data.binarize = {data.binarize!r}: a {model.likelihood} likelihood takes the images as they are; set "
            "data.binarize=none, or model.likelihood=bernoulli."
        )
    if model.kind == "vae":
        yield from _conflicts_of_vae(config)
    elif model.kind in LABELLED:
        yield from _conflicts_of_labelled(config)
    if train.lr_schedule:
        epochs = [int(part.partition(":")[0]) for part in train.lr_schedule.split(",")]
        if epochs != sorted(set(epochs)):
            yield (
                f"train.lr_schedule = {train.lr_schedule!r}: expected epochs that grow, such as '10: 0.5, 20: 0.1'; "
                "put them in order."
            )


def _conflicts_of_vae(config: RunConfig) -> Iterator[str]:
    model, objective = config.model, config.objective
    is_iwae, has_learnt_prior = objective.bound == "iwae", model.prior != "standard_normal"
    if objective.gradient == "dreg" and not is_iwae and objective.kl != "monte_carlo" and not has_learnt_prior:
        yield (
            "objective.gradient = 'dreg': the doubly reparameterised gradient needs sampled log-weights; set "
            "objective.kl=monte_carlo, or objective.bound=iwae."
        )
    if objective.similarity != "kl" and is_iwae:
        yield (
            f"objective.similarity = {objective.similarity!r}: the importance-weighted bound has no KL term to put it "
            "in the place of; set objective.bound=elbo, or objective.similarity=kl."
        )
    if objective.similarity != "kl" and objective.gradient != "reparameterised":
        yield (
            f"objective.gradient = {objective.gradient!r}: it is a gradient of the bound, and with "
            f"objective.similarity = {objective.similarity!r} there is none; set objective.gradient=reparameterised."
        )
    if objective.similarity == "mmd" and objective.mmd_weight == 0:
        yield (
            "objective.similarity = 'mmd': objective.mmd_weight is 0, so that nothing would keep the codes near the "
            "prior; set objective.mmd_weight, such as 100."
        )
    if objective.free_bits > 0 and (is_iwae or has_learnt_prior or objective.similarity != "kl"):
        yield (
            f"objective.free_bits = {objective.free_bits:g}: needs the KL of each dimension, which is there for "
            "objective.bound=elbo, objective.similarity=kl and model.prior=standard_normal only; set it to 0."
        )
    if objective.similarity == "mmd" and has_learnt_prior:
        yield (
            f"model.prior = {model.prior!r}: is learnt by the KL, which objective.similarity = 'mmd' leaves out; set "
            "model.prior=standard_normal, or objective.similarity=kl with objective.mmd_weight beside it."
        )
    if objective.similarity in ("reverse_kl", "wasserstein2", "renyi") and has_learnt_prior:
        yield (
            f"objective.similarity = {objective.similarity!r}: has a closed form between Gaussians only; set "
            "model.prior=standard_normal."
        )


def _conflicts_of_labelled(config: RunConfig) -> Iterator[str]:
    model, train = config.model, config.train
    kind = model.kind
    if model.network != "mlp":
        yield f"model.network = {model.network!r}: {kind} is built of fully connected layers; set model.network=mlp."
    expected = {
        "model.prior": "standard_normal", "objective.bound": "elbo", "objective.gradient": "reparameterised",
        "objective.similarity": "kl", "objective.kl": "analytic", "objective.free_bits": 0.0,
        "objective.mmd_weight": 0.0, "objective.tc_weight": 0.0,
    }  # fmt: skip
    for key, value in expected.items():
        if config.get(key) != value:
            yield f"{key} = {config.get(key)!r}: {kind} is trained on its own bound, with {key}={value}; set that."
    if train.labelled_batch > train.batch_size:
        yield (
            f"train.labelled_batch = {train.labelled_batch}: a batch has {train.batch_size} images in all; lower it, "
            "or raise train.batch_size."
        )
