"""What many tests start from, made once and kept from one test to the next.

A ground is a transaction that stays open: its rows are made in it, each test that asks for it
runs in a savepoint inside, and the savepoint is rolled back as a test's own transaction would
be. Grounds lie on one another: `planned` needs `people`, the others need nothing. Before a test
that asks for less, or for a database that commits, the grounds it did not ask for are rolled back.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

# Fixtures that make a test commit what it writes.
COMMITTING = {"transactional_db", "live_server", "django_db_reset_sequences"}


@dataclass(frozen=True, slots=True)
class Layer:
    """One ground that lies in the database: its name, its transaction, and what was made, pickled."""

    name: str
    transaction: transaction.Atomic
    made: bytes


@dataclass(frozen=True, slots=True)
class Builder:
    """What makes a ground, and the name of the ground that it needs below, if any."""

    make: Callable[..., Any]
    needs: str | None


@dataclass(slots=True)
class Grounds:
    """The grounds that lie in the database now, the lowest first."""

    builders: dict[str, Builder]
    layers: list[Layer] = field(default_factory=list)

    def lay(self, names: list[str]) -> None:
        """Leave exactly these grounds in the database, rolling back and making what is needed."""
        if self.layers and not connection.in_atomic_block:
            # A test closed the connection, and what lay in it is gone.
            self.layers.clear()
        while [layer.name for layer in self.layers] != names[: len(self.layers)]:
            self._roll_back()
        for name in names[len(self.layers) :]:
            self._make(name)

    def copy(self, name: str) -> Any:
        """Return a copy of what was made for a ground, for one test to change; None where it does not lie."""
        kept = next((layer.made for layer in self.layers if layer.name == name), None)
        return None if kept is None else pickle.loads(kept)

    def _make(self, name: str) -> None:
        builder = self.builders[name]
        atomic = transaction.atomic()
        # What asks for the outermost transaction takes this one for a test's.
        setattr(atomic, "_from_testcase", True)  # noqa: B010 - as Django's own TestCase marks it
        atomic.__enter__()
        made = builder.make(self.copy(builder.needs)) if builder.needs else builder.make()
        connection.check_constraints()
        # What waits for a commit waits in vain, here as in any test.
        connection.run_on_commit.clear()
        self.layers.append(Layer(name, atomic, pickle.dumps(made)))

    def _roll_back(self) -> None:
        transaction.set_rollback(True)
        self.layers.pop().transaction.__exit__(None, None, None)


# Filled by the modules that hold the builders; the order is that in which they lie.
BUILDERS: dict[str, Builder] = {}
Maker = TypeVar("Maker", bound=Callable[..., Any])


def ground(needs: str | None = None) -> Callable[[Maker], Maker]:
    """Register a builder under its function's name; it gets what the ground that it needs made.

    The ground's fixture, of the same name, asks for the fixture of that one.
    """

    def register(builder: Maker) -> Maker:
        BUILDERS[builder.__name__.removeprefix("build_")] = Builder(builder, needs)
        return builder

    return register


@pytest.fixture(scope="session")
def grounds(django_db_setup, django_db_blocker) -> Iterator[Grounds]:
    """Return the grounds of this process."""
    made = Grounds(BUILDERS)
    yield made
    with django_db_blocker.unblock():
        made.lay([])


def wanted(item: Any) -> list[str]:
    """Return the grounds that a test asks for, with those they need; none if it commits."""
    marker = item.get_closest_marker("django_db")
    commits = bool(marker and marker.kwargs.get("transaction")) or COMMITTING & {*item.fixturenames}
    asked = {*item.fixturenames} & BUILDERS.keys()
    return [] if commits else [name for name in BUILDERS if name in asked]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[None]:
    """Lay the grounds just before a test's own transaction begins."""
    if fixturedef.argname == "_django_db_helper":
        grounds: Grounds = request.getfixturevalue("grounds")
        with request.getfixturevalue("django_db_blocker").unblock():
            grounds.lay(wanted(request.node))
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Run the tests of the same grounds together, those with the most first; their order stays as random as it was."""
    items.sort(key=lambda item: (-len(wanted(item)), wanted(item)))
