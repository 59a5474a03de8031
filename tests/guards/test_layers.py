"""Imports run one way: portal <- procedures <- patients <- reminders."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ORDER = ("portal", "procedures", "patients", "reminders")

# The files that know more than their app, and why.
ALLOWED: dict[str, str] = {
    "portal/urls.py": "puts the addresses of every app together",
}


def imports(source: str) -> Iterator[str]:
    """The first parts of the names of the modules that the source imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def upwards(app: str, source: str) -> set[str]:
    """The apps that the source imports though they stand above its own."""
    above = ORDER[ORDER.index(app) + 1 :]
    return set(imports(source)) & set(above)


def files() -> Iterator[tuple[str, str, str]]:
    for app in ORDER:
        for path in sorted(Path(settings.BASE_DIR, app).rglob("*.py")):
            name = path.relative_to(settings.BASE_DIR).as_posix()
            yield app, name, path.read_text()


def test_no_app_imports_one_above_it_and_the_list_has_no_stale_entry():
    faults = {name: found for app, name, source in files() if (found := upwards(app, source))}

    assert faults.keys() == ALLOWED.keys()


def test_the_product_imports_nothing_of_its_tests_or_benchmarks():
    for _, name, source in files():
        assert not {"tests", "benchmarks", "pytest", "hypothesis"} & set(imports(source)), name


@pytest.mark.parametrize(
    ("app", "source", "found"),
    [
        ("portal", "from patients.models import Patient", {"patients"}),
        ("portal", "def f():\n    import reminders.planner", {"reminders"}),
        ("procedures", "if True:\n    from reminders import tasks", {"reminders"}),
        ("patients", "from portal import clock\nfrom procedures.models import Step", set()),
        ("reminders", "from patients.models import Patient", set()),
        ("patients", "from . import reminders", set()),
    ],
)
def test_a_planted_fault_is_found(app, source, found):
    assert upwards(app, source) == found


def test_the_guard_looks_at_the_whole_code():
    assert len(list(files())) > 80
