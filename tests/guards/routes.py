"""Every address of the site, walked from the root, and who gets what there: the declared table.

`TABLE` holds our own routes and the answer to a GET by each of the people; who may open which of
the admin's pages is declared in `portal.permissions`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Who may reach an address without signing in, and why.
OPEN: dict[str, str] = {
    "portal:home": "the front door",
    "portal:choose_language": "the way in has to be readable before it is gone through",
    "portal:accept_invitation": "who comes with an invitation has no password yet",
    "portal:ask_invitation": "who lost an invitation has no password yet",
    "portal:invitation_asked": "the page after asking",
    "portal:offline": "the page for no network; the same for everybody, and names nobody",
    "portal:service_worker": "the program that shows it; the same for everybody",
    "portal:end_session": "whoever it is, they are signed out afterwards",
    "portal:outbox": "the demo's mail; 404 outside the demo",
    "portal:outbox_mail": "the demo's mail; 404 outside the demo",
    "portal:outbox_part": "the demo's mail; 404 outside the demo",
    "portal:health_live": "a load balancer does not sign in",
    "portal:health_ready": "an operator's probe does not sign in; no personal data",
    "reminders:mail_settings": "the link in a mail works without a login; it shows choices, and no patient",
    "reminders:unsubscribe": "the link in a mail works without a login (RFC 8058)",
    "patients:calendar_feed_file": "calendar programs do not sign in; the address is the secret",
    "patients:email_change": "the link in a mail to an address that has no login yet",
    "metrics": "Prometheus brings a token of its own; no personal data",
    "admin:login": "sends to the one sign-in page",
}
# Whole sets of addresses by their namespace, and why.
OPEN_SETS: dict[str, str] = {
    "anymail:": "what mail providers report; each asks for a secret of its own",
}
# The way in itself: each page of it ends at a sign-in, or tells nothing.
WAY_IN = frozenset(
    {
        "account_login", "account_signup", "account_inactive", "account_confirm_email",
        "account_email_verification_sent", "account_reset_password", "account_reset_password_done",
        "account_reset_password_from_key", "account_reset_password_from_key_done",
        "account_request_login_code", "account_confirm_login_code", "account_logout",
        "mfa_authenticate", "mfa_login_webauthn",
    }
)  # fmt: skip

OK, SIGN_IN, MISSING, GOES_ON, NOT_TAKEN = 200, "sign in", 404, 302, 405
EVERYBODY_IN = (
    "patient", "other_patient", "carer", "former_carer", "nobody", "clerk", "surgeon", "manager",
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """The answer to a GET for each of the people, and the methods that the address takes at all."""

    anonymous: int | str
    signed_in: dict[str, int]
    methods: frozenset[str] = frozenset({"GET", "HEAD"})


def everyone(answer: int) -> dict[str, int]:
    return dict.fromkeys(EVERYBODY_IN, answer)


READ = frozenset({"GET", "HEAD"})
FORM = frozenset({"GET", "POST"})
# The record is the patient's own; a carer has rows of their own.
OF_THE_PATIENT = everyone(MISSING) | {"patient": OK}

TABLE: dict[str, Route] = {
    "portal:home": Route(OK, everyone(GOES_ON)),
    "portal:choose_language": Route(405, everyone(405), frozenset({"POST"})),
    "portal:accept_invitation": Route(MISSING, everyone(MISSING), FORM),
    "portal:ask_invitation": Route(OK, everyone(OK), FORM),
    "portal:invitation_asked": Route(OK, everyone(OK)),
    "portal:offline": Route(OK, everyone(OK)),
    "portal:service_worker": Route(OK, everyone(OK)),
    "portal:stay": Route(SIGN_IN, everyone(NOT_TAKEN), frozenset({"POST"})),
    "portal:end_session": Route(NOT_TAKEN, everyone(NOT_TAKEN), frozenset({"POST"})),
    "portal:drop_unsent": Route(SIGN_IN, everyone(NOT_TAKEN), frozenset({"POST"})),
    "portal:outbox": Route(MISSING, everyone(MISSING)),
    "portal:outbox_mail": Route(MISSING, everyone(MISSING)),
    "portal:outbox_part": Route(MISSING, everyone(MISSING)),
    "portal:health_live": Route(OK, everyone(OK)),
    "portal:health_ready": Route(503, everyone(503)),
    "patients:appointments": Route(SIGN_IN, everyone(OK)),
    "patients:appointment_calendar": Route(SIGN_IN, OF_THE_PATIENT | {"carer": OK}),
    "patients:appointment": Route(SIGN_IN, OF_THE_PATIENT | {"carer": OK}),
    "patients:appointment_confirm": Route(
        SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON, "carer": GOES_ON}, FORM
    ),
    "patients:appointment_ask_move": Route(SIGN_IN, OF_THE_PATIENT | {"carer": OK}, FORM),
    "patients:move_request_withdraw": Route(
        SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON, "carer": GOES_ON}, FORM
    ),
    "patients:calendar_feed": Route(SIGN_IN, everyone(OK), FORM),
    "patients:calendar_feed_file": Route(MISSING, everyone(MISSING)),
    "patients:check_in": Route(SIGN_IN, everyone(OK), FORM),
    "patients:check_in_history": Route(SIGN_IN, everyone(OK)),
    "patients:check_in_result": Route(SIGN_IN, everyone(MISSING)),
    "patients:exercises": Route(SIGN_IN, everyone(OK)),
    "patients:exercise": Route(SIGN_IN, OF_THE_PATIENT | {"carer": OK}),
    "patients:exercise_log": Route(
        SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON, "carer": GOES_ON}, FORM
    ),
    "patients:consents": Route(SIGN_IN, everyone(OK)),
    "patients:consent": Route(SIGN_IN, OF_THE_PATIENT | {"carer": OK}, FORM),
    # Nobody's procedure has a guide here: on to the list of all.
    "patients:my_guide": Route(SIGN_IN, everyone(GOES_ON)),
    "patients:xrays": Route(SIGN_IN, everyone(OK)),
    "patients:contact_phone": Route(SIGN_IN, everyone(OK), FORM),
    "patients:contact_email": Route(SIGN_IN, everyone(OK), FORM),
    "patients:email_change": Route(MISSING, everyone(MISSING), FORM),
    "reminders:my_data": Route(SIGN_IN, everyone(OK)),
    "reminders:my_data_file": Route(
        SIGN_IN, everyone(OK) | {"former_carer": MISSING, "nobody": MISSING, "clerk": MISSING,
                                 "surgeon": MISSING, "manager": MISSING}
    ),
    "patients:smoke_free": Route(SIGN_IN, everyone(OK)),
    "patients:smoke_free_plan": Route(
        SIGN_IN,
        everyone(OK) | {"patient": OK, "carer": OK, "other_patient": GOES_ON},
        FORM,
    ),
    "patients:slip_log": Route(
        SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON, "carer": GOES_ON}, FORM
    ),
    "patients:slip_withdraw": Route(
        SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON, "carer": GOES_ON}, FORM
    ),
    "patients:switch_patient": Route(SIGN_IN, everyone(GOES_ON), FORM),
    "patients:who_can_see": Route(SIGN_IN, everyone(OK)),
    "patients:ask_access_end": Route(SIGN_IN, everyone(NOT_TAKEN), frozenset({"POST"})),
    # The guide is the same for everyone who is signed in; its records are words and not patients.
    "procedures:guide_list": Route(SIGN_IN, everyone(OK)),
    "procedures:guide": Route(SIGN_IN, everyone(MISSING)),
    "procedures:guide_print": Route(SIGN_IN, everyone(MISSING)),
    "procedures:guide_pdf": Route(SIGN_IN, everyone(MISSING)),
    "procedures:guide_page": Route(SIGN_IN, everyone(MISSING)),
    "reminders:today": Route(SIGN_IN, everyone(OK)),
    "reminders:plan": Route(SIGN_IN, everyone(OK)),
    "reminders:plan_behind": Route(SIGN_IN, everyone(OK)),
    "reminders:messages": Route(SIGN_IN, everyone(OK)),
    "reminders:message": Route(SIGN_IN, OF_THE_PATIENT),
    "reminders:message_html": Route(SIGN_IN, OF_THE_PATIENT),
    "reminders:why": Route(SIGN_IN, OF_THE_PATIENT),
    "reminders:answer": Route(SIGN_IN, OF_THE_PATIENT | {"patient": GOES_ON}, FORM),
    "reminders:reminder_settings": Route(SIGN_IN, everyone(OK), FORM),
    "reminders:mail_settings": Route(MISSING, everyone(MISSING), FORM),
    "reminders:unsubscribe": Route(MISSING, everyone(MISSING), FORM),
}  # fmt: skip


def walk(
    patterns: list[Any] | None = None, namespace: str = "", path: str = ""
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Every address as (name with its namespace, path, view)."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from walk(pattern.url_patterns, inner, here)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or here}", here, pattern.callback


def needs_sign_in(view: Callable[..., Any]) -> bool:
    """What Django's LoginRequiredMiddleware reads."""
    return bool(getattr(view, "login_required", True))
