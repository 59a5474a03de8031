"""Pages of `portal`."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def home(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def ask_invitation(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def accept_invitation(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def outbox(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def outbox_mail(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def outbox_part(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def health_live(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404


def health_ready(request: HttpRequest, **parts: Any) -> HttpResponse:
    """Raise Http404: the page is being built."""
    raise Http404
