"""The consents of the demo: invented texts, visibly so, and what people decide about them."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError

from patients.actions.consents import decide_consent
from patients.models import Episode
from portal.models import Clinic, User
from portal.once import new_ticket
from procedures.consent_actions import publish_consent, save_consent_draft
from procedures.models import ConsentForm

_DEMO = "This is a demo text. A real clinic writes its own."
_DEMO_ES = "Este es un texto de ejemplo. Una clínica real escribe el suyo."
TEXTS = {
    "operation": {
        "en-gb": {
            "title": "Consent to the operation",
            "body": f"*{_DEMO}*\n\nMy surgeon has told me:\n\n- what the operation is for\n- what can go wrong\n"
            "- what else could be done, and what happens if nothing is done\n\nI could ask everything I wanted to "
            "ask. I know that I can change my mind at any time before the operation.",
        },
        "es": {
            "title": "Consentimiento para la operación",
            "body": f"*{_DEMO_ES}*\n\nMi cirujano me ha explicado para qué sirve la operación, qué puede salir mal y "
            "qué otras opciones hay. Puedo cambiar de opinión en cualquier momento antes de la operación.",
        },
    },
    "stepwise": {
        "en-gb": {
            "title": "Using Stepwise",
            "body": f"*{_DEMO}*\n\nThe clinic may send me reminders by email and keep what I tell it here. "
            "The mails name no diagnosis in their subject. I can stop most of them at any time.",
        },
    },
}  # fmt: skip


def publish(clinic: Clinic, *, by: User, now: datetime) -> None:
    """Give the clinic its consents."""
    for key, words in TEXTS.items():
        form = save_consent_draft(
            clinic=clinic, key=key, audience="any", words=words, by=by, now=now
        )
        publish_consent(form=form, by=by, now=now)


def decide(episode: Episode, number: int, *, by: User, now: datetime) -> None:
    """Read and decide, a week before surgery: most sign, some not yet, one asks."""
    episode = Episode.objects.get(pk=episode.pk)
    for form in ConsentForm.objects.filter(clinic=episode.patient.clinic, status="active"):
        decision = {4: "not_yet", 3: "question"}.get(number % 7, "given")
        note = "May I listen to music while I am awake?" if decision == "question" else ""
        try:
            decide_consent(
                episode=episode, form=form, language="en-gb", digest=form.digest("en-gb"),
                decision=decision, by=by, now=now, ticket=new_ticket(), signed_name=by.name, note=note,
            )  # fmt: skip
        except ValidationError:
            # An adult's carer cannot sign, and a plan that is closed takes no signature.
            return
