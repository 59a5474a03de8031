"""The people of the tests: two clinics, their staff, patients, parents, carers, and nobody.

`people` holds them at the moment NOW, with the clock stopped there; `planned` has their plans too.
`make_people(now)` makes them at any moment, for tests that need a clock that runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from patients import actions
from patients.models import Episode, Patient, RelatedPerson
from portal.models import Clinic, Location, Role, User
from procedures.models import PathwayVersion
from reminders.reconciler import reconcile
from tests.factories import (
    NOW,
    make_carer,
    make_clinic,
    make_location,
    make_patient,
    make_staff,
    make_user,
    make_version,
)
from tests.grounds import ground

DAYS_TO_SURGERY = 56

# One step or two for each anchor, each way to repeat, each late policy and each repeat policy.
ADULT_STEPS: dict[str, dict[str, Any]] = {
    "insurer": {"anchor": "decision", "offset_value": 3, "late_policy": "catch_up"},
    "stop-smoking": {
        "category": "smoking_cessation", "offset_value": -6, "offset_unit": "weeks", "late_policy": "catch_up",
        "condition": {"uses_nicotine": True}, "repeat_every_days": 7, "repeat_until_anchor": "surgery",
        "repeat_until_value": -1, "repeat_until_unit": "days",
    },
    "smoke-free-day": {
        "category": "smoking_cessation", "anchor": "quit", "offset_value": 1, "late_policy": "portal_only",
        "condition": {"uses_nicotine": True},
    },
    "pack-bag": {
        "offset_value": -2, "late_policy": "send_now", "repeat_policy": "correct",
        "texts": {
            "en-gb": {"body": "Dear {reader_name}, {patient_name} has surgery on {surgery_date}. Call {clinic_phone}."},
            "es": {"subject": "Su próximo paso", "title": "Haga la maleta", "todo": "Haga la maleta.",
                   "body": "Operación: {surgery_date}. Llame al {clinic_phone}."},
        },
    },
    "day-before": {
        "offset_value": -1, "at": time(12), "valid_for": timedelta(days=1), "is_essential": True,
        "late_policy": "send_now", "repeat_policy": "correct",
    },
    "come-in": {
        "category": "appointment", "anchor": "admission", "offset_value": -1, "at": time(15),
        "late_policy": "skip", "repeat_policy": "ask",
    },
    "exercises": {
        "category": "physiotherapy", "anchor": "discharge", "offset_value": 1, "at": time(9, 30),
        "valid_for": timedelta(hours=12), "repeat_every_days": 1, "repeat_count": 5,
        "ends_when": "exercises_logged_today",
    },
    "gym": {
        "category": "physiotherapy", "anchor": "discharge", "offset_value": 1, "offset_unit": "weeks",
        "repeat_every_days": 1, "repeat_weekdays": [0, 3], "repeat_until_anchor": "surgery",
        "repeat_until_value": 4, "repeat_until_unit": "weeks", "late_policy": "send_now",
    },
    "wound-check": {
        "category": "check_in", "anchor": "discharge", "offset_value": 3, "late_policy": "send_now",
        "repeat_policy": "ask",
    },
    "xray-window": {
        "category": "xray", "offset_value": 6, "offset_unit": "weeks", "window_days": 14,
        "ends_when": "xray_booked", "late_policy": "send_now",
        "texts": {"en-gb": {"body": "Your X-ray falls between {window_from} and {window_until}."}},
    },
    "xray-visit": {
        "category": "xray", "anchor": "appointment", "appointment_kind": "xray", "offset_value": -3,
        "late_policy": "send_now", "repeat_policy": "correct",
        "texts": {"en-gb": {"body": "Come on {appointment_date} at {appointment_time} to {appointment_place}."}},
    },
    "full-weight": {
        "category": "recovery", "anchor": "milestone:full_weight", "offset_value": 0, "late_policy": "send_now",
    },
    "driving": {
        "category": "recovery", "offset_value": 2, "offset_unit": "months", "late_policy": "portal_only",
        "condition": {"drives": True},
    },
    "anniversary": {"category": "recovery", "offset_value": 1, "offset_unit": "years"},
}  # fmt: skip

CHILD_STEPS: dict[str, dict[str, Any]] = {
    "pack-toys": {
        "offset_value": -2, "recipients": "both", "late_policy": "send_now", "repeat_policy": "correct",
        "texts": {"en-gb": {"body": "Dear {reader_name}, {patient_name} has surgery on {surgery_date}."}},
    },
    "day-before": {
        "offset_value": -1, "at": time(12), "valid_for": timedelta(days=1), "is_essential": True,
        "late_policy": "send_now", "repeat_policy": "correct",
    },
    "cast-care": {
        "category": "recovery", "anchor": "discharge", "offset_value": 1, "repeat_every_days": 3,
        "repeat_count": 3, "recipients": "carers", "late_policy": "send_now",
    },
    "check-in": {"category": "check_in", "anchor": "discharge", "offset_value": 5, "late_policy": "send_now"},
    "xray-window": {
        "category": "xray", "offset_value": 6, "offset_unit": "weeks", "window_days": 14,
        "ends_when": "xray_booked", "late_policy": "send_now",
    },
    "xray-visit": {
        "category": "xray", "anchor": "appointment", "appointment_kind": "xray", "offset_value": -1,
        "late_policy": "send_now", "repeat_policy": "correct",
    },
    "plate-removal": {"category": "recovery", "offset_value": 2, "offset_unit": "years"},
}  # fmt: skip


@dataclass(slots=True)
class People:
    """Everyone, by the part they play."""

    now: datetime
    surgery_on: date
    clinic: Clinic
    other_clinic: Clinic
    location: Location
    manager: User
    surgeon: User
    nurse: User
    physiotherapist: User
    radiographer: User
    clerk: User
    auditor: User
    other_clerk: User
    other_manager: User
    # A smoker who drives; her carer is live, her former carer's access has ended.
    patient: Patient
    carer: User
    former_carer: User
    ended_link: RelatedPerson
    # Another patient of the same clinic, who neither smokes nor drives.
    other_patient: Patient
    # A patient of the second clinic.
    far_patient: Patient
    # A child without a login, with two parents; the mother has a second child, with a login.
    child: Patient
    sibling: Patient
    mother: User
    father: User
    # An account linked to no one.
    nobody: User
    adult_version: PathwayVersion
    child_version: PathwayVersion
    far_version: PathwayVersion
    episode: Episode
    other_episode: Episode
    far_episode: Episode
    child_episode: Episode
    sibling_episode: Episode

    @property
    def staff(self) -> dict[str, User]:
        """The first clinic's staff, by role."""
        return {role: getattr(self, role) for role in Role.values}

    @property
    def episodes(self) -> list[Episode]:
        """Every episode."""
        return [
            self.episode, self.other_episode, self.far_episode, self.child_episode, self.sibling_episode,
        ]  # fmt: skip


def make_people(now: datetime = NOW) -> People:
    """Make everyone, with surgery eight weeks after `now`. Episodes are not planned yet."""
    clinic = make_clinic("Harbour Hip Clinic")
    other_clinic = make_clinic("Meadow Clinic", phone_in_hours="0131 496 0001")
    staff = {role: make_staff(clinic, role) for role in Role.values}
    made: dict[str, Any] = {
        "now": now,
        "surgery_on": now.date() + timedelta(days=DAYS_TO_SURGERY),
        "clinic": clinic,
        "other_clinic": other_clinic,
        "location": make_location(clinic),
        "other_clerk": make_staff(other_clinic, "clerk"),
        "other_manager": make_staff(other_clinic, "manager"),
        "nobody": make_user("nobody@example.com", name="Noor Body"),
        "adult_version": make_version(clinic, ADULT_STEPS, audience="adult"),
        "child_version": make_version(clinic, CHILD_STEPS, audience="child"),
        "far_version": make_version(other_clinic, {"pack-bag": {"offset_value": -2}}),
        **staff,
        **_adults(clinic, other_clinic, now),
        **_family(clinic, now),
    }
    return People(**made, **_episodes(made, now))


def _adults(clinic: Clinic, other_clinic: Clinic, now: datetime) -> dict[str, Any]:
    patient = make_patient(
        clinic, email="pat@example.com", record_number="H-001", given_name="Patricia", family_name="O'Neill",
        uses_nicotine=True, drives=True, job="desk", phone="020 7946 0101",
    )  # fmt: skip
    carer = make_user("carl@example.com", name="Carl Carer")
    former_carer = make_user("fay@example.com", name="Fay Former")
    make_carer(patient, carer, relationship="husband")
    return {
        "patient": patient,
        "carer": carer,
        "former_carer": former_carer,
        "ended_link": make_carer(patient, former_carer, ended_at=now - timedelta(days=30)),
        "other_patient": make_patient(
            clinic, email="otto@example.com", record_number="H-002", given_name="Otto", family_name="Secret",
            phone="020 7946 0102",
        ),
        "far_patient": make_patient(
            other_clinic, email="fern@example.com", record_number="M-001", given_name="Fern", family_name="Faraway"
        ),
    }  # fmt: skip


def _family(clinic: Clinic, now: datetime) -> dict[str, Any]:
    mother = make_user("maya@example.com", name="Maya Kidd")
    father = make_user("finn@example.com", name="Finn Kidd", time_zone="America/New_York")
    child = make_patient(
        clinic, email=None, record_number="H-003", given_name="Kim", family_name="Kidd",
        birth_date=date(now.year - 7, 6, 1),
    )  # fmt: skip
    sibling = make_patient(
        clinic, email="sasha@example.com", record_number="H-004", given_name="Sasha", family_name="Kidd",
        birth_date=date(now.year - 14, 6, 1),
    )  # fmt: skip
    make_carer(child, mother, relationship="mother")
    make_carer(child, father, relationship="father")
    make_carer(sibling, mother, relationship="mother")
    return {"mother": mother, "father": father, "child": child, "sibling": sibling}


def _episodes(made: dict[str, Any], now: datetime) -> dict[str, Episode]:
    def opened(patient: str, version: str, side: str = "left") -> Episode:
        return actions.open_episode(
            patient=made[patient], version=made[version], side=side, surgery_on=made["surgery_on"],
            surgeon=made["surgeon"], by=made["clerk"], now=now,
        )  # fmt: skip

    return {
        "episode": opened("patient", "adult_version"),
        "other_episode": opened("other_patient", "adult_version", "right"),
        "far_episode": opened("far_patient", "far_version"),
        "child_episode": opened("child", "child_version"),
        "sibling_episode": opened("sibling", "child_version", "right"),
    }


@pytest.fixture
def stopped_clock() -> Iterator[time_machine.Traveller]:
    """The clock, stopped at NOW; `move_to` and `shift` set it elsewhere."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@ground()
def build_people() -> People:
    """Make everyone, at NOW."""
    with time_machine.travel(NOW, tick=False):
        return make_people(NOW)


@ground(needs="people")
def build_planned(below: People) -> People:
    """Plan every episode."""
    with time_machine.travel(NOW, tick=False):
        for episode in below.episodes:
            reconcile(episode, now=below.now)
    return below


@pytest.fixture
def people(db, grounds, stopped_clock) -> People:
    """Everyone, at NOW, with episodes that are not planned yet."""
    return grounds.copy("people") or make_people(NOW)


@pytest.fixture
def planned(people, grounds) -> People:
    """Everyone, with their plans."""
    return grounds.copy("planned") or build_planned(people)


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    """`sign_in(user)` is a browser in which that user is signed in."""

    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of
