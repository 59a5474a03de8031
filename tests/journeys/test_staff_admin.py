"""Staff at their desks: a list of two hundred, a double record, who read what, and a missing second factor."""

import re
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.utils import timezone

from patients.actions import open_episode, register_patient
from patients.models import ImportBatch, Merge, Patient
from patients.tasks import work_on_imports
from portal import chain
from portal.models import AuditEvent
from reminders.models import Reminder
from reminders.reconciler import reconcile
from tests.browser import sign_in
from tests.people import make_people

pytestmark = pytest.mark.journey

HEAD = "MRN;Surname;First name;DOB;Email;Procedure;Side;Surgery date"
# Line of the list: what is wrong with it.
FAULTS = {
    12: "F12;Bramble;;01/02/1980;;;;",
    31: "F31;Bramble;Ida;1/2/80;;;;",
    50: "F50;Bramble;Ida;31/02/1980;;;;",
    69: "F69;Bramble;Ida;01/02/2080;;;;",
    88: ";Bramble;Ida;01/02/1980;;;;",
    107: "F107;Bramble;Ida;01/02/1980;no-address;;;",
    126: "F126;Bramble;Ida;01/02/1980;;Heart transplant;left;",
    145: "F145;Bramble;Ida;01/02/1980;;;left;",
    164: "H-001;Bramble;Ida;01/02/1981;;;;",
    183: "F183;Bramble;Ida;1980;;;;",
}


@pytest.fixture
def clinic_of_today(transactional_db, site, settings, tmp_path):
    """Everybody, today."""
    settings.VAR_DIR = tmp_path
    people = make_people(timezone.now())
    for episode in people.episodes:
        reconcile(episode, now=people.now)
    return people


def change_to(page, email):
    page.context.clear_cookies()
    sign_in(page, email)


def the_list() -> str:
    lines = [HEAD]
    for line in range(2, 202):
        day = f"{line % 27 + 1:02}/{line % 12 + 1:02}/{1950 + line % 50}"
        name = "".join(chr(97 + int(digit)) for digit in f"{line:03}")
        usual = f"N{line};Okafor{name};Wren{name};{day};wren{line}@example.com;;;"
        lines.append(FAULTS.get(line, usual))
    return "\n".join(lines)


def mend(page, label, text):
    page.get_by_label(label, exact=False).first.fill(text)
    page.get_by_role("button", name="Keep it").click()


def the_machine_works(page, then: str):
    """What the worker does every few seconds; the page finds out by itself."""
    work_on_imports()
    page.get_by_role("heading", name=re.compile(then)).wait_for()


def test_a_clerk_brings_in_a_list_with_ten_faults_mends_and_enters_it(clinic_of_today, page, axe):
    # Given a clerk with a list of two hundred, ten of whose rows have a fault
    people = clinic_of_today
    before = Patient.objects.count()
    change_to(page, people.clerk.email)
    page.goto("/admin/imports/")
    axe(page)

    # When the list is read, and its columns are as guessed
    page.get_by_label("File").set_input_files(
        {"name": "list.csv", "mimeType": "text/csv", "buffer": the_list().encode("cp1252")}
    )
    page.get_by_role("button", name="Read the list").click()
    page.get_by_role("heading", name="What each column holds").wait_for()
    assert page.get_by_label("Record number").input_value() == "0"
    axe(page)
    page.get_by_role("button", name="Compare the rows").click()
    page.get_by_role("heading", name="being compared").wait_for()
    axe(page)
    the_machine_works(page, "would be entered")

    # Then nothing is entered, and every fault says what is wrong
    assert Patient.objects.count() == before
    assert page.get_by_role("heading", name="190 rows would be entered").is_visible()
    shown = page.inner_text("body")
    for words in (
        "This is missing",
        "two digits",
        "not a date",
        "not an email address",
        "No approved pathway",
    ):
        assert words in shown
    axe(page)

    # When one is mended in place
    page.get_by_role("link", name=re.compile(r"Mend or choose row 12$")).click()
    axe(page)
    mend(page, "Given name", "Iris")
    page.get_by_text("Row 12: new patient").wait_for()
    assert page.get_by_role("heading", name="191 rows would be entered").is_visible()

    # And one is left out, and the list is entered
    page.get_by_role("link", name=re.compile(r"Mend or choose row 31$")).click()
    page.get_by_label("is left out").check()
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Enter 191 rows").click()
    page.get_by_role("heading", name="being entered").wait_for()
    the_machine_works(page, "The list is entered")

    # Then they are patients, once each, and the faults of others kept nobody out
    assert Patient.objects.count() == before + 191
    assert Patient.objects.get(record_number="F12").name == "Iris Bramble"
    axe(page)

    # And all of it can be taken back, for nothing was sent
    page.get_by_role("link", name="Take everything back").click()
    page.get_by_label("Reason").fill("The list of last year")
    axe(page)
    page.get_by_role("button", name="Take everything back").click()
    page.get_by_role("heading", name="being taken back").wait_for()
    the_machine_works(page, "was taken back")
    assert Patient.objects.count() == before
    assert ImportBatch.objects.get().status == "undone"


def test_a_manager_merges_a_double_record(clinic_of_today, page, axe):
    # Given a patient with two records, two logins, and the same operation in both
    people = clinic_of_today
    double = register_patient(
        clinic=people.clinic, by=people.clerk, now=people.now, record_number="H-901", given_name="Pat",
        family_name="ONeill", birth_date=people.patient.birth_date, email="pat.two@example.com",
    )  # fmt: skip
    second = open_episode(
        patient=double, version=people.adult_version, side="left", surgery_on=people.surgery_on,
        by=people.clerk, now=people.now,
    )  # fmt: skip
    reconcile(second, now=people.now)
    planned = Reminder.objects.filter(episode=people.episode, state="planned").count()

    # When a manager opens the record, and is shown who may be the same person
    change_to(page, people.manager.email)
    page.goto(f"/admin/patient/{people.patient.pk}/")
    page.get_by_role("link", name="Merge with another record").click()
    axe(page)
    page.get_by_role("button", name=re.compile(r"Show what would happen\s*: H-901")).click()
    page.get_by_role("heading", name="What goes over").wait_for()
    assert Merge.objects.count() == 0
    assert "is booked in both" in page.inner_text("body")
    axe(page)
    page.get_by_label("How you know").fill("Same passport, asked by phone")
    page.get_by_role("button", name="Merge the two records").click()
    page.wait_for_url(f"**/admin/patient/{people.patient.pk}/")

    # Then there is one plan, and the old number finds the person
    assert (
        Reminder.objects.filter(episode__patient=people.patient, state="planned").count() == planned
    )
    page.goto("/admin/patients/patient/")
    page.get_by_label("Search", exact=True).fill("h-901")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="O'Neill, Patricia").wait_for()
    assert "901" not in page.url
    axe(page)
    page.goto("/admin/merges/")
    assert "H-901 into H-001" in page.inner_text("body")
    axe(page)


def test_an_auditor_finds_who_read_a_record_and_what_was_altered(clinic_of_today, page, axe):
    # Given a nurse who looked at a record
    people = clinic_of_today
    change_to(page, people.nurse.email)
    page.goto(f"/admin/patient/{people.patient.pk}/")
    page.get_by_role("heading", name="Patricia O'Neill").first.wait_for()

    # When an auditor searches for the patient
    change_to(page, people.auditor.email)
    page.goto("/admin/portal/auditevent/")
    page.get_by_label("Search", exact=True).fill("o'neill patricia")
    page.get_by_role("button", name="Search", exact=True).click()

    # Then the trail says who it was
    page.get_by_text(people.nurse.name).first.wait_for()
    assert "neill" not in page.url.lower()
    axe(page)

    # And the trail is whole, until somebody alters a row behind the portal's back
    page.goto("/admin/audit/chain/")
    page.get_by_role("button", name="Check the whole trail now").click()
    page.get_by_text(re.compile("whole:")).wait_for()
    event = AuditEvent.objects.filter(verb="patient.view", actor=people.nurse).last()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portal_auditevent SET actor_label = 'Somebody else' WHERE id = %s", [event.pk]
        )
    page.get_by_role("button", name="Check the whole trail now").click()
    page.get_by_text(f"Event {event.pk} was altered").wait_for()
    assert [fault.event_id for part in chain.check() for fault in part.faults] == [event.pk]
    axe(page)


def test_staff_without_a_second_factor_get_nowhere(clinic_of_today, page, axe, settings):
    # Given a portal that asks staff for a second factor, and a nurse who has none
    settings.STAFF_SECOND_FACTOR = True
    people = clinic_of_today

    # When they sign in with the right password
    change_to(page, people.nurse.email)

    # Then every way leads to setting one up
    for path in (
        "/admin/", f"/admin/patient/{people.patient.pk}/", "/admin/patients/patient/", "/admin/imports/",
        "/admin/emergency/", "/today/", "/plan/",
    ):  # fmt: skip
        page.goto(path)
        assert "/2fa/totp/activate" in unquote(page.url), path
        assert "O'Neill" not in page.content()
    axe(page)
    assert not AuditEvent.objects.filter(verb="patient.view", actor=people.nurse).exists()
    assert not Authenticator.objects.exists()
