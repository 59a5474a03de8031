"""Every field of every model is classed: about a person, or not."""

import pytest
from django.apps import apps
from django.db import models

from tests.guards.personal import FIELDS

OURS = ("portal", "procedures", "patients", "reminders")


def real() -> dict[str, set[str]]:
    return {
        model._meta.label: {field.name for field in model._meta.get_fields() if field.concrete}
        for app in OURS
        for model in apps.get_app_config(app).get_models()
    }


def faults(fields: dict[str, set[str]], classed: dict[str, tuple[str, str]]) -> set[str]:
    """What is in neither class, in both, or no longer there."""
    found = set()
    for label in fields.keys() | classed.keys():
        personal, other = (set(part.split()) for part in classed.get(label, ("", "")))
        stored = fields.get(label, set())
        found |= {f"{label}.{name}" for name in (personal & other) | (stored ^ (personal | other))}
    return found


def test_every_field_is_classed_once():
    assert faults(real(), FIELDS) == set()


@pytest.mark.parametrize(
    ("fields", "classed"),
    [
        ({"a.B": {"id", "name"}}, {"a.B": ("", "id")}),
        ({"a.B": {"id"}}, {"a.B": ("name", "id")}),
        ({"a.B": {"id", "name"}}, {"a.B": ("name", "id name")}),
        ({"a.B": {"name"}}, {}),
        ({}, {"a.B": ("name", "")}),
    ],
)
def test_a_planted_fault_is_found(fields, classed):
    assert faults(fields, classed) == {"a.B.name"}


def test_what_names_a_person_or_reaches_one_is_classed_as_personal():
    """A field with such a name on the other side would be a slip."""
    telling = {
        "email",
        "given_name",
        "family_name",
        "birth_date",
        "patient",
        "episode",
        "recipient",
        "address",
    }
    for label, (_, other) in FIELDS.items():
        slips = telling & set(other.split())
        assert slips <= ({"address"} if label == "portal.Location" else set()), label


def test_every_link_to_an_account_or_a_patient_is_personal():
    for app in OURS:
        for model in apps.get_app_config(app).get_models():
            personal = FIELDS[model._meta.label][0].split()
            for field in model._meta.get_fields():
                if isinstance(field, models.ForeignKey) and field.related_model._meta.label in {
                    "portal.User",
                    "patients.Patient",
                }:
                    assert field.name in personal, f"{model._meta.label}.{field.name}"
