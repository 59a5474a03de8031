"""The demo clinic is settled through the same actions as any other, and no other clinic can be."""

import pytest

from portal.models import AuditEvent
from procedures.approval import blockers
from procedures.demo import NotTheDemoClinic, settle_demo_clinic
from procedures.loading import read_catalogue
from procedures.models import PathwayVersion, Resolution, SlotValue, Step
from tests.factories import NOW, make_clinic, make_staff

# The demo's own values: that approving and settling work is shown elsewhere, on either database.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def manager(demo_clinic):
    return make_staff(demo_clinic, "manager", email="boss@clinic.example")


def test_every_pathway_is_approved(demo_clinic, manager):
    approved = settle_demo_clinic(clinic=demo_clinic, by=manager, now=NOW)

    assert {(v.pathway.key, v.number, v.status) for v in approved} == {
        (row.data["pathway"], 1, "active") for row in read_catalogue().pathways
    }


def test_every_value_is_marked_as_a_demo_value(settled_clinic):
    assert Resolution.objects.exists()
    assert SlotValue.objects.exists()
    assert not Resolution.objects.filter(is_demo_value=False).exists()
    assert not SlotValue.objects.filter(is_demo_value=False).exists()


def test_windows_take_the_clinics_weeks(settled_clinic):
    windows = Step.objects.filter(version__pathway__key="pao-adult", window_days__isnull=False)
    assert [(s.key, s.offset_value, s.offset_unit, s.window_days) for s in windows] == [
        ("xray-first", 6, "weeks", 14),
        ("xray-second", 12, "weeks", 14),
        ("xray-third", 26, "weeks", 14),
    ]


def test_a_slot_before_the_anchor_stays_before_it(settled_clinic):
    step = Step.objects.get(version__pathway__key="vdro-child", key="tell-the-school")
    assert (step.offset_value, step.offset_unit) == (-6, "weeks")


def test_driving_takes_the_later_of_the_two_values(settled_clinic):
    assert str(Resolution.objects.get(disagreement__key="D3")) == (
        "No driving for at least eight weeks."
    )


def test_settling_again_changes_nothing(settled_clinic, manager):
    events = AuditEvent.objects.count()

    assert settle_demo_clinic(clinic=settled_clinic, by=manager, now=NOW) == []
    assert AuditEvent.objects.count() == events


def test_another_clinic_is_refused(demo_clinic, manager):
    other = make_clinic("Other clinic")

    with pytest.raises(NotTheDemoClinic, match="Other clinic is not the demo clinic"):
        settle_demo_clinic(clinic=other, by=manager, now=NOW)


def test_nothing_is_left_to_block(settled_clinic):
    for version in PathwayVersion.objects.filter(clinic=settled_clinic):
        assert blockers(version).messages() == []
