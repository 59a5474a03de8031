"""Steps and pages that are written once: used, left out, changed, and pointed at when something is wrong."""

import pytest

from procedures.actions import edit_text
from procedures.loading import CatalogueError, load_catalogue, read_catalogue
from procedures.models import Page, PathwayVersion, StepText

PATHWAY, OTHER = "pathways/pao-adult.yaml", "pathways/hip-adult.yaml"
GROUP, SHARED = "shared/steps/common.yaml", "shared/pages/risks.yaml"
COMMON = """\
group: common
steps:
  - key: wound
    category: recovery
    anchor: discharge
    offset: 2 days
    at: "12:00"
    valid_for: 3 days
    facts: [P9]
    text:
      en-gb: {subject: Keep it clean, title: Your wound, todo: Look at it., body: Wash your hands.}
  - key: smoking
    category: smoking_cessation
    anchor: surgery
    offset: -6 weeks
    at: "09:00"
    when: {uses_nicotine: true}
    valid_for: 7 days
    text:
      en-gb: {subject: Today, title: Stop, todo: Stop today., body: Help is there.}
"""
HIP = """\
pathway: hip-adult
name: Hip operation, adult
procedure: hip
audience: adult
steps:
  - use: common
"""
RISKS = """\
shared: risks
language: en-gb
title: Benefits and risks
summary: What can go wrong.
sections:
  - {key: good, heading: What gets better, facts: [P9], body: Less pain.}
  - {key: bad, heading: What can go wrong, facts: [P9], body: Some things.}
"""
GUIDE = """\
guide: pao
audience: adult
language: en-gb
pages:
  - {page: pao-risks, use: risks}
"""


@pytest.fixture
def shared(files):
    """The small catalogue, whose second pathway and whose guide share what they say."""
    files.write(GROUP, COMMON)
    files.write(OTHER, HIP)
    files.write(SHARED, RISKS)
    files.write("guides/pao.yaml", GUIDE)
    return files


def use(files, extra: str) -> None:
    files.write(OTHER, HIP.replace("  - use: common\n", f"  - use: common\n{extra}"))


def steps(files) -> dict:
    rows = {row.data["pathway"]: row.data for row in read_catalogue(files.path).pathways}
    return {step["key"]: step for step in rows["hip-adult"]["steps"]}


def problems(files) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(files.path)
    return [str(problem) for problem in caught.value.problems]


def test_a_group_of_steps_is_used_in_its_order(shared):
    assert list(steps(shared)) == ["wound", "smoking"]


@pytest.mark.parametrize("extra", ["    only: [smoking]\n", "    without: [wound]\n"])
def test_a_part_of_a_group_is_used(shared, extra):
    use(shared, extra)

    assert list(steps(shared)) == ["smoking"]


def test_a_change_replaces_fields_and_merges_words(shared):
    use(shared, "    but:\n      wound:\n        offset: 4 days\n        facts: []\n"
                "        text: {en-gb: {body: Ask us.}}\n")  # fmt: skip

    step = steps(shared)["wound"]
    assert (step["offset"], step["facts"], step["at"]) == ("4 days", [], "12:00")
    assert step["text"]["en-gb"] == {
        "subject": "Keep it clean", "title": "Your wound", "todo": "Look at it.", "body": "Ask us.",
    }  # fmt: skip


def test_pages_are_shared_and_changed_section_by_section(shared):
    shared.write(
        "guides/pao.yaml",
        GUIDE.replace("{page: pao-risks, use: risks}", """\
page: pao-risks
    use: risks
    title: Risks of this one
    without: [good]
    but:
      bad: {body: Other things.}
    sections:
      - {key: ask, heading: Ask, facts: [P9], body: Ask us.}"""),
    )  # fmt: skip

    [page] = read_catalogue(shared.path).pages
    assert (page.data["title"], page.data["summary"]) == ("Risks of this one", "What can go wrong.")
    assert [(s["key"], s["heading"], s["body"]) for s in page.data["sections"]] == [
        ("bad", "What can go wrong", "Other things."), ("ask", "Ask", "Ask us."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("    only: [nothing]\n",
         "pathways/hip-adult.yaml:7: steps[0].only[0]: “common” has no “nothing”"),
        ("    without: [nothing]\n",
         "pathways/hip-adult.yaml:7: steps[0].without[0]: “common” has no “nothing”"),
        ("    without: [wound]\n    but: {wound: {offset: 4 days}}\n",
         "pathways/hip-adult.yaml:8: steps[0].but.wound: nothing is used that is called “wound”"),
        ("    but: {wound: {offset: soon}}\n",
         ("pathways/hip-adult.yaml:7: steps[0].but.wound.offset: “soon” is not written as it must be "
          "(a number and days, weeks, months or years, as in -6 weeks)")),
        ("    but: {wound: {ofset: 4 days}}\n",
         "pathways/hip-adult.yaml:7: steps[0].but.wound.ofset: unknown field"),
        ("    but: {wound: {key: other}}\n",
         "pathways/hip-adult.yaml:7: steps[0].but.wound.key: a part keeps its key"),
        ("    but: {wound: {facts: [M99]}}\n",
         "pathways/hip-adult.yaml:7: steps[0].but.wound.facts[0]: there is no fact “M99”"),
        ("    but: {wound: {text: {en-gb: {body: <b>x</b>}}}}\n",
         "pathways/hip-adult.yaml:7: steps[0].but.wound.text.en-gb.body: raw HTML “<b>”"),
        ("  - use: nothing\n",
         "pathways/hip-adult.yaml:7: steps[1].use: there is nothing shared that is called “nothing”"),
        ("  - use: common\n",
         "shared/steps/common.yaml:3: steps[0].key: the step “wound” stands here twice"),
    ],
)  # fmt: skip
def test_a_fault_in_how_a_group_is_used_points_at_the_pathway(shared, extra, line):
    use(shared, extra)

    assert line in problems(shared)


def test_a_fault_in_a_shared_step_is_one_line_however_many_use_it(shared):
    shared.write("pathways/third.yaml", HIP.replace("hip-adult", "third"))
    shared.change(GROUP, "facts: [P9]", "facts: [P99]")

    assert problems(shared) == [
        "shared/steps/common.yaml:9: steps[0].facts[0]: there is no fact “P99”"
    ]


def test_new_words_in_one_language_need_new_words_in_the_others(shared):
    spanish = "      es: {subject: Limpia, title: La herida, todo: Mire., body: Agua.}\n"
    shared.change(GROUP, "body: Wash your hands.}\n", "body: Wash your hands.}\n" + spanish)
    use(shared, "    but: {wound: {text: {en-gb: {body: Ask us.}}}}\n")

    assert problems(shared) == [
        "pathways/hip-adult.yaml:7: steps[0].but.wound.text: there are no words in es: body"
    ]


def test_what_nothing_uses_is_a_fault(shared):
    shared.write("shared/steps/more.yaml", COMMON.replace("group: common", "group: more"))
    shared.write("shared/pages/more.yaml", RISKS.replace("shared: risks", "shared: more"))

    assert problems(shared) == [
        "shared/pages/more.yaml:1: shared: nothing uses it",
        "shared/steps/more.yaml:1: group: nothing uses it",
    ]


@pytest.mark.django_db
def test_a_changed_group_brings_up_the_drafts_of_all_who_use_it_and_keeps_edits(
    shared, clinic, manager
):
    load_catalogue(folder=shared.path)
    draft = PathwayVersion.objects.get(pathway__key="hip-adult")
    edit_text(
        text=StepText.objects.get(step__version=draft, step__key="wound"), by=manager, title="Ours"
    )
    shared.change(GROUP, "body: Wash your hands.", "body: Wash them.")
    shared.change(GROUP, "title: Your wound", "title: The wound")

    report = load_catalogue(folder=shared.path)

    text = StepText.objects.get(step__version=draft, step__key="wound")
    assert (text.title, text.body) == ("Ours", "Wash them.")
    assert [edit.field for edit in report.kept] == ["text.en-gb.title"]


@pytest.mark.django_db
def test_a_comment_makes_no_new_digest_and_a_changed_group_does(shared, clinic):
    load_catalogue(folder=shared.path)
    before = PathwayVersion.objects.get(pathway__key="hip-adult").digest
    shared.write(OTHER, "# For adults.\n" + HIP)
    load_catalogue(folder=shared.path)
    assert PathwayVersion.objects.get(pathway__key="hip-adult").digest == before

    shared.change(GROUP, "offset: 2 days", "offset: 3 days")
    load_catalogue(folder=shared.path)
    assert PathwayVersion.objects.get(pathway__key="hip-adult").digest != before


@pytest.mark.django_db
def test_shared_pages_stand_in_each_guide(shared, clinic):
    shared.write(
        "guides/hip.yaml",
        GUIDE.replace("guide: pao", "guide: hip").replace("pao-risks", "hip-risks"),
    )
    load_catalogue(folder=shared.path)

    found = Page.objects.filter(language="en-gb").values_list("procedure__key", "key", "title")
    assert sorted(found) == [
        ("hip", "hip-risks", "Benefits and risks"), ("pao", "pao-risks", "Benefits and risks"),
    ]  # fmt: skip
