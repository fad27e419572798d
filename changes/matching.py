"""What each line of an imported file would do, found out by the database for all lines at once.

Asked when the file is sent, so that it can be looked at, and once more when the change is frozen: what has come to stand
against a line meanwhile is then a conflict.
"""

from __future__ import annotations

from typing import Any

from django.db import DataError, connection, models, transaction
from django.utils.translation import gettext as _

from audit.entity import SoftDeleted
from audit.names import place, quote, split_table
from changes import writable
from changes.freezing import MANY, WORK_MEM
from changes.import_layout import Layout
from changes.models import Change, ImportRow
from changes.obstacles import Unique, relevant, taken
from changes.states import SkipReason, Verdict
from changes.versions import differ

MINE = "i.tenant_id = %(tenant)s AND i.change_id = %(change)s"


class Matcher:
    """The staged lines of one change."""

    def __init__(self, change: Change, layout: Layout) -> None:
        self.layout = layout
        self.table = layout.table
        self.lines = ImportRow.objects.filter(change_id=change.pk).count()
        self.values: dict[str, Any] = {"tenant": change.tenant_id, "change": change.pk, **layout.parameters()}

    def judge(self) -> None:
        """The verdict of every line of a file that was just sent."""
        self._unreadable()
        for columns in self._identities():
            self._twice(columns)
        self._find()
        for field in self._links():
            self._orphans(field, "verdict = 'wrong', problems = z.problems || s.problem")
        self._taken()

    def judge_again(self) -> None:
        """The same at the freeze, for the lines that are not wrong."""
        self.execute(
            "UPDATE changes_importrow i SET verdict = 'new', reason = '', detail = '', position = NULL, key = NULL "
            f"WHERE {MINE} AND i.verdict <> 'wrong'"
        )
        self._find()
        for field in self._links():
            conflict = f"verdict = 'conflict', reason = '{SkipReason.PARENT}', detail = {_text(field.name)}"
            self._orphans(field, conflict)
        self._taken()

    def execute(self, sql: str, **more: Any) -> int:
        """Run one statement; return its row count."""
        with connection.cursor() as cursor:
            nested = "off" if self.lines > MANY else "on"
            cursor.execute(f"SET LOCAL enable_nestloop = {nested}; SET LOCAL work_mem = '{WORK_MEM}'")
            cursor.execute(sql, {**self.values, **more})
            return int(cursor.rowcount)

    def _mark(self, sets: str, rows: str, **more: Any) -> None:
        """Write the verdict of the lines that `rows` selects, as s."""
        self.execute(
            f"UPDATE changes_importrow z SET {sets} FROM ({rows}) s "
            "WHERE z.tenant_id = %(tenant)s AND z.change_id = %(change)s AND z.line = s.line",
            **more,
        )

    def _lines(self, verdicts: tuple[Verdict, ...], *, whole: bool = False) -> str:
        wanted = ", ".join(f"'{verdict}'" for verdict in verdicts)
        return f"FROM changes_importrow i {self.layout.typed(whole=whole)} WHERE {MINE} AND i.verdict IN ({wanted})"

    # -- what PostgreSQL itself cannot read ------------------------------------------------------------

    def _unreadable(self) -> None:
        """Values that passed their fields and yet are none of the column's type: the range is halved to the line."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT coalesce(min(line), 1) - 1, coalesce(max(line), 0) FROM changes_importrow i WHERE {MINE}",
                self.values,
            )
            ranges = [cursor.fetchone()]
        while ranges:
            lo, hi = ranges.pop()
            error = self._refused(lo, hi) if hi > lo else None
            if error is not None and hi - lo == 1:
                self._blame(hi)
            elif error is not None:
                middle = (lo + hi) // 2
                ranges += [(lo, middle), (middle, hi)]

    def _refused(self, lo: int, hi: int, column: str = "") -> str | None:
        names = [column] if column else [str(field.column) for field in self.layout.fields]
        counts = ", ".join(f"count(v.{quote(name)})" for name in names)
        lines = self._lines((Verdict.NEW,))
        try:
            with transaction.atomic():
                self.execute(f"SELECT {counts} {lines} AND i.line > %(lo)s AND i.line <= %(hi)s", lo=lo, hi=hi)
        except DataError as error:
            return str(error).splitlines()[0]
        return None

    def _blame(self, line: int) -> None:
        for number, field in enumerate(self.layout.fields):
            error = self._refused(line - 1, line, str(field.column))
            if error is not None:
                self._mark(
                    "verdict = 'wrong', problems = z.problems || s.problem",
                    f"SELECT i.line, {PROBLEM.format(value=f'i.values->>{number}')} FROM changes_importrow i "
                    f"WHERE {MINE} AND i.line = %(line)s",
                    line=line,
                    column=field.name,
                    message=error,
                )
                return

    # -- the file against itself -------------------------------------------------------------------------

    def _identities(self) -> list[tuple[str, ...]]:
        """Sets of columns that no two lines may share: what finds the row, and what is unique."""
        have = {str(field.column) for field in self.layout.fields}
        found = [tuple(str(field.column) for field in self.layout.match)] if self.layout.match else []
        for unique in relevant(self.layout.entity, tuple(have)):
            columns = tuple(c for c in unique.columns if c != "tenant_id")
            if columns and set(columns) <= have and columns not in found:
                found.append(columns)
        return found

    def _twice(self, columns: tuple[str, ...]) -> None:
        keys = ", ".join(f"v.{quote(c)}" for c in columns)
        filled = " AND ".join(f"v.{quote(c)} IS NOT NULL" for c in columns)
        fields = [f for f in self.layout.fields if str(f.column) in columns]
        value = " || ' / ' || ".join(f"(i.values->>{self.layout.fields.index(f)})" for f in fields)
        self._mark(
            "verdict = 'wrong', problems = z.problems || s.problem",
            f"SELECT line, {PROBLEM.format(value='value').replace(MESSAGE, OTHER)} FROM (SELECT i.line, {value} AS value, "
            f"coalesce(lag(i.line) OVER w, lead(i.line) OVER w) AS other {self._lines((Verdict.NEW, Verdict.WRONG))} "
            f"AND {filled} WINDOW w AS (PARTITION BY {keys} ORDER BY i.line)) twice WHERE other IS NOT NULL",
            column=fields[0].name,
            message=_("Line {other} has the same. Keep one of the two."),
        )

    # -- the file against the table ------------------------------------------------------------------------

    def _find(self) -> None:
        """The row a line is about: a living one first, else one in the recycle bin."""
        if self.layout.match:
            self._found("NOT o.is_deleted")
            self._found("o.is_deleted")
        if self.layout.by_serial:
            named = " AND ".join(f"v.{quote(str(f.column))} IS NOT NULL" for f in self.layout.match)
            self._mark(
                f"verdict = 'conflict', reason = '{SkipReason.GONE}'",
                f"SELECT i.line {self._lines((Verdict.NEW,))} AND {named}",
            )
        if self.layout.missing:
            names = ", ".join(str(field.verbose_name) for field in self.layout.missing)
            self._mark(
                "verdict = 'wrong', problems = z.problems || s.problem",
                f"SELECT i.line, {PROBLEM.format(value=repr(''))} FROM changes_importrow i "
                f"WHERE {MINE} AND i.verdict = 'new'",
                column=self.layout.missing[0].name,
                message=_("A new row needs: %s. Add the column to the file.") % names,
            )

    def _found(self, which: str) -> None:
        layout, table = self.layout, self.table
        same = " AND ".join(f"o.{quote(str(f.column))} = v.{quote(str(f.column))}" for f in layout.match)
        moved = differ(layout.entity, layout.written, "o", "v")
        position = f"o.{quote(table.key[0][0])}" if table.integer_key else "NULL::bigint"
        self._mark(
            "verdict = s.verdict, reason = s.reason, position = s.position, key = s.key",
            f"SELECT i.line, CASE WHEN o.is_deleted THEN 'conflict' WHEN {moved} THEN 'changed' ELSE 'same' END AS verdict, "
            f"CASE WHEN o.is_deleted THEN '{SkipReason.DELETED}' ELSE '' END AS reason, {position} AS position, "
            f"{table.key_json()} AS key FROM changes_importrow i {layout.typed()} "
            f"{self._row_where(f'{same} AND {table.tenant()} AND {which}')} WHERE {MINE} AND i.verdict = 'new'",
        )

    def _row_where(self, stands: str) -> str:
        """Join o. OFFSET 0 has each of a few lines look its row up: the planner believes that a fresh change has one line,
        and would read a table without statistics once per line. Many lines are joined by hash, see `execute`.
        """
        if self.lines > MANY:
            return f"JOIN {self.table.name} o ON {stands}"
        return f"JOIN LATERAL (SELECT o.* FROM {self.table.name} o WHERE {stands} OFFSET 0) o ON true"

    def _links(self) -> list[Any]:
        return [field for field in self.layout.fields if isinstance(field, models.ForeignKey)]

    def _orphans(self, field: Any, sets: str) -> None:
        """Lines whose link leads to no living row."""
        parent: Any = field.remote_field.model
        governed = issubclass(parent, SoftDeleted)
        tenant = " AND q.tenant_id = %(tenant)s" if governed and parent.governance.tenant else ""
        link, number = f"v.{quote(str(field.column))}", self.layout.fields.index(field)
        self._mark(
            sets,
            f"SELECT i.line, {PROBLEM.format(value=f'i.values->>{number}')} FROM changes_importrow i "
            f"{self.layout.typed()} LEFT JOIN {place(split_table(parent._meta.db_table))} q "
            f"ON q.{quote(str(field.target_field.column))} = {link}{tenant}{' AND NOT q.is_deleted' if governed else ''} "
            f"WHERE {MINE} AND i.verdict IN ('new', 'changed') AND {link} IS NOT NULL "
            f"AND q.{quote(str(field.target_field.column))} IS NULL",
            column=field.name,
            message=writable.no_such_parent(field),
        )

    def _taken(self) -> None:
        """Lines whose unique value another row of the table holds."""
        layout, table = self.layout, self.table
        own = f"coalesce({table.match('t', 'i')}, false)"
        for unique in relevant(layout.entity, layout.created):
            stands = taken(table, unique, self._value_of, own=own)
            self._mark(
                f"verdict = 'conflict', reason = '{SkipReason.UNIQUE}', detail = {_text(self._name(unique))}",
                f"SELECT i.line FROM changes_importrow i {layout.typed(whole=True)} "
                f"LEFT JOIN {table.name} o ON {table.match('o', 'i')} AND {table.tenant()} "
                f"WHERE {MINE} AND (i.verdict = 'new' OR (i.verdict = 'changed' AND {self._writes(unique)})) AND {stands}",
            )

    def _writes(self, unique: Unique) -> str:
        return "true" if set(unique.columns) & set(self.layout.written) else "false"

    def _value_of(self, column: str) -> str:
        """What a column will hold: the file's value, else the new row's default or the row's own."""
        if column == "is_deleted":
            return "false"
        if column == "tenant_id" and self.table.has_tenant:
            return "%(tenant)s"
        if column in self.layout.given:
            return f"v.{quote(column)}"
        if column in self.layout.created:
            return f"CASE WHEN i.verdict = 'new' THEN v.{quote(column)} ELSE o.{quote(column)} END"
        return f"o.{quote(column)}"

    def _name(self, unique: Unique) -> str:
        names = {str(f.column): str(f.name) for f in self.layout.entity._meta.local_concrete_fields}
        return ", ".join(names[c] for c in unique.columns if c != "tenant_id")


MESSAGE = "%(message)s::text"
OTHER = f"replace({MESSAGE}, '{{other}}', other::text)"
PROBLEM = (
    "jsonb_build_array(jsonb_build_object('column', %(column)s::text, 'value', left({value}, 80), "
    f"'message', {MESSAGE})) AS problem"
)


def _text(name: str) -> str:
    return "'" + name.replace("'", "''").replace("%", "%%") + "'"


def reserve_keys(matcher: Matcher) -> None:
    """Give every new row its place: a number of the sequence, or its rank in key order."""
    layout, table = matcher.layout, matcher.table
    if any(writable.is_serial(field) for field in layout.entity._meta.pk_fields):
        place_of = "nextval(pg_get_serial_sequence(%(table)s, %(column)s))"
        matcher._mark(
            "position = s.position",
            f"SELECT line, {place_of} AS position FROM (SELECT i.line FROM changes_importrow i WHERE {MINE} "
            "AND i.verdict = 'new' ORDER BY i.line) n",
            table=table.name,
            column=table.key[0][0],
        )
        return
    keys = [f"v.{quote(column)}" for column, _ in table.key]
    rank = keys[0] if table.integer_key else f"row_number() OVER (ORDER BY {', '.join(keys)})"
    key = "NULL::jsonb" if table.integer_key else f"jsonb_build_array({', '.join(f'{k}::text' for k in keys)})"
    matcher._mark(
        "position = s.position, key = s.key",
        f"SELECT i.line, {rank} AS position, {key} AS key {matcher._lines((Verdict.NEW,), whole=True)}",
    )
