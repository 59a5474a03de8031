"""What every mail looks like: complete in both parts, nothing remote, nothing escaped in the text."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe

CLINIC = SimpleNamespace(
    name="Bone & Joint",
    phone_in_hours="020 7946 0123",
    opening_hours="Monday to Friday, 8 am to 6 pm",
    phone_out_of_hours="020 7946 0999",
    emergency_wording="In an emergency call 999.",
)
ITEM = {
    "category": "xray",
    "category_label": "X-rays",
    "patient_name": "Zoë O'Neil",
    "title": "Your X-ray & you",
    "todo": "Don't forget the letter",
    "body_html": mark_safe("<p>Bring <em>it</em>.</p>"),
    "body_text": "Bring it.",
    "why_url": "https://portal.example/why/1/",
    "correction": False,
}
CONTEXT = {
    "reader_name": "Zoë",
    "clinic": CLINIC,
    "items": [ITEM],
    "names_patients": False,
    "portal_url": "https://portal.example/",
    "unsubscribe_url": "https://portal.example/stop/x/",
    "essential_reason": "",
    "time_zone_note": "",
    "link": "https://portal.example/invitation/x/",
    "expires_at": datetime(2026, 5, 18, 12, tzinfo=UTC),
}
ACCOUNT = {
    "password_reset_url": "https://portal.example/reset/x/",
    "code": "ABC-DEF",
    "email": "zoe@example.org",
    "timestamp": datetime(2026, 5, 18, 12, tzinfo=UTC),
}
OF_CLINICS = ["reminders/email/reminder", "reminders/email/invitation"]
OF_ACCOUNTS = [
    f"account/email/{name}_message"
    for name in ("password_reset_key", "password_reset_code", "login_code", "unknown_account")
]


def mail(name, kind, **changes):
    context = ACCOUNT if name.startswith("account/") else CONTEXT | changes
    return render_to_string(f"{name}.{kind}", context)


@pytest.mark.parametrize("kind", ["txt", "html"])
@pytest.mark.parametrize("name", OF_CLINICS)
def test_every_mail_of_a_clinic_says_whom_to_call(name, kind):
    text = mail(name, kind)

    for words in (
        "In an emergency call 999.",
        "020 7946 0123",
        "020 7946 0999",
        CLINIC.opening_hours,
    ):
        assert words in text


@pytest.mark.parametrize("name", [*OF_CLINICS, *OF_ACCOUNTS])
def test_the_html_part_loads_nothing_from_anywhere(name):
    html = mail(name, "html")

    assert re.findall(r"<img|<script|<link\b|\ssrc=|url\(|@import", html) == []


@pytest.mark.parametrize("name", [*OF_CLINICS, *OF_ACCOUNTS])
def test_the_text_part_starts_with_the_greeting_and_has_no_markup(name):
    text = mail(name, "txt")

    assert text.startswith("Hello")
    assert "{" not in text
    assert re.findall(r"<[a-z/]|&[a-z]+;|&#", text) == []


def test_the_text_part_is_not_escaped_and_the_html_part_is():
    assert "Your X-ray & you" in mail(OF_CLINICS[0], "txt")
    assert "Don't forget the letter" in mail(OF_CLINICS[0], "txt")
    assert "Your X-ray &amp; you" in mail(OF_CLINICS[0], "html")


def test_both_parts_carry_the_same_things_to_do():
    second = ITEM | {"title": "Second", "todo": "Pack", "body_text": "Soft shoes."}
    parts = [mail(OF_CLINICS[0], kind, items=[ITEM, second]) for kind in ("txt", "html")]

    for part in parts:
        assert part.count("https://portal.example/why/1/") == 2
        assert "Pack" in part
        assert "https://portal.example/stop/x/" in part


def test_an_essential_mail_says_why_it_cannot_be_stopped():
    for kind in ("txt", "html"):
        part = mail(
            OF_CLINICS[0], kind, unsubscribe_url="", essential_reason="Your safety depends on it."
        )

        assert "Your safety depends on it." in part
        assert "Stop mails" not in part


@pytest.mark.parametrize(("names", "count"), [(True, 1), (False, 0)])
@pytest.mark.parametrize("kind", ["txt", "html"])
def test_a_carer_is_told_whom_it_is_about(kind, names, count):
    plain = mail(OF_CLINICS[0], kind, names_patients=names).replace("&#x27;", "'")

    assert plain.count("for Zoë O'Neil") == count


@pytest.mark.parametrize("kind", ["txt", "html"])
def test_a_correction_says_that_the_date_has_changed(kind):
    assert "The date has changed." in mail(OF_CLINICS[0], kind, items=[ITEM | {"correction": True}])


def test_arabic_runs_from_right_to_left_and_numbers_do_not():
    with translation.override("ar"):
        html = mail(OF_CLINICS[0], "html")

    assert '<html lang="ar" dir="rtl">' in html
    assert '<bdi dir="ltr">020 7946 0123</bdi>' in html


@pytest.mark.parametrize(
    "name",
    ["reminders/email/invitation.subject.txt", "account/email/login_code_subject.txt"],
)
def test_a_subject_is_one_line_and_not_escaped(name):
    subject = render_to_string(name, CONTEXT).strip()

    assert "\n" not in subject
    assert "&amp;" not in subject


OURS = {"es": "En una emergencia llame al 999.", "ar": "اتصل بالرقم 999"}


@pytest.mark.parametrize("language", ["es", "ar"])
@pytest.mark.parametrize("kind", ["txt", "html"])
def test_an_emergency_is_told_in_the_readers_language(kind, language):
    """A clinic writes its sentence in its own language; with the number as data it can be said in any."""
    told = {"emergency_phone": "999", "language": "en-gb"}
    clinic = SimpleNamespace(**{**vars(CLINIC), **told})
    with translation.override(language):
        foreign = mail("reminders/email/reminder", kind, clinic=clinic)
    assert OURS[language] in foreign
    assert "In an emergency call 999." not in foreign
    with translation.override("en-us"):
        assert CLINIC.emergency_wording in mail("reminders/email/reminder", kind, clinic=clinic)


def test_without_the_number_the_clinics_own_sentence_stands_and_says_its_language():
    clinic = SimpleNamespace(**{**vars(CLINIC), "emergency_phone": "", "language": "en-gb"})
    with translation.override("ar"):
        told = mail("reminders/email/reminder", "html", clinic=clinic)
    assert ' lang="en-gb" dir="ltr">In an emergency call 999.' in told
