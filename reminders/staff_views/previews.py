"""A pathway version before it is approved: sample plans, every mail, and the steps without words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from csp.decorators import csp
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from portal import clock
from portal.permissions import within
from portal.staff_site import page
from portal.views import MAIL_POLICY, mail_page
from procedures.models import PathwayVersion
from reminders.previews import Draft


@require_safe
def version_preview(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What invented patients would get on this version, and each of its mails as it would go out."""
    draft = draft_or_404(request, pk)
    title = _("%(version)s, as people get it") % {"version": draft.version}
    return page(
        request, "admin/reminders/version_preview.html", title,
        version=draft.version, plans=draft.plans(), mails=draft.mails(), gaps=draft.gaps(),
        not_placed=draft.not_placed,
    )  # fmt: skip


@require_safe
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]  # its types know no arguments from the address
def version_mail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The HTML of one mail by itself, for a frame without any rights. Raises Http404."""
    wanted = (request.GET.get("step"), request.GET.get("language"))
    mails = draft_or_404(request, pk).mails()
    for mail in mails:
        if wanted in {(mail.step.key, mail.language), (None, None)}:
            response = mail_page(mail.html)
            # The mail's own policy stands: it is not loosened as other pages of the admin are.
            response.__dict__["_csp_update"] = {}
            return response
    raise Http404


def draft_or_404(request: HttpRequest, pk: UUID) -> Draft:
    rows: Any = within(
        PathwayVersion.objects.visible_to(request.user), request.user, "pathwayversion.view"
    )
    version = get_object_or_404(rows.select_related("pathway__procedure", "clinic"), pk=pk)
    return Draft(version, clock.now())


PAGES = (
    ("version/<uuid:pk>/preview/", version_preview, "version_preview"),
    ("version/<uuid:pk>/mail/", version_mail, "version_mail"),
)
