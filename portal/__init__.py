"""The project: settings, users and roles, clinics, audit, mail, sign-in, staff dashboard, health."""

from portal import checks  # registered by being imported
from portal.celery import app as celery_app

__all__ = ["celery_app", "checks"]
