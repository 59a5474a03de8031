"""What stands between a draft and its approval: points not settled, slots not filled, words missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from portal.models import Language
from procedures.models import Disagreement, PathwayVersion, Resolution, Slot, SlotValue, Step
from procedures.offsets import Offset
from procedures.wording import is_known_placeholder, placeholders_in


@dataclass(slots=True)
class Blockers:
    """What a draft lacks. Empty means that it can be approved."""

    disagreements: list[Disagreement] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    steps_without_words: list[str] = field(default_factory=list)
    unknown_placeholders: list[str] = field(default_factory=list)
    has_no_steps: bool = False

    def messages(self) -> list[str]:
        """One sentence for each thing that is missing, naming it."""
        return [
            *(["It has no steps."] if self.has_no_steps else []),
            *(f"Not settled: {row}." for row in self.disagreements),
            *(f"Not filled: {row.name} ({row.key})." for row in self.slots),
            *(f"Step “{key}” has no words in British English." for key in self.steps_without_words),
            *(f"There is no such placeholder: {name}." for name in self.unknown_placeholders),
        ]

    def __bool__(self) -> bool:
        return bool(self.messages())


def blockers(version: PathwayVersion) -> Blockers:
    """What `version` still needs at its clinic. Reads the words too, so that an edit hides nothing."""
    steps = list(version.steps.prefetch_related("texts", "disagreements", "slots"))
    needs = _Needs(steps)
    return Blockers(
        disagreements=_unsettled(version, needs),
        slots=_empty_slots(version, needs),
        steps_without_words=[step.key for step in steps if not _has_words(step)],
        unknown_placeholders=needs.unknown(),
        has_no_steps=not steps,
    )


def missing_words(steps: Iterable[Step]) -> list[tuple[str, list[Step]]]:
    """The languages, by their names, in which steps have no words, each with the steps. Readers get British English.

    American words are made of British ones and are never missing. Reads prefetched texts.
    """
    rows = [(step, {text.language for text in step.texts.all()}) for step in steps]
    found = []
    for language, name in Language.choices:
        lacking = [step for step, languages in rows if language not in languages]
        if lacking and language != Language.AMERICAN_ENGLISH:
            found.append((str(name), lacking))
    return found


def slot_values(version: PathwayVersion) -> dict[str, str]:
    """What the version's clinic put into its slots, by key."""
    rows = SlotValue.objects.filter(clinic=version.clinic_id)
    return dict(rows.values_list("slot__key", "value"))


def resolved_offset(step: Step, values: Mapping[str, str]) -> Offset:
    """The offset of a draft's step, with the clinic's number in place of the slot.

    Raises KeyError where the slot is empty, ValueError where it holds no whole number.
    """
    if step.offset_slot is None:
        return Offset(step.offset_value, step.offset_unit)
    direction = -1 if step.offset_value < 0 else 1
    return Offset(direction * int(values[step.offset_slot.key]), step.offset_slot.kind)


class _Needs:
    """Keys of disagreements and slots that steps rely on, by reference or by placeholder."""

    def __init__(self, steps: list[Step]) -> None:
        self._names = _placeholders_of(steps)
        self.disagreements = self._named("settled") | {
            row.key for step in steps for row in step.disagreements.all()
        }
        self.slots = self._named("slot") | {row.key for step in steps for row in step.slots.all()}
        self.slot_ids = {step.offset_slot_id for step in steps if step.offset_slot_id}

    def _named(self, kind: str) -> set[str]:
        """The keys behind placeholders such as `{slot:bathing_rule}`."""
        pairs = (name.partition(":") for name in self._names)
        return {key for found, _, key in pairs if found == kind}

    def unknown(self) -> list[str]:
        """Placeholders that nothing can fill, as they are written."""
        return [f"{{{name}}}" for name in sorted(self._names) if not is_known_placeholder(name)]


def _placeholders_of(steps: list[Step]) -> set[str]:
    texts = [text for step in steps for text in step.texts.all()]
    return placeholders_in(*(f"{t.subject} {t.title} {t.todo} {t.body}" for t in texts))


def _unsettled(version: PathwayVersion, needs: _Needs) -> list[Disagreement]:
    settled = Resolution.objects.filter(clinic=version.clinic_id).values("disagreement")
    rows = Disagreement.objects.filter(key__in=needs.disagreements).exclude(pk__in=settled)
    return sorted(rows, key=lambda row: (len(row.key), row.key))


def _empty_slots(version: PathwayVersion, needs: _Needs) -> list[Slot]:
    filled = SlotValue.objects.filter(clinic=version.clinic_id).exclude(value="").values("slot")
    named = Slot.objects.filter(key__in=needs.slots) | Slot.objects.filter(pk__in=needs.slot_ids)
    return list(named.exclude(pk__in=filled))


def _has_words(step: Step) -> bool:
    return any(text.language == "en-gb" for text in step.texts.all())
