"""Pages of `patients`."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def appointments(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def appointment_calendar(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def switch_patient(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404
