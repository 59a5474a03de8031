"""Every code that a decision or a reminder can carry has words, for its reader and for staff."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise

from reminders import reasons

WRITERS = (
    "gates",
    "pipeline",
    "letters",
    "outcomes",
    "planner",
    "diff",
    "actions",
    "reconciler",
    "written",
    "pacing",
    "bounces",
    "simulator",
)
# The calls that make decisions, and which of their arguments is the code.
CALLS = {"Verdict": 1, "_wait": 1, "Holdup": 0, "_note": 2}
NAMES = {"gate", "reason", "skipped"}
# Reasons of other things than reminders: of a request to plan, of a paused channel, of a suppression.
ELSEWHERE = {"in_flight", "login_or_tls_refused", "asked_to_slow_down"}
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes_in(source: str, module: object) -> set[str]:
    """The codes that a module writes: constants given to what makes decisions, directly or by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        for value in _places(node):
            found |= _constants(value, module)
    return found


def _places(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.keyword) and node.arg in NAMES:
        return [node.value]
    if isinstance(node, ast.Assign) and any(
        getattr(each, "id", "") in NAMES for each in node.targets
    ):
        return [node.value]
    if isinstance(node, ast.Return) and node.value is not None:
        return [node.value] if isinstance(node.value, ast.Name | ast.IfExp) else []
    if isinstance(node, ast.Call):
        at = CALLS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
        return [] if at is None else node.args[at : at + 1]
    return []


def _constants(value: ast.expr, module: object) -> set[str]:
    parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    found = [_meant(part, module) for part in parts]
    return {code for code in found if isinstance(code, str) and CODE.fullmatch(code)}


def _meant(part: ast.expr, module: object) -> object:
    """A constant, or what the name of one stands for: `TOO_LATE`, or `pacing.PACED`."""
    if isinstance(part, ast.Constant):
        return part.value
    if isinstance(part, ast.Name) and part.id.isupper():
        return getattr(module, part.id)
    if isinstance(part, ast.Attribute) and part.attr.isupper() and isinstance(part.value, ast.Name):
        return getattr(getattr(module, part.value.id, None), part.attr, None)
    return None


def written() -> set[str]:
    """Every code that any module of the pipeline writes."""
    found: set[str] = set()
    for name in WRITERS:
        file = Path(settings.BASE_DIR, "reminders", f"{name}.py")
        if file.exists():
            found |= codes_in(file.read_text(), import_module(f"reminders.{name}"))
    return found - ELSEWHERE


def test_the_walk_finds_what_it_is_there_to_find():
    source = 'def f():\n    gate = "one" if x else TWO\n    return Verdict(outcome, "three_four")\n'
    module = type("module", (), {"TWO": "two"})

    assert codes_in(source, module) == {"one", "two", "three_four"}
    assert {"too_old", "late_repeat", "paced", "no_such_address", "dropped_from_plan"} <= written()


def test_every_code_has_words_for_its_reader_and_for_staff():
    codes = written()

    assert codes - set(reasons.REASONS) == set()
    assert codes - set(reasons.STAFF) == set()


def test_both_tables_hold_the_same_codes():
    assert set(reasons.REASONS) == set(reasons.STAFF)


@pytest.mark.parametrize("code", sorted(reasons.STAFF))
def test_words_are_whole_sentences_and_can_be_translated(code):
    for table in (reasons.REASONS, reasons.STAFF):
        assert isinstance(table[code], Promise)
        with translation.override("en"):
            assert re.fullmatch(r"[A-Z].*[.]", str(table[code]))


def test_staff_are_told_the_value_that_decided():
    assert reasons.for_staff("daily_cap", "4").endswith("allows. (4)")
    assert reasons.for_staff("no_such_code") == "no_such_code"
