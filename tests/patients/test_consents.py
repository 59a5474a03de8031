"""Consents: read, ask, sign, not yet, withdraw; what was signed never changes; who may; what staff see."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from patients.models import ConsentDecision, ConsentIsFinal, Episode, RelatedPerson
from portal.models import AuditEvent, Role, User
from portal.once import new_ticket
from procedures.consent_actions import save_consent_draft
from procedures.models import ConsentForm, ConsentFormIsFinal
from tests.factories import NOW, make_appointment
from tests.patients.consents import WORDS, decided, published

pytestmark = pytest.mark.django_db
LIST = reverse("patients:consents")
PAYLOAD = "<script>alert('x')</script>\"'{{7*7}}"
MAY_SEE = {"manager", "clerk", "surgeon", "nurse", "physiotherapist"}


@pytest.fixture
def form(people):
    return published(people)


@pytest.fixture
def patient(people, sign_in):
    return sign_in(people.patient.user)


def text(response):
    return " ".join(response.content.decode().split())


def page_of(episode, form):
    return reverse("patients:consent", args=[episode.pk, form.key])


def press(browser, episode, form, decision, **data):
    values = {"decision": decision, "digest": form.digest("en-gb"), "ticket": new_ticket()} | data
    return browser.post(page_of(episode, form), values, follow=True)


class TestDeciding:
    def test_it_waits_and_is_signed_with_name_and_time(self, patient, people, form):
        assert "Waits for you" in text(patient.get(LIST))
        page = text(
            press(patient, people.episode, form, "given", signed_name="  Patricia  O'Neill ")
        )
        assert "Your signature is kept" in page
        row = ConsentDecision.objects.get()
        assert (row.signed_name, row.decided_at, row.by, row.body, row.digest, row.is_on_behalf) == (
            "Patricia O'Neill", NOW, people.patient.user, WORDS["en-gb"]["body"],
            form.digest("en-gb"), False,
        )  # fmt: skip
        assert AuditEvent.objects.filter(verb="consent.given").count() == 1

    def test_a_double_press_signs_once(self, patient, people, form):
        data = {"ticket": new_ticket(), "signed_name": "Pat O'Neill"}
        for _press in range(2):
            press(patient, people.episode, form, "given", **data)
        assert ConsentDecision.objects.count() == 1

    @pytest.mark.parametrize("name", ["", "  ", "x", "..1"])
    def test_without_a_name_nothing_is_signed(self, patient, people, form, name):
        page = text(press(patient, people.episode, form, "given", signed_name=name))
        assert "Error: " in page
        assert "Type your full name to sign." in page
        assert not ConsentDecision.objects.exists()

    def test_not_yet_and_a_question_leave_it_waiting(self, patient, people, form, stopped_clock):
        press(patient, people.episode, form, "not_yet")
        stopped_clock.shift(timedelta(minutes=1))
        page = text(press(patient, people.episode, form, "question", note=PAYLOAD))
        assert "The clinic knows that you have a question." in page
        assert "<script>alert" not in page
        assert "Not yet" in text(patient.get(LIST))

    def test_a_question_needs_words_and_decides_nothing(self, patient, people, form):
        assert "Write your question." in text(press(patient, people.episode, form, "question"))
        decided(people.episode, form, now=NOW - timedelta(hours=1))
        press(patient, people.episode, form, "question", note="May I?")
        assert "Signed" in text(patient.get(LIST))

    def test_withdrawing_is_one_press(self, patient, people, form):
        decided(people.episode, form, now=NOW - timedelta(hours=1))
        page = text(press(patient, people.episode, form, "withdrawn"))
        assert "Your consent is withdrawn" in page
        assert "I have read it and I agree" in page
        again = text(press(patient, people.episode, form, "withdrawn"))
        assert "There is nothing to withdraw." in again

    @pytest.mark.parametrize(("language", "is_said"), [("en-us", 0), ("es", 0), ("ar", 1)])
    def test_a_text_in_another_language_says_so(self, patient, people, form, language, is_said):
        User.objects.filter(pk=people.patient.user_id).update(language=language)
        page = text(patient.get(page_of(people.episode, form)))
        with translation.override(language):
            notice = gettext(
                "Some of this text is not in your language yet. We show it in English."
            )
        assert page.count(notice) == is_said

    def test_a_text_that_changed_meanwhile_is_not_signed(self, patient, people, form):
        published(people, **{"en-gb": {"title": "New", "body": "Something else."}})
        page = text(press(patient, people.episode, form, "given", signed_name="Pat O'Neill"))
        assert "The text has changed." in page
        assert not ConsentDecision.objects.exists()

    def test_a_new_version_asks_again_and_keeps_what_was_signed(self, patient, people, form):
        decided(people.episode, form, now=NOW - timedelta(hours=1))
        new = published(people, **{"en-gb": {"title": "New", "body": "Something else."}})
        assert "There is a newer text." in text(patient.get(page_of(people.episode, new)))
        row = ConsentDecision.objects.get()
        assert (row.body, row.form.number, row.digest) == (
            WORDS["en-gb"]["body"],
            1,
            form.digest("en-gb"),
        )

    def test_a_closed_plan_signs_nothing_but_can_be_withdrawn(self, people, form):
        decided(people.episode, form, now=NOW - timedelta(hours=1))
        Episode.objects.filter(pk=people.episode.pk).update(status="cancelled")
        people.episode.refresh_from_db()
        with pytest.raises(ValidationError, match="closed"):
            decided(people.episode, form, now=NOW)
        decided(people.episode, form, "withdrawn", now=NOW)

    def test_a_reader_of_spanish_signs_the_spanish_text(self, patient, people, form):
        people.patient.user.language = "es"
        people.patient.user.save()
        page = text(patient.get(page_of(people.episode, form)))
        assert "Estoy de acuerdo." in page
        press(
            patient,
            people.episode,
            form,
            "given",
            signed_name="Pat O'Neill",
            digest=form.digest("es"),
        )
        assert ConsentDecision.objects.values_list("language", "title").get() == (
            "es",
            "Consentimiento",
        )


class TestFrozen:
    def test_a_decision_never_changes(self, people, form):
        row = decided(people.episode, form, now=NOW)
        row.body = "Other"
        for change in (row.save, row.delete, ConsentDecision.objects.all().delete):
            with pytest.raises(ConsentIsFinal):
                change()
        with pytest.raises(ConsentIsFinal):
            ConsentDecision.objects.update(body="Other")

    def test_a_published_text_never_changes(self, form):
        form.words = {"en-gb": {"title": "Other", "body": "Other"}}
        with pytest.raises(ConsentFormIsFinal):
            form.save()
        with pytest.raises(ConsentFormIsFinal):
            form.delete()

    def test_the_database_takes_no_signature_without_a_name(self, people, form):
        row = decided(people.episode, form, now=NOW)
        fields = {
            name: getattr(row, name)
            for name in ("episode", "form", "language", "title", "body", "digest", "by")
        }
        with pytest.raises(IntegrityError), transaction.atomic():
            ConsentDecision.objects.create(**fields, decision="given", ticket="2")

    def test_the_digest_is_of_every_word(self, people, form):
        digests = {form.digest("en-gb"), form.digest("es")}
        for words in ({"title": "A", "body": "B"}, {"title": "A", "body": "B."}):
            digests.add(published(people, **{"en-gb": words}).digest("en-gb"))
        assert len(digests) == 4


class TestWhoMay:
    def test_a_parent_with_full_access_signs_for_a_child(self, people, form, sign_in):
        press(sign_in(people.mother), people.child_episode, form, "given", signed_name="Maya Kidd")
        row = ConsentDecision.objects.get()
        assert (row.by, row.is_on_behalf, row.relationship) == (people.mother, True, "mother")

    def test_a_child_reads_and_asks_and_does_not_sign(self, people, form, sign_in):
        browser = sign_in(people.sibling.user)
        page = text(browser.get(page_of(people.sibling_episode, form)))
        assert "I have read it and I agree" not in page
        press(browser, people.sibling_episode, form, "given", signed_name="Sasha Kidd")
        assert not ConsentDecision.objects.exists()
        press(browser, people.sibling_episode, form, "question", note="Does it hurt?")
        assert ConsentDecision.objects.get().decision == "question"

    def test_from_sixteen_they_sign_themselves(self, people, form, sign_in):
        people.sibling.birth_date = NOW.date().replace(year=NOW.year - 16)
        people.sibling.save()
        press(
            sign_in(people.sibling.user),
            people.sibling_episode,
            form,
            "given",
            signed_name="Sasha Kidd",
        )
        assert ConsentDecision.objects.get().by == people.sibling.user

    def test_an_adults_carer_reads_and_does_not_sign(self, people, form, sign_in):
        browser = sign_in(people.carer)
        page = text(press(browser, people.episode, form, "given", signed_name="Carl Carer"))
        assert "Only the patient" in page
        assert not ConsentDecision.objects.exists()

    def test_a_carer_for_visits_alone_is_refused(self, people, form, sign_in):
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        browser = sign_in(people.carer)
        assert browser.get(LIST).status_code == 404
        assert browser.get(page_of(people.episode, form)).status_code == 404
        assert LIST not in text(browser.get(reverse("patients:appointments")))

    @pytest.mark.parametrize("who", ["other_patient", "far_patient"])
    def test_another_patient_finds_nothing(self, people, form, sign_in, who):
        browser = sign_in(getattr(people, who).user)
        assert (
            press(browser, people.episode, form, "given", signed_name="Otto X").status_code == 404
        )
        assert not ConsentDecision.objects.exists()


class TestStaff:
    @pytest.mark.parametrize("role", Role.values)
    def test_who_sees_the_state_on_the_patients_page(self, people, form, sign_in, role):
        decided(people.episode, form, now=NOW)
        page = text(
            sign_in(people.staff[role]).get(reverse("admin:patient_page", args=[people.patient.pk]))
        )
        assert ('<h2 id="consents">' in page) == (role in MAY_SEE)

    def test_a_question_waits_on_the_first_page_until_something_is_decided(
        self, people, form, sign_in
    ):
        decided(people.episode, form, "question", now=NOW - timedelta(hours=1), note="Is it safe?")
        nurse = sign_in(people.nurse)
        assert "Is it safe?" in text(nurse.get(reverse("admin:index")))
        decided(people.episode, form, now=NOW)
        assert "Is it safe?" not in text(nurse.get(reverse("admin:index")))

    @pytest.mark.parametrize("role", Role.values)
    def test_managers_write_and_publish(self, people, sign_in, role):
        browser = sign_in(people.staff[role])
        data = {
            "clinic": people.clinic.pk, "key": "photos", "audience": "any", "ticket": new_ticket(),
            "title_en-gb": "Photos", "body_en-gb": "May we?",
        }  # fmt: skip
        answer = browser.post(reverse("admin:consent_form_new"), data)
        is_manager = role == "manager"
        assert answer.status_code == (302 if is_manager else 403)
        if is_manager:
            row = ConsentForm.objects.get()
            assert "May we?" in text(browser.get(answer.url))
            browser.post(reverse("admin:consent_form", args=[row.pk]))
            row.refresh_from_db()
            assert (row.status, row.published_by) == ("active", people.manager)

    def test_another_clinics_consents_do_not_exist(self, people, form, sign_in):
        browser = sign_in(people.other_manager)
        for name in ("consent_form", "consent_form_change"):
            assert browser.get(reverse(f"admin:{name}", args=[form.pk])).status_code == 404
        assert "Consent to your operation" not in text(browser.get(reverse("admin:consent_forms")))

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ({"es": {"title": "T", "body": "B"}}, "own language"),
            ({"en-gb": {"title": "", "body": "B"}}, "both a title and a text"),
            ({"en-gb": {"title": "T", "body": "<b>B</b>"}}, "raw HTML"),
        ],
    )
    def test_a_text_that_cannot_be_is_refused(self, people, words, said):
        with pytest.raises(ValidationError, match=said):
            save_consent_draft(
                clinic=people.clinic,
                key="x",
                audience="any",
                words=words,
                by=people.manager,
                now=NOW,
            )


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries(people, patient, django_assert_num_queries, count):
    for number in range(count):
        decided(people.episode, published(people, f"consent-{number}"), now=NOW)
    patient.get(LIST)
    with django_assert_num_queries(9):
        patient.get(LIST)


class TestXrays:
    PAGE = reverse("patients:xrays")

    def request_of(self, people):
        return people.episode.imaging_requests.get()

    def test_a_window_that_is_not_booked(self, patient, people):
        page = text(patient.get(self.PAGE))
        assert "between 8 June 2026 and 22 June 2026" in page
        assert "The clinic books it with you." in page
        assert "Your X-ray falls between Monday 8 June 2026" in page

    def test_a_booked_one_leads_to_its_visit(self, patient, people):
        visit = make_appointment(people.episode)
        row = self.request_of(people)
        row.status, row.appointment = "active", visit
        row.save()
        assert reverse("patients:appointment", args=[visit.pk]) in text(patient.get(self.PAGE))

    def test_the_result_shows_once_it_is_released(self, patient, people):
        row = self.request_of(people)
        row.status, row.result_note, row.resulted_at = "completed", "Healing <b>well</b>.", NOW
        row.resulted_by = people.surgeon
        row.save()
        assert "Healing" not in text(patient.get(self.PAGE))
        row.released_at, row.released_by = NOW, people.surgeon
        row.save()
        assert "Healing &lt;b&gt;well&lt;/b&gt;." in text(patient.get(self.PAGE))

    def test_a_carer_for_visits_alone_is_refused(self, people, sign_in):
        RelatedPerson.objects.filter(user=people.carer).update(scope="appointments")
        assert sign_in(people.carer).get(self.PAGE).status_code == 404
