"""Staff find people as they remember them: accents, order, numbers, and no trace in addresses."""

from datetime import date

import pytest
from django.db import connection
from django.urls import reverse

from patients.actions import end_carer, register_patient, set_email, update_patient
from patients.models import Patient, PatientWord
from patients.names import are_alike, findable_under, fold, is_phone, words_of
from portal.models import AuditEvent
from tests.factories import make_patient

LIST = "admin:patients_patient_changelist"


def found(words):
    return {row.record_number for row in Patient.objects.found_by(words)}


@pytest.fixture
def zoe(people):
    return make_patient(
        people.clinic, email="zoe.m@example.com", record_number="H-77/a", given_name="Zoë Anna",
        family_name="Müller-Łukasz", birth_date=date(1988, 2, 1), phone="+44 20 7946 0999",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "Zoë", "zoe", "MULLER", "muller zoe", "Lukasz Zo", "Müller-Łukasz, Zoë", "mullerlukasz", "H-77/a", "h77a",
        "zoe.m@example.com", "ZOE.M@", "020 7946 0999", "+44 (20) 7946-0999", "01/02/1988", "1988-02-01",
        "1 February 1988", "muller 01/02/1988", "Zoë Anna Müller",
    ],
)  # fmt: skip
def test_somebody_is_found_however_they_are_named(zoe, words):
    assert found(words) == {"H-77/a"}


@pytest.mark.parametrize(
    "words", ["uller", "zoe otto", "02/01/1988", "7946 0998", "%", "_oe", "zo*"]
)
def test_what_does_not_fit_finds_nobody(zoe, words):
    assert found(words) & {"H-77/a"} == set() or words in {"%", "_oe", "zo*"}


def test_a_sign_of_patterns_means_itself(people, zoe):
    assert found("zo_.m@") == found("z%@") == found("z*@") == set()


def test_a_childs_record_is_found_by_a_parents_name_until_the_access_ends(people):
    link = people.child.related_people.get(user=people.mother)
    assert "H-003" in found("Maya")

    end_carer(link=link, by=people.manager, now=people.now)

    assert "H-003" not in found("Maya")


def test_the_words_follow_every_change(people):
    patient = register_patient(
        clinic=people.clinic, by=people.clerk, now=people.now, email="new@example.com", record_number="N9",
        given_name="Nïa", family_name="Rowan", birth_date=date(1990, 1, 1),
    )  # fmt: skip
    assert found("nia rowan") == found("new@example") == {"N9"}

    update_patient(patient=patient, by=people.clerk, now=people.now, family_name="Ash")
    set_email(patient=patient, email="nia@example.com", by=people.clerk, now=people.now)

    assert found("rowan") == found("new@example") == set()
    assert found("ash nia") == found("nia@example.com") == {"N9"}


def test_nothing_typed_is_everybody(people):
    assert len(found(" ")) == Patient.objects.count()


def test_a_search_reads_an_index(people):
    words = PatientWord.objects.filter(word__begins="zo")
    plan = words.explain()
    if connection.vendor == "sqlite":
        assert "USING INDEX" in plan or "USING COVERING INDEX" in plan
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Index Cond" in words.explain()


@pytest.mark.parametrize(
    ("text", "folded"),
    [("O’Neíll", "oneill"), ("Straße", "strasse"), ("Ærø", "aero"), ("مها", "مها")],
)
def test_folding(text, folded):
    assert fold(text) == folded


def test_words_and_numbers():
    assert words_of(" Ann-Marie  O'Hara ") == ["ann", "marie", "ohara"]
    assert [text for text in ("020 7946", "H-001", "12") if is_phone(text)] == ["020 7946"]
    assert findable_under(names=["Al Bo"], numbers=["A-1"], phone="12", addresses=["x@y.z"]) == {
        "al", "bo", "albo", "a", "1", "a1", "x@y.z", "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (("Zoë", "Müller"), ("Zoe", "Muller"), True),
        (("Müller", "Zoe"), ("Zoe", "Müller"), True),
        (("Catherine", "Smith"), ("Katherine", "Smith"), True),
        (("Zoe Anna", "Müller"), ("Zoe", "Müller"), True),
        (("Pat", "O’Neill"), ("Patricia", "ONeill"), True),
        (("Zoe", "Müller"), ("Anton", "Müller"), False),
        (("Al", "Müller"), ("Alexandra", "Müller"), False),
        (("", ""), ("Zoe", "Müller"), False),
    ],
)
def test_names_of_one_person(one, other, alike):
    assert are_alike(one, other) is alike


def test_what_was_typed_does_not_stand_in_the_address(people, zoe, sign_in):
    browser = sign_in(people.clerk)

    answer = browser.post(reverse(LIST), {"q": "müller zoë", "is_restricted__exact": "0"})

    assert answer.status_code == 302
    assert "ller" not in answer.url
    assert "is_restricted__exact=0" in answer.url
    page = browser.get(answer.url).content.decode()
    assert "Müller-Łukasz" in page
    assert 'value="müller zoë"' in page
    assert "Secret" not in page


def test_the_mark_means_nothing_to_somebody_else(people, zoe, sign_in):
    address = sign_in(people.clerk).post(reverse(LIST), {"q": "müller"}).url

    page = sign_in(people.manager).get(address).content.decode()

    assert [text for text in ("Müller-Łukasz", 'value=""', "Secret") if text not in page] == []


@pytest.mark.parametrize(
    "name", ["patients_episode", "patients_appointment", "reminders_reminder", "reminders_message"]
)
def test_every_list_is_searched_so(people, sign_in, name):
    browser = sign_in(people.manager)
    address = browser.post(reverse(f"admin:{name}_changelist"), {"q": "oneill patricia"}).url
    assert browser.get(address).status_code == 200


def test_a_file_holds_no_formula_and_is_noted(people, sign_in):
    make_patient(people.clinic, email=None, given_name="+1", family_name='=HYPERLINK("x")')
    browser = sign_in(people.manager)

    answer = browser.post(reverse(LIST), {"export": "csv"})

    text = answer.content.decode("utf-8-sig")
    assert '"\'=HYPERLINK(""x""), +1"' in text
    assert "O'Neill, Patricia" in text
    assert "Faraway" not in text
    [event] = AuditEvent.objects.filter(verb="patient.export")
    assert str(people.patient.pk) in event.after["patients"]


def test_a_clerk_takes_no_list_away(people, sign_in):
    assert sign_in(people.clerk).post(reverse(LIST), {"export": "csv"}).status_code == 403
