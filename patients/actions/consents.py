"""Deciding about a consent: sign it, not yet, ask, withdraw. Each is a new row, atomic and audited; `now` is UTC."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, today_at
from patients.models import ConsentDecision, Episode, Patient, RelatedPerson
from portal.models import User
from procedures.models import ConsentForm

# From this age young people can consent to their own treatment: Family Law Reform Act 1969, section 8 (England and
# Wales). Until 18 a parent or carer with full access can too.
SIGNS_FROM = 16
Decision = ConsentDecision.Decision


def may_decide(patient: Patient, user: User, now: datetime) -> bool:
    """Whether somebody may sign for a patient: the patient from 16, and for a child who has full access."""
    today = today_at(patient.clinic, now)
    if user.pk == patient.user_id:
        return patient.age_on(today) >= SIGNS_FROM
    return patient.is_child_on(today) and _link(patient, user, now) is not None


def _link(patient: Patient, user: User, now: datetime) -> RelatedPerson | None:
    links = RelatedPerson.objects.filter(patient=patient, user=user, scope=RelatedPerson.Scope.FULL)
    return links.live(today_at(patient.clinic, now)).first()


@transaction.atomic
def decide_consent(
    *,
    episode: Episode,
    form: ConsentForm,
    language: str,
    digest: str,
    decision: str,
    by: User,
    now: datetime,
    ticket: str,
    signed_name: str = "",
    note: str = "",
) -> ConsentDecision:
    """Keep a decision with the text as it was read. The same form sent twice makes one decision.

    `digest` is that of the text on the page. Raises ValidationError where somebody may not decide, the text was
    replaced meanwhile, a name or a question is missing, or there is nothing to withdraw.
    """
    _refuse_unfit(episode, form, decision, by, now, digest == form.digest(language))
    _refuse_incomplete(episode, form, decision, signed_name, note)
    words = form.words[language]
    link = _link(episode.patient, by, now)
    row, is_new = ConsentDecision.objects.get_or_create(
        episode=episode, ticket=ticket,
        defaults={
            "form": form, "decision": decision, "language": language, "title": words["title"],
            "body": words["body"], "digest": digest, "by": by, "decided_at": now, "note": note.strip(),
            "signed_name": " ".join(signed_name.split()) if decision == Decision.GIVEN else "",
            "is_on_behalf": by.pk != episode.patient.user_id,
            "relationship": link.relationship if link else "",
        },
    )  # fmt: skip
    if is_new:
        record(
            Action.CREATE, f"consent.{decision}", by=by, obj=row, patient=episode.patient,
            after={"consent": form.key, "version": form.number, "digest": digest},
        )  # fmt: skip
    return row


def _refuse_unfit(
    episode: Episode, form: ConsentForm, decision: str, by: User, now: datetime, is_same: bool
) -> None:
    if episode.patient.deceased_on or form.clinic_id != episode.patient.clinic_id:
        raise ValidationError(_("This plan is closed. Please call the clinic."))
    if decision != Decision.QUESTION and not may_decide(episode.patient, by, now):
        raise ValidationError(_("Only the patient, or a parent of a child, can sign this."))
    if decision == Decision.WITHDRAWN:
        return
    if not episode.is_open:
        raise ValidationError(_("This plan is closed. Please call the clinic."))
    if form.status != ConsentForm.Status.ACTIVE or not is_same:
        raise ValidationError(_("The text has changed. Please read it again."))


def _refuse_incomplete(
    episode: Episode, form: ConsentForm, decision: str, signed_name: str, note: str
) -> None:
    if decision == Decision.GIVEN and sum(sign.isalpha() for sign in signed_name) < 2:
        raise ValidationError({"signed_name": _("Type your full name to sign.")})
    if decision == Decision.QUESTION and not note.strip():
        raise ValidationError({"note": _("Write your question.")})
    if decision == Decision.WITHDRAWN:
        last = (
            episode.consents.filter(form__key=form.key).exclude(decision=Decision.QUESTION).first()
        )
        if last is None or last.decision != Decision.GIVEN:
            raise ValidationError(_("There is nothing to withdraw."))
