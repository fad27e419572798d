"""What a project forgets is found, kind by kind; what it does right is not called a gap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from celery import Celery
from django.apps import apps
from django.contrib import admin
from django.urls import get_resolver

from access.openness import declared_open
from audit.constraints import Capture
from changes import sweeping
from console.admin import GovernedAdmin
from console.coverage import actions, addresses, report, routes, tables, tasks, views
from console.coverage.findings import Finding, Standing
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.applications import installed
from tests.console.coverage.forgotten import views as forgotten

GOVERNED, OPEN, UNGOVERNED = Standing.GOVERNED, Standing.OPEN, Standing.UNGOVERNED


def standings(found: Iterable[Finding]) -> dict[str, Standing]:
    return {one.name: one.standing for one in found}


@pytest.fixture(scope="module")
def addressed() -> list[addresses.Address]:
    return list(addresses.addresses(get_resolver(forgotten.__name__)))


class TestModels:
    @pytest.fixture
    def found(self) -> Iterator[dict[str, Finding]]:
        with installed("tests.console.coverage.forgotten"):
            yield {one.name: one for one in tables.findings()}

    def test_a_new_plain_model_is_found_with_the_table_of_its_relation(self, found) -> None:
        assert found["forgotten.note"].standing is UNGOVERNED
        assert found["forgotten.note_about"].standing is UNGOVERNED

    def test_an_entity_without_history_is_found(self, found) -> None:
        assert (found["forgotten.paper"].standing, found["forgotten.paper"].why) == (UNGOVERNED, "no history")

    def test_a_reason_holds_for_its_own_class_only(self, found) -> None:
        assert (found["forgotten.draft"].standing, found["forgotten.draft"].why) == (OPEN, "kept for an hour.")
        assert found["forgotten.sketch"].standing is UNGOVERNED

    def test_an_entity_that_lost_its_capture_is_found(self, monkeypatch) -> None:
        kept = [one for one in Order._meta.constraints if not isinstance(one, Capture)]
        monkeypatch.setattr(Order._meta, "constraints", kept)
        assert standings(tables.findings([Order])) == {"shop.order": UNGOVERNED}

    def test_a_kept_table_that_may_be_deleted_from_again_is_found(self, monkeypatch) -> None:
        account = apps.get_model("access", "Account")
        assert standings(tables.findings([account])) == {"access.account": GOVERNED}
        monkeypatch.delattr(account, "app_privileges")
        assert standings(tables.findings([account])) == {"access.account": UNGOVERNED}

    def test_the_exemption_of_a_library_is_not_its_label(self) -> None:
        """A project's own model may not hide under the name of a library's app."""
        with installed("tests.console.coverage.forgotten"):
            note = apps.get_model("forgotten", "Note")
            assert tables._exempt(apps.get_model("auth", "User"))
            assert not tables._exempt(note)


class TestViews:
    def test_views_that_ask_nothing_are_found(self, addressed) -> None:
        assert standings(views.findings(addressed)) == {
            "bare/": UNGOVERNED,
            "guarded/": GOVERNED,
            "half/": UNGOVERNED,  # one way answers before the guard
            "looks/": UNGOVERNED,  # leave to look is no leave to write
            "steps/<int:change_id>/": GOVERNED,
            "welcome/": OPEN,
            "class/": UNGOVERNED,  # one of its methods
            "words/": OPEN,
            "more-words/": UNGOVERNED,
        }

    def test_it_says_what_is_asked(self, addressed) -> None:
        said = {one.name: one.why for one in views.findings(addressed)}
        assert said["guarded/"] == "entity.browse"
        assert said["steps/<int:change_id>/"] == "change.start"

    def test_a_guard_taken_away_is_found(self, monkeypatch) -> None:
        """Sabotage: the page of a change calls a guard that lets everybody through."""
        monkeypatch.setattr("console.pages.changes.require", lambda request, action, resource="": None)
        found = standings(views.findings())
        assert found["admin/changes/<int:change_id>/"] is UNGOVERNED
        assert found["admin/tickets/"] is GOVERNED

    def test_a_guard_that_no_longer_enforces_is_found_everywhere(self, monkeypatch) -> None:
        monkeypatch.setattr("console.pages.guards.enforce", lambda *given: None)
        monkeypatch.setattr("console.pages.guards.allowed", lambda *given: True)
        found = standings(views.findings())
        assert found["admin/tickets/"] is UNGOVERNED
        assert found["admin/tickets/<int:ticket_id>/vote/"] is GOVERNED  # by the verb itself


class TestAdminActions:
    def found(self, *pages: type[admin.ModelAdmin]) -> dict[str, Standing]:
        site = admin.AdminSite()
        return {
            name: standing
            for one in pages
            for name, standing in standings(actions.findings([one(Order, site)])).items()
        }

    def test_an_action_that_deletes_is_found(self) -> None:
        assert self.found(forgotten.Purging) == {
            "shop.order: delete_selected": GOVERNED,
            "shop.order: ask_delete": GOVERNED,
            "shop.order: purge": UNGOVERNED,
            "shop.order: ask": GOVERNED,
        }

    def test_delete_selected_is_found_where_the_permission_was_replaced(self) -> None:
        assert self.found(forgotten.Deleting)["shop.order: delete_selected"] is UNGOVERNED
        assert self.found(forgotten.Plain)["shop.order: delete_selected"] is UNGOVERNED

    def test_asking_without_the_gate_is_found(self, monkeypatch) -> None:
        """Sabotage: the draft is saved without the policy's answer."""
        monkeypatch.setattr(GovernedAdmin, "_ask", lambda self, request, queryset, operation: None)
        assert self.found(GovernedAdmin)["shop.order: ask_delete"] is UNGOVERNED


class TestTasks:
    def test_tasks_without_an_actor_are_found(self) -> None:
        app = Celery("forgotten", set_as_current=False)

        @app.task(name="nobody")
        def nobody() -> None:
            sweeping.stalled()

        @app.task(name="somebody")
        def somebody(tenant_id: int) -> None:
            if not tenant_id:
                return
            with acting(Actor.service("cleaner", tenant_id=tenant_id)):
                sweeping.stalled()

        @app.task(name="anybody")
        def anybody(name: str) -> None:
            with acting(Actor(kind="user", name=name)):
                sweeping.stalled()

        @app.task(name="sometimes")
        def sometimes(tenant_id: int) -> None:
            if tenant_id:
                with acting(Actor.service("cleaner")):
                    sweeping.stalled()
            else:
                sweeping.stalled()

        @app.task(name="ping")
        @declared_open("touches nothing.")
        def ping() -> None: ...

        own = {name: task for name, task in app.tasks.items() if "." not in name}  # shared tasks are in every app
        assert standings(tasks.findings(own)) == {
            "nobody": UNGOVERNED,
            "somebody": GOVERNED,
            "anybody": UNGOVERNED,  # a person is nobody a task may be
            "sometimes": UNGOVERNED,
            "ping": OPEN,
        }

    def test_our_tasks_name_their_service(self) -> None:
        said = {one.name: one.why for one in tasks.findings()}
        assert said["changes.work"] == "acts as worker"
        assert said["changes.sweep"] == said["approvals.expire"] == "acts as scheduler"


class TestRoutes:
    def test_methods_without_an_action_are_found(self, addressed) -> None:
        assert standings(routes.findings(addressed)) == {
            "GET api/": UNGOVERNED,
            "POST api/": UNGOVERNED,  # leave to look is no leave to write
            "PATCH api/": GOVERNED,
            "GET foreign/": OPEN,
            "DELETE foreign/": UNGOVERNED,
        }

    def test_an_unknown_action_is_named(self, addressed, monkeypatch) -> None:
        monkeypatch.setattr("console.coverage.doors.ALLOWED", {})
        said = {one.name: one.why for one in routes.findings(addressed)}
        assert "not in the policy" in said["PATCH api/"]

    def test_each_step_of_a_change_asks_its_own_action(self) -> None:
        said = {one.name: one.why for one in routes.findings()}
        assert said["POST api/v1/changes/<int:change_id>/cancel/"] == "change.cancel"
        assert said["POST api/v1/tickets/<int:ticket_id>/votes/"] == "ticket.vote"


def test_names_are_unique_within_a_kind() -> None:
    for kind, found in report.report().items():
        names = [one.name for one in found]
        assert len(set(names)) == len(names), kind
