"""Reading an uploaded file: what CSV may look like, what is refused, and what is said about a line that is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection

from changes.errors import (
    BadColumns,
    BadMatch,
    BrokenCsv,
    EmptyFile,
    FileTooLarge,
    NotUtf8,
    SayIncluding,
    TooManyLines,
)
from changes.models import Change, ImportRow
from foundation.actor import Actor
from foundation.context import acting
from shop.models import Order
from tests.changes.uploads import problems, send, verdicts
from tests.personas import customer, order, tags

pytestmark = pytest.mark.django_db


def values(draft: Change) -> list[list[Any]]:
    return list(ImportRow.objects.filter(change_id=draft.pk).order_by("line").values_list("values", flat=True))


class TestForms:
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    def test_every_usual_form_is_read(self, at_work: Actor, separator: str, mark: bytes, ending: str) -> None:
        text = ending.join(separator.join(row) for row in (("number", "note"), ("A-1", "a"), ("A-2", "b"))) + ending
        draft = send(at_work, mark + text.encode(), match="none")
        assert values(draft) == [["A-1", "a"], ["A-2", "b"]]
        assert draft.options["file"]["separator"] == separator

    def test_quoted_cells_hold_line_breaks_and_separators(self, at_work: Actor) -> None:
        draft = send(at_work, 'number,note\nA-1,"one, two\nthree ""four"""\n\nA-2,x\n', match="none")
        assert values(draft)[0] == ["A-1", 'one, two\nthree "four"']
        assert list(verdicts(draft)) == [2, 5]

    def test_a_formula_is_text(self, at_work: Actor) -> None:
        one = order()
        draft = send(at_work, f'id,note\n{one.pk},"=HYPERLINK(""http://x"",1)"\n')
        assert values(draft)[0][1] == '=HYPERLINK("http://x",1)'

    @pytest.mark.parametrize("name", ["note", "NOTE", " note "])
    def test_a_column_is_named_as_the_field_or_as_people_call_it(self, at_work: Actor, name: str) -> None:
        draft = send(at_work, f"{name},placed,customer_id\na,2024-01-01,1\n")
        assert draft.options["file"]["columns"] == ["note", "placed_at", "customer"]

    def test_a_separator_inside_a_name_misleads_nobody(self, at_work: Actor) -> None:
        draft = send(at_work, "number;note\nA-1;a,b,c\n", match="none")
        assert values(draft) == [["A-1", "a,b,c"]]


class TestFilesThatCannotBeRead:
    @pytest.mark.parametrize(
        ("data", "error", "line"),
        [
            (b"", EmptyFile, None),
            (b"\n\n", EmptyFile, None),
            (b"number,note\n", EmptyFile, None),
            (b"number,note\nA-1,\xff\n", NotUtf8, 2),
            ("number,note\n".encode("utf-16"), NotUtf8, 1),
            (b'number,note\nA-1,x\nA-2,"open\n', BrokenCsv, 3),
            (b'number,note\nA-1,"x"y\n', BrokenCsv, 2),
            (b"number,note\nA-1,\x00\n", BrokenCsv, 2),
            (b"number,colour\nA-1,red\n", BadColumns, None),
            (b"number,number\nA-1,A-2\n", BadColumns, None),
            (b"number,is_deleted\nA-1,true\n", BadColumns, None),
            (b"number,tenant_id\nA-1,2\n", BadColumns, None),
            (b"number,\nA-1,2\n", BadColumns, None),
        ],
    )
    def test_the_file_is_refused_with_the_place(
        self, at_work: Actor, data: bytes, error: type[Exception], line: int | None
    ) -> None:
        with pytest.raises(error) as refused:
            send(at_work, data)
        assert refused.value.facts.get("line") == line  # type: ignore[attr-defined]
        assert "<" not in str(refused.value)
        assert not Change.objects.exists()

    def test_a_file_of_too_many_lines_is_refused(self, at_work: Actor, settings: Any) -> None:
        settings.CUSTODY_IMPORT_ROWS = 2
        with pytest.raises(TooManyLines):
            send(at_work, "number,note\n" + "A,b\n" * 3)

    def test_a_file_of_too_many_bytes_is_refused(self, at_work: Actor, settings: Any) -> None:
        settings.CUSTODY_IMPORT_BYTES = 100
        with pytest.raises(FileTooLarge):
            send(at_work, "number,note\n" + "A,b\n" * 30)

    def test_a_line_without_end_is_refused(self, at_work: Actor) -> None:
        with pytest.raises(BrokenCsv):
            send(at_work, "number,note\nA-1," + "x" * 1_000_001)

    def test_what_finds_a_row_must_be_in_the_file(self, at_work: Actor) -> None:
        with pytest.raises(BadMatch):
            send(at_work, "note\nx\n", match="number")

    def test_a_sensitive_column_is_read_only_by_saying_so(self, at_work: Actor) -> None:
        with pytest.raises(SayIncluding):
            send(at_work, "email,phone\na@b.example,1\n", "shop.customer")
        assert send(at_work, "email,phone\na@b.example,1\n", "shop.customer", including=["phone"])


class TestLinesThatAreWrong:
    @pytest.mark.parametrize(
        ("line", "column", "said"),
        [
            ("A-1,{c},many,open,2024-01-01", "total", "number"),
            ("A-1,{c},1.001,open,2024-01-01", "total", "decimal places"),
            ("A-1,{c},1,eaten,2024-01-01", "state", "Use one of: open, paid"),
            (",{c},1,open,2024-01-01", "number", "blank"),
            ("A-1,,1,open,2024-01-01", "customer", "never empty"),
            ("A-1,0,1,open,2024-01-01", "customer", "no living row"),
            ("A-1,{c},1,open,yesterday", "placed_at", "YYYY-MM-DD"),
            ("A-1,{c},1,open", "", "4 cells"),
            ("A-1,{c},1,open,2024-01-01,x", "", "6 cells"),
        ],
    )
    def test_the_line_the_column_the_value_and_the_way_out_are_told(
        self, at_work: Actor, line: str, column: str, said: str
    ) -> None:
        someone = customer()
        draft = send(at_work, "number,customer,total,state,placed_at\n" + line.format(c=someone.pk) + "\n")
        found = problems(draft)[2][0]
        assert found["column"] == column
        assert said in found["message"]

    def test_every_fault_of_a_line_is_told_at_once(self, at_work: Actor) -> None:
        draft = send(at_work, "number,customer,total,state\nA-1,x,y,z\n")
        assert [one["column"] for one in problems(draft)[2]] == ["customer", "total", "state"]

    def test_a_key_given_twice_names_both_lines(self, at_work: Actor) -> None:
        one = order()
        draft = send(at_work, f"id,note\n{one.pk},a\n0{one.pk},b\n")
        assert "Line 3 " in problems(draft)[2][0]["message"]
        assert "Line 2 " in problems(draft)[3][0]["message"]

    def test_a_unique_value_given_twice_is_wrong_too(self, at_work: Actor) -> None:
        one, other = order(), order()
        draft = send(at_work, f"id,number\n{one.pk},A\n{other.pk},A\n")
        assert set(problems(draft)) == {2, 3}

    def test_a_new_row_needs_what_no_default_gives(self, at_work: Actor) -> None:
        draft = send(at_work, "number,note\nA-1,x\n")
        assert "customer, placed" in problems(draft)[2][0]["message"]

    def test_what_postgresql_itself_cannot_read_is_found(self, at_work: Actor) -> None:
        one, other = customer(), customer()
        text = 'id,preferences\n{},"{{""a"": 1}}"\n{},"""\\ud800"""\n'
        draft = send(at_work, text.format(one.pk, other.pk), "shop.customer")
        assert list(problems(draft)) == [3]
        assert problems(draft)[3][0]["column"] == "preferences"


class TestVerdicts:
    def test_each_line_is_new_changed_the_same_or_in_conflict(self, at_work: Actor) -> None:
        changed, same, gone = order(note="a"), order(note="b"), order(note="c")
        gone.delete()
        someone = customer()
        lines = [
            f"{changed.number},x,{changed.customer_id},2024-01-01",
            f"{same.number},b,{same.customer_id},{same.placed_at.isoformat()}",
            f"{gone.number},x,{someone.pk},2024-01-01",
            f"NEW-1,x,{someone.pk},2024-01-01",
        ]
        draft = send(at_work, "number,note,customer,placed_at\n" + "\n".join(lines))
        assert verdicts(draft) == {2: "changed", 3: "same", 4: "conflict", 5: "new"}
        assert ImportRow.objects.get(change_id=draft.pk, line=4).reason == "deleted"
        assert Order.objects.count() == 2

    def test_a_numbered_key_that_is_not_there_is_no_new_row(self, at_work: Actor, outsider: Actor) -> None:
        with acting(outsider):
            theirs = order()
        with acting(at_work):
            draft = send(at_work, f"id,note\n{theirs.pk},x\n999999,y\n")
            rows = ImportRow.objects.filter(change_id=draft.pk).values_list("verdict", "reason")
            assert set(rows) == {("conflict", "gone")}

    def test_a_unique_value_of_another_row_is_a_conflict(self, at_work: Actor) -> None:
        one, other = order(), order()
        draft = send(at_work, f"id,number\n{one.pk},{other.number}\n")
        row = ImportRow.objects.get(change_id=draft.pk)
        assert (row.verdict, row.reason, row.detail) == ("conflict", "unique_taken", "number")

    def test_lines_of_another_tenant_are_not_seen(self, at_work: Actor, outsider: Actor) -> None:
        send(at_work, "number,note\nA,b\n")
        with acting(outsider):
            assert not ImportRow.objects.exists()


class TestPlans:
    def test_each_of_a_few_lines_looks_its_row_up_where_nothing_has_statistics(
        self, at_work: Actor, django_assert_max_num_queries: Any
    ) -> None:
        """Read once per line, 400 lines over 75,000 rows took half a minute."""
        rows = tags(2_000)[:3]  # so many that reading them all is no better way, whoever analyzed the table meanwhile
        text = "id,tag\n" + "".join(f"{row.pk},other\n" for row in rows)
        with django_assert_max_num_queries(60) as asked:
            draft = send(at_work, text, entity="shop.usertag", match="key")
        assert set(verdicts(draft).values()) == {"changed"}
        found = [query["sql"] for query in asked.captured_queries if "verdict = s.verdict" in query["sql"]]
        assert len(found) == 2, "one for living rows, one for the recycle bin"
        with connection.cursor() as cursor:
            for sql in found:
                cursor.execute(f"EXPLAIN {sql}")
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert re.search(r"Index Cond: .*\(id = ", plan), plan
                assert "Seq Scan on shop_usertag" not in plan, plan
