"""Settings from and to YAML; keys are the option names of the command line without their dashes in front."""

from __future__ import annotations

import difflib
import os
import types
import typing
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from gan_topdis.config.seeds import format_seeds, parse_seeds

Config = TypeVar("Config")
MAX_FILE_BYTES = 1_000_000


def read_config(path: str | os.PathLike[str], kind: type[Config]) -> dict[str, Any]:
    """The settings that a YAML file holds, field name to checked value, to construct `kind` with.

    A mapping is returned instead of a `kind`, so that options of the command line can override it first.

    Args:
        path: the file; one flat mapping.
        kind: a config dataclass.

    Raises:
        ValueError: no mapping, an unknown key (the nearest known one is named), a wrong type.
        OSError: the file cannot be read.
    """
    file = Path(path)
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{file} should be a settings file of at most {MAX_FILE_BYTES} bytes")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} should be YAML: {' '.join(str(error).split())}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ValueError(f"{file} should hold one mapping of settings, got a {type(content).__name__}")
    known = {key_of(item): item for item in fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in known:
            nearest = difflib.get_close_matches(str(key).replace("_", "-"), known, n=1, cutoff=0.4)
            remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}"
            raise ValueError(f"{file}: unknown setting {str(key)!r}; {remedy}")
        item = known[key]
        if item.metadata.get("command_line_only"):
            # a settings file from elsewhere must not be able to allow code in a network file
            raise ValueError(f"{file}: {key} can be given on the command line only (--{key})")
        try:
            values[item.name] = _converted(value, hints[item.name])
        except TypeError as error:
            raise ValueError(f"{file}: {key} should be {error}, got {value!r}") from None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    return values


def to_yaml(config: Any) -> str:
    """Text that `read_config` reads as the same settings; those of the command line only as comments."""
    text = yaml.safe_dump(as_mapping(config, command_line_only=False), sort_keys=False, allow_unicode=True)
    for item in fields(config):
        value = getattr(config, item.name)
        if item.metadata.get("command_line_only") and value != item.default:
            text += f"# --{key_of(item)} {value}  (command line only)\n"
    return text


def as_mapping(config: Any, *, command_line_only: bool = True) -> dict[str, Any]:
    """Settings by key, plain values: what `run.json` records.

    Args:
        command_line_only: whether settings that may not stand in a file are included.
    """
    mapping: dict[str, Any] = {}
    for item in fields(config):
        if item.metadata.get("command_line_only") and not command_line_only:
            continue
        value = getattr(config, item.name)
        if item.name == "seeds":
            value = format_seeds(value)
        elif isinstance(value, tuple):
            value = list(value)
        mapping[key_of(item)] = value
    return mapping


def key_of(item: Field[Any]) -> str:
    """The key of a field: its option name without `--`."""
    return str(item.metadata.get("key", item.name.replace("_", "-")))


def _converted(value: Any, hint: Any) -> Any:
    """The value as the annotated type; TypeError says what it should be."""
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        (hint,) = [part for part in hint.__args__ if part is not types.NoneType]
    if hint == tuple[int, ...]:
        if isinstance(value, str):
            return parse_seeds(value)
        items = value if isinstance(value, list) else [value]
        if not all(_is_integer(each) for each in items):
            raise TypeError("seeds such as 0,1,4-6")
        return tuple(items)
    if hint == tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(each, str) for each in items):
            raise TypeError("a list of names")
        return tuple(each.strip() for each in items)
    if hint is int and _is_integer(value):
        return value
    if hint is float and (_is_integer(value) or isinstance(value, float)):
        return float(value)
    if hint is str and isinstance(value, str):
        return value
    if hint is str and _is_integer(value):  # `layers: 3`
        return str(value)
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise TypeError(names[hint])


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
