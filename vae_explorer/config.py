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

from vae_explorer.errors import ConfigError, DataError, nearest_hint
from vae_explorer.settings import DataConfig, ModelConfig, ObjectiveConfig, TrainConfig

MAX_CONFIG_BYTES = 1_000_000
"""A configuration file larger than this is not one."""


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
        import tomlkit  # here, as for all that only writing takes: the window's first picture would wait for it

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
        return RunConfig.from_dict(config_tables(text, where=where), where=where)


SECTIONS = RunConfig.__struct_fields__


def config_tables(text: str, *, where: str) -> dict[str, Any]:
    """Return the tables of TOML text, of a run.toml those below [config], not checked; ConfigError names the line."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _line_of(error, text)
        raise ConfigError(f"{where}: line {line} is not valid TOML ({error}); correct it.") from None
    of_run = tables.get("config")
    if isinstance(of_run, dict) and not tables.keys() & set(SECTIONS):
        return of_run
    return tables


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line that an error tells in words, else (where the text ends too early) the last one."""
    told = re.search(r"at line (\d+)", str(error))
    return int(told[1]) if told else max(1, len(text.rstrip().splitlines()))


_TEXT_WORDS = {
    "device": "auto, cpu, cuda, cuda:N or mps",
    "lr_schedule": "epochs and factors such as '10: 0.5, 20: 0.1', or nothing",
}


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as a form, a command line and an error message need it."""

    key: str
    section: str
    name: str
    label: str
    help: str
    kind: Literal["int", "float", "choice", "text", "bool", "int_list", "float_list"]
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
            "float_list": "two numbers such as [0.9, 0.999], each",
        }[self.kind]  # fmt: skip
        words = _TEXT_WORDS.get(self.name, words)
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
    names: dict[type, Any] = {int: "int", float: "float", str: "text", bool: "bool"}
    is_list = kinds[-1:] == [tuple]
    return FieldSpec(
        key=f"{section}.{info.name}", section=section, name=info.name, label=meta["title"], help=meta["description"],
        kind="choice" if choices else names[kinds[0]] + "_list" * is_list, default=info.default,
        is_optional=is_optional, choices=choices, minimum=meta.get("ge"), maximum=meta.get("le"), type_=info.type,
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
    return RunConfig.from_toml(read_config_text(path), where=str(path))


def read_config_text(path: Path) -> str:
    """Return the text of a TOML configuration; DataError when it is missing or too large to be one."""
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise DataError(
                f"{path}: {size:,} bytes found, a configuration has at most {MAX_CONFIG_BYTES:,}; name a TOML file."
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text, expected a TOML configuration; save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}, expected a TOML configuration; check the path.") from None
