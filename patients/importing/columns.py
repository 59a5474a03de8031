"""Which column of a list holds what: guessed by its name, to be corrected by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from patients.names import words_of

FIELDS: Mapping[str, Any] = {
    "record_number": _("Record number"),
    "given_name": _("Given name"),
    "family_name": _("Family name"),
    "birth_date": _("Date of birth"),
    "email": _("Email address"),
    "phone": _("Phone"),
    "uses_nicotine": _("Smokes or uses nicotine"),
    "operation": _("Operation or pathway"),
    "side": _("Side"),
    "surgery_on": _("Day of surgery"),
    "surgeon": _("Surgeon"),
}
REQUIRED = ("record_number", "given_name", "family_name", "birth_date")
DATES = ("birth_date", "surgery_on")

# What clinics call them, folded; English and Spanish.
_NAMES: Mapping[str, frozenset[str]] = {
    "record_number": frozenset(
        {"record number", "record no", "record", "mrn", "hospital number", "hospital no", "patient number",
         "patient no", "patient id", "patientid", "medical record number", "numero de historia", "historia clinica",
         "nhc"}
    ),
    "given_name": frozenset({"given name", "first name", "firstname", "forename", "forenames", "given", "nombre"}),
    "family_name": frozenset(
        {"family name", "last name", "lastname", "surname", "family", "apellido", "apellidos"}
    ),
    "birth_date": frozenset(
        {"date of birth", "dob", "birth date", "birthdate", "birthday", "born", "fecha de nacimiento", "nacimiento"}
    ),
    "email": frozenset({"email", "e mail", "email address", "mail", "correo", "correo electronico"}),
    "phone": frozenset({"phone", "telephone", "tel", "mobile", "phone number", "telefono", "movil"}),
    "uses_nicotine": frozenset({"smoker", "smokes", "nicotine", "smoking", "fumador", "fuma"}),
    "operation": frozenset(
        {"operation", "procedure", "pathway", "surgery", "planned procedure", "operacion", "cirugia", "procedimiento"}
    ),
    "side": frozenset({"side", "laterality", "lado"}),
    "surgery_on": frozenset(
        {"surgery date", "day of surgery", "date of surgery", "operation date", "procedure date", "tci", "tci date",
         "admission date", "fecha de cirugia", "fecha de la operacion"}
    ),
    "surgeon": frozenset({"surgeon", "consultant", "operator", "cirujano"}),
}  # fmt: skip


def guess(columns: Sequence[str]) -> dict[str, int]:
    """For each field the column that is most likely meant; fields that no column names are left out."""
    found: dict[str, int] = {}
    for index, name in enumerate(columns):
        called = " ".join(words_of(name))
        for field, names in _NAMES.items():
            if called in names and field not in found:
                found[field] = index
                break
    return found
