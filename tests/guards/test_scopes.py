"""Pages reach records through the reader's scope: no view names a model's rows without `own` or `visible_to`."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings

APPS = ("portal", "procedures", "patients", "reminders")
PAGES = (
    "views.py",
    "settings_views.py",
    "care.py",
    "own_episodes.py",
    "reading.py",
    "today.py",
    "timeline.py",
    "history.py",
    "export.py",
    "fhir.py",
    "data_views.py",
)
SCOPES = frozenset({"own", "visible_to"})

# Rows that are reached otherwise, and why that is right.
ALLOWED: dict[tuple[str, str], str] = {
    ("portal/views.py", "Clinic"): "the only clinic's phone number, on the front door",
    ("portal/views.py", "OutboxMail"): "the demo's mail, invented; 404 outside the demo",
    ("patients/views/access.py", "AuditEvent"): "the trail of the one patient that care_of gave",
    ("patients/views/feeds.py", "CalendarFeed"): "the reader's own, by user; or by its secret",
    ("reminders/export.py", "AnchorDate"): "of episodes that were fetched by their scope",
    ("reminders/export.py", "StepResponse"): "of episodes that were fetched by their scope",
    ("reminders/export.py", "SmokeFreePlan"): "of episodes that were fetched by their scope",
    ("reminders/export.py", "Preference"): "the reader's own choices, by user",
    ("patients/care.py", "RelatedPerson"): "the reader's own links, by user",
    ("reminders/settings_views.py", "User"): "whom the signed link in a mail names",
    (
        "reminders/reading.py",
        "Appointment",
    ): "prefetched with an episode that was fetched by its scope",
    (
        "reminders/reading.py",
        "ImagingRequest",
    ): "prefetched with an episode that was fetched by its scope",
    ("reminders/reading.py", "AnchorDate"): "of episodes that were fetched by their scope",
    ("reminders/reading.py", "StepText"): "the words of steps, which are nobody's own",
    ("reminders/today.py", "Appointment"): "of episodes that were fetched by their scope",
    ("reminders/timeline.py", "Step"): "of the version that an episode follows, and nobody's own",
    ("reminders/reading.py", "StepResponse"): "of episodes that were fetched by their scope",
    ("patients/own_episodes.py", "AnchorDate"): "of episodes that were fetched by their scope",
    ("reminders/history.py", "Decision"): "of a reminder that was fetched by its scope",
    ("reminders/history.py", "Reminder"): "narrows the reader's own messages to one patient",
}


def unscoped(source: str) -> Iterable[str]:
    """The models whose rows are named as `Model.objects.<anything but a scope>`."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)):
            continue
        manager = node.value
        model = manager.value
        if manager.attr != "objects" or not isinstance(model, ast.Name):
            continue
        if node.attr not in SCOPES:
            yield model.id


def pages() -> list[Path]:
    root = Path(settings.BASE_DIR)
    files = [path for app in APPS for name in PAGES for path in (root / app).glob(name)]
    packages = [path for app in APPS for path in (root / app / "views").glob("*.py")]
    return sorted(path.relative_to(root) for path in [*files, *packages])


def found() -> set[tuple[str, str]]:
    root = Path(settings.BASE_DIR)
    return {
        (path.as_posix(), model)
        for path in pages()
        for model in unscoped((root / path).read_text())
    }


def test_every_page_asks_for_the_scope():
    assert found() - ALLOWED.keys() == set()


def test_the_list_has_no_stale_entry():
    assert ALLOWED.keys() - found() == set()


@pytest.mark.parametrize(
    ("planted", "models"),
    [
        ("Patient.objects.get(pk=pk)", ["Patient"]),
        ("get_object_or_404(Message.objects.filter(x=1), pk=pk)", ["Message"]),
        ("Patient.objects.own(user).get(pk=pk)", []),
        ("Message.objects.visible_to(user)", []),
    ],
)
def test_a_planted_fault_is_found(planted, models):
    assert list(unscoped(planted)) == models


def test_it_looks_at_something():
    assert len(pages()) >= 6
