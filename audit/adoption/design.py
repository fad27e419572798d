"""From catalog facts to models: names, fields and relations of every adopted table, decided together.

Nothing is written here; `writer` prints the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.adoption import mapping, naming
from audit.adoption.catalog import Column, ForeignKey, OnDelete, Relation
from audit.adoption.mapping import Source
from audit.names import QualifiedName

ON_DELETE = {
    OnDelete.CASCADE: "models.CASCADE",
    OnDelete.SET_NULL: "models.SET_NULL",
    OnDelete.SET_DEFAULT: "models.PROTECT",
    OnDelete.RESTRICT: "models.PROTECT",
    OnDelete.NO_ACTION: "models.PROTECT",
}
TITLES = ("name", "title", "label", "code", "number", "email", "description")


@dataclass(frozen=True, slots=True)
class FieldDesign:
    """One field of a model; `note` is printed as a comment beside it."""

    name: str
    attname: str
    column: str
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumn:
    """One copied column: where it comes from, where it is kept, as what."""

    column: str
    stored: str
    type: str


@dataclass(slots=True, kw_only=True)
class ModelDesign:
    """One model, complete but for its text."""

    name: str
    relation: Relation
    label: str
    fields: list[FieldDesign] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, ...]:
        """Key columns."""
        assert self.relation.primary_key is not None
        return self.relation.primary_key.columns

    @property
    def key_fields(self) -> list[FieldDesign]:
        return [next(f for f in self.fields if f.column == column) for column in self.key]

    @property
    def title(self) -> FieldDesign | None:
        """The field that names a row for people."""
        texts = [f for f in self.fields if f.source.call in mapping.TEXTUAL]
        for wanted in TITLES:
            for candidate in texts:
                if candidate.name == wanted or candidate.name.endswith(f"_{wanted}"):
                    return candidate
        return None

    @property
    def history_table(self) -> str:
        return naming.history_table(self.relation.schema, self.relation.name)

    def history_columns(self) -> list[HistoryColumn]:
        """Copied columns in table order; soft-delete columns are added by the migration itself."""
        compared = {*self.key, *(c for fk in self.relation.foreign_keys for c in fk.columns)}
        found = []
        for column in self.relation.columns:
            if mapping.is_recorded(column):
                kind = mapping.history_type(column, is_compared=column.name in compared)
                stored = naming.history_column(column.name)
                found.append(HistoryColumn(column=column.name, stored=stored, type=kind))
        return found


def design(relations: Sequence[Relation], *, known: Mapping[QualifiedName, str]) -> list[ModelDesign]:
    """Models for `relations`; `known` are tables governed elsewhere, by model label."""
    models: dict[QualifiedName, ModelDesign] = {}
    names: list[str] = []
    for relation in relations:
        name = naming.model_name(relation.name, names)
        names.append(name)
        label = naming.plural(naming.words(relation.name))
        models[relation.qualified] = ModelDesign(name=name, relation=relation, label=label)
    for model in models.values():
        _name_fields(model, models, known)
    related = _Related(models)
    for model in models.values():
        related.name_all(model)
    return list(models.values())


def _name_fields(
    model: ModelDesign, models: Mapping[QualifiedName, ModelDesign], known: Mapping[QualifiedName, str]
) -> None:
    relation = model.relation
    single = {fk.columns[0]: fk for fk in reversed(relation.foreign_keys) if len(fk.columns) == 1}
    model.notes += [
        f"({', '.join(fk.columns)}) refers to {'.'.join(fk.target)} ({', '.join(fk.target_columns)})"
        for fk in relation.foreign_keys
        if len(fk.columns) > 1
    ]
    columns = {naming.field_name(c.name, set()) for c in relation.columns}
    for column in relation.columns:
        fk = single.get(column.name)
        target = None if fk is None else _target(fk, models, known)
        if fk is not None and target is not None and not column.generated:
            model.fields.append(_relation_field(model, column, fk, target, columns))
        else:
            note = (
                "" if fk is None else f"refers to {'.'.join(fk.target)}.{fk.target_columns[0]}, which is not governed"
            )
            model.fields.append(_plain_field(model, column, note))


def _target(
    fk: ForeignKey, models: Mapping[QualifiedName, ModelDesign], known: Mapping[QualifiedName, str]
) -> str | None:
    """Model the foreign key can point to: its key or a unique column, and that model is governed."""
    if fk.target not in models:
        return known.get(fk.target)
    target = models[fk.target]
    unique = {key.columns for key in target.relation.uniques} | {target.key}
    return target.name if fk.target_columns in unique else None


def _plain_field(model: ModelDesign, column: Column, note: str) -> FieldDesign:
    is_key = model.key == (column.name,)
    name = naming.field_name(column.name, model.taken, is_key=is_key)
    model.taken.add(name)
    source = mapping.column_field(column, is_key=is_key)
    source = mapping.options(column, source, is_key=column.name in model.key)
    if name != column.name:
        source = source.with_options(db_column=mapping.text(column.name))
    if is_key:
        source = source.with_options(primary_key="True")
    elif any(key.columns == (column.name,) for key in model.relation.uniques):
        source = source.with_options(unique="True")
    return FieldDesign(name, name, column.name, source, note)


def _relation_field(model: ModelDesign, column: Column, fk: ForeignKey, target: str, columns: set[str]) -> FieldDesign:
    blocked = model.taken | (columns - {naming.field_name(column.name, set())})
    name = naming.relation_name(column.name, blocked)
    model.taken |= {name, f"{name}_id"}
    is_key = model.key == (column.name,)
    unique = is_key or any(key.columns == (column.name,) for key in model.relation.uniques)
    to = "'self'" if fk.target == model.relation.qualified else mapping.text(target)
    on_delete = ON_DELETE[fk.on_delete]
    if on_delete == "models.SET_NULL" and (column.not_null or column.name in naming.HISTORY_COLUMNS):
        on_delete = "models.PROTECT"
    source = Source("models.OneToOneField" if unique else "models.ForeignKey", positional=f"{to}, {on_delete}")
    if column.name != f"{name}_id":
        source = source.with_options(db_column=mapping.text(column.name))
    if is_key:
        source = source.with_options(primary_key="True")
    source = mapping.options(column, source, is_key=column.name in model.key)
    note = "ON DELETE SET DEFAULT" if fk.on_delete is OnDelete.SET_DEFAULT else ""
    return FieldDesign(name, f"{name}_id", column.name, source, note)


class _Related:
    """Explicit names of reverse relations, free on the model they appear on."""

    def __init__(self, models: Mapping[QualifiedName, ModelDesign]) -> None:
        self.models = models
        self.used = {qualified: {*model.taken, *naming.TAKEN} for qualified, model in models.items()}

    def name_all(self, model: ModelDesign) -> None:
        """Add related_name (and to_field, where the target is no key) to every relation of the model."""
        keys = {fk.columns[0]: fk for fk in reversed(model.relation.foreign_keys) if len(fk.columns) == 1}
        counts: dict[QualifiedName, int] = {}
        for designed in model.fields:
            if designed.source.call in ("models.ForeignKey", "models.OneToOneField"):
                target = keys[designed.column].target
                counts[target] = counts.get(target, 0) + 1
        model.fields = [
            self._named(model, f, keys[f.column], counts) if keys.get(f.column) and _is_relation(f) else f
            for f in model.fields
        ]

    def _named(
        self, model: ModelDesign, designed: FieldDesign, fk: ForeignKey, counts: Mapping[QualifiedName, int]
    ) -> FieldDesign:
        stem = naming.field_name(naming.plural(naming.words(model.relation.name)).replace(" ", "_"), set())
        to_itself = fk.target == model.relation.qualified
        name = f"{stem}_by_{designed.name}" if counts[fk.target] > 1 or to_itself else stem
        used = self.used.setdefault(fk.target, set(naming.TAKEN))
        name = naming.free_name(f"{name}_rows" if name in used else name, used)
        used.add(name)
        source = designed.source.with_options(related_name=mapping.text(name))
        target = self.models.get(fk.target)
        if target is not None and fk.target_columns != target.key:
            to_field = next(f for f in target.fields if f.column == fk.target_columns[0])
            source = source.with_options(to_field=mapping.text(to_field.name))
        return FieldDesign(designed.name, designed.attname, designed.column, source, designed.note)


def _is_relation(designed: FieldDesign) -> bool:
    return designed.source.call in ("models.ForeignKey", "models.OneToOneField")
