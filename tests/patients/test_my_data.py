"""My data: everything to take along in four forms, for who may see it; and contact details corrected safely."""

import json
import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from patients.actions.contacts import ask_email_change
from patients.care import Care
from patients.models import Alert, EmailChange, PatientWord, RelatedPerson
from portal import mail
from portal.models import AuditEvent, OutboxMail, User
from portal.once import new_ticket
from procedures.models import ConsentForm
from reminders.export import HIDDEN, sources
from reminders.export_labels import label_of
from tests.factories import NOW, make_appointment, make_message, make_reminder
from tests.patients.check_ins import answers_for, discharged
from tests.patients.consents import decided, published
from tests.patients.exercises import prescribed
from tests.patients.fhir_r4 import faults
from tests.patients.smoking import slip, stopped
from tests.patients.wishes import wished

pytestmark = pytest.mark.django_db
PAGE = reverse("reminders:my_data")
EMAIL = reverse("patients:contact_email")
PHONE = reverse("patients:contact_phone")
FORMS = ("html", "pdf", "json", "fhir")


@pytest.fixture
def patient(people, sign_in):
    return sign_in(people.patient.user)


@pytest.fixture
def full(people, questionnaires):
    """A record with something of everything."""
    visit = make_appointment(people.episode, location=people.location, note="Bring CRUTCHES")
    wished(people, visit, reason="I WORK")
    slip(stopped(people, why="My HIP"), NOW.date(), note="A PARTY")
    prescribed(people, note="SLOWLY please")
    decided(people.episode, published(people), now=NOW)
    row = make_reminder(people.episode, people.adult_version.steps.get(key="insurer"))
    make_message(people.patient.user, people.clinic, [row], text="MAILED words")
    make_reminder(people.episode, people.adult_version.steps.get(key="pack-bag"))
    xray = people.episode.imaging_requests.get()
    xray.status, xray.result_note, xray.resulted_at, xray.resulted_by = (
        "completed", "NOT RELEASED", NOW, people.surgeon,
    )  # fmt: skip
    xray.save()
    discharged(people)
    answers = answers_for(people.episode, breathing="yes", note="VERY tired")
    browser = Client()
    browser.force_login(people.carer)
    assert browser.post(reverse("patients:check_in"), answers).status_code == 302
    return people


def text(response):
    return " ".join(response.content.decode().split())


def file_of(browser, form):
    return browser.get(reverse("reminders:my_data_file", args=[form]))


class TestDownload:
    @pytest.mark.parametrize("form", ["html", "json"])
    def test_everything_is_in_it_but_what_is_not_released(self, full, patient, form):
        found = file_of(patient, form).content.decode()
        for words in ("CRUTCHES", "I WORK", "HIP", "PARTY", "SLOWLY", "Patricia O", "MAILED", "H-001",
                      "pat@example.com", "Consent to your operation", "020 7946 0101"):  # fmt: skip
            assert words in found, words
        for words in ("NOT RELEASED", "Otto", "H-002", full.patient.user.password):
            assert words not in found, words

    def test_fhir_is_a_bundle_of_resources_with_references_that_hold(self, full, patient):
        answer = file_of(patient, "fhir")
        found = json.loads(answer.content)
        kinds = [entry["resource"]["resourceType"] for entry in found["entry"]]
        assert answer["Content-Type"] == "application/fhir+json"
        assert (found["resourceType"], found["type"]) == ("Bundle", "collection")
        assert sorted(set(kinds)) == [
            "Appointment", "Communication", "CommunicationRequest", "Consent", "EpisodeOfCare", "Flag", "Patient",
            "QuestionnaireResponse", "RelatedPerson", "ServiceRequest",
        ]  # fmt: skip
        known = {entry["fullUrl"] for entry in found["entry"]}
        assert set(re.findall(r'"reference": "([^"]+)"', answer.content.decode())) <= known
        assert "NOT RELEASED" not in answer.content.decode()

    def test_every_resource_is_what_fhir_r4_asks_for(self, full, patient):
        found = json.loads(file_of(patient, "fhir").content)
        assert faults(found) == []
        assert len(found["entry"]) > 10

    def test_only_the_latest_decision_about_a_consent_is_in_force(self, full, patient):
        form = ConsentForm.objects.get(key="surgery")
        decided(full.episode, form, "withdrawn", now=NOW + timedelta(minutes=1))
        rows = [
            entry["resource"] for entry in json.loads(file_of(patient, "fhir").content)["entry"]
        ]
        assert [row["status"] for row in rows if row["resourceType"] == "Consent"] == [
            "inactive",
            "inactive",
        ]

    def test_a_program_reads_plain_values(self, full, patient):
        found = json.loads(file_of(patient, "json").content)
        assert found["patient"][0]["birth_date"] == full.patient.birth_date.isoformat()
        assert found["patient"][0]["uses_nicotine"] is True
        visit = found["appointments"][0]
        stored = full.episode.appointments.get()
        assert (visit["kind"], visit["minutes"]) == (stored.kind, stored.minutes)
        assert datetime.fromisoformat(visit["starts_at"]) == stored.starts_at
        answers = {row["key"]: row["value"] for row in found["check_ins"][0]["answers"]}
        assert (answers["breathing"], answers["temperature"]) == (True, 36.8)

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("es", ["Fecha de nacimiento", "Haga la maleta", "de marzo de 2026"]),
            ("ar", ['dir="rtl"', "تاريخ الميلاد"]),
        ],
    )
    def test_it_speaks_the_readers_language(self, full, sign_in, language, words):
        User.objects.filter(pk=full.patient.user_id).update(language=language)
        page = file_of(sign_in(full.patient.user), "html").content.decode()
        for wanted in words:
            assert wanted in page
        labels = set(re.findall("<dt><strong>([^<]+)", page))
        assert len(labels) > 40
        english = {
            label
            for label in labels
            if re.search(r"\b(at|on|by|is|until|sent|step)\b", label, re.I)
        }
        assert english == set()

    def test_every_field_has_a_name_in_words(self, full):
        care = Care(full.patient.user, NOW, full.patient, [full.patient], True)
        models = {getattr(rows, "model", User) for _key, _title, rows in sources(care)}
        assert len(models) > 15
        for model in models:
            for field in model._meta.concrete_fields:
                assert field.name in HIDDEN or label_of(field)

    def test_notes_of_staff_for_each_other_stay_with_them(self, full, patient):
        Alert.objects.filter(patient=full.patient).update(note="STAFF WORDS")
        for form in ("html", "json", "fhir"):
            assert "STAFF WORDS" not in file_of(patient, form).content.decode()

    def test_the_pdf_is_one(self, full, patient):
        assert file_of(patient, "pdf").content.startswith(b"%PDF-")

    def test_a_record_in_other_letters_leads_to_the_page_to_print(self, full, patient):
        full.patient.given_name = "مريم"
        full.patient.save()
        answer = patient.get(reverse("reminders:my_data_file", args=["pdf"]), follow=True)
        assert "cannot hold all the letters" in text(answer)
        assert "مريم" in file_of(patient, "html").content.decode()

    def test_it_is_a_file_and_in_the_audit_trail(self, full, patient):
        for form in FORMS:
            assert "attachment" in file_of(patient, form)["Content-Disposition"]
            assert AuditEvent.objects.filter(
                verb=f"my_data.{form}", patient_id=full.patient.pk
            ).exists()

    def test_text_stays_text(self, full, patient):
        full.patient.phone = "<script>alert(1)</script>"
        full.patient.save()
        assert "<script>alert" not in file_of(patient, "html").content.decode()

    @pytest.mark.parametrize("form", FORMS)
    def test_a_carer_for_visits_alone_is_refused(self, full, sign_in, form):
        RelatedPerson.objects.filter(user=full.carer).update(scope="appointments")
        browser = sign_in(full.carer)
        assert file_of(browser, form).status_code == 404
        page = text(browser.get(PAGE))
        assert "carl<wbr>@example.com" in page
        assert full.patient.phone not in page
        assert browser.get(PHONE).status_code == 404

    def test_one_parent_does_not_read_who_the_other_is(self, people, sign_in):
        make_appointment(people.child_episode)
        wished(people, people.child_episode.appointments.get(), by=people.father)
        found = file_of(sign_in(people.mother), "html").content.decode()
        for words in ("Finn", "finn@example.com"):
            assert words not in found
        assert "Another parent or carer" in found

    def test_an_unknown_form_is_missing(self, patient):
        assert file_of(patient, "exe").status_code == 404

    @pytest.mark.parametrize("form", ["html", "fhir"])
    def test_it_costs_the_same_queries(self, full, patient, django_assert_num_queries, form):
        file_of(patient, form)
        with django_assert_num_queries(31 if form == "html" else 20):
            file_of(patient, form)
        for _number in range(3):
            make_appointment(full.episode, location=full.location)
        with django_assert_num_queries(31 if form == "html" else 20):
            file_of(patient, form)


class TestPhone:
    def test_it_is_corrected_and_audited(self, patient, people):
        assert "The phone number is saved." in text(
            patient.post(PHONE, {"phone": "01632 960 111"}, follow=True)
        )
        people.patient.refresh_from_db()
        assert people.patient.phone == "01632 960 111"
        assert AuditEvent.objects.filter(verb="patient.update").count() == 1

    def test_what_is_no_number_is_refused_and_kept(self, patient, people):
        page = text(patient.post(PHONE, {"phone": "call me <b>"}))
        assert "Use digits and spaces" in page
        assert "call me &lt;b&gt;" in page


class TestEmail:
    @pytest.fixture(autouse=True)
    def kept(self, settings, monkeypatch, django_capture_on_commit_callbacks):
        self.sent = []
        monkeypatch.setattr("patients.actions.contacts.mail.send", self._keep)
        self.commit = django_capture_on_commit_callbacks

    def _keep(self, letter):
        self.sent.append(letter)
        return mail.Answer(mail.Outcome.SENT, "250")

    def ask(self, browser, address="new@example.com", ticket=""):
        told = {"new_email": address, "ticket": ticket or new_ticket()}
        with self.commit(execute=True):
            return browser.post(EMAIL, told, follow=True)

    def links(self):
        return {
            letter.to: "/" + re.search(r"https?://[^/]+/(\S+)", letter.text)[1]
            for letter in self.sent
        }

    def test_it_changes_once_both_ends_said_yes(self, patient, people, client):
        assert "written to both addresses" in text(self.ask(patient))
        old, new = self.links()["pat@example.com"], self.links()["new@example.com"]
        for link in (old, new):
            assert client.get(link).status_code == 200
        assert people.patient.user.email == User.objects.get(pk=people.patient.user.pk).email
        assert "One more yes" in text(client.post(new))
        assert "Your address has changed" in text(client.post(old))
        assert User.objects.get(pk=people.patient.user.pk).email == "new@example.com"
        assert client.get(old).status_code == 404
        verbs = AuditEvent.objects.filter(verb__startswith="email_change").order_by("id")
        assert list(verbs.values_list("verb", flat=True)) == [
            "email_change.ask",
            "email_change.done",
        ]

    def test_a_double_press_asks_once_and_its_links_work(self, patient, client):
        page = patient.get(EMAIL).text
        ticket = re.search(r'name="ticket" value="([0-9a-f]{32})"', page)[1]
        for _press in range(2):
            assert "written to both addresses" in text(self.ask(patient, ticket=ticket))
        assert len(self.sent) == 2
        assert client.get(self.links()["new@example.com"]).status_code == 200

    def test_after_an_error_the_same_form_asks(self, patient):
        for address in ("pat@example.com", "new@example.com"):
            self.ask(patient, address, ticket="t" * 32)
        assert len(self.sent) == 2

    def test_staff_find_the_account_by_its_new_address(self, patient, people, client, sign_in):
        self.ask(patient)
        for link in self.links().values():
            client.post(link)
        words = PatientWord.objects.filter(patient=people.patient).values_list("word", flat=True)
        assert "new@example.com" in " ".join(words)
        assert "pat@example.com" not in " ".join(words)

    def test_the_page_behind_the_link_speaks_the_readers_language(self, patient, people, client):
        self.ask(patient)
        User.objects.filter(pk=people.patient.user_id).update(language="es")
        assert 'lang="es"' in client.get(self.links()["new@example.com"]).text

    @pytest.mark.parametrize("end", ["pat@example.com", "new@example.com"])
    def test_one_end_alone_changes_nothing(self, patient, people, client, end):
        self.ask(patient)
        for _press in range(2):
            client.post(self.links()[end])
        assert User.objects.get(pk=people.patient.user.pk).email == "pat@example.com"

    def test_either_end_can_stop_it(self, patient, people, client):
        self.ask(patient)
        links = self.links()
        assert "Nothing changes" in text(client.post(links["pat@example.com"], {"do": "stop"}))
        assert client.post(links["new@example.com"]).status_code == 404
        assert User.objects.get(pk=people.patient.user.pk).email == "pat@example.com"

    def test_a_link_lasts_two_days(self, patient, client, stopped_clock):
        self.ask(patient)
        stopped_clock.shift(timedelta(days=2))
        assert client.post(self.links()["new@example.com"]).status_code == 404

    def test_an_address_that_has_an_account_is_treated_alike_and_never_taken(
        self, patient, people, client
    ):
        other = people.other_patient.user.email
        assert "written to both addresses" in text(self.ask(patient, other))
        links = self.links()
        client.post(links[other])
        assert "Nothing changes" in text(client.post(links["pat@example.com"]))
        assert User.objects.get(pk=people.patient.user.pk).email == "pat@example.com"
        assert EmailChange.objects.get().stopped_at

    def test_a_new_wish_voids_the_one_before_and_there_are_few_a_day(self, patient, people):
        for number in range(3):
            self.ask(patient, f"new{number}@example.com")
        assert EmailChange.objects.filter(stopped_at=None).count() == 1
        assert "Try again tomorrow." in text(self.ask(patient, "new9@example.com"))

    def test_tokens_are_kept_as_hashes_alone(self, patient):
        self.ask(patient)
        tokens = [link.split("/")[-2] for link in self.links().values()]
        kept = str(EmailChange.objects.values().get())
        assert all(len(token) >= 43 and token not in kept for token in tokens)

    def test_the_same_address_is_refused(self, patient):
        assert "This is your address already." in text(self.ask(patient, "PAT@example.com"))
        assert not OutboxMail.objects.exists()

    def test_the_action_alone_writes_no_mail_before_the_commit(self, people):
        ask_email_change(user=people.patient.user, new_email="n@example.com", now=NOW)
        assert self.sent == []
