"""What stands in one place is exactly what was stated: migrations, and the content policy."""

from io import StringIO

import pytest
from csp.constants import NONE, SELF
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

OURS = {"portal", "procedures", "patients", "reminders"}
POLICY = {
    "default-src": {NONE},
    "script-src": {SELF},
    "style-src": {SELF},
    "img-src": {SELF, "data:"},
    "font-src": {SELF},
    "connect-src": {SELF},
    "manifest-src": {SELF},
    "form-action": {SELF},
    "frame-src": {SELF},
    "frame-ancestors": {NONE},
    "base-uri": {NONE},
}


@pytest.mark.django_db
def test_no_migration_is_pending():
    out = StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=out)

    assert "No changes detected" in out.getvalue()


@pytest.mark.django_db
def test_a_pending_migration_would_be_found():
    before = MigrationLoader(connection).project_state()
    after: ProjectState = before.clone()
    after.add_model(
        ModelState("portal", "Planted", [("id", models.BigAutoField(primary_key=True))])
    )

    assert "portal" in MigrationAutodetector(before, after)._detect_changes()


@pytest.mark.django_db
def test_each_app_has_one_last_migration():
    loader = MigrationLoader(connection)

    for app in OURS:
        assert len(loader.graph.leaf_nodes(app)) == 1


def differences(policy):
    return {
        name
        for name in policy.keys() | POLICY.keys()
        if set(policy.get(name, ())) != POLICY.get(name)
    }


def test_the_content_policy_is_exactly_the_stated_set(settings):
    assert differences(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]) == set()
    assert not hasattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY")


@pytest.mark.parametrize(
    "planted",
    [
        {"script-src": [SELF, "'unsafe-inline'"]},
        {"style-src": [SELF, "https://cdn.example"]},
        {"worker-src": [SELF]},
        {"default-src": [SELF]},
    ],
)
def test_a_planted_exception_is_found(settings, planted):
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"] | planted

    assert differences(policy) == planted.keys()
