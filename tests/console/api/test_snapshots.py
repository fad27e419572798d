"""Snapshots over the API: take, list, keep, look, compare; refused with a word that helps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Snapshot
from audit.snapshots import ticks
from foundation.context import acting
from shop.models import Order
from tests.console.api.asking import assert_problem
from tests.personas import customer, orders

SNAPSHOTS = "/api/v1/snapshots/"
ORDERS = "/api/v1/entities/shop.order"


@pytest.fixture
def client(real_db, operator, client_of):
    return client_of(operator)


@pytest.fixture
def past(client, operator):
    """Five orders; the first snapshot; one changed, one deleted, one new; and both snapshots' numbers."""
    with acting(operator):
        made = orders(5, note="one")
        first = _take(client, name="before")
        Order.objects.filter(pk=made[0].pk).update(note="two", total="3.50")
        Order.objects.filter(pk=made[1].pk).update(is_deleted=True)
        made += orders(1, note="new")
        second = _take(client, name="after")
    return made, first["id"], second["id"]


def _take(client, **body):
    answer = client.post(SNAPSHOTS, {"entities": ["shop.order"]} | body)
    assert answer.status_code == 201, answer.json()
    assert answer["Location"] == f"{SNAPSHOTS}{answer.json()['id']}/"
    return answer.json()


def test_a_snapshot_is_taken_measured_and_found_again(client, operator):
    with acting(operator):
        orders(3)
    taken = _take(client, name="monday", entities=["shop.order", "shop.customer"], note="before the import")
    assert client.get(f"{SNAPSHOTS}{taken['id']}/").json() == taken
    tables = {table["entity"]: table for table in taken["tables"]}
    assert (tables["shop.order"]["rows"], tables["shop.order"]["live_rows"]) == (3, 3)
    assert {"name": "total", "type": "numeric(14,2)"} in tables["shop.order"]["columns"]
    listed = client.get(SNAPSHOTS).json()["results"]
    assert [(one["name"], one["entities"], one["kind"]) for one in listed] == [
        ("monday", ["shop.order", "shop.customer"], "named")
    ]
    assert client.get(f"{SNAPSHOTS}?kind=daily").json()["results"] == []
    assert client.get(f"{SNAPSHOTS}?entity=shop.usertag").json()["results"] == []


def test_the_list_pages_by_number(client):
    ids = [_take(client, name=f"s{n}")["id"] for n in range(3)]
    page = client.get(f"{SNAPSHOTS}?page_size=2").json()
    rest = client.get(page["next"]).json()
    assert [one["id"] for one in (*page["results"], *rest["results"])] == ids[::-1]


def test_rows_are_shown_as_they_were(client, past):
    made, first, second = past
    then = client.get(f"{ORDERS}/state/?as_of={first}&page_size=3").json()
    rest = client.get(then["next"]).json()
    rows = [*then["results"], *rest["results"]]
    assert [row["key"] for row in rows] == [str(row.pk) for row in made[:5]]
    assert {row["values"]["note"] for row in rows} == {"one"}
    bin_ = client.get(f"{ORDERS}/state/?as_of={second}&deleted=1").json()["results"]
    assert [row["key"] for row in bin_] == [str(made[1].pk)]
    where = '[{"field":"note","value":"two"}]'
    assert [r["key"] for r in client.get(f"{ORDERS}/state/", {"as_of": second, "where": where}).json()["results"]] == [
        str(made[0].pk)
    ]


def test_a_moment_is_answered_by_the_tick_before_it(client, past):
    made, _, _ = past
    tick = ticks.tick()
    later = (tick.at + timedelta(seconds=5)).isoformat()
    answer = client.get(f"{SNAPSHOTS}moment/", {"at": later}).json()
    assert answer == {"at": tick.at.isoformat().replace("+00:00", "Z"), "era": 1}
    rows = client.get(f"{ORDERS}/state/", {"as_of": later}).json()["results"]
    assert [row["key"] for row in rows] == [str(row.pk) for row in made if row.pk != made[1].pk]


def test_two_states_are_compared(client, past):
    made, first, second = past
    totals = client.get(f"{ORDERS}/compare/?a={first}&b={second}").json()
    assert (totals["only_a"], totals["only_b"], totals["changed"]) == (1, 1, 1)
    assert totals["changed_fields"] == {"note": 1, "total": 1}
    now = client.get(f"{ORDERS}/compare/?a={first}").json()
    assert now["b"] is None
    assert now | {"b": totals["b"]} == totals
    page = client.get(f"{ORDERS}/differences/?a={first}&b={second}&page_size=2").json()
    rest = client.get(page["next"]).json()
    found = [*page["results"], *rest["results"]]
    assert [(one["key"], one["kind"]) for one in found] == [
        (str(made[0].pk), "changed"),
        (str(made[1].pk), "only_a"),
        (str(made[5].pk), "only_b"),
    ]
    assert {"field": "note", "before": "one", "after": "two"} in found[0]["differences"]
    only = client.get(f"{ORDERS}/differences/?a={first}&b=now&kind=only_b").json()["results"]
    assert [one["key"] for one in only] == [str(made[5].pk)]
    by_field = client.get(f"{ORDERS}/differences/?a={first}&b=now&changed=total").json()["results"]
    assert [one["key"] for one in by_field] == [str(made[0].pk)]


def test_a_snapshot_is_kept_longer_or_held(client):
    taken = _take(client, name="x")
    until = (timezone.now() + timedelta(days=30)).isoformat()
    kept = client.patch(f"{SNAPSHOTS}{taken['id']}/", {"kept_until": until, "hold": True}).json()
    assert kept["hold"] is True
    assert kept["kept_until"].startswith(until[:19])
    assert client.patch(f"{SNAPSHOTS}{taken['id']}/", {"hold": False}).json()["kept_until"] == kept["kept_until"]
    soon = {"kept_until": timezone.now().isoformat()}
    assert_problem(client.patch(f"{SNAPSHOTS}{taken['id']}/", soon), 400, "bad_kept_until")


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"name": ""}, "bad_snapshot_name"),
            ({"entities": []}, "no_entities"),
            ({"entities": ["shop.order", "shop.order"]}, "no_entities"),
            ({"kept_until": "2001-01-01T00:00:00Z"}, "bad_kept_until"),
            ({"colour": "red"}, "invalid_fields"),
            ({"pg_snapshot": "1:1:"}, "invalid_fields"),
        ],
    )
    def test_nonsense_takes_nothing(self, client, operator, body, code):
        answer = client.post(SNAPSHOTS, {"name": "x", "entities": ["shop.order"]} | body)
        assert_problem(answer, 400, code)
        with acting(operator):
            assert not Snapshot.objects.exists()

    def test_a_name_is_used_once(self, client):
        _take(client, name="x")
        assert_problem(client.post(SNAPSHOTS, {"name": "x", "entities": ["shop.order"]}), 409, "snapshot_exists")
        assert_problem(client.post(SNAPSHOTS, {"name": "y", "entities": ["auth.user"]}), 404, "unknown_entity")

    @pytest.mark.parametrize(
        ("address", "code"),
        [
            ("compare/?a=yesterday", "bad_state"),
            ("compare/", "bad_state"),
            ("compare/?a=2001-01-01T00:00:00Z", "before_recording"),
            ("state/?as_of=1e9", "bad_state"),
            ("state/?as_of=now&deleted=2", "bad_parameter"),
            ("state/?as_of=now&where=[{\"field\":\"colour\"}]", "unknown_field"),
            ("differences/?a=now&kind=same", "unknown_difference"),
            ("differences/?a=now&changed=colour", "unknown_difference"),
            ("differences/?a=now&cursor=x", "bad_cursor"),
            ("differences/?a=now&c=1", "unknown_parameter"),
        ],
    )  # fmt: skip
    def test_what_means_no_state(self, client, address, code):
        ticks.tick()
        assert_problem(client.get(f"{ORDERS}/{address}"), 400, code)

    def test_what_is_not_there_or_not_in_it(self, client, operator):
        taken = _take(client, name="x")
        with acting(operator):
            customer()
        assert_problem(client.get(f"{SNAPSHOTS}99999/"), 404, "snapshot_not_found")
        assert_problem(client.get(f"{ORDERS}/state/?as_of=99999"), 404, "snapshot_not_found")
        address = f"/api/v1/entities/shop.customer/state/?as_of={taken['id']}"
        assert_problem(client.get(address), 400, "not_in_snapshot")

    def test_before_any_tick_there_is_no_moment(self, client):
        assert_problem(client.get(f"{ORDERS}/state/?as_of=2026-01-01T00:00:00Z"), 400, "nothing_recorded")

    def test_other_tenants_and_roles(self, client, persona, client_of, auditor):
        taken = _take(client, name="x")
        stranger = client_of(persona("operator", name="Else Where", tenant=2))
        assert_problem(stranger.get(f"{SNAPSHOTS}{taken['id']}/"), 404, "snapshot_not_found")
        assert stranger.get(SNAPSHOTS).json()["results"] == []
        looking = client_of(auditor)
        assert looking.get(f"{SNAPSHOTS}{taken['id']}/").status_code == 200
        for refused in (
            looking.post(SNAPSHOTS, {"name": "y", "entities": ["shop.order"]}),
            looking.patch(f"{SNAPSHOTS}{taken['id']}/", {"hold": True}),
            looking.post(f"{SNAPSHOTS}{taken['id']}/measure/"),
        ):
            assert_problem(refused, 403, "not_allowed")
        nobody = client_of(persona("administrator", name="Nadia Else"))
        assert_problem(nobody.get(SNAPSHOTS), 403, "not_allowed")


def test_a_worker_measures_what_is_large(client, operator, monkeypatch):
    from audit import tasks
    from console import snapshots

    monkeypatch.setattr(snapshots, "MEASURED_AT_ONCE", -1)
    sent = []
    monkeypatch.setattr(snapshots.current_app, "send_task", lambda name, args: sent.append((name, args)))
    with acting(operator):
        orders(4)
    taken = _take(client, name="large")
    assert taken["tables"][0]["rows"] is None
    assert client.post(f"{SNAPSHOTS}{taken['id']}/measure/").status_code == 202
    assert [name for name, _ in sent] == ["audit.measure", "audit.measure"]
    for _, arguments in sent:
        tasks.measure(*arguments)
    assert client.get(f"{SNAPSHOTS}{taken['id']}/").json()["tables"][0]["rows"] == 4
