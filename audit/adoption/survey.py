"""What of a schema can be governed, and why the rest cannot: every reason at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from audit.adoption.catalog import Kind, Relation
from audit.adoption.naming import HISTORY_COLUMNS, SOFT_DELETE_COLUMNS

NO_KEY = "it has no primary key, so its rows cannot be told apart"
VIEW = "it is a view: govern the tables below it"
FOREIGN = "its rows live on another server"
CHILD = "it inherits from {parent}; rows of inheriting tables have no key in common"
PARENT = "other tables inherit from it; rows of inheriting tables have no key in common"
UNLOGGED = "it is unlogged: a crash empties it, and history would not notice"
EXTENSION = "it belongs to an extension"
NOT_OWNED = 'it belongs to {owner}; run GRANT "{owner}" TO {login} first'
FORCED = "row level security is forced on it, so Custody would not see every row"
COLUMN_TAKEN = "it has a column {column} of its own, which a soft delete needs"
HISTORY_TAKEN = "its key column {column} has the name of a history column"
NAME = "its name or a column's name holds {character}, which Django cannot quote"
GOVERNED = "it is governed already"
FOREIGN_PARTITION = "one of its partitions lives on another server"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A relation that stays as it is."""

    relation: Relation
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """A schema sorted into what can be governed and what cannot; partitions count with their root."""

    schema: str
    governed: tuple[Relation, ...]
    refused: tuple[Refusal, ...]


def survey(relations: Sequence[Relation], *, schema: str, login: str, tables: Collection[str] = ()) -> Survey:
    """Sort relations; `tables` narrows to the named ones."""
    chosen = [r for r in relations if not r.is_partition and (not tables or r.name in tables)]
    governed, refused = [], []
    for relation in chosen:
        reasons = tuple(_reasons(relation, relations, login))
        if reasons:
            refused.append(Refusal(relation, reasons))
        else:
            governed.append(relation)
    return Survey(schema, tuple(governed), tuple(refused))


def unknown(relations: Sequence[Relation], tables: Collection[str]) -> tuple[str, ...]:
    """Names asked for that the schema does not have."""
    return tuple(sorted(set(tables) - {r.name for r in relations}))


def _reasons(relation: Relation, relations: Sequence[Relation], login: str) -> list[str]:
    if relation.kind in (Kind.VIEW, Kind.MATERIALIZED_VIEW):
        return [VIEW]
    if relation.kind is Kind.FOREIGN:
        return [FOREIGN]
    found = []
    if relation.of_extension:
        found.append(EXTENSION)
    if not relation.is_mine:
        found.append(NOT_OWNED.format(owner=relation.owner, login=login))
    if relation.parent is not None:
        found.append(CHILD.format(parent=".".join(relation.parent)))
    if relation.kind is Kind.TABLE and relation.has_children:
        found.append(PARENT)
    if relation.unlogged:
        found.append(UNLOGGED)
    if relation.forced_row_security:
        found.append(FORCED)
    if _has_foreign_partition(relation, relations):
        found.append(FOREIGN_PARTITION)
    if any(trigger.startswith("custody_capture_") for trigger in relation.triggers):
        return [*found, GOVERNED]
    return [*found, *_name_reasons(relation)]


def _name_reasons(relation: Relation) -> list[str]:
    found = []
    names = [relation.schema, relation.name, *(column.name for column in relation.columns)]
    found += [NAME.format(character=c) for c in ('"', "%") if any(c in name for name in names)]
    if relation.primary_key is None:
        found.append(NO_KEY)
    else:
        found += [HISTORY_TAKEN.format(column=c) for c in relation.primary_key.columns if c in HISTORY_COLUMNS]
    columns = {column.name for column in relation.columns}
    return found + [COLUMN_TAKEN.format(column=column) for column in SOFT_DELETE_COLUMNS if column in columns]


def _has_foreign_partition(root: Relation, relations: Sequence[Relation]) -> bool:
    """Looks at partitions in the same schema; others are met by the migration itself."""
    below = {root.qualified}
    for _ in relations:
        more = {r.qualified for r in relations if r.is_partition and r.parent in below}
        if more <= below:
            break
        below |= more
    return any(r.kind is Kind.FOREIGN for r in relations if r.qualified in below)
