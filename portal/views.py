"""The portal's own pages: the way in, the demo's outbox, health, and the pages that say that something went wrong."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from http import HTTPStatus

from allauth.account.utils import perform_login
from allauth.core import ratelimit
from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext, ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.i18n import set_language

from portal import actions, clock, demo, health, languages
from portal.forms import AskInvitationForm, ProofForm, WayInForm
from portal.models import Clinic, Invitation, OutboxMail, Role
from portal.outbox import open_mail

MAILS_A_PAGE = 30
# In the session: which invitation was proven, and when (seconds of the machine's own clock).
PROVEN = "proven_invitation"
PROOF_IS_GOOD_FOR = 30 * 60
# Whose sign-in the demo's front door offers, beside a patient's and a parent's.
DEMO_ROLES = frozenset({Role.MANAGER, Role.CLERK, Role.PHYSIOTHERAPIST})

# A mail is shown in a frame that runs no script; its styles are inside it, as mail readers want them.
MAIL_POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
}
# A link in a mail opens the whole window, not the little frame.
OPEN_LINKS_OUTSIDE = '<base target="_top">'


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The front door; who is signed in already goes straight to where they work."""
    if not request.user.is_authenticated:
        context = {"demo_logins": _demo_logins(), "clinic": _only_clinic()}
        return render(request, "portal/home.html", context)
    return redirect("admin:index" if request.user.is_staff else "reminders:today")


def _only_clinic() -> Clinic | None:
    """Whom a stranger may be told to call: the clinic, where there is only one."""
    first_two = Clinic.objects.all()[:2]
    return first_two[0] if len(first_two) == 1 else None


def _demo_logins() -> list[dict[str, str]]:
    if not settings.STEPWISE_DEMO:
        return []
    shown = [row for row in demo.STAFF if row.role in DEMO_ROLES]
    return [
        {"who": f"{row.name}, {_role_of(row)}", "email": row.email, "password": demo.PASSWORD}
        for row in (*shown, demo.PATIENT, demo.PARENT)
    ]


def _role_of(login: demo.Login) -> str:
    return str(Role(login.role).label) if login.role in Role.values else gettext(login.role)


def _sent(request: HttpRequest) -> QueryDict | None:
    """What a form was sent with; None where it is only opened. An empty form that was sent is one with errors."""
    return request.POST if request.method == "POST" else None


# --- Language --------------------------------------------------------------------------------


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Pages in another language, at once: kept in this browser and, for who is signed in, in the account.

    Mails follow the account. The answer leads back to `next`, a page of this site.
    """
    language = request.POST.get("language", "")
    if language in languages.OWN_NAMES and request.user.is_authenticated:
        user = request.user
        actions.set_language(user=user, language=language, by=user)
    return set_language(request)


# --- Invitations -----------------------------------------------------------------------------


@login_not_required
@require_http_methods(["GET", "POST"])
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Prove the date of birth, then choose how to sign in. GET changes nothing: scanners open links."""
    invitation = actions.open_invitation(token, clock.now())
    if invitation is None:
        return _used_up_invitation(request)
    languages.speak(request, invitation.user.language)
    if invitation.is_locked:
        return _locked_invitation(request, invitation)
    if not _is_proven(request, invitation):
        return _ask_proof(request, invitation)
    form = WayInForm(_sent(request), user=invitation.user)
    if form.is_valid():
        try:
            return _sign_in_invited(request, invitation, form)
        except ValidationError:
            return _used_up_invitation(request)
    context = {"form": form, "invitation": invitation, "clinic": invitation.clinic}
    return render(request, "portal/accept_invitation.html", context)


def _is_proven(request: HttpRequest, invitation: Invitation) -> bool:
    """Whether this browser gave the right date of birth not long ago, or there is none to give (staff)."""
    shown, at = request.session.get(PROVEN, ("", 0))
    is_fresh = time.time() - at < PROOF_IS_GOOD_FOR
    return (shown == str(invitation.pk) and is_fresh) or not actions.birth_dates_of(invitation.user)


def _ask_proof(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """The first of two steps. It names nobody: who holds the link has not shown yet who they are."""
    form = ProofForm(_sent(request))
    if form.is_valid():
        born_on = form.cleaned_data["born_on"]
        if actions.prove_invitation(invitation=invitation, born_on=born_on, now=clock.now()):
            request.session[PROVEN] = (str(invitation.pk), time.time())
            return redirect(request.path)
        invitation.refresh_from_db(fields=["proofs_failed"])
        if invitation.is_locked:
            return _locked_invitation(request, invitation)
        form.add_error("born_on", _wrong_date(Invitation.MOST_PROOFS - invitation.proofs_failed))
    context = {"form": form, "clinic": invitation.clinic}
    return render(request, "portal/prove_invitation.html", context)


def _wrong_date(left: int) -> str:
    return ngettext(
        "This is not the date that the clinic has. You can try %(left)d more time.",
        "This is not the date that the clinic has. You can try %(left)d more times.",
        left,
    ) % {"left": left}


def _locked_invitation(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    context = {"clinic": invitation.clinic}
    status = HTTPStatus.FORBIDDEN
    return render(request, "portal/accept_invitation_locked.html", context, status=status)


def _sign_in_invited(request: HttpRequest, invitation: Invitation, form: WayInForm) -> HttpResponse:
    chosen = form.cleaned_data
    user = actions.accept_invitation(
        invitation=invitation, password=chosen["password"], now=clock.now()
    )
    request.session.pop(PROVEN, None)
    if language := languages.chosen(request):
        actions.set_language(user=user, language=language, by=user)
    is_passkey = chosen["way"] == WayInForm.Way.PASSKEY
    goes_to = reverse("mfa_add_webauthn") if is_passkey else settings.LOGIN_REDIRECT_URL
    # By allauth's own door, so that its stages (second factor) and signals hold here too.
    return perform_login(request, user, redirect_url=goes_to)


def _used_up_invitation(request: HttpRequest) -> HttpResponse:
    """One page for every link that does not work: used, expired, withdrawn, or never ours."""
    return render(request, "portal/accept_invitation_expired.html", status=HTTPStatus.NOT_FOUND)


@login_not_required
@require_http_methods(["GET", "POST"])
def ask_invitation(request: HttpRequest) -> HttpResponse:
    """Ask for a new link. The answer is the same whether anybody was invited at the address or not."""
    form = AskInvitationForm(_sent(request))
    if not form.is_valid():
        return render(request, "portal/ask_invitation.html", {"form": form})
    email = form.cleaned_data["email"].strip().lower()
    if not ratelimit.consume(request, action="ask_invitation", key=email):
        return ratelimit.respond_429(request)
    actions.ask_invitation(email=email, now=clock.now())
    return redirect("portal:invitation_asked")


@login_not_required
@require_safe
def invitation_asked(request: HttpRequest) -> HttpResponse:
    """What happens next, after a new link was asked for."""
    return render(request, "portal/invitation_asked.html")


# --- The demo's outbox -----------------------------------------------------------------------


def _kept_mail(**which: object) -> OutboxMail:
    """One mail of the outbox. Raises Http404 outside the demo, where mails are nobody's to read here."""
    if not settings.STEPWISE_DEMO:
        raise Http404
    return get_object_or_404(OutboxMail, **which)


@login_not_required
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Every mail the demo kept instead of sending it, newest first; of one address, if asked."""
    if not settings.STEPWISE_DEMO:
        raise Http404
    address = request.GET.get("address", "")
    mails = OutboxMail.objects.defer("raw")
    if address:
        mails = mails.filter(to_address=address)
    page = Paginator(mails, MAILS_A_PAGE).get_page(request.GET.get("page"))
    everyone = OutboxMail.objects.order_by("to_address").values_list("to_address", flat=True)
    context = {
        "mails": page.object_list,
        "addresses": everyone.distinct(),
        "address": address,
        "newer_url": _page_url(address, page.previous_page_number()) if page.has_previous() else "",
        "older_url": _page_url(address, page.next_page_number()) if page.has_next() else "",
    }
    return render(request, "portal/outbox.html", context)


def _page_url(address: str, number: int) -> str:
    return "?" + urlencode({"address": address, "page": str(number)})


@login_not_required
@require_safe
def outbox_mail(request: HttpRequest, pk: str) -> HttpResponse:
    """One mail as its reader sees it, with its plain text, its headers and its attachments."""
    row = _kept_mail(pk=pk)
    letter = open_mail(row)
    tab = request.GET.get("tab", "html" if letter.html else "text")
    context = {
        "mail": row,
        "tab": tab if tab in {"html", "text", "raw"} else "text",
        "html_url": reverse("portal:outbox_part", args=[pk, 0]) if letter.html else "",
        "text": letter.text,
        "raw": letter.raw,
        "attachments": [
            {
                "name": part.name,
                "content_type": part.content_type,
                "url": reverse("portal:outbox_part", args=[pk, part.number]),
            }
            for part in letter.attachments
        ],
    }
    return render(request, "portal/outbox_mail.html", context)


@login_not_required
@require_safe
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]  # django-csp types views without arguments
def outbox_part(request: HttpRequest, pk: str, number: int) -> HttpResponse:
    """Part 0 is the HTML as a page of its own, for a frame; the others are attachments to keep."""
    letter = open_mail(_kept_mail(pk=pk))
    if number == 0 and letter.html:
        return mail_page(letter.html)
    for part in letter.attachments:
        if part.number == number:
            headers = {"Content-Disposition": content_disposition_header(True, part.name) or ""}
            return HttpResponse(part.content, content_type=part.content_type, headers=headers)
    raise Http404


def mail_page(html: str) -> HttpResponse:
    """The HTML of a mail, for a frame. Give the view MAIL_POLICY, and X-Frame-Options of the same origin."""
    return HttpResponse(html.replace("</head>", f"{OPEN_LINKS_OUTSIDE}</head>", 1))


# --- Without a network -------------------------------------------------------------------------

# What the page for no network needs; the service worker keeps them.
OFFLINE_FILES = (
    "bootstrap/css/bootstrap.min.css", "portal/css/tokens.css", "portal/css/layout.css",
    "portal/css/components.css", "portal/css/forms.css", "portal/icons.svg", "portal/app-icon.svg",
    "portal/js/offline.js", "portal/js/stepwise.js", "portal/js/session.js",
)  # fmt: skip


@login_not_required
@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Whom to call where there is no network. It is fetched without cookies, and is the same for everybody."""
    return render(request, "portal/offline.html", {"clinic": _only_clinic()})


@login_not_required
@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The program that shows that page. It lies at the root: its place is what it may look after."""
    files = [reverse("portal:offline"), *(static(name) for name in OFFLINE_FILES)]
    version = hashlib.sha256(" ".join(files).encode()).hexdigest()[:12]
    context = {"files": files, "version": version}
    return render(
        request, "portal/service-worker.js", context, content_type="text/javascript; charset=utf-8"
    )


# --- Health ----------------------------------------------------------------------------------


@login_not_required
@require_safe
def health_live(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all; asks nobody else."""
    return JsonResponse({"status": "alive"})


@login_not_required
@require_safe
def health_ready(request: HttpRequest, further: Iterable[health.Check] = ()) -> HttpResponse:
    """200 when everything that reminders need works, 503 with the reasons when not."""
    findings = health.findings(further)
    unwell = [finding.name for finding in findings if not finding.is_well]
    body = {
        "status": "not ready" if unwell else "ready",
        "unwell": unwell,
        "checks": {finding.name: finding.value for finding in findings},
    }
    status = HTTPStatus.SERVICE_UNAVAILABLE if unwell else HTTPStatus.OK
    return JsonResponse(body, status=status)


# --- When something went wrong ---------------------------------------------------------------


def _plain_page(template: str, status: HTTPStatus) -> HttpResponse:
    """A page made without request, user or database, so that it can neither fail nor tell anything."""
    return HttpResponse(render_to_string(template), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return _plain_page("400.html", HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return _plain_page("403.html", HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that was open for too long, or came from elsewhere."""
    return _plain_page("403_csrf.html", HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404; the same body for what does not exist and for what is somebody else's."""
    return _plain_page("404.html", HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """500."""
    return _plain_page("500.html", HTTPStatus.INTERNAL_SERVER_ERROR)


def unavailable(request: HttpRequest) -> HttpResponse:
    """503."""
    return _plain_page("503.html", HTTPStatus.SERVICE_UNAVAILABLE)
