"""YAML files as data that remembers its lines. Knows nothing of what the files are about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Where something stands inside a file: keys of mappings and positions in lists, from the top.
Trail = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with a catalogue file, in a form that an editor can jump to."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return (
            f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"
        )


@dataclass(slots=True)
class Document:
    """One file: its data, the line of every key and list item, and what was wrong while reading.

    `faults` are the places that the schema objects to.
    """

    name: str
    text: str
    data: Any = None
    lines: dict[Trail, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    faults: set[Trail] = field(default_factory=set)

    def faults_below(self, trail: Trail, *, but_not_in: str = "") -> bool:
        """Whether the schema objects to something at or below `trail`, the list `but_not_in` left aside."""
        depth = len(trail)
        inside = (fault for fault in self.faults if fault[:depth] == trail)
        return any(len(fault) <= depth + 1 or fault[depth] != but_not_in for fault in inside)

    def problem(self, trail: Trail, message: str) -> Problem:
        """A problem at `trail`, or at the nearest thing above it that has a line."""
        known = trail
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(self.name, self.lines.get(known, 1), dotted(trail), message)


def dotted(trail: Trail) -> str:
    """`("steps", 3, "at")` as people write it: `steps[3].at`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in trail)
    return "".join(parts).lstrip(".")


class PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # a base found by name
    """YAML with the few types JSON has: 09:00 stays text, and so do no, on and 2026-01-01.

    YAML 1.1 would read 09:00 as 540 and a country code NO as false. Where PyYAML was built with its
    C library that is used: it reads ten times as fast.
    """

    yaml_implicit_resolvers: dict[Any, Any] = {}


PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|)$"), ["n", ""])
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), ["t", "f"]
)
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(0|[1-9][0-9]*)$"), list("-0123456789")
)
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789")
)

SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


def read_document(path: Path, name: str) -> Document:
    """Read one file. What is wrong with it stands in `problems`; a file that cannot be read has no data."""
    try:
        document = Document(name=name, text=path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return Document(name, "", problems=[Problem(name, 1, "", f"cannot be read: {error}")])
    try:
        node = yaml.compose(document.text, Loader=PlainLoader)
    except yaml.YAMLError as error:
        document.problems.append(_syntax_problem(name, error))
        return document
    if node is None:
        document.problems.append(Problem(name, 1, "", "the file is empty"))
    else:
        document.data = _value(document, node, ())
    return document


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error)
    return Problem(name, mark.line + 1 if mark else 1, "", f"not readable as YAML: {message}")


def _value(document: Document, node: yaml.Node, trail: Trail) -> Any:
    document.lines.setdefault(trail, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(document, node, trail))
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, item, (*trail, i)) for i, item in enumerate(node.value)]
    return _scalar(document, node, trail)


def _pairs(document: Document, node: yaml.MappingNode, trail: Trail) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in seen:
            here = dotted((*trail, key))
            document.problems.append(
                Problem(document.name, line, here, "the same key stands here twice")
            )
            continue
        seen.add(key)
        document.lines[(*trail, key)] = line
        yield key, _value(document, value_node, (*trail, key))


def _scalar(document: Document, node: yaml.Node, trail: Trail) -> Any:
    convert = SCALARS.get(node.tag)
    if convert is None:
        document.problems.append(
            document.problem(trail, f"values of type {node.tag} are not allowed")
        )
        return None
    return convert(node.value)
