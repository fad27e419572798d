"""Freezing of an import: rows that change with the token they have now, new rows with the key they will get."""

from __future__ import annotations

from changes import staging
from changes.effects import assign, create, load
from changes.errors import ImportNotFound, WrongLines
from changes.freezing import Freezer
from changes.matching import MINE, Matcher, reserve_keys
from changes.models import Change
from changes.plan import PartPlan, Plan
from changes.reverting import INTO, SKIP
from changes.states import Effect, Verdict


class ImportFreezer(Freezer):
    """Freezes the lines of one upload."""

    def __init__(self, change: Change) -> None:
        super().__init__(tenant_id=change.tenant_id, change_id=change.pk)
        if change.options["import"] != change.pk:
            raise ImportNotFound(field="options.import", value=change.options["import"])
        self.change = change
        self.layout = load.layout_of(change)
        self.matcher = Matcher(change, self.layout)

    def freeze_import(self) -> Plan:
        """Judge the lines against this one state of the tables, then freeze them. Raises WrongLines."""
        self.matcher.judge_again()
        counted = staging.counts(self.change)
        if counted[Verdict.WRONG] and not self.change.options["leave_out"]:
            raise WrongLines(
                field="options.leave_out", lines=counted[Verdict.WRONG], first=staging.first_wrong(self.change)
            )
        written = assign.with_quiet(self.layout.entity, dict.fromkeys(self.layout.written))
        changed = self.add_part(self.layout.entity, Effect.LOAD, written)
        added = self.add_part(self.layout.entity, Effect.CREATE, create.columns(self.layout))
        reserve_keys(self.matcher)
        self._freeze_changed(changed)
        self._freeze_added(added)
        changed.selected = changed.rows
        self._list_conflicts(changed, "i.position IS NOT NULL OR i.key IS NOT NULL")
        self._list_conflicts(added, "i.position IS NULL AND i.key IS NULL")
        return Plan(parts=[part for part in self.parts if part.rows or part.conflicts])

    def _freeze_changed(self, part: PartPlan) -> None:
        table = self.layout.table
        rank = "o.position" if table.integer_key else f"row_number() OVER (ORDER BY {table.order()})"
        part.rows = self._place(
            part,
            f"SELECT i.line, {rank.replace('o.position', 'i.position')} AS position FROM changes_importrow i "
            f"JOIN {table.name} o ON {table.match('o', 'i')} AND {table.tenant()} "
            f"WHERE {MINE} AND i.verdict = '{Verdict.CHANGED}'",
            f"JOIN {table.name} o ON {table.match('o', 'i')} AND {table.tenant()}",
            "o.xmin",
        )

    def _freeze_added(self, part: PartPlan) -> None:
        rows = f"SELECT i.line, i.position FROM changes_importrow i WHERE {MINE} AND i.verdict = '{Verdict.NEW}'"
        part.rows = self._place(part, rows, "", "'0'::xid")

    def _place(self, part: PartPlan, rows: str, join: str, token: str) -> int:
        """Name the frozen row in each line, and freeze it."""
        self.matcher.execute(
            f"UPDATE changes_importrow z SET part = {part.number}, position = s.position FROM ({rows}) s "
            "WHERE z.tenant_id = %(tenant)s AND z.change_id = %(change)s AND z.line = s.line"
        )
        return self.matcher.execute(
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, i.position, {token}, i.key, i.line, NULL "
            f"FROM changes_importrow i {join} WHERE {MINE} AND i.part = {part.number} ORDER BY i.position"
        )

    def _list_conflicts(self, part: PartPlan, which: str) -> None:
        """Lines that are left out, listed like every row that is left alone; one without a row by its line."""
        part.conflicts = self.matcher.execute(
            f"{SKIP} SELECT %(tenant)s, %(change)s, {part.number}, -i.line, "
            "coalesce(i.key, jsonb_build_array(coalesce(i.position::text, format('line %%s', i.line)))), i.reason, "
            f"concat_ws(', ', format('line %%s', i.line), nullif(i.detail, '')) FROM changes_importrow i "
            f"WHERE {MINE} AND i.verdict = '{Verdict.CONFLICT}' AND ({which})"
        )
