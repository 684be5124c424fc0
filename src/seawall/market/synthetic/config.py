"""Every setting of a made dataset, from a JSON or YAML file and the command line, which wins over the file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from seawall.core.errors import ConfigError
from seawall.core.params import as_value_error
from seawall.core.timeframe import Timeframe
from seawall.market.splits import SplitParams
from seawall.market.synthetic.assets import AssetParams
from seawall.market.synthetic.config_names import NAMES, plain_settings
from seawall.market.synthetic.labels import LabelParams
from seawall.market.synthetic.regimes import RegimeParams

_LONGER = ("4h", "1d")
# What people write into JSON for want of comments.
_COMMENTS = ("comments", "comment", "_comments", "_comment")


class SynthConfig(RegimeParams):
    """A made dataset: the market, its assets and timeframes, what is written of it and where."""

    seed: int = Field(default=42, ge=0, lt=2**63, description="Seed of everything that is drawn")
    output_dir: str = Field(default="data/synthetic", min_length=1, description="Folder that the dataset is written to")
    timeframes: tuple[str, ...] = Field(
        default=(), description="Timeframes to write, each the bars' own or a whole multiple; empty: their own, 4h and 1d"
    )
    include_indicators: bool = Field(default=False, description="True: add indicator columns to the bars")
    include_labels: bool = Field(default=False, description="True: write labels, in tables of their own")
    split: SplitParams = Field(default=SplitParams(), description="Shares of the training, validation and test parts, oldest first")
    assets: AssetParams = Field(default=AssetParams(), description="Symbols, and how they move together")
    labels: LabelParams = Field(default=LabelParams(), description="How far labels look ahead, and what they call a move")

    @field_validator("output_dir")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if "\0" in name:
            raise ValueError("a folder's name holds no NUL character")
        return name

    @model_validator(mode="after")
    def _timeframes_fit(self) -> SynthConfig:
        with as_value_error():
            base = Timeframe.parse(self.timeframe)
            lengths = [Timeframe.parse(label) for label in self.timeframes]
        for length in lengths:
            if length.seconds % base.seconds:
                raise ValueError(f"timeframes holds {length.label}; allowed: whole multiples of the timeframe, {base.label}")
        if len(set(lengths)) < len(lengths):
            raise ValueError(f"timeframes {list(self.timeframes)} holds one length twice")
        if self.include_labels:
            with as_value_error():
                for length in self.lengths():
                    self.labels.horizon(length)
        return self

    def lengths(self) -> list[Timeframe]:
        """Return the timeframes to write, shortest first."""
        base = Timeframe.parse(self.timeframe)
        wanted = [Timeframe.parse(label) for label in self.timeframes]
        if not wanted:
            longer = [Timeframe.parse(label) for label in _LONGER]
            wanted = [base, *(length for length in longer if length.seconds > base.seconds and length.seconds % base.seconds == 0)]
        return sorted(wanted, key=lambda length: length.seconds)


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> SynthConfig:
    """Read the settings of a made dataset.

    Keys are those of `SynthConfig` or the ones that such files have had before, as ``num_samples``, ``base_price``,
    ``regime_distribution`` and ``train_ratio`` (`seawall.market.synthetic.config_names`).

    Args:
        path: A .json, .yaml or .yml file. What it does not name keeps its default.
        overrides: Settings of the command line, as for `resolve`: they win over the file.

    Raises:
        ConfigError: The file cannot be read, or holds an unknown key or a value that is not allowed.
    """
    settings = _read(path)
    config = resolve(SynthConfig(), settings, origin=str(path))
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    if "years" in settings and not {"years", "num_samples", "n_bars"} & set(given):
        # A number of years stays one when the command line changes the length of a bar.
        given["years"] = settings["years"]
    return resolve(config, given)


def resolve(config: SynthConfig, overrides: Mapping[str, Any], origin: str = "command line") -> SynthConfig:
    """Return a configuration with some settings replaced: what the command line says wins over the file.

    Args:
        config: As read from the file, or ``SynthConfig()``.
        overrides: Settings by name, under either name; None stands for one that was not given. ``years`` (of 365 days) sets the
            number of bars.
        origin: Where the overrides come from, for messages.

    Raises:
        ConfigError: An unknown name, or a value that is not allowed.
    """
    current = config.model_dump()
    given = {key: value for key, value in overrides.items() if value is not None}
    known = [*NAMES, *SynthConfig.model_fields]
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"{origin}: unknown key {key} (value {value!r}){_near(key, known)}")
    changed = {**current, **plain_settings(given, current, origin)}
    try:
        return SynthConfig.model_validate(changed)
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(_explain(problem) for problem in error.errors())) from error


def _read(path: Path) -> Mapping[str, Any]:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise ConfigError(f"config {path} has suffix {suffix or 'none'!r}; allowed: .json, .yaml, .yml")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path} cannot be read: {error}") from error
    document = _json(text, path) if suffix == ".json" else _yaml(text, path)
    if not isinstance(document, Mapping):
        raise ConfigError(f"config {path} holds a {type(document).__name__}; allowed: settings by name")
    settings = cast("Mapping[Any, Any]", document)
    odd = [key for key in settings if not isinstance(key, str)]
    if odd:
        raise ConfigError(f"config {path} has the key {odd[0]!r}, a {type(odd[0]).__name__}; allowed: names of settings")
    # A day that stands without quotes in YAML is a date, not a text.
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in settings.items() if name not in _COMMENTS
    }


def _json(text: str, path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        held = dict(pairs)
        if len(held) < len(pairs):
            raise ConfigError(f"config {path} has a key twice among {', '.join(key for key, _value in pairs)}")
        return held

    try:
        return json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"config {path} is not readable JSON: {error}") from error


def _yaml(text: str, path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        parser: Any = YAML(typ="safe", pure=True)
        return parser.load(text)
    except (YAMLError, RecursionError) as error:
        raise ConfigError(f"config {path} is not readable YAML: {' '.join(str(error).split())}") from error


def _near(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(sorted(set(known)))}"


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {place} (value {problem['input']!r}){_near(str(problem['loc'][-1]), _inner_names())}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place} is {problem['input']!r}: {message}" if place else message


def _inner_names() -> list[str]:
    return [*SplitParams.model_fields, *AssetParams.model_fields, *LabelParams.model_fields]
