"""The pages of the patients' side to picture: nobody's, a patient's, and of people with whom something is otherwise."""

from __future__ import annotations

from shots import KEY, Shot, shots

FORM = "main form.sw-form"
INVITED = "adaeze.fennimore@patients.example"
MAILED = "alex@patients.example"
MOVE = (f"/appointments/{KEY}/$", f"/appointments/{KEY}/move/$")
CONSENT = (f"/consents/{KEY}/[^/]+/$",)
CHECKED_IN = (
    Shot("check-in-history", "/check-in/history/", opens="main details"),
    Shot("check-in-result", "/check-in/history/", first=(f"/check-in/{KEY}/$",)),
)

NOBODY = (
    *shots("/", "/accounts/login/", "/accounts/login/code/", "/accounts/password/reset/",
           "/accounts/password/reset/done/", "/accounts/password/reset/key/0-no-such-link/", "/invitation/new/",
           "/invitation/asked/", "/offline/", "/outbox/", "/accounts/signup/"),
    Shot("login-errors", "/accounts/login/", sends=FORM),
    Shot("code-errors", "/accounts/login/code/", sends=FORM),
    Shot("password-reset-errors", "/accounts/password/reset/", sends=FORM),
    Shot("invitation-new-errors", "/invitation/new/", sends=FORM),
    Shot("invitation-void", "/invitation/no-such-link/"),
    Shot("email-change-void", "/email-change/no-such-link/"),
    Shot("unsubscribe-void", "/unsubscribe/no-such-link/"),
    Shot("error-404", "/nothing-here/"),
    Shot("outbox-mail", "/outbox/", first=(f"/outbox/{KEY}/",)),
    # To a patient who never came in, weeks ago; and to one who has.
    Shot("invitation-expired", INVITED, mailed="/invitation/"),
    Shot("unsubscribe", MAILED, mailed="/unsubscribe/"),
    Shot("unsubscribe-choices", MAILED, mailed="/unsubscribe/", first=("/unsubscribe/.*/more/$",)),
)  # fmt: skip
PATIENT = (
    *shots("/today/", "/plan/", "/appointments/", "/appointments/calendar/", "/messages/", "/check-in/",
           "/exercises/", "/smoke-free/", "/smoke-free/plan/", "/x-rays/", "/consents/",
           "/guide/", "/my-guide/", "/settings/reminders/", "/who-can-see/", "/my-data/",
           "/my-data/phone/", "/my-data/email/", "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/",
           "/accounts/email/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/",
           "/accounts/2fa/webauthn/add/"),
    Shot("today-fold", "/today/", opens="main details"),
    Shot("plan-folds", "/plan/", opens="main details"),
    Shot("plan-behind", "/plan/", first=("/plan/behind/$",)),
    Shot("appointment", "/appointments/", first=MOVE[:1]),
    Shot("appointment-move", "/appointments/", first=MOVE),
    Shot("appointment-move-errors", "/appointments/", first=MOVE, sends=FORM),
    Shot("message", "/messages/", first=(f"/messages/{KEY}/$",)),
    Shot("why", "/messages/", first=(f"/why/{KEY}/$",)),
    Shot("check-in-errors", "/check-in/", sends=FORM),
    *CHECKED_IN,
    Shot("exercise", "/exercises/", first=(f"/exercises/{KEY}/$",), opens="main details"),
    Shot("exercises-folds", "/exercises/", opens="main details"),
    Shot("smoke-free-slip", "/smoke-free/", opens="main details"),
    Shot("smoke-free-plan-errors", "/smoke-free/plan/", sends=FORM),
    Shot("consent", "/consents/", first=CONSENT),
    Shot("consent-errors", "/consents/", first=CONSENT, sends=FORM),
    Shot("phone-errors", "/my-data/phone/", sends=FORM, fills=(("phone", "ask my mother"),)),
    Shot("email-errors", "/my-data/email/", sends=FORM),
    Shot("password-errors", "/accounts/password/change/", sends=FORM),
    Shot("totp-errors", "/accounts/2fa/totp/activate/", sends=FORM),
    # Nothing in it can be wrong: it is saved, and can be undone.
    Shot("reminders-saved", "/settings/reminders/", sends=FORM),
    Shot("who-can-see-folds", "/who-can-see/", opens="main details"),
    Shot("guide-contents", "/guide/", first=("/guide/[^/]+/$",)),
    Shot("guide-page", "/my-guide/", first=("/guide/(?!.*(print|pdf))[^/]+/[^/]+/$",)),
    Shot("guide-print", "/my-guide/", first=("/guide/[^/]+/print/$",)),
    Shot("guide-search", "/guide/?q=pain"),
    Shot("guide-search-none", "/guide/?q=zebra"),
    Shot("error-404", "/nothing-here/"),
)  # fmt: skip
# What pages look like to people with whom something is otherwise.
STATE = shots(
    "/today/", "/plan/", "/appointments/", "/messages/", "/x-rays/", "/exercises/", "/check-in/",
    "/smoke-free/", "/consents/", "/my-guide/", "/settings/reminders/", "/who-can-see/", "/my-data/",
)  # fmt: skip
PEOPLE: dict[str, tuple[str, tuple[Shot, ...]]] = {
    "nobody": ("", NOBODY),
    "patient": ("alex@patients.example", PATIENT),
    "parent": ("sam@patients.example", PATIENT),
    "at-home": ("tobias.elmsgrove@patients.example", PATIENT),
    "without-operation": ("imre.holloway@patients.example", STATE),
    "day-of-surgery": ("bram.kestlewood@patients.example", STATE),
    "finished": ("wren.aldersyde@patients.example", (*STATE, *CHECKED_IN)),
    "called-off": ("callum.reedsmouth@patients.example", STATE),
    "moved": ("hiroshi.pennywell@patients.example", STATE),
    "died": ("lars.meadowcroft@patients.example", STATE),
    "former-carer": ("obinna@families.example", STATE),
}
