"""The staff page on which managers and auditors see whether the audit trail is whole."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal import chain, clock
from portal.models import AuditCheck, AuditHead
from portal.staff_forms import ConfirmForm
from portal.staff_site import page, staff_of

CHECKS_SHOWN = 10
# Links that are checked while the person waits: a second or two. A task does the rest.
CHECKED_AT_ONCE = 20_000


def add_pages(site: Any) -> None:
    """Serve the page of this module in the admin."""
    site.add_page("audit/chain/", audit_chain, "audit_chain")


@require_http_methods(["GET", "POST"])
def audit_chain(request: HttpRequest) -> HttpResponse:
    """Where the chain ends, what the last checks found, and a check now."""
    form = ConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if form.act_once():
            now = clock.now()
            chain.seal(now=now)
            asked = AuditCheck.objects.create(asked_by=staff_of(request), created_at=now)
            chain.carry_on(asked, now=now, most=CHECKED_AT_ONCE)
        return redirect("admin:audit_chain")
    head = AuditHead.objects.filter(pk=1).first()
    checks = list(AuditCheck.objects.select_related("asked_by")[:CHECKS_SHOWN])
    return page(
        request, "admin/portal/audit_chain.html", _("Is the audit trail whole?"), form=form, head=head,
        checks=[(row, [_in_words(*fault) for fault in row.faults]) for row in checks],
    )  # fmt: skip


def _in_words(kind: str, place: int, event_id: int | None) -> str:
    words = {
        "altered": _("Event %(event)s was altered after it was sealed."),
        "missing": _("Event %(event)s was taken away."),
        "gap": _("From place %(place)s on, places were taken away."),
        "cut": _("The end of the trail was cut off, from place %(place)s on."),
        "rewritten": _("At place %(place)s the trail differs from what was noted outside the database."),
    }  # fmt: skip
    return words[kind] % {"event": event_id, "place": place}
