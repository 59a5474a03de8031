"""Registers the patients app with Django, and has plans follow a clinic's hours."""

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    """The patients app."""

    name = "patients"

    def ready(self) -> None:
        """Have the plans of a clinic's patients worked out again when its zone or sending window changes."""
        from patients.actions import (
            request_plans_of_clinic,  # its models are not loaded before this
        )
        from portal.actions import AFTER_TIMING

        if request_plans_of_clinic not in AFTER_TIMING:
            AFTER_TIMING.append(request_plans_of_clinic)
