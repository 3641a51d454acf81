"""The one description of a run: every setting with its label, range and help, validated, TOML in and out."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomlkit
from msgspec import Meta

from vae_explorer.errors import ConfigError, DataError, nearest_hint

MAX_CONFIG_BYTES = 1_000_000
"""A configuration file larger than this is not one."""

Width = Annotated[int, Meta(ge=1, le=16384)]
Channels = Annotated[int, Meta(ge=1, le=1024)]


class DataConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which images, how they are brought to one shape, and how they are split."""

    name: Annotated[str, Meta(title="Data set", description="A data set by name, or the path of a folder or file.")] = (
        "digits"
    )
    binarize: Annotated[
        Literal["none", "threshold", "static", "dynamic"],
        Meta(
            title="Binarise",
            description="none: grey values as probabilities; threshold: above one half is 1; static: drawn once; "
            "dynamic: drawn anew each time an image is used.",
        ),
    ] = "none"
    side: Annotated[
        Annotated[int, Meta(ge=4, le=512)] | None,
        Meta(title="Side", description="Resize every image to this many pixels a side; empty keeps the size."),
    ] = None
    fit: Annotated[
        Literal["crop", "pad", "stretch"],
        Meta(
            title="Fit",
            description="How an image that is not square meets the side: cut, padded or stretched.",
        ),
    ] = "crop"
    colour: Annotated[
        Literal["auto", "grey", "colour"],
        Meta(
            title="Colour",
            description="auto keeps what the images have; grey makes 1 channel, colour makes 3.",
        ),
    ] = "auto"
    validation: Annotated[
        Annotated[float, Meta(ge=0.0, le=0.5)] | None,
        Meta(
            title="Validation share",
            description="Share of the training images kept for validation; empty: 0 for IDX sets, 0.1 for others.",
        ),
    ] = None
    train_on: Annotated[
        Literal["train", "all"],
        Meta(title="Train on", description="The training split, or all images (then nothing is held out)."),
    ] = "train"
    seed: Annotated[
        int,
        Meta(
            title="Data seed",
            description="Seed of the split, of static binarisation and of drawn shapes.",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 0
    count: Annotated[
        int, Meta(title="Shapes", description="How many images the drawn shapes have.", ge=10, le=1_000_000)
    ] = 6000
    hue: Annotated[bool, Meta(title="Hue", description="Give the drawn shapes a colour, one more factor.")] = False


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of model, its networks and its likelihood."""

    kind: Annotated[
        Literal["vae", "autoencoder"],
        Meta(
            title="Kind",
            description="A variational autoencoder, or a plain one: codes without a distribution.",
        ),
    ] = "vae"
    network: Annotated[
        Literal["mlp", "conv"],
        Meta(title="Network", description="Fully connected layers, or convolutions (sides from 8 to 128)."),
    ] = "mlp"
    hidden: Annotated[
        tuple[Width, ...],
        Meta(
            title="Hidden layers",
            description="Widths of the fully connected layers, encoder order; the decoder mirrors them.",
            max_length=16,
        ),
    ] = (400,)
    channels: Annotated[
        tuple[Channels, ...],
        Meta(
            title="Channels",
            description="Channels of the convolutions, each halving the side; the decoder mirrors them.",
            min_length=1,
            max_length=6,
        ),
    ] = (32, 64)
    activation: Annotated[
        Literal["relu", "tanh", "silu"],
        Meta(title="Activation", description="The nonlinearity of the hidden layers."),
    ] = "relu"
    latent_dim: Annotated[
        int,
        Meta(
            title="Latent dimensions",
            description="How many numbers a code has; 2 can be seen whole.",
            ge=1,
            le=256,
        ),
    ] = 2
    likelihood: Annotated[
        Literal["bernoulli", "gaussian"],
        Meta(title="Likelihood", description="p(x|z) of a pixel: Bernoulli probability or Gaussian mean."),
    ] = "bernoulli"
    variance: Annotated[
        Literal["unit", "fixed", "learnt"],
        Meta(
            title="Variance",
            description="Of a Gaussian likelihood: 1, a fixed scale squared, or one learnt scale for all pixels.",
        ),
    ] = "unit"
    scale: Annotated[
        float,
        Meta(title="Scale", description="Standard deviation where the variance is fixed.", ge=1e-4, le=100.0),
    ] = 0.1


class ObjectiveConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is minimised: loss = distortion + beta * kl, nats per image."""

    beta: Annotated[
        float,
        Meta(
            title="beta",
            description="Weight of the KL term in the loss; 1 is the bound itself.",
            ge=0.0,
            le=1000.0,
        ),
    ] = 1.0


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how fast and where it is trained."""

    batch_size: Annotated[int, Meta(title="Batch size", description="Images an update.", ge=1, le=65536)] = 128
    learning_rate: Annotated[float, Meta(title="Learning rate", description="Step size of Adam.", ge=1e-8, le=10.0)] = (
        1e-3
    )
    epochs: Annotated[
        int,
        Meta(
            title="Epochs",
            description="Passes over the training images; ceil(epochs N / B) updates.",
            ge=1,
            le=10_000_000,
        ),
    ] = 20
    steps: Annotated[
        Annotated[int, Meta(ge=1, le=10**12)] | None,
        Meta(title="Steps", description="Updates in all; empty: the epochs decide."),
    ] = None
    seed: Annotated[int, Meta(title="Seed", description="Seed of weights, batches and noise.", ge=0, le=2**31 - 1)] = 0
    device: Annotated[
        str,
        Meta(
            title="Device",
            description="auto, cpu, cuda, cuda:N or mps; auto takes the first accelerator there is.",
            pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
        ),
    ] = "auto"
    log_every: Annotated[
        int,
        Meta(
            title="Log every",
            description="Steps between two points of the training curves.",
            ge=1,
            le=1_000_000,
        ),
    ] = 50
    evaluate_every: Annotated[
        Annotated[int, Meta(ge=1, le=10**9)] | None,
        Meta(
            title="Evaluate every",
            description="Steps between two held-out evaluations; empty: once an epoch.",
        ),
    ] = None
    checkpoint_every_s: Annotated[
        float,
        Meta(
            title="Save every",
            description="Seconds between two checkpoints while it trains.",
            ge=1.0,
            le=86400.0,
        ),
    ] = 60.0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration of a run: data, model, objective, train."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()

    def get(self, key: str) -> Any:
        """Return the value of a dotted key such as 'model.latent_dim'; ConfigError when unknown."""
        spec = field_spec(key)
        return getattr(getattr(self, spec.section), spec.name)

    def with_values(self, values: Mapping[str, Any]) -> RunConfig:
        """Return a copy with dotted keys replaced, every value validated; ConfigError names key, value and range."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            spec = field_spec(key)
            sections.setdefault(spec.section, {})[spec.name] = spec.validate(value)
        return msgspec.structs.replace(
            self,
            **{name: msgspec.structs.replace(getattr(self, name), **changes) for name, changes in sections.items()},
        )

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain nested dictionaries; settings that are None are left out."""
        return {
            section: {k: v for k, v in msgspec.to_builtins(getattr(self, section)).items() if v is not None}
            for section in SECTIONS
        }

    def to_toml(self) -> str:
        """Return the configuration as TOML; `from_toml` reads it back to an equal one."""
        return tomlkit.dumps(self.to_dict())

    @staticmethod
    def from_dict(tables: Mapping[str, Any], *, where: str = "the configuration") -> RunConfig:
        """Build from nested tables; ConfigError names the first unknown key and its nearest, or the bad value."""
        flat: dict[str, Any] = {}
        for section, table in tables.items():
            if section not in SECTIONS:
                raise ConfigError(
                    f"{where}: unknown section [{section}], expected one of {', '.join(SECTIONS)}."
                    + nearest_hint(section, SECTIONS)
                )
            if not isinstance(table, Mapping):
                raise ConfigError(f"{where}: {section} is {table!r}, expected a table [{section}] of settings.")
            flat.update({f"{section}.{name}": value for name, value in table.items()})
        try:
            return RunConfig().with_values(flat)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None

    @staticmethod
    def from_toml(text: str, *, where: str = "the configuration") -> RunConfig:
        """Parse TOML text, also a run.toml with its settings below [config]; ConfigError names the line or the key."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line = _line_of(error, text)
            raise ConfigError(f"{where}: line {line} is not valid TOML ({error}); correct it.") from None
        of_run = tables.get("config")
        if isinstance(of_run, dict) and not tables.keys() & set(SECTIONS):
            tables = of_run
        return RunConfig.from_dict(tables, where=where)


SECTIONS = RunConfig.__struct_fields__


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line that an error tells in words, else (where the text ends too early) the last one."""
    told = re.search(r"at line (\d+)", str(error))
    return int(told[1]) if told else max(1, len(text.rstrip().splitlines()))


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as a form, a command line and an error message need it."""

    key: str
    section: str
    name: str
    label: str
    help: str
    kind: Literal["int", "float", "choice", "text", "bool", "int_list"]
    is_optional: bool
    default: Any
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    type_: Any = None

    @property
    def expectation(self) -> str:
        """What a value must be, in words: 'a whole number from 1 to 256'."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        words = {
            "int": "a whole number", "float": "a number", "text": "text", "bool": "true or false",
            "int_list": "a list of whole numbers such as [400, 200], each",
        }[self.kind]  # fmt: skip
        if self.name == "device":
            words = "auto, cpu, cuda, cuda:N or mps"
        bounds = (
            f" from {self.minimum:,.10g} to {self.maximum:,.10g}"
            if self.minimum is not None and self.maximum is not None
            else ""
        )
        return words + bounds + (" (or nothing at all)" if self.is_optional else "")

    def validate(self, value: Any) -> Any:
        """Return `value` as the setting's type; ConfigError says key, value, expectation."""
        try:
            if isinstance(value, bool) and self.kind != "bool":
                raise msgspec.ValidationError("a bool is not a number")
            if self.kind == "int" and isinstance(value, float) and value.is_integer():
                value = int(value)
            return msgspec.convert(value, type=self.type_, strict=True)
        except msgspec.ValidationError:
            raise ConfigError(f"{self.key} = {value!r}: expected {self.expectation}.") from None


def _spec(section: str, info: msgspec.structs.FieldInfo) -> FieldSpec:
    meta: dict[str, Any] = {}
    choices: tuple[str, ...] = ()
    kinds: list[type] = []
    is_optional = False

    def walk(annotation: Any) -> None:
        nonlocal choices, is_optional
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            for item in annotation.__metadata__:
                meta.update(
                    {
                        name: getattr(item, name)
                        for name in ("ge", "le", "title", "description")
                        if getattr(item, name) is not None
                    }
                )
            walk(annotation.__origin__)
        elif origin is Literal:
            choices = typing.get_args(annotation)
        elif origin in (types.UnionType, typing.Union):
            for part in typing.get_args(annotation):
                if part is type(None):
                    is_optional = True
                else:
                    walk(part)
        elif origin is tuple:
            walk(typing.get_args(annotation)[0])
            kinds.append(tuple)
        else:
            kinds.append(annotation)

    walk(info.type)
    names: dict[type, Any] = {int: "int", float: "float", str: "text", bool: "bool", tuple: "int_list"}
    return FieldSpec(
        key=f"{section}.{info.name}", section=section, name=info.name, label=meta["title"], help=meta["description"],
        kind="choice" if choices else names[kinds[-1]], is_optional=is_optional, default=info.default,
        choices=choices, minimum=meta.get("ge"), maximum=meta.get("le"), type_=info.type,
    )  # fmt: skip


def _all_specs() -> Iterator[FieldSpec]:
    hints = typing.get_type_hints(RunConfig)
    for section in SECTIONS:
        for info in msgspec.structs.fields(hints[section]):
            yield _spec(section, info)


FIELDS: dict[str, FieldSpec] = {spec.key: spec for spec in _all_specs()}
"""Every setting by its dotted key, in the order of the form."""


def field_spec(key: str) -> FieldSpec:
    """Return the setting of a dotted key; ConfigError names the nearest known key."""
    if key not in FIELDS:
        raise ConfigError(f"Unknown setting {key!r}, see `vae-explorer train --help`." + nearest_hint(key, FIELDS))
    return FIELDS[key]


def is_relevant(key: str, config: RunConfig) -> bool:
    """Whether a setting has an effect under the other settings (a form greys out the rest)."""
    model, data = config.model, config.data
    rules = {
        "model.channels": model.network == "conv",
        "model.variance": model.likelihood == "gaussian",
        "model.scale": model.likelihood == "gaussian" and model.variance == "fixed",
        "data.binarize": model.likelihood == "bernoulli",
        "data.fit": data.side is not None,
        "data.count": data.name == "shapes",
        "data.hue": data.name == "shapes",
        "data.validation": data.train_on == "train",
        "objective.beta": model.kind == "vae",
        "train.epochs": config.train.steps is None,
    }
    return rules.get(key, True)


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split 'model.latent_dim=2' into key and value: a TOML value, else the bare string; 'data.side=' is None.

    Raises ConfigError when there is no '=' or the key is unknown; the value is validated by `with_values`.
    """
    key, sign, raw = text.partition("=")
    if not sign:
        raise ConfigError(f"--set {text!r}: expected KEY=VALUE, such as model.latent_dim=2.")
    if field_spec(key.strip()).is_optional and not raw.strip():
        return key.strip(), None
    try:
        value = tomllib.loads(f"value = {raw.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()
    return key.strip(), value


def read_config_file(path: Path) -> RunConfig:
    """Read a TOML configuration; DataError when it is missing or too large, ConfigError for what it says."""
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise DataError(
                f"{path}: {size:,} bytes found, a configuration has at most {MAX_CONFIG_BYTES:,}; name a TOML file."
            )
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text, expected a TOML configuration; save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}, expected a TOML configuration; check the path.") from None
    return RunConfig.from_toml(text, where=str(path))
