"""The Celery application. What it does is in each app's tasks; when, in the settings."""

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from portal.unstick import Unstick

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("stepwise")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(Unstick)


@setup_logging.connect
def log_as_the_web_server_does(**_kwargs: Any) -> None:
    """Keep Celery from installing its own handlers, which print task arguments."""
    from django.conf import settings  # not to be read before Celery has set Django up

    dictConfig(settings.LOGGING)
