"""The hazard log names tests that exist, and no hazard stands without one."""

import re
from pathlib import Path

from django.conf import settings

LOG = Path(settings.BASE_DIR, "docs", "hazards.md")
HAZARD = re.compile(r"^## (H\d+) ", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")
DEFINED = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)


def hazards(text: str) -> dict[str, list[str]]:
    """Return the names of the tests under each hazard."""
    parts = HAZARD.split(text)[1:]
    return {name: NAMED.findall(part) for name, part in zip(parts[::2], parts[1::2], strict=True)}


def existing_tests() -> set[str]:
    files = Path(settings.BASE_DIR, "tests").rglob("test_*.py")
    return {name for file in files for name in DEFINED.findall(file.read_text())}


def missing(text: str) -> list[str]:
    """Return what is wrong: a hazard without a test, and a test that does not exist."""
    named = hazards(text)
    bare = [hazard for hazard, tests in named.items() if not tests]
    known = existing_tests()
    return bare + [test for tests in named.values() for test in tests if test not in known]


def test_every_hazard_has_a_control_that_a_test_shows():
    assert len(hazards(LOG.read_text())) >= 12
    assert missing(LOG.read_text()) == []


def test_a_planted_fault_is_found():
    text = "## H1 One\n\nNothing.\n\n## H2 Two\n\n`test_that_was_never_written`\n"
    assert missing(text) == ["H1", "test_that_was_never_written"]
