"""Freezing of a restore: chosen rows of the recycle bin, with what went along with them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from audit.entity import SoftDeleted
from audit.names import quote
from changes.freezing import delete_columns, named_parameters, parent_join
from changes.plan import PartPlan
from changes.relations import Rule, dependants
from changes.reverting import INTO, Reverter
from changes.states import Effect
from changes.tables import Table, table_of


class RestoreFreezer(Reverter):
    """Freezes the rows of a restore."""

    def freeze_restore(self, rows: QuerySet[Any], entity: type[SoftDeleted]) -> None:
        """The selected deleted rows, and dependants that went with them in the same change."""
        part = self.add_part(entity, Effect.RECALL, delete_columns(entity))
        table = table_of(entity)
        columns = [field.attname for field in entity._meta.pk_fields]
        sql, named = named_parameters(*rows.order_by().values_list(*columns).query.sql_with_params())
        names = ", ".join(quote(column) for column, _ in table.key)
        part.rows += self.execute(
            self._restore_sql(table, part, f"JOIN ({sql}) AS s ({names}) ON {table.match_history('s', 'o')}", "true"),
            **named,
        )
        part.selected = part.rows
        self.find_conflicts(part)
        queue = [part]
        while queue:
            queue += self._restore_children(queue.pop(0))
        self.parents_gone()

    def _restore_sql(self, table: Table, part: PartPlan, join: str, where: str) -> str:
        """Deleted rows with their latest version a, the last one b in which they were alive, and d that ended it."""
        history = f"FROM {table.history} h WHERE {table.match_history('h', 'o')} AND {table.tenant('h')}"
        return (
            f"{INTO} SELECT %(tenant)s, %(change)s, {part.number}, {table.position(base=str(part.rows))}, o.xmin, "
            f"{table.key_json()}, b.history_id, a.history_id FROM {table.name} o {join} "
            f"JOIN LATERAL (SELECT h.history_id {history} ORDER BY h.history_id DESC LIMIT 1) a ON true "
            f"JOIN LATERAL (SELECT h.history_id {history} AND NOT h.is_deleted "
            "ORDER BY h.history_id DESC LIMIT 1) b ON true "
            f"JOIN LATERAL (SELECT h.change_id {history} AND h.history_id > b.history_id "
            "ORDER BY h.history_id LIMIT 1) d ON true "
            f"WHERE {table.tenant()} AND o.is_deleted AND {where} ORDER BY {table.order()} ON CONFLICT DO NOTHING"
        )

    def _restore_children(self, part: PartPlan) -> list[PartPlan]:
        """Dependants whose life ended in the same change as their parent's."""
        grown = []
        for dependant in dependants(part.entity, cascade_also=_all_relations(part.entity)):
            if dependant.rule is not Rule.CASCADE:
                continue
            child = self.part_of(dependant.child, Effect.RECALL)
            fresh = child is None
            if child is None:
                columns, more = delete_columns(dependant.child), {"depth": part.depth + 1, "via": dependant.name}
                child = self.add_part(dependant.child, Effect.RECALL, columns, **more)
            new = self._freeze_children(part, child, dependant)
            child.rows += new
            if fresh and not new:
                self.parts.remove(child)
            elif new:
                self.find_conflicts(child)
                grown.append(child)
        return grown

    def _freeze_children(self, part: PartPlan, child: PartPlan, dependant: Any) -> int:
        parent, table = table_of(part.entity), table_of(child.entity)
        join = (
            f"{parent_join(part, dependant)} JOIN {parent.history} pb ON pb.history_id = p.before_id "
            f"JOIN LATERAL (SELECT h.change_id FROM {parent.history} h WHERE {parent.match_history('h', 'pb')} "
            f"AND {parent.tenant('h')} AND h.history_id > p.before_id ORDER BY h.history_id LIMIT 1) pd ON true"
        )
        where = f"d.change_id = pd.change_id AND {self._not_frozen(child, table)}"
        return self.execute(self._restore_sql(table, child, join, where), hint_rows=0)


def _all_relations(model: type[SoftDeleted]) -> frozenset[str]:
    """Every protecting relation too: what a change took along, its restore brings back."""
    return frozenset(d.name for d in dependants(model))
