"""An import changes rows and adds rows through the same door as a delete, and its undo takes both back."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from changes import execution, lanes
from changes.digests import change_digest
from changes.effects import EFFECTS
from changes.errors import EmptySelection, ImportNotFound, NotTheRequester, WrongLines, WrongState
from changes.models import Change, ImportRow, SkippedRow
from changes.plan import PartPlan
from changes.states import Effect, SkipReason, State
from changes.tables import BY_KEY, table_of
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Customer, Order
from tests.changes.uploads import ask_import, problems, send, verdicts
from tests.journey import agree, ask, carry_out, checksum, keys_of, one_chunk, start, undo, work
from tests.personas import customer, order, orders

HEADER = "number,note,customer,placed_at,total\n"


def lines_for(rows: list[Any], note: str = "imported") -> str:
    return "".join(f"{r.number},{note},{r.customer_id},{r.placed_at.isoformat()},{r.total}\n" for r in rows)


def new_lines(someone: Any, *numbers: str) -> str:
    return "".join(f"{number},new,{someone.pk},2024-05-06T07:08:09Z,12.50\n" for number in numbers)


@pytest.mark.django_db
class TestCarryingOut:
    def test_rows_that_are_there_change_and_others_are_added(self, at_work: Actor, chunks_of_two: None) -> None:
        there, someone = orders(3), customer()
        draft = send(at_work, HEADER + lines_for(there) + new_lines(someone, "N-1", "N-2", "N-3"))
        done = work(ask_import(at_work, draft).change)
        assert (done.pk, done.state, done.applied, done.skipped) == (draft.pk, State.DONE, 6, 0)
        assert done.verification is not None
        assert done.verification["equal"]
        assert set(Order.objects.filter(pk__in=[r.pk for r in there]).values_list("note", flat=True)) == {"imported"}
        made = Order.objects.get(number="N-2")
        assert (str(made.total), made.currency, made.state, made.status) == ("12.50", "EUR", "open", "active")
        assert (made.placed_at.isoformat(), made.retention_policy) == ("2024-05-06T07:08:09+00:00", "standard")

    def test_the_parts_say_what_is_frozen(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for(orders(2)) + new_lines(customer(), "N-1"))
        parts = ask_import(at_work, draft).change.parts.all()
        assert [(part.effect, part.rows) for part in parts] == [(Effect.LOAD, 2), (Effect.CREATE, 1)]
        assert set(parts[0].columns) == {"note", "customer_id", "placed_at", "total", "updated_at"}

    def test_a_line_that_changes_nothing_is_not_frozen(self, at_work: Actor) -> None:
        same = order(note="as it was")
        draft = send(at_work, HEADER + lines_for([same], "as it was") + lines_for([order()]))
        assert ask_import(at_work, draft).change.rows_total == 1

    def test_a_file_that_changes_nothing_is_nothing_to_ask_for(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for([order(note="x")], "x"))
        with pytest.raises(EmptySelection):
            ask_import(at_work, draft)

    def test_undo_takes_back_what_was_changed_and_what_was_added(self, at_work: Actor, chunks_of_two: None) -> None:
        there, someone = orders(3, note="before"), customer()
        before = checksum("shop_order")
        draft = send(at_work, HEADER + lines_for(there) + new_lines(someone, "N-1", "N-2"))
        back = undo(work(ask_import(at_work, draft).change), at_work)
        assert (back.applied, back.skipped) == (5, 0)
        assert sorted(Order.objects.values_list("pk", flat=True)) == sorted(r.pk for r in there)
        assert set(Order.deleted.values_list("number", flat=True)) == {"N-1", "N-2"}
        living = "(SELECT * FROM shop_order WHERE NOT is_deleted)"
        assert list(checksum(living).values()) == list(before.values())

    def test_every_kind_of_value_is_read(self, at_work: Actor) -> None:
        text = (
            "email,name,born_on,credit_limit,score,preferences,labels,notes\n"
            'a@b.example,"Zoë ""x"", 🦊 %s \\",0001-01-01,12345678901234567890.0123456789,-0.0,'
            '"{""a"": [1, null]}","[""a,b"", ""NULL""]","=1+1\nnext"\n'
            "c@d.example,Plain,,,,{},[],\n"
        )
        draft = send(at_work, text, "shop.customer")
        assert problems(draft) == {
            3: [{"column": "preferences", "value": "{}", "message": "This field cannot be blank."}]
        } or not problems(draft)
        work(ask_import(at_work, draft, leave_out=True).change)
        made = Customer.objects.get(email="a@b.example")
        assert (made.name, str(made.score), made.notes) == ('Zoë "x", 🦊 %s \\', "-0.0", "=1+1\nnext")
        assert (made.preferences, made.labels) == ({"a": [1, None]}, ["a,b", "NULL"])
        assert (str(made.credit_limit), made.born_on.isoformat()) == ("12345678901234567890.0123456789", "0001-01-01")

    def test_every_line_is_new_where_nothing_finds_a_row(self, at_work: Actor) -> None:
        one = order()
        draft = send(at_work, f"order,product,price\n{one.pk},tea,1\n{one.pk},tea,1\n", "shop.orderitem")
        assert work(ask_import(at_work, draft).change).applied == 2


class TestOtherKeys:
    def test_text_keys(self, odd: Any, operator: Actor) -> None:
        odd.Code.objects.create(code="a", name="A")
        draft = send(operator, "code,name,parent\na,AA,\nb,B,a\n", "testapp.code")
        assert verdicts(draft) == {2: "changed", 3: "new"}
        done = work(ask_import(operator, draft).change)
        assert done.applied == 2
        assert set(odd.Code.objects.values_list("code", "name", "parent")) == {("a", "AA", None), ("b", "B", "a")}
        assert undo(done, operator).applied == 2
        assert set(odd.Code.objects.values_list("code", "name")) == {("a", "A")}

    def test_uuid_keys_are_made_where_the_file_has_none(self, odd: Any, operator: Actor) -> None:
        code = odd.Code.objects.create(code="a", name="A")
        draft = send(operator, "code,text\na,one\na,two\n", "testapp.label")
        assert work(ask_import(operator, draft).change).applied == 2
        assert set(odd.Label.objects.filter(code=code).values_list("text", flat=True)) == {"one", "two"}

    def test_keys_of_several_columns(self, odd: Any, operator: Actor) -> None:
        code = odd.Code.objects.create(code="a", name="A")
        odd.Line.objects.create(code=code, number=1, text="x")
        draft = send(operator, "code,number,text\na,1,xx\na,2,yy\n", "testapp.line")
        assert verdicts(draft) == {2: "changed", 3: "new"}
        done = work(ask_import(operator, draft).change)
        assert done.applied == 2
        assert set(odd.Line.objects.values_list("number", "text")) == {(1, "xx"), (2, "yy")}
        assert undo(done, operator).applied == 2


@pytest.mark.django_db
class TestRefusals:
    def test_with_a_wrong_line_nothing_is_imported(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for(orders(2)) + "X,y,0,never,many\n")
        with pytest.raises(WrongLines) as refused:
            ask_import(at_work, draft)
        assert (refused.value.facts["lines"], refused.value.facts["first"]) == (1, 4)
        draft.refresh_from_db()
        assert draft.state == State.DRAFT

    def test_wrong_lines_are_left_out_on_demand(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for(orders(2)) + "X,y,0,never,many\n")
        assert work(ask_import(at_work, draft, leave_out=True).change).applied == 2

    def test_a_conflict_is_listed_and_left_out(self, at_work: Actor) -> None:
        gone = order()
        gone.delete()
        draft = send(at_work, HEADER + lines_for([gone, order()]))
        made = ask_import(at_work, draft).change
        row = SkippedRow.objects.get(change=made)
        assert (row.reason, row.detail) == (SkipReason.DELETED, "line 2")
        assert [part.conflicts for part in made.parts.all()] == [1]

    def test_a_parent_deleted_since_the_file_was_sent_is_a_conflict(self, at_work: Actor) -> None:
        someone = customer()
        draft = send(at_work, HEADER + new_lines(someone, "N-1") + lines_for([order()]))
        work(ask(at_work, "shop.customer", keys_of([someone])).change)
        made = ask_import(at_work, draft).change
        assert SkippedRow.objects.get(change=made).reason == SkipReason.PARENT
        assert made.rows_total == 1

    def test_an_upload_that_is_none_is_not_found(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for([order()]))
        for wrong in (draft.pk + 1, "x", None, True):
            with pytest.raises(ImportNotFound):
                ask(at_work, "shop.order", None, operation="import", options={"import": wrong})
        with pytest.raises(ImportNotFound):
            ask(at_work, "shop.customer", None, operation="import", options={"import": draft.pk})
        with pytest.raises(ImportNotFound):  # the change would not be the upload
            ask(at_work, "shop.order", None, operation="import", options={"import": draft.pk})

    def test_a_file_is_imported_once(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for([order()]))
        ask_import(at_work, draft)
        with pytest.raises(WrongState):
            ask_import(at_work, draft)

    def test_only_who_sent_a_file_asks_for_it(self, at_work: Actor, engineer: Actor) -> None:
        draft = send(at_work, HEADER + lines_for([order()]))
        with pytest.raises(NotTheRequester):
            ask_import(engineer, draft)

    def test_a_draft_that_is_thrown_away_takes_its_lines_along(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + lines_for([order()]))
        execution.discard(draft.pk, actor=at_work)
        assert not ImportRow.objects.exists()

    def test_many_rows_need_another_person(self, at_work: Actor) -> None:
        draft = send(at_work, HEADER + new_lines(customer(), *(f"N-{n}" for n in range(11))))
        assert ask_import(at_work, draft).ticket is not None


@pytest.mark.django_db
class TestWhatWasAgreedTo:
    @pytest.fixture
    def frozen(self, at_work: Actor) -> Change:
        text = HEADER + lines_for(orders(6)) + new_lines(customer(), *(f"N-{n}" for n in range(6)))
        return ask_import(at_work, send(at_work, text)).change

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE changes_importrow SET \"values\" = '[]' WHERE change_id = {id} AND line = 2",
            "UPDATE changes_importrow SET line = 99 WHERE change_id = {id} AND line = 2",
            "DELETE FROM changes_importrow WHERE change_id = {id} AND line = 2",
            'INSERT INTO changes_importrow (tenant_id, change_id, line, verdict, reason, detail, "values", problems) '
            "VALUES (1, {id}, 99, 'new', '', '', '[]', '[]')",
        ],
    )
    def test_the_lines_of_a_frozen_import_stay(self, frozen: Change, statement: str) -> None:
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(id=frozen.pk))

    def test_the_fingerprint_covers_every_line(self, frozen: Change, owner: Any, at_work: Actor) -> None:
        parts = [
            PartPlan(number=p.part, entity=Order, effect=Effect(p.effect), columns=tuple(p.columns), rows=p.rows)
            for p in frozen.parts.all()
        ]
        assert change_digest(frozen, parts, frozen.schema_fingerprint) == frozen.digest
        options = frozen.options
        frozen.options = {**options, "leave_out": True}
        assert change_digest(frozen, parts, frozen.schema_fingerprint) != frozen.digest

    def test_another_value_in_the_file_is_another_fingerprint(self, at_work: Actor) -> None:
        from changes.effects import load

        one = order()
        digests = []
        for note in ("a", "b"):
            made = ask_import(at_work, send(at_work, HEADER + lines_for([one], note))).change
            digests.append(load.content(made, 0))
        assert digests[0] != digests[1]


@pytest.mark.django_db
def test_a_chunk_looks_each_line_up_by_its_whole_key(at_work: Actor) -> None:
    """Fresh lines have no statistics; read by change alone, a chunk of ten thousand would read a hundred million."""
    text = HEADER + lines_for(orders(2)) + new_lines(customer(), "N-1")
    change = ask_import(at_work, send(at_work, text)).change
    for part in change.parts.all():
        effect = EFFECTS[part.effect]
        values = {"tenant": 1, "change": change.pk, "part": part.part, "lo": 0, "hi": 2**62}
        with connection.cursor() as cursor:
            cursor.execute(f"{BY_KEY.settings}; SET LOCAL enable_seqscan = off")
            sql = effect.chunk_sql(change, table_of(Order), part, "true")
            cursor.execute(f"EXPLAIN {sql}", values | effect.values(change, part))
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert re.search(r"Index Cond: .*\(line = r\.before_id\)", plan), plan


class TestWhileItRuns:
    @pytest.fixture
    def frozen(self, real_db: Any, operator: Actor, approver: Actor) -> Change:
        with acting(operator):
            self.rows = orders(6)
            text = HEADER + lines_for(self.rows) + new_lines(customer(), *(f"N-{n}" for n in range(6)))
        outcome = ask_import(operator, send(operator, text))
        agree(outcome.ticket, approver)
        return outcome.change

    def test_a_row_that_moved_and_a_value_that_was_taken_are_left_alone(self, frozen: Change, operator: Actor) -> None:
        with acting(operator):
            Order.objects.filter(pk=self.rows[0].pk).update(note="mine")
            order(number="N-3")
        start(frozen, operator)
        done = work(frozen)
        assert (done.applied, done.skipped) == (10, 2)
        with acting(operator):
            reasons = SkippedRow.objects.filter(change=done).values_list("reason", flat=True)
            assert set(reasons) == {SkipReason.CHANGED, SkipReason.UNIQUE}
            assert Order.objects.get(pk=self.rows[0].pk).note == "mine"

    def test_a_crash_midway_adds_nothing_twice(self, frozen: Change, operator: Actor, settings: Any) -> None:
        settings.CUSTODY_CHUNK_ROWS = 4
        start(frozen, operator)
        for _ in range(4):
            one_chunk(frozen)
        with acting(operator):
            old = timezone.now() - timedelta(hours=1)
            lanes.Lane.objects.filter(change_id=frozen.pk).update(worker="dead", heartbeat_at=old)
        done = work(frozen, worker="second")
        with acting(operator):
            assert (done.applied, done.state, Order.objects.count()) == (12, State.DONE, 12)
        assert done.verification is not None
        assert done.verification["equal"]

    def test_a_chunk_that_is_rolled_back_is_done_again_under_the_same_keys(
        self, frozen: Change, operator: Actor
    ) -> None:
        with acting(operator):
            reserved = set(
                ImportRow.objects.filter(change_id=frozen.pk, verdict="new").values_list("position", flat=True)
            )
        start(frozen, operator)
        with acting(operator), pytest.raises(RuntimeError), transaction.atomic():
            one_chunk(frozen)
            raise RuntimeError
        work(frozen)
        with acting(operator):
            assert set(Order.objects.filter(number__startswith="N-").values_list("pk", flat=True)) == reserved

    def test_it_is_undone_after_a_vote(self, frozen: Change, operator: Actor, approver: Actor) -> None:
        start(frozen, operator)
        back = undo(work(frozen), operator, approver)
        assert back.applied == 12

    def test_two_imports_of_one_file_add_every_row_once(self, real_db: Any, operator: Actor) -> None:
        with acting(operator):
            text = HEADER + new_lines(customer(), *(f"N-{n}" for n in range(5)))
        made = [ask_import(operator, send(operator, text)).change for _ in range(2)]
        gate = Barrier(2)

        def run(change: Change) -> Change:
            try:
                gate.wait()
                return work(change, worker=f"w{change.pk}")
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(run, made))
        with acting(operator):
            assert Order.objects.count() == 5
        assert sum(change.applied for change in done) == 5
        assert sum(change.skipped for change in done) == 5

    def test_what_two_people_ask_for_at_once_is_two_changes(self, real_db: Any, operator: Actor) -> None:
        with acting(operator):
            draft = send(operator, HEADER + lines_for([order()]))
        gate = Barrier(2)

        def ask_once(_: int) -> str:
            try:
                gate.wait()
                return str(ask_import(operator, draft).change.pk)
            except WrongState:
                return "refused"
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(ask_once, range(2))) == sorted([str(draft.pk), "refused"])


def test_a_large_file_goes_through_in_one_go(real_db: Any, operator: Actor, approver: Actor) -> None:
    with acting(operator):
        someone = customer()
    text = HEADER + new_lines(someone, *(f"N-{n:05}" for n in range(3_000)))
    draft = send(operator, text)
    done = carry_out(ask_import(operator, draft), operator, approver)
    assert (done.state, done.applied) == (State.DONE, 3_000)
