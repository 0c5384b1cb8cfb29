"""The configuration: one YAML file and the tag lists that it names, composed from the settings of every room.

`load` gives a frozen `AgentConfig` or raises `ConfigErrors` with everything that is wrong, each with its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from agent.carbon.check import findings as carbon_findings
from agent.carbon.config import CarbonConfig
from agent.carbon.footprint.check import findings as footprint_findings
from agent.carbon.footprint.config import FootprintConfig
from agent.dashboard.config import DashboardConfig
from agent.history.config import HistoryConfig
from agent.influx.config import InfluxConfig
from agent.influx.names import trouble_with_signal, trouble_with_tag
from agent.onboarding.crosscheck import Finding, NameRules, crosscheck, data_dir, name_of_plant
from agent.onboarding.document import read_document
from agent.onboarding.expand import Expanded, expand
from agent.onboarding.explain import explain
from agent.onboarding.problems import ConfigErrors, Loc, Place, Problem, Severity
from agent.store.config import StoreConfig
from collectors.catalog import AnySource
from collectors.settings import LocalPath, Settings

MOST_BYTES = 64 * 2**20

AnySink = InfluxConfig
"""The settings of one sink; `kind` says which. A new sink is one folder, one line here and one case in `parts.py`."""


class LogConfig(Settings):
    """What the agent says of itself while it runs."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important message that is written."""
    format: Literal["auto", "text", "json"] = "auto"
    """text for people, json for machines; auto is text on a terminal and json elsewhere."""


class AgentConfig(Settings):
    """Everything that can be set."""

    plant: str = Field(min_length=1, max_length=200)
    """The name of the plant; every value carries it."""
    data_dir: LocalPath = Path("/var/lib/raceway")
    """Where the durable log and the local history are kept; relative to this file."""
    store: StoreConfig = StoreConfig()
    """The durable log that every value goes through."""
    sources: tuple[AnySource, ...] = ()
    """What is read: OPC UA servers, MQTT brokers, and tables that people write."""
    sinks: tuple[AnySink, ...] = ()
    """Where values are sent; the local history and the page need no sink."""
    history: HistoryConfig = HistoryConfig()
    """The local history behind the page."""
    dashboard: DashboardConfig = DashboardConfig()
    """The page and the HTTP interface."""
    log: LogConfig = LogConfig()
    """What the agent says of itself while it runs."""
    carbon: CarbonConfig | None = None
    """Energy, cost and carbon of the plant's meters; left out, nothing is accounted."""
    footprint: FootprintConfig | None = None
    """Carbon footprints of products; left out, none is computed."""

    @model_validator(mode="after")
    def _sources_keep_data(self) -> Self:
        """What sources keep lies in data_dir: certificates of OPC UA, and which files of a ledger were read."""
        object.__setattr__(self, "sources", tuple(map(self._at_home, self.sources)))
        return self

    def _at_home(self, source: AnySource) -> AnySource:
        match source.kind:
            case "opcua":
                return source.with_certificates_in(self.data_dir / "pki")
            case "ledger":
                return source.with_marks_in(self.data_dir / "ledger")
        return source


def load(path: Path) -> AgentConfig:
    """The configuration in the YAML file at `path`; raises ConfigErrors."""
    return check(path)[0]


def check(path: Path) -> tuple[AgentConfig, tuple[Problem, ...]]:
    """The configuration at `path` and the warnings about it; raises ConfigErrors with every error and warning."""
    document = read_document(_content(path), str(path))
    if document.data is None:
        raise ConfigErrors(
            [Problem(Place(str(path)), "the configuration is empty", "begin with a line like 'plant: my-plant'")]
        )
    expanded = expand(document, path.parent)
    config, parts, problems = _validated(expanded, path.parent.absolute())
    rules = NameRules(trouble_with_signal, trouble_with_tag)
    findings = [*crosscheck(parts, rules)]
    if config is not None:
        findings += name_of_plant(config.plant, rules)
        findings += data_dir(config.data_dir, quota_mb=config.store.quota_mb)
        findings += _of_carbon(config)
    problems += [*expanded.errors, *expanded.warnings, *(_located(finding, expanded) for finding in findings)]
    if config is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigErrors(problems)
    return config, tuple(sorted(set(problems)))


def json_schema() -> str:
    """The JSON Schema of the file, for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **AgentConfig.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _of_carbon(config: AgentConfig) -> Iterator[Finding]:
    found: list[tuple[Loc, str]] = []
    if config.carbon is not None:
        declared = [(source.kind, tag) for source in config.sources for tag in source.declared()]
        found += carbon_findings(config.carbon, declared)
    if config.footprint is not None:
        has_ledger = any(source.kind == "ledger" for source in config.sources)
        found += footprint_findings(config.footprint, config.carbon, has_ledger=has_ledger)
    for loc, said in found:
        what, _, todo = said.partition("; ")
        yield Finding(loc, what, todo)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        problem = Problem(Place(str(path)), "the configuration does not exist", "check the name of the file")
    except OSError as error:
        problem = Problem(Place(str(path)), f"the configuration cannot be read ({error.strerror})", "check its rights")
    else:
        if len(content) <= MOST_BYTES:
            return content
        problem = Problem(Place(str(path)), "the configuration is larger than 64 MiB", "keep tags in CSV files")
    raise ConfigErrors([problem])


def _validated(expanded: Expanded, directory: Path) -> tuple[AgentConfig | None, dict[Loc, BaseModel], list[Problem]]:
    """The configuration, or None and the problems; and the parts that are right in themselves, by their place."""
    context = {"directory": directory}
    try:
        config = AgentConfig.model_validate(expanded.data, context=context)
    except ValidationError as error:
        problems = explain(error.errors(include_url=False), expanded, AgentConfig.model_json_schema())
        return None, dict(_right_parts(expanded.data, context)), problems
    lists: dict[str, Sequence[BaseModel]] = {"sources": config.sources, "sinks": config.sinks}
    parts: dict[Loc, BaseModel] = {(name, i): part for name, found in lists.items() for i, part in enumerate(found)}
    return config, parts, []


def _right_parts(data: object, context: Mapping[str, object]) -> Iterator[tuple[Loc, BaseModel]]:
    """The sources and sinks that are right in themselves, so that one typo does not hide a tag that is there twice."""
    kinds: dict[str, TypeAdapter[BaseModel]] = {"sources": TypeAdapter(AnySource), "sinks": TypeAdapter(AnySink)}
    for name, adapter in kinds.items():
        given = data.get(name) if isinstance(data, dict) else None
        for number, part in enumerate(given if isinstance(given, list) else ()):
            with suppress(ValidationError):
                yield (name, number), adapter.validate_python(part, context=context)


def _located(finding: Finding, expanded: Expanded) -> Problem:
    what = finding.what
    if finding.other:
        what += f", first in {expanded.place(finding.other)}"
    return Problem(expanded.place(finding.loc), what, finding.todo, finding.severity)
