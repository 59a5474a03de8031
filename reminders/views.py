"""Pages of `reminders`."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def today(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def plan(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def messages(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def message(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def message_html(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def why(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def answer(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def reminder_settings(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def unsubscribe(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404
