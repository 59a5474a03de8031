"""Registers the patients app with Django: plans follow clinics and accounts, invitations ask for dates of birth."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PatientsConfig(AppConfig):
    """The patients app."""

    name = "patients"
    verbose_name = _("Patients")

    def ready(self) -> None:
        """Have plans follow clinics and accounts, prove who is invited, fill the table of worklists."""
        # Models are not loaded before this.
        import patients.access_causes
        import patients.causes  # noqa: F401
        from patients.actions import (
            birth_dates_of,
            request_plans_of_clinic,
            request_plans_of_person,
        )
        from portal.actions import AFTER_CLOSING, AFTER_TIMING, BIRTH_DATES

        if request_plans_of_clinic not in AFTER_TIMING:
            AFTER_TIMING.append(request_plans_of_clinic)
        if request_plans_of_person not in AFTER_CLOSING:
            AFTER_CLOSING.append(request_plans_of_person)
        if birth_dates_of not in BIRTH_DATES:
            BIRTH_DATES.append(birth_dates_of)
