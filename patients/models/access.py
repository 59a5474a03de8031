"""What people are told about carers' access before it is looked at again, or ends."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from patients.models.people import RelatedPerson
from portal.models import Record


class AccessNotice(Record):
    """One mail that is planned about one carer's access, to the carer or to the young person (FHIR Communication).

    `about_on` is the day that it speaks of, `tell_on` the day from which it may go; both local days of the clinic.
    A day that moved leaves its notices unsent for ever: they speak of a day that nothing happens on.
    """

    class Kind(models.TextChoices):
        REVIEW = "review", _("access is looked at again")
        END = "end", _("access ends")

    link = models.ForeignKey(RelatedPerson, on_delete=models.CASCADE, related_name="notices")
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    about_on = models.DateField()
    tell_on = models.DateField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("notice about access")
        verbose_name_plural = _("notices about access")
        ordering = ("tell_on", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("link", "recipient", "kind", "about_on", "tell_on"),
                name="access_notice_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.about_on}"
