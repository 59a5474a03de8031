"""A clinic's own words in the guide: written, looked at, kept by a load, ended by force or by hand."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from portal.models import AuditEvent
from procedures.guide import sections_of
from procedures.guide_actions import WordsRefused, return_to_catalogue, write_words
from procedures.loading import load_catalogue
from procedures.models import ClinicWords, Page, PageSection
from procedures.search import search
from tests.factories import NOW, make_clinic, make_staff, make_user

pytestmark = pytest.mark.django_db

GUIDE = """\
guide: pao
audience: adult
language: en-gb
pages:
  - page: pao-weeks
    title: Week by week
    summary: What you can do when.
    sections:
      - {key: driving, heading: Driving, facts: [M24], body: "{settled:D3} Ask first."}
      - {key: help, heading: Help, facts: [P9], body: Ask us.}
"""
OWN = {"heading": "Getting help", "body": "Ask the **blue desk**."}


@pytest.fixture
def page(files, clinic) -> Page:
    files.write("guides/pao.yaml", GUIDE)
    load_catalogue(folder=files.path)
    return Page.objects.get(key="pao-weeks", language="en-gb")


@pytest.fixture
def section(page) -> PageSection:
    return page.sections.get(key="help")


@pytest.fixture
def write(section, clinic, manager):
    def _write(**more):
        asked = {"section": section, "clinic": clinic, "seen": 0, "by": manager, "now": NOW, **OWN}
        return write_words(**{**asked, **more})

    return _write


def read(page, clinic) -> list[tuple[str, str, bool]]:
    return [(s.heading, str(s.html).strip(), s.is_own) for s in sections_of(page, clinic)]


CATALOGUE = ("Help", "<p>Ask us.</p>", False)
CHANGED = ("Getting help", "<p>Ask the <strong>blue desk</strong>.</p>", True)


def test_readers_of_the_clinic_get_its_words_and_no_others_do(page, clinic, write):
    other = make_clinic("Other clinic")
    write()

    assert read(page, clinic)[1] == CHANGED
    assert read(page, other)[1] == CATALOGUE
    assert read(page, None)[1] == CATALOGUE


def test_own_words_take_what_the_clinic_settled(page, clinic, write, approve, draft):
    write(section=page.sections.get(key="driving"), body="Our rule: {settled:D3}")
    assert "<em>Ask your surgeon.</em>" in read(page, clinic)[0][1]

    approve()

    assert read(page, clinic)[0][1] == "<p>Our rule: Not for eight weeks.</p>"


@pytest.fixture
def draft(page, clinic):
    return clinic.pathway_versions.get()


def test_a_change_is_audited_with_what_stood_before(clinic, manager, write):
    write()
    write(seen=1, body="Ask at the door.")

    first, second = AuditEvent.objects.filter(verb="guide.words_own").order_by("pk")
    assert (first.actor, first.clinic, first.before) == (manager, clinic, {})
    assert second.before == OWN
    assert second.after == {
        "section": "pao-weeks, help", "heading": "Getting help", "body": "Ask at the door.",
    }  # fmt: skip


def test_every_change_is_kept_and_the_last_counts(page, clinic, write):
    write()
    write(seen=1, body="Ask at the door.")

    rows = ClinicWords.objects.order_by("number")
    assert [(row.number, row.body, row.instead_of) for row in rows] == [
        (1, OWN["body"], "Ask us."), (2, "Ask at the door.", "Ask us."),
    ]  # fmt: skip
    assert read(page, clinic)[1][1] == "<p>Ask at the door.</p>"


def test_a_clinic_goes_back_to_the_catalogue(page, section, clinic, manager, write):
    write()

    return_to_catalogue(section=section, clinic=clinic, seen=1, by=manager, now=NOW)

    assert read(page, clinic)[1] == CATALOGUE
    assert [row.kind for row in ClinicWords.objects.order_by("number")] == ["own", "back"]


def test_going_back_twice_is_refused(section, clinic, manager, write):
    asked = {"section": section, "clinic": clinic, "by": manager, "now": NOW}
    write()
    return_to_catalogue(**asked, seen=1)

    with pytest.raises(WordsRefused, match="already"):
        return_to_catalogue(**asked, seen=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"body": "<b>Now</b>"}, "HTML, pictures and unusual links are not allowed"),
        ({"body": "<script>x()</script>"}, "HTML, pictures and unusual links are not allowed"),
        ({"body": "[Click](javascript:x())"}, "HTML, pictures and unusual links are not allowed"),
        ({"body": "{patient_name}"}, "no such placeholder: {patient_name}"),
        ({"body": "{slot:nothing}"}, "no such placeholder: {slot:nothing}"),
        ({"body": "  "}, "Write between 1 and 5000"),
        ({"body": "x" * 5_001}, "Write between 1 and 5000"),
        ({"heading": ""}, "Write between 1 and 120"),
        ({"heading": "<i>Help</i>"}, "A heading is plain text"),
        ({"heading": "Help {slot:clot_signs}"}, "A heading is plain text"),
    ],
)
def test_unfit_words_are_refused(write, words, message):
    with pytest.raises(ValidationError, match=message):
        write(**words)

    assert not ClinicWords.objects.exists()


def test_the_same_words_again_are_no_change(write):
    write()

    with pytest.raises(WordsRefused, match="Nothing has changed"):
        write(seen=1)


def test_what_somebody_else_wrote_in_between_is_not_overwritten(write):
    write()

    with pytest.raises(WordsRefused, match="Somebody else"):
        write(body="Mine.")


# ---- Loading ----


def test_a_load_keeps_own_words_and_says_what_the_files_say(page, clinic, write, files):
    write()
    files.change("guides/pao.yaml", "body: Ask us.", "body: Ask a nurse.")

    for _ in range(2):
        report = load_catalogue(folder=files.path)

    assert read(page, clinic)[1] == CHANGED
    assert [str(edit) for edit in report.kept] == [
        (
            "guide page pao-weeks (en-gb), help, at Harbour Hip Clinic, body: "
            "here “Ask the **blue desk**.”, in the files “Ask a nurse.”"
        )
    ]
    assert read(page, make_clinic("Other clinic"))[1][1] == "<p>Ask a nurse.</p>"


def test_force_ends_own_words_and_the_history_says_so(page, clinic, write, files):
    write()

    report = load_catalogue(folder=files.path, force=True)

    assert read(page, clinic)[1] == CATALOGUE
    assert [edit.here for edit in report.overwritten] == [OWN["body"]]
    assert [row.kind for row in ClinicWords.objects.order_by("number")] == ["own", "overwritten"]
    event = AuditEvent.objects.get(verb="guide.words_overwritten")
    assert (event.actor, event.clinic, event.before) == (None, clinic, OWN)


def test_force_without_own_words_changes_nothing(page, files):
    report = load_catalogue(folder=files.path, force=True)

    assert (report.overwritten, ClinicWords.objects.count()) == ([], 0)


def test_own_words_of_a_section_that_is_gone_are_kept(page, clinic, write, files):
    write()
    gone = "      - {key: help, heading: Help, facts: [P9], body: Ask us.}\n"
    files.change("guides/pao.yaml", gone, "")
    report = load_catalogue(folder=files.path)
    assert [edit.in_files for edit in report.kept] == [None]
    assert [heading for heading, *_ in read(page, clinic)] == ["Driving"]

    files.write("guides/pao.yaml", GUIDE)
    load_catalogue(folder=files.path)

    assert read(page, clinic)[1] == CHANGED


def test_search_finds_own_words(page, clinic, write):
    write()

    assert [hit.page for hit in search("blue desk", "en-gb", clinic=clinic)] == [page]
    assert search("blue desk", "en-gb") == []


# ---- In the admin ----


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(page, clinic=None, section=None) -> str:
    query = {"clinic": clinic.pk} if clinic else {}
    query |= {"section": section} if section else {}
    return reverse("admin:procedures_page_change", args=[page.pk], query=query)


def test_a_manager_looks_before_saving(page, clinic, manager):
    client, at = signed_in(manager), url(page, clinic, "help")

    looked = client.post(at, {**OWN, "seen": "0", "look": "1"})
    assert "As readers would get it: not saved yet" in looked.text
    assert "Ask the <strong>blue desk</strong>." in looked.text
    assert not ClinicWords.objects.exists()

    shown = looked.context["form"]["shown"].value()
    saved = client.post(at, {**OWN, "seen": "0", "shown": shown, "save": "1"})

    assert saved.status_code == 302
    assert read(page, clinic)[1] == CHANGED
    assert "Getting help" in client.get(saved.url).text


def test_what_was_not_looked_at_is_shown_and_not_saved(page, clinic, manager):
    client, at = signed_in(manager), url(page, clinic, "help")
    shown = client.post(at, {**OWN, "seen": "0", "look": "1"}).context["form"]["shown"].value()

    again = client.post(at, {**OWN, "body": "Else.", "seen": "0", "shown": shown, "save": "1"})

    assert "not saved yet" in again.text
    assert not ClinicWords.objects.exists()


def test_saving_twice_adds_one_row(page, clinic, manager):
    client, at = signed_in(manager), url(page, clinic, "help")
    form = client.post(at, {**OWN, "seen": "0", "look": "1"}).context["form"]
    data = {**OWN, "seen": "0", "shown": form["shown"].value(), "save": "1", "ticket": "b" * 32}

    client.post(at, data)
    client.post(at, data)

    assert ClinicWords.objects.count() == 1


def test_html_is_refused_at_the_field(page, clinic, manager):
    response = signed_in(manager).post(
        url(page, clinic, "help"), {"heading": "Help", "body": "<b>x</b>", "seen": "0", "look": "1"}
    )

    assert "HTML, pictures and unusual links are not allowed" in response.text
    assert "Error: " in response.text
    assert "<b>x</b>" not in response.text


def test_the_history_and_the_way_back(page, clinic, manager, write, files):
    write()
    files.change("guides/pao.yaml", "body: Ask us.", "body: Ask a nurse.")
    load_catalogue(folder=files.path)
    client, at = signed_in(manager), url(page, clinic, "help")

    text = client.get(at).text
    assert "The catalogue has changed since your clinic wrote its own words." in text
    assert "Ask a nurse." in text
    client.post(at, {"back": "1", "seen": "1"})

    assert read(page, clinic)[1][1] == "<p>Ask a nurse.</p>"
    assert "back to the catalogue&#x27;s words" in client.get(at).text


@pytest.mark.parametrize("role", ["nurse", "physiotherapist", "radiographer", "clerk", "auditor"])
def test_other_roles_read_and_cannot_change(page, clinic, role):
    client, at = signed_in(make_staff(clinic, role)), url(page, clinic, "help")

    assert client.get(url(page)).status_code == 200
    assert "Save these words" not in client.get(at).text
    assert client.post(at, {**OWN, "seen": "0", "look": "1"}).status_code == 403
    assert client.post(at, {"back": "1", "seen": "0"}).status_code == 403


def test_a_surgeon_may_change(page, clinic):
    client = signed_in(make_staff(clinic, "surgeon"))

    assert client.post(url(page, clinic, "help"), {**OWN, "seen": "0"}).status_code == 200


def test_another_clinic_is_not_reached(page, clinic, manager, write):
    other = make_clinic("Other clinic")
    write()
    stranger = signed_in(make_staff(other, "manager", email="other@example.com"))

    assert stranger.get(url(page, clinic)).status_code == 404
    assert stranger.post(url(page, clinic, "help"), {**OWN, "seen": "1"}).status_code == 404
    assert "blue desk" not in stranger.get(url(page)).text


def test_patients_and_strangers_stay_out(page, clinic):
    assert signed_in(make_user("p@example.com")).get(url(page)).status_code in (302, 403)
    assert Client().get(url(page)).status_code == 302


def test_a_section_that_does_not_exist_answers_404(page, clinic, manager):
    assert signed_in(manager).get(url(page, clinic, "nothing")).status_code == 404


def test_the_reader_is_told_whose_words_they_are(page, clinic, write):
    reader = signed_in(make_user("reader@example.com"))
    assert "own words" not in reader.get("/guide/pao/pao-weeks/").text
    write()

    assert "These are your clinic's own words." in reader.get("/guide/pao/pao-weeks/").text
