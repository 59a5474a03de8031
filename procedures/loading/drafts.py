"""Loads the whole catalogue, and makes of each pathway file a draft version at each clinic."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from django.db import transaction

from portal import audit, clock
from portal.models import AuditEvent, Clinic
from portal.statistics import count_rows_of
from procedures.loading.catalogue import CATALOGUE, Catalogue, Row
from procedures.loading.clinic_words import keep_clinic_words
from procedures.loading.exercises import load_exercises
from procedures.loading.glossary import Glossary
from procedures.loading.merge import Content, Edit, LoadReport, is_edited
from procedures.loading.pages import load_pages
from procedures.loading.questionnaires import load_questionnaires
from procedures.loading.reading import read_catalogue
from procedures.loading.relations import Relations
from procedures.loading.rows import Keys, load_rows, put
from procedures.loading.steps import StepReader, new_step, stored_content, write_step
from procedures.models import Pathway, PathwayVersion, Step


def load_catalogue(*, folder: Path = CATALOGUE, force: bool = False) -> LoadReport:
    """Bring the database up to the files below `folder`, and every clinic to a draft of each pathway.

    Safe to repeat. What a clinic edited stays, unless `force`; the report says what was kept or
    overwritten. Raises CatalogueError, and changes nothing, when anything is wrong with the files.
    """
    catalogue = read_catalogue(folder)
    report = LoadReport()
    with transaction.atomic():
        load_rows(catalogue, force=force, report=report)
        load_pages(catalogue, force=force, report=report)
        keep_clinic_words(force=force, report=report, now=clock.now())
        load_questionnaires(catalogue, force=force, report=report)
        load_exercises(catalogue, force=force, report=report)
        for clinic in Clinic.objects.all():
            _draft_all(catalogue, clinic, force=force, report=report)
        count_rows_of("procedures")
    return report


def make_drafts(*, clinic: Clinic, folder: Path = CATALOGUE) -> LoadReport:
    """Give one clinic, a new one for example, a draft of each pathway of the loaded catalogue.

    Raises CatalogueError, and changes nothing, when anything is wrong with the files.
    """
    catalogue = read_catalogue(folder)
    report = LoadReport()
    with transaction.atomic():
        _draft_all(catalogue, clinic, force=False, report=report)
    return report


def _draft_all(catalogue: Catalogue, clinic: Clinic, *, force: bool, report: LoadReport) -> None:
    reader = StepReader(Relations(catalogue.disagreements), Glossary(catalogue.words))
    for row in catalogue.pathways:
        _draft(row, clinic, reader, force=force, report=report)


def _draft(
    row: Row, clinic: Clinic, reader: StepReader, *, force: bool, report: LoadReport
) -> None:
    pathway = Pathway.objects.get(key=row.data["pathway"])
    latest = (
        PathwayVersion.objects.filter(pathway=pathway, clinic=clinic).order_by("-number").first()
    )
    if latest and not latest.is_draft and latest.digest == row.digest:
        return
    draft = latest if latest and latest.is_draft else _new_draft(pathway, clinic, latest, report)
    incoming = {
        step["key"]: reader.content(step, position)
        for position, step in enumerate(row.data["steps"], start=1)
    }
    _bring_up(draft, latest or draft, incoming, force=force, report=report)
    if draft.digest != row.digest:
        draft.digest = row.digest
        draft.save(update_fields=["digest"])


def _new_draft(
    pathway: Pathway, clinic: Clinic, latest: PathwayVersion | None, report: LoadReport
) -> PathwayVersion:
    number = latest.number + 1 if latest else 1
    draft = PathwayVersion.objects.create(pathway=pathway, clinic=clinic, number=number)
    audit.record(
        AuditEvent.Action.CREATE, "pathway_version.draft", by=None, obj=draft, clinic=clinic
    )
    report.drafts.append(f"{draft} ({clinic})")
    return draft


def _bring_up(
    draft: PathwayVersion,
    base: PathwayVersion,
    incoming: dict[str, Content],
    *,
    force: bool,
    report: LoadReport,
) -> None:
    """Give `draft` the steps of the files, on top of what the clinic edited in `base`."""
    query = base.steps.select_related("offset_slot").prefetch_related(
        "texts", "facts", "disagreements", "slots"
    )
    existing = {step.key: step for step in query}
    keys = Keys()
    for key, content in incoming.items():
        old = existing.pop(key, None)
        put(
            _step_to_write(draft, key, old),
            f"{draft} {key}",
            incoming=content,
            here=stored_content(old) if old else {},
            write=partial(write_step, keys=keys),
            force=force,
            report=report,
        )
    for step in existing.values():
        _leave_or_carry(draft, step, keys, force=force, report=report)
    keys.flush()


def _step_to_write(draft: PathwayVersion, key: str, old: Step | None) -> Step:
    """The draft's own step, or a new one that remembers what the files said of its predecessor."""
    if old and old.version_id == draft.pk:
        return old
    step = new_step(draft, key)
    step.loaded = old.loaded if old else {}
    return step


def _leave_or_carry(
    draft: PathwayVersion, step: Step, keys: Keys, *, force: bool, report: LoadReport
) -> None:
    """A step that the files no longer have: it goes, unless the clinic made it or edited it."""
    here = stored_content(step)
    is_own = not step.loaded
    if is_own or (is_edited(here, step.loaded) and not force):
        if not is_own:
            report.kept.append(Edit(f"step {draft} {step.key}", "the whole step", "kept", "gone"))
        if step.version_id != draft.pk:
            copy = new_step(draft, step.key)
            copy.loaded = step.loaded
            write_step(copy, here, keys)
    elif step.version_id == draft.pk:
        step.delete()
