"""The counts at the end of `make test` are the sum of what pytest reported, and nothing is hidden."""

from tests.both_databases import Counts, environment, read_report

REPORT = """<testsuites><testsuite>
<testcase name="good"/>
<testcase name="bad"><failure/></testcase>
<testcase name="bad twice"><failure/><error/></testcase>
<testcase name="broken set-up"><error/></testcase>
<testcase name="left out"><skipped/></testcase>
</testsuite></testsuites>"""


def test_every_test_counts_once(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)

    assert read_report(tmp_path / "report.xml") == Counts(passed=1, failed=3, skipped=1)


def test_a_suite_without_a_report_has_failed(tmp_path):
    assert read_report(tmp_path / "missing.xml") == Counts(failed=1)


def test_the_sum_reads_as_the_build_expects_it():
    assert str(Counts(5, 0, 1) + Counts(4, 1, 0)) == "9 passed, 1 failed, 1 skipped"


def test_compiled_code_is_kept_even_where_that_is_not_usual(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    assert environment("sqlite")["PYTHONDONTWRITEBYTECODE"] == ""
