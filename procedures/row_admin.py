"""What the catalogue's pages in the staff admin have in common: reading, pages of our own, acting once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse

from portal.staff_admin import StaffAdmin
from portal.staff_forms import StaffForm


class ReadOnlyAdmin(StaffAdmin):
    """Rows of the catalogue that come from its files and are read here."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Everything is read and nothing is written."""
        return [field for field in self.get_fields(request, obj) if field]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from the files."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come from the files."""
        return False


class PageAdmin(ReadOnlyAdmin):
    """Rows that have a page of our own instead of Django's form."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The row's own page. 404 for a row of another clinic, as for one that does not exist."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return self.row_page(request, row)

    def row_page(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The page of `row`. Each class makes its own."""
        raise NotImplementedError


def act(request: HttpRequest, form: StaffForm, action: Any, message: str) -> bool:
    """Carry `action` out once. What it refuses stands in the form; True when it is done."""
    try:
        with transaction.atomic():
            if form.act_once():
                action()
    except ValidationError as error:
        form.refuse(error)
        return False
    messages.success(request, message)
    return True
