"""Answers for a record that has become quiet, and notes who was refused one, whichever page was asked for."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from patients import denials
from patients.care import RecordIsQuiet

GetResponse = Callable[[HttpRequest], HttpResponse]


class QuietRecord:
    """Shows one calm page in place of steps, visits and questions about somebody who has died."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The page, with what stays open; any other exception is not ours."""
        if not isinstance(exception, RecordIsQuiet):
            return None
        return render(request, "patients/quiet.html", {"care": request.__dict__["care"]})


class DeniedAttempts:
    """Notes who asked for a record and got 403 or 404; `portal.middleware.ReadAudit` writes it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note it; the answer stays what it is."""
        if isinstance(exception, Http404 | PermissionDenied):
            denials.note(request, is_forbidden=isinstance(exception, PermissionDenied))
