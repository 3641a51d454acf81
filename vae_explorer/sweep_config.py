"""A sweep of beta: one configuration whose `objective.beta` is a list stands for one run of each of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vae_explorer.config import RunConfig, config_tables, field_spec, read_config_text
from vae_explorer.config_rules import is_relevant
from vae_explorer.errors import ConfigError

SWEPT = "objective.beta"
"""The setting that may be a list."""
MOST_MODELS = 32
_EXAMPLE = "such as [0.5, 1, 2, 4]"


def split_betas(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[float, ...] | None]:
    """Return settings by dotted key without a list of betas, and that list, checked; None where there is no list.

    Raises ConfigError for a list that is none of 2 to MOST_MODELS different values in beta's range.
    """
    plain = dict(values)
    if not isinstance(plain.get(SWEPT), list | tuple):
        return plain, None
    return plain, checked_betas(plain.pop(SWEPT))


def checked_betas(values: Sequence[Any]) -> tuple[float, ...]:
    """Return the betas of a sweep in the order given; raises ConfigError as `split_betas`."""
    spec = field_spec(SWEPT)
    betas = tuple(float(spec.validate(value)) for value in values)
    if not 2 <= len(betas) <= MOST_MODELS:
        raise ConfigError(f"{SWEPT}: {len(betas)} values found, expected 2 to {MOST_MODELS}; name so many, {_EXAMPLE}.")
    twice = next((beta for place, beta in enumerate(betas) if beta in betas[:place]), None)
    if twice is not None:
        raise ConfigError(f"{SWEPT}: {beta_text(twice)} is there twice, expected different values; name it once.")
    return betas


def configs_of(config: RunConfig, betas: Sequence[float]) -> tuple[RunConfig, ...]:
    """Return the configuration of each run of a sweep; raises ConfigError where it cannot be trained as one."""
    for sentence in _refusals(config):
        raise ConfigError(sentence)
    return tuple(config.with_values({SWEPT: beta}) for beta in betas)


def _refusals(config: RunConfig) -> Iterator[str]:
    if not is_relevant(SWEPT, config):
        key = "model.kind" if config.model.kind == "autoencoder" else "objective.similarity"
        needed = "model.kind=vae" if config.model.kind == "autoencoder" else "objective.similarity=kl"
        yield f"{SWEPT} is a list: with {key} = {config.get(key)!r} beta has no effect; set {needed}, or one beta."
    expected = {"model.kind": "vae", "model.network": "mlp", "train.optimizer": "adam", "train.precision": "fp32"}
    for key, value in expected.items():
        if config.get(key) != value:
            yield f"{SWEPT} is a list: models are trained side by side with {key}={value} only; set that, or one beta."
    objective = config.objective
    if objective.gradient == "dreg" and objective.bound == "iwae":
        yield (
            f"{SWEPT} is a list: the doubly reparameterised gradient of the importance-weighted bound cannot be taken "
            "of models side by side; set objective.gradient=reparameterised, or one beta."
        )
    if objective.mmd_weight > 0 and config.model.prior != "standard_normal":
        yield (
            f"{SWEPT} is a list: models side by side share their draws of the prior for the MMD, and a learnt prior is "
            "each model's own; set model.prior=standard_normal, or one beta."
        )


def beta_text(beta: float) -> str:
    """Return a beta with all its digits: '0.5', '1'."""
    return repr(float(beta)).removesuffix(".0")


def run_name(beta: float) -> str:
    """Return the name of the folder of one run of a sweep: 'beta-0.5'."""
    return f"beta-{beta_text(beta)}"


def read_sweep_file(path: Path) -> tuple[RunConfig, tuple[float, ...] | None]:
    """Read a TOML configuration whose beta may be a list; raises as `read_config_file`, and as `split_betas`."""
    tables = config_tables(read_config_text(path), where=str(path))
    section, _, name = SWEPT.partition(".")
    objective = tables.get(section)
    if not isinstance(objective, Mapping) or not isinstance(objective.get(name), list):
        return RunConfig.from_dict(tables, where=str(path)), None
    others = {key: value for key, value in objective.items() if key != name}
    try:
        betas = checked_betas(objective[name])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return RunConfig.from_dict({**tables, section: others}, where=str(path)), betas
