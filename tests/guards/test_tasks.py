"""Celery's tasks take ids and plain numbers only: what is personal never lies in the broker."""

import inspect
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from portal.celery import app

OURS = ("portal.", "procedures.", "patients.", "reminders.")
PLAIN = {"int", "bool", "UUID", "str"}


def tasks() -> dict[str, Any]:
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if name.startswith(OURS)}


def faults(task: Callable[..., Any]) -> list[str]:
    """The parameters that are no id: not annotated as plain, or text that is not named as an id."""
    found = []
    for name, parameter in inspect.signature(task).parameters.items():
        kind = getattr(parameter.annotation, "__name__", str(parameter.annotation))
        is_id = name in {"id", "pk"} or name.endswith(("_id", "_ids"))
        if kind not in PLAIN or (kind == "str" and not is_id):
            found.append(name)
    return found


def test_every_task_takes_ids_only():
    assert {name: found for name, task in tasks().items() if (found := faults(task.run))} == {}


def test_the_beat_runs_tasks_that_exist_and_gives_them_nothing(settings):
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in tasks(), name
        assert not entry.get("args"), name
        assert not entry.get("kwargs"), name


def test_every_task_is_the_beats_under_its_own_name(settings):
    """Nobody else sends any; and a sign of life is known by the name of its entry in the schedule."""
    scheduled = {entry["task"]: name for name, entry in settings.CELERY_BEAT_SCHEDULE.items()}
    assert scheduled == {name: name.rpartition(".")[2] for name in tasks()}


def test_tasks_are_short():
    for name, task in tasks().items():
        assert len(inspect.getsource(task.run).splitlines()) <= 16, name


def by_email(email: str) -> None: ...


def by_object(patient: object) -> None: ...


def untyped(pk): ...


def by_id(pk: UUID, message_id: str, most: int = 5) -> None: ...


@pytest.mark.parametrize(
    ("task", "found"),
    [(by_email, ["email"]), (by_object, ["patient"]), (untyped, ["pk"]), (by_id, [])],
)
def test_a_planted_fault_is_found(task, found):
    assert faults(task) == found


def test_the_guard_looks_at_something():
    assert {
        "reminders.tasks.plan",
        "reminders.tasks.dispatch",
        "reminders.tasks.recover",
    } <= tasks().keys()
