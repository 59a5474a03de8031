"""Bad files: each fault is one line with file, line and field, all in one run, and nothing is loaded."""

import pytest
from django.core.management import CommandError, call_command

from procedures.loading import CatalogueError, load_catalogue, read_catalogue
from procedures.models import Fact, Pathway, Procedure, Source

PATHWAY = "pathways/pao-adult.yaml"


def problems(files) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(files.path)
    return [str(problem) for problem in caught.value.problems]


def test_the_small_catalogue_is_in_order(files):
    catalogue = read_catalogue(files.path)

    assert [row.data["key"] for row in catalogue.facts] == ["M24", "M25", "P9"]


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        (PATHWAY, "    valid_for: 36 hours", "    vaild_for: 36 hours",
         "pathways/pao-adult.yaml:6: steps[0]: “valid_for” is missing"),
        (PATHWAY, "category: recovery", "category: recvery",
         ("pathways/pao-adult.yaml:16: steps[1].category: “recvery” is not one of smoking_cessation, "
         "physiotherapy, xray, preparation, appointment, recovery, check_in")),
        (PATHWAY, "offset: -4 weeks", "offset: 4 wks before",
         ("pathways/pao-adult.yaml:9: steps[0].offset: “4 wks before” is not written as it must be "
         "(a number and days, weeks, months or years, as in -6 weeks)")),
        (PATHWAY, '"13:00"', '"1 pm"',
         ("pathways/pao-adult.yaml:19: steps[1].at: “1 pm” is not written as it must be "
         "(hours and minutes, as in 09:00)")),
        (PATHWAY, '"13:00"', '"23:00"',
         "pathways/pao-adult.yaml:19: steps[1].at: is outside 08:00 to 19:59, when mail may go out"),
        (PATHWAY, "facts: [M24]", "facts: [M99]",
         "pathways/pao-adult.yaml:23: steps[1].facts[0]: there is no fact “M99”"),
        (PATHWAY, "procedure: pao", "procedure: poa",
         "pathways/pao-adult.yaml:3: procedure: there is no procedure “poa”"),
        (PATHWAY, "{slot: xray_weeks}", "{slot: xray_week}",
         "pathways/pao-adult.yaml:29: steps[2].offset.slot: there is no clinic slot “xray_week”"),
        (PATHWAY, "{slot: xray_weeks}", "{slot: clot_signs}",
         "pathways/pao-adult.yaml:29: steps[2].offset.slot: an offset needs a slot of days or weeks"),
        (PATHWAY, "{settled:D3}", "{settled:D4}",
         "pathways/pao-adult.yaml:25: steps[1].text.en-gb.body: there is no disagreement “D4”"),
        (PATHWAY, "Call the school.", "'Dear {name}'",
         "pathways/pao-adult.yaml:44: steps[3].text.en-gb.body: there is no placeholder {name}"),
        (PATHWAY, "Call the school.", "'On {appointment_date}'",
         ("pathways/pao-adult.yaml:44: steps[3].text.en-gb.body: "
         "{appointment_date} needs the anchor “appointment”")),
        (PATHWAY, "Call the school.", "'From {window_from}'",
         "pathways/pao-adult.yaml:44: steps[3].text.en-gb.body: {window_from} needs a “window”"),
        (PATHWAY, "Call the school.", "<script>x</script>",
         "pathways/pao-adult.yaml:44: steps[3].text.en-gb.body: raw HTML “<script>x</script>”"),
        (PATHWAY, "Call the school.", "'[Call](javascript:x)'",
         ("pathways/pao-adult.yaml:44: steps[3].text.en-gb.body: "
         "a link that is not http, https, tel or mailto")),
        (PATHWAY, "subject: One call", "subject: Your hip",
         ("pathways/pao-adult.yaml:44: steps[3].text.en-gb.subject: "
         "“hip” tells whoever sees the inbox too much")),
        (PATHWAY, ", until: 12 weeks, until_anchor: surgery", "",
         "pathways/pao-adult.yaml:50: steps[4].repeat: never ends: say “times” or “until”"),
        (PATHWAY, "anchor: discharge", "anchor: appointment",
         ("pathways/pao-adult.yaml:47: steps[4].anchor: "
         "an appointment step, and no other, names its appointment_kind")),
        (PATHWAY, "key: school", "key: driving",
         "pathways/pao-adult.yaml:37: steps[3].key: the step “driving” stands here twice"),
        (PATHWAY, "audience: adult", "audience: adult\nlanguages: [en-gb, es]",
         "pathways/pao-adult.yaml:14: steps[0].text: there are no words in es"),
        (PATHWAY, "when: {drives: true}", "when: {drives: perhaps}",
         "pathways/pao-adult.yaml:20: steps[1].when.drives: must be of type boolean"),
        (PATHWAY, "when: {drives: true}", "when: {shoe_size: 42}",
         "pathways/pao-adult.yaml:20: steps[1].when.shoe_size: unknown field"),
        ("facts/facts.yaml", ", anchor: surgery", "",
         "facts/facts.yaml:2: facts[0]: “anchor” is missing: “from” needs it"),
        ("facts/facts.yaml", "key: M25", "key: M24",
         "facts/facts.yaml:3: facts[1].key: “M24” stands in facts/facts.yaml:2 already"),
        ("facts/facts.yaml", "sources: [S3]", "sources: [S9]",
         "facts/facts.yaml:3: facts[1].sources[0]: there is no source “S9”"),
        ("facts/facts.yaml", "key: P9,", "key: P9, topic: twice,",
         "facts/facts.yaml:4: facts[2].topic: the same key stands here twice"),
        ("procedures.yaml", "key: hip,", "key: hip, parent: pao,",
         "procedures.yaml:2: procedures[0].parent: is its own ancestor: hip → pao → hip"),
        ("disagreements.yaml", "facts: [M24, M25]", "facts: [M24, M26]",
         "disagreements.yaml:5: disagreements[0].facts[1]: there is no fact “M26”"),
        ("disagreements.yaml", "sources: [S3]", "sources: [S8]",
         "disagreements.yaml:8: disagreements[0].values[1].sources[0]: there is no source “S8”"),
        ("slots.yaml", "kind: phone", "kind: fax",
         "slots.yaml:5: slots[3].kind: “fax” is not one of text, weeks, days, phone"),
        ("slots.yaml", "slots:", "slots: [",
         "slots.yaml:2: not readable as YAML: did not find expected node content"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_with_its_place(files, name, old, new, line):
    files.change(name, old, new)

    assert line in problems(files)


def test_all_faults_come_in_one_run(files):
    files.change("slots.yaml", "kind: phone", "kind: fax")
    files.change("facts/facts.yaml", "audience: any", "audience: cats")
    files.change(PATHWAY, "offset: 8 weeks", "offset: soon")

    assert [line.split(":")[0] for line in problems(files)] == [
        "facts/facts.yaml",
        "pathways/pao-adult.yaml",
        "slots.yaml",
    ]


def test_a_file_that_no_part_reads_is_a_fault(files):
    files.write("pathway/vdro.yaml", "pathway: vdro")

    assert problems(files) == ["pathway/vdro.yaml:1: no part of the catalogue has this name"]


def test_an_empty_file_is_a_fault(files):
    files.write("slots.yaml", "")

    assert "slots.yaml:1: the file is empty" in problems(files)


def test_times_and_yes_and_no_stay_as_they_are_written(files):
    files.change("sources.yaml", "jurisdiction: UK", "jurisdiction: no")

    catalogue = read_catalogue(files.path)

    assert catalogue.sources[0].data["jurisdiction"] == "no"


@pytest.mark.django_db
def test_nothing_is_half_loaded(files):
    files.change(PATHWAY, "facts: [M24]", "facts: [M99]")

    with pytest.raises(CatalogueError):
        load_catalogue(folder=files.path)

    models = (Source, Procedure, Fact, Pathway)
    assert [model.objects.count() for model in models] == [0, 0, 0, 0]


@pytest.mark.django_db
def test_the_command_names_every_fault(files):
    files.change("slots.yaml", "kind: phone", "kind: fax")
    files.change(PATHWAY, "offset: 8 weeks", "offset: soon")

    with pytest.raises(CommandError) as caught:
        call_command("load_catalogue", "--from", files.path)

    assert str(caught.value).splitlines() == [
        "Nothing was loaded.",
        (
            "pathways/pao-adult.yaml:18: steps[1].offset: “soon” is not written as it must be "
            "(a number and days, weeks, months or years, as in -6 weeks)"
        ),
        "slots.yaml:5: slots[3].kind: “fax” is not one of text, weeks, days, phone",
    ]


GUIDE = """\
guide: pao
audience: adult
language: en-gb
pages:
  - page: pao-about
    title: What it is
    summary: The socket is turned.
    sections:
      - {key: what, heading: What is done, facts: [P9], body: The socket is turned.}
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("facts: [P9]", "facts: [P99]", "guides/pao.yaml:9: pages[0].sections[0].facts[0]: there is no fact “P99”"),
        ("facts: [P9], ", "", "guides/pao.yaml:9: pages[0].sections[0]: “facts” is missing"),
        ("facts: [P9]", "facts: []",
         "guides/pao.yaml:9: pages[0].sections[0].facts: needs at least one entry"),
        ("guide: pao", "guide: poa", "guides/pao.yaml:1: guide: there is no procedure “poa”"),
        ("The socket is turned.}", "<b>Turned</b>.}",
         "guides/pao.yaml:9: pages[0].sections[0].body: raw HTML “<b>”"),
        ("The socket is turned.}", "<script>x()</script>}",
         "guides/pao.yaml:9: pages[0].sections[0].body: raw HTML “<script>x()</script>”"),
        ("The socket is turned.}", "'{patient_name}'}",
         "guides/pao.yaml:9: pages[0].sections[0].body: a page cannot fill {patient_name}"),
        ("    title: What it is", "    titel: What it is",
         "guides/pao.yaml:6: pages[0].titel: unknown field"),
    ],
)  # fmt: skip
def test_a_fault_of_a_guide_is_one_line_with_its_place(files, old, new, line):
    files.write("guides/pao.yaml", GUIDE)
    files.change("guides/pao.yaml", old, new)

    assert line in problems(files)


def test_a_guide_in_another_language_that_lacks_a_section_is_a_fault(files):
    files.write("guides/pao.yaml", GUIDE)
    section = "      - {key: why, heading: Why, facts: [P9], body: It helps.}\n"
    files.write("guides/pao.es.yaml", GUIDE.replace("en-gb", "es"))
    files.write("guides/pao.yaml", GUIDE + section)

    assert problems(files) == [
        "guides/pao.es.yaml:5: pages[0].page: there are no words in es for: why"
    ]


def test_a_guide_in_another_language_that_lacks_a_page_is_a_fault(files):
    page = GUIDE.partition("pages:\n")[2].replace("pao-about", "pao-more")
    files.write("guides/pao.yaml", GUIDE + page)
    files.write("guides/pao.es.yaml", GUIDE.replace("en-gb", "es"))

    assert problems(files) == [
        "guides/pao.es.yaml:5: pages[0].page: there are no words in es for: pao-more"
    ]


def test_one_run_shows_every_kind_of_fault(files):
    """Everything that can be wrong with what a clinician writes, at once, each in one line."""
    files.write("guides/pao.yaml", GUIDE.replace("The socket is turned.}", "<script>x</script>}"))
    files.change("procedures.yaml", "key: hip,", "key: hip, parent: pao,")
    files.change("facts/facts.yaml", ", anchor: surgery", "")
    files.change("facts/facts.yaml", "key: P9,", "key: P9, topic: twice,")
    files.change("slots.yaml", "kind: phone", "kind: phone, colour: red")
    files.change(PATHWAY, "facts: [M24]", "facts: [M99]")
    files.change(PATHWAY, "audience: adult", "audience: adult\nlanguages: [en-gb, es]")
    files.change(PATHWAY, "Call the school.", "'A <b>bold</b> call'")
    translations = [f"pathways/pao-adult.yaml:{line}: steps[{i}].text: there are no words in es"
                    for i, line in enumerate((14, 25, 36, 44, 54))]  # fmt: skip

    assert problems(files) == sorted(
        [
            "facts/facts.yaml:2: facts[0]: “anchor” is missing: “from” needs it",
            "facts/facts.yaml:4: facts[2].topic: the same key stands here twice",
            "guides/pao.yaml:9: pages[0].sections[0].body: raw HTML “<script>x</script>”",
            "pathways/pao-adult.yaml:24: steps[1].facts[0]: there is no fact “M99”",
            *translations,
            "pathways/pao-adult.yaml:45: steps[3].text.en-gb.body: raw HTML “<b>”",
            "procedures.yaml:2: procedures[0].parent: is its own ancestor: hip → pao → hip",
            "procedures.yaml:3: procedures[1].parent: is its own ancestor: pao → hip → pao",
            "slots.yaml:5: slots[3].colour: unknown field",
        ],
        key=lambda line: (line.split(":")[0], int(line.split(":")[1]), line.split(":")[2]),
    )


@pytest.mark.django_db
def test_nothing_is_loaded_when_anything_is_wrong_anywhere(files):
    files.write("guides/pao.yaml", GUIDE.replace("The socket is turned.}", "<b>x</b>}"))

    with pytest.raises(CatalogueError):
        load_catalogue(folder=files.path)

    assert [model.objects.count() for model in (Source, Procedure, Fact, Pathway)] == [0, 0, 0, 0]
