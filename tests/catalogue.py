"""The real catalogue in the database: its questionnaires alone, all of it, or settled for the demo clinic."""

import pytest
import time_machine

from portal.models import Clinic
from procedures.demo import settle_demo_clinic
from procedures.loading import LoadReport, load_catalogue, read_catalogue
from procedures.loading.questionnaires import load_questionnaires
from procedures.models import Fact, Questionnaire
from tests.factories import NOW, make_clinic, make_staff
from tests.grounds import ground


@ground()
def build_questionnaires() -> list[Questionnaire]:
    """Load the questionnaires, with the warning signs they cite; they need nothing else of the catalogue."""
    for number in range(1, 15):
        Fact.objects.create(key=f"W{number}", topic="warning", statement="A sign.", audience="any")
    load_questionnaires(read_catalogue(), force=False, report=LoadReport())
    return list(Questionnaire.objects.all())


@ground()
def build_demo_clinic() -> Clinic:
    """Load everything for a demo clinic, which has decided nothing yet."""
    clinic = make_clinic(is_demo=True)
    load_catalogue()
    return clinic


@ground(needs="demo_clinic")
def build_settled_clinic(below: Clinic) -> Clinic:
    """Decide everything that the catalogue leaves to a clinic."""
    with time_machine.travel(NOW, tick=False):
        settle_demo_clinic(clinic=below, by=make_staff(below, "manager"), now=NOW)
    return below


@pytest.fixture
def questionnaires(db, grounds) -> list[Questionnaire]:
    """The questionnaires of the catalogue."""
    return grounds.copy("questionnaires") or build_questionnaires()


@pytest.fixture
def demo_clinic(db, grounds) -> Clinic:
    """A demo clinic with the whole catalogue, in drafts."""
    return grounds.copy("demo_clinic") or build_demo_clinic()


@pytest.fixture
def settled_clinic(demo_clinic, grounds) -> Clinic:
    """The demo clinic with everything decided and approved."""
    return grounds.copy("settled_clinic") or build_settled_clinic(demo_clinic)
