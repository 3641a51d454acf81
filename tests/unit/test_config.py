"""The configuration: one description that the form, the command line and TOML agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from vae_explorer.config import (
    FIELDS,
    MAX_CONFIG_BYTES,
    SECTIONS,
    RunConfig,
    field_spec,
    parse_assignment,
    read_config_file,
)
from vae_explorer.config_rules import check_together, is_relevant
from vae_explorer.errors import ConfigError, DataError
from vae_explorer.resource_files import preset_names, preset_path, preset_title


def test_defaults_are_those_of_the_issue() -> None:
    config = RunConfig()
    expected = {
        "data.name": "digits", "data.binarize": "none", "model.kind": "vae", "model.network": "mlp",
        "model.hidden": (400,), "model.activation": "relu", "model.latent_dim": 2, "model.likelihood": "bernoulli",
        "objective.beta": 1.0, "train.learning_rate": 1e-3, "train.batch_size": 128,
    }  # fmt: skip
    assert {key: config.get(key) for key in expected} == expected


def test_every_setting_has_what_a_form_needs() -> None:
    assert {spec.section for spec in FIELDS.values()} == set(SECTIONS)
    for key, spec in FIELDS.items():
        assert spec.label, key
        assert spec.help.endswith((".", ")")), key
        assert spec.expectation, key
        assert spec.validate(spec.default) == spec.default, key
        if spec.kind in ("int", "float", "int_list"):
            assert spec.minimum is not None, key
            assert spec.maximum is not None, key
        if spec.kind == "choice":
            assert spec.default in spec.choices, key


def test_toml_round_trip_of_every_setting() -> None:
    config = RunConfig().with_values(
        {
            "data.name": 'C:\\faces "1"', "data.side": 32, "data.validation": 0.25, "data.hue": True,
            "model.hidden": [512, 256], "model.channels": [8], "model.kind": "autoencoder", "train.steps": 7,
            "train.device": "cuda:1", "train.learning_rate": 3e-4, "objective.beta": 0.5,
        }
    )  # fmt: skip
    assert RunConfig.from_toml(config.to_toml()) == config
    assert RunConfig.from_toml(RunConfig().to_toml()) == RunConfig()
    assert RunConfig.from_toml("") == RunConfig()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.latent_dim", 0), ("model.latent_dim", 257), ("model.latent_dim", 2.5), ("model.latent_dim", True),
        ("model.latent_dim", "2"), ("model.latent_dim", None), ("model.kind", "gan"), ("model.hidden", [0]),
        ("model.hidden", 400), ("model.hidden", [4] * 17), ("model.channels", []), ("objective.beta", -0.1),
        ("objective.beta", float("nan")), ("objective.beta", float("inf")), ("train.learning_rate", float("nan")),
        ("train.learning_rate", 0), ("train.device", "tpu"), ("train.device", "cuda:x"), ("data.side", 3),
        ("data.validation", 0.51), ("data.hue", 1), ("data.name", 5), ("train.steps", 0),
    ],
)  # fmt: skip
def test_bad_values_name_key_value_and_expectation(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig().with_values({key: value})
    message = str(caught.value)
    assert message.startswith(f"{key} = {value!r}: expected ")
    assert FIELDS[key].expectation in message


def test_whole_floats_and_empty_optionals_are_taken() -> None:
    config = RunConfig().with_values({"model.latent_dim": 3.0, "data.side": 16})
    assert config.model.latent_dim == 3
    assert config.with_values({"data.side": None}).data.side is None
    assert RunConfig().with_values({"objective.beta": 2}).objective.beta == 2.0


def test_unknown_keys_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean model\.latent_dim\?"):
        RunConfig().with_values({"model.latentdim": 2})
    with pytest.raises(ConfigError, match=r"run.toml: unknown section \[modle\].*Did you mean model\?"):
        RunConfig.from_toml("[modle]\nlatent_dim = 2", where="run.toml")
    with pytest.raises(ConfigError, match=r"run.toml: Unknown setting 'train\.batchsize'.*train\.batch_size"):
        RunConfig.from_toml("[train]\nbatchsize = 2", where="run.toml")
    with pytest.raises(ConfigError, match=r"expected a table \[model\]"):
        RunConfig.from_toml("model = 3")
    with pytest.raises(ConfigError, match="not valid TOML"):
        RunConfig.from_toml("[model")
    with pytest.raises(ConfigError):
        RunConfig().get("model.nothing")


@pytest.mark.parametrize(
    ("text", "line"),
    [("[model]\nlatent_dim = 2\nkind =\n", 3), ("[model]\nlatent_dim", 2), ("\n\n[model\n", 3), ("a = [1,\n2\n\n", 2)],
)
def test_text_that_is_no_toml_names_its_line(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"^mine\.toml: line {line} is not valid TOML"):
        RunConfig.from_toml(text, where="mine.toml")


def test_a_runs_own_description_is_read_as_its_configuration() -> None:
    config = RunConfig().with_values({"model.latent_dim": 7, "model.hidden": (30, 20), "train.steps": 12})
    text = tomlkit.dumps({"format": 1, "device": "cpu", "versions": {"python": "3"}, "config": config.to_dict()})
    assert RunConfig.from_toml(text) == config
    with pytest.raises(ConfigError, match=r"run.toml: Unknown setting 'train\.batchsize'"):
        RunConfig.from_toml("format = 1\n[config.train]\nbatchsize = 2", where="run.toml")
    with pytest.raises(ConfigError, match=r"unknown section \[config\]"):
        RunConfig.from_toml("[train]\nseed = 1\n[config.train]\nseed = 2")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("model.latent_dim=2", "model.latent_dim", 2),
        (" objective.beta = 0.5", "objective.beta", 0.5),
        ("model.hidden=[400, 200]", "model.hidden", [400, 200]),
        ("model.kind=autoencoder", "model.kind", "autoencoder"),
        ('model.kind="vae"', "model.kind", "vae"),
        ("data.hue=true", "data.hue", True),
        ("data.name=a=b.npz", "data.name", "a=b.npz"),
        ("data.side=", "data.side", None),
        ("data.name=../x y", "data.name", "../x y"),
    ],
)
def test_assignments_take_toml_else_the_bare_string(text: str, key: str, value: Any) -> None:
    assert parse_assignment(text) == (key, value)


def test_assignments_without_a_sign_or_with_an_unknown_key() -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_assignment("model.latent_dim")
    with pytest.raises(ConfigError, match=r"Did you mean objective\.beta"):
        parse_assignment("objective.bta=3")


def test_relevance_follows_the_other_settings() -> None:
    config = RunConfig()
    assert not is_relevant("model.channels", config)
    assert is_relevant("model.channels", config.with_values({"model.network": "conv"}))
    assert not is_relevant("objective.beta", config.with_values({"model.kind": "autoencoder"}))
    assert not is_relevant("train.epochs", config.with_values({"train.steps": 5}))
    assert all(isinstance(is_relevant(key, config), bool) for key in FIELDS)


def test_configuration_files(tmp_path: Path) -> None:
    good = tmp_path / "a.toml"
    good.write_text("[model]\nlatent_dim = 5\n")
    assert read_config_file(good).model.latent_dim == 5
    with pytest.raises(DataError, match="No such file"):
        read_config_file(tmp_path / "missing.toml")
    with pytest.raises(DataError):
        read_config_file(tmp_path)
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read_config_file(binary)
    large = tmp_path / "c.toml"
    large.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    with pytest.raises(DataError, match="at most 1,000,000"):
        read_config_file(large)
    assert DataError.exit_code == 3
    assert ConfigError.exit_code == 2


PRESETS = [
    "aevb", "digits-2d", "iwae-1", "iwae-5", "iwae-50", "m1m2-100", "m2-100", "mnist-20d", "mnist-2d", "ppca",
    "shapes-conv",
]  # fmt: skip


def test_presets_are_valid_and_described() -> None:
    assert preset_names() == PRESETS
    for name in preset_names():
        config = read_config_file(preset_path(name))
        check_together(config)
        assert len(preset_title(name)) > 20
    assert read_config_file(preset_path("mnist-20d")).train.epochs == 10


def test_expectations_read_like_words() -> None:
    assert field_spec("model.latent_dim").expectation == "a whole number from 1 to 256"
    assert field_spec("train.epochs").expectation == "a whole number from 1 to 10,000,000"
    assert field_spec("data.binarize").expectation == "one of none, threshold, static, dynamic"
