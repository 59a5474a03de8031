"""Acting on several rows of a list at once: what would happen is shown first, and a second press does nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.staff_forms import StaffForm
from portal.staff_site import page

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One chosen row: what it is, and why nothing happens to it, where something stands in the way."""

    row: Any
    text: str
    why_not: Any = ""


def preview_then_act(
    request: HttpRequest,
    *,
    lines: Sequence[Line],
    form: StaffForm,
    title: Any,
    button: Any,
    act: Callable[[Any], None],
) -> HttpResponse | None:
    """Show what would happen to each row; once that is confirmed, do it. None leads back to the list.

    `act` gets one row. A row to which an action objects is left out, and the others are not. The
    form's answers are in `form.cleaned_data` by then. Raises PermissionDenied for more rows than a page holds.
    """
    if len(lines) > MOST_AT_ONCE:
        raise PermissionDenied
    if "confirm" in request.POST and form.is_valid():
        with transaction.atomic():
            if not form.act_once():
                messages.info(request, _("This was done already; nothing was done twice."))
                return None
            done = sum(_is_done(line, act) for line in lines if not line.why_not)
        words = ngettext("Done for %(n)d row.", "Done for %(n)d rows.", done)
        messages.success(request, words % {"n": done})
        return None
    hidden = {"action": request.POST["action"], "confirm": "1", "index": "0"}
    return page(
        request, "admin/bulk.html", title, lines=lines, form=form, button=button, hidden=hidden,
        possible=sum(not line.why_not for line in lines), back_url=request.get_full_path(),
        chosen=request.POST.getlist("_selected_action"),
    )  # fmt: skip


def _is_done(line: Line, act: Callable[[Any], None]) -> bool:
    try:
        with transaction.atomic():
            act(line.row)
    except ValidationError:
        # Somebody else was faster with this row.
        return False
    return True
