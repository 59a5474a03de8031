"""A small catalogue in files, a clinic and its manager: what the tests of the catalogue start from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from procedures.actions import approve_version, fill_slot, resolve_disagreement
from procedures.loading import load_catalogue
from procedures.models import Disagreement, PathwayVersion, Slot
from tests.factories import NOW, make_clinic, make_staff

SOURCES = """\
sources:
  - {key: S1, title: A guide, publisher: A clinic, jurisdiction: UK, audience: adults}
  - {key: S3, title: Another guide, publisher: A hospital, jurisdiction: USA, audience: adults}
"""
PROCEDURES = """\
procedures:
  - {key: hip, name: Hip operation, audience: any, what_is_done: The hip is turned., sources: [S1]}
  - {key: pao, name: Socket operation, parent: hip, audience: adult, what_is_done: The socket is turned., sources: [S1]}
"""
FACTS = """\
facts:
  - {key: M24, topic: driving, statement: Not before eight weeks., from: 8, unit: weeks, anchor: surgery, audience: adult, procedures: [pao], sources: [S1]}
  - {key: M25, topic: driving, statement: From three weeks., audience: adult, procedures: [pao], sources: [S3]}
  - {key: P9, topic: allergies, statement: Tell us., audience: any, procedures: [hip], sources: [S1]}
"""  # noqa: E501
DISAGREEMENTS = """\
disagreements:
  - key: D3
    topic: Driving
    question: From when?
    facts: [M24, M25]
    values:
      - {statement: Not for eight weeks., sources: [S1]}
      - {statement: Not for three weeks., sources: [S3]}
"""
SLOTS = """\
slots:
  - {key: xray_weeks, name: First X-ray, kind: weeks, hint: Weeks after surgery.}
  - {key: school_weeks, name: Telling the school, kind: weeks, hint: Weeks before surgery.}
  - {key: clot_signs, name: Signs of a clot, kind: text, hint: In plain words.}
  - {key: night_phone, name: Number at night, kind: phone, hint: A phone number.}
"""
GLOSSARY = """\
words:
  - {en-gb: physiotherapist, en-us: physical therapist}
"""
PATHWAY = """\
pathway: pao-adult
name: Socket operation, adult
procedure: pao
audience: adult
steps:
  - key: allergies
    category: preparation
    anchor: surgery
    offset: -4 weeks
    at: "09:30"
    valid_for: 36 hours
    facts: [P9]
    text:
      en-gb: {subject: A list to write, title: Allergies, todo: Tell your physiotherapist., body: Tell us **all** of them.}
  - key: driving
    category: recovery
    anchor: surgery
    offset: 8 weeks
    at: "13:00"
    when: {drives: true}
    valid_for: 14 days
    if_late: catch_up
    facts: [M24]
    text:
      en-gb: {subject: Before you drive, title: Ask first, todo: Ask., body: "The rule: {settled:D3}"}
  - key: xray
    category: xray
    anchor: surgery
    offset: {slot: xray_weeks}
    at: "09:30"
    window: 14 days
    ends_when: xray_booked
    valid_for: 7 days
    if_moved: correct
    text:
      en-gb: {subject: A visit to book, title: X-ray, todo: Book it., body: "From {window_from} to {window_until}. Signs: {slot:clot_signs}"}
  - key: school
    category: preparation
    anchor: surgery
    offset: {slot: school_weeks, before: true}
    at: "10:00"
    valid_for: 7 days
    text:
      en-gb: {subject: One call, title: School, todo: Call., body: Call the school.}
  - key: exercises
    category: physiotherapy
    anchor: discharge
    offset: 1 day
    at: "16:00"
    repeat: {every: 1 day, on: [mon, wed, fri], until: 12 weeks, until_anchor: surgery}
    ends_when: exercises_logged_today
    valid_for: 4 hours
    text:
      en-gb: {subject: Your exercises, title: Exercises, todo: Do them., body: Slowly.}
"""  # noqa: E501
FILES = {
    "sources.yaml": SOURCES,
    "procedures.yaml": PROCEDURES,
    "facts/facts.yaml": FACTS,
    "disagreements.yaml": DISAGREEMENTS,
    "slots.yaml": SLOTS,
    "glossary.yaml": GLOSSARY,
    "pathways/pao-adult.yaml": PATHWAY,
}


class CatalogueFolder:
    """The files of a small catalogue, to be spoilt or edited by a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a whole file."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a piece of a file that stands in it once."""
        text = (self.path / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))


@pytest.fixture
def files(tmp_path) -> CatalogueFolder:
    return CatalogueFolder(tmp_path / "catalogue")


@pytest.fixture
def clinic(db):
    return make_clinic()


@pytest.fixture
def manager(clinic):
    return make_staff(clinic, "manager")


@pytest.fixture
def draft(files, clinic) -> PathwayVersion:
    """The clinic's draft of the small catalogue's pathway."""
    load_catalogue(folder=files.path)
    return PathwayVersion.objects.get(clinic=clinic)


@pytest.fixture
def approve(draft, manager) -> Callable[[], PathwayVersion]:
    """Settles, fills and approves the draft when it is called."""

    def _approve() -> PathwayVersion:
        settle = {"clinic": draft.clinic, "by": manager, "now": NOW}
        point = Disagreement.objects.get(key="D3")
        resolve_disagreement(
            disagreement=point, value=point.values.first(), reason="Safer.", **settle
        )
        values = {"xray_weeks": "6", "school_weeks": "4", "clot_signs": "A hot calf."}
        for key, value in values.items():
            fill_slot(slot=Slot.objects.get(key=key), value=value, **settle)
        return approve_version(version=draft, by=manager, now=NOW)

    return _approve
