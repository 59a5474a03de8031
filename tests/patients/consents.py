"""Makes consents for tests, and decisions about them."""

from typing import Any

from patients.actions.consents import decide_consent
from patients.models import ConsentDecision, Episode
from portal.once import new_ticket
from procedures.consent_actions import publish_consent, save_consent_draft
from procedures.models import ConsentForm
from tests.people import People

WORDS = {
    "en-gb": {"title": "Consent to your operation", "body": "I **agree** to the operation."},
    "es": {"title": "Consentimiento", "body": "Estoy de acuerdo."},
}


def published(people: People, key: str = "surgery", **words: Any) -> ConsentForm:
    """A consent that the clinic's patients read."""
    form = save_consent_draft(
        clinic=people.clinic,
        key=key,
        audience="any",
        words=WORDS | words,
        by=people.manager,
        now=people.now,
    )
    publish_consent(form=form, by=people.manager, now=people.now)
    form.refresh_from_db()
    return form


def decided(
    episode: Episode, form: ConsentForm, decision: str = "given", **fields: Any
) -> ConsentDecision:
    """What the patient decided, in English."""
    values = {
        "by": episode.patient.user, "ticket": new_ticket(), "signed_name": "Patricia O'Neill", "note": "Why?",
        "language": "en-gb", "digest": form.digest("en-gb"),
    } | fields  # fmt: skip
    return decide_consent(episode=episode, form=form, decision=decision, **values)
