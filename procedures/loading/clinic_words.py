"""What clinics wrote in place of the catalogue's words: a load keeps it and says so, a forced one ends it."""

from __future__ import annotations

from datetime import datetime

from procedures.guide_actions import overwrite
from procedures.loading.merge import Edit, LoadReport
from procedures.models import ClinicWords, PageSection


def keep_clinic_words(*, force: bool, report: LoadReport, now: datetime) -> None:
    """Report every section that readers of a clinic get in its own words; with `force`, end them.

    `now` is an aware moment. Words of a section that the files no longer have are reported as kept:
    nobody reads them, and they count again if the section comes back.
    """
    rows = ClinicWords.objects.in_force().select_related("page", "clinic")
    found = {
        (section.page_id, section.key): section
        for section in PageSection.objects.filter(page__clinic_words__isnull=False)
        .select_related("page")
        .distinct()
    }
    for row in rows:
        section = found.get((row.page_id, row.section_key))
        if section and (section.heading, section.body) == (row.heading, row.body):
            continue
        name = (
            f"guide page {row.page.key} ({row.page.language}), {row.section_key}, at {row.clinic}"
        )
        edit = Edit(name, "body", row.body, section.body if section else None)
        if force and section:
            overwrite(section=section, old=row, now=now)
            report.overwritten.append(edit)
        else:
            report.kept.append(edit)
