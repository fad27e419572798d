"""Writes the adopted app: models.py for people to read and edit, apps.py, README and the governing migration.

The app is ordinary Django. It is written once; later edits to labels, thresholds or sensitive fields stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from audit.adoption.catalog import Relation
from audit.adoption.design import FieldDesign, ModelDesign
from audit.adoption.mapping import Source, text
from audit.adoption.survey import Survey
from audit.names import place

WIDTH = 110
TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the owner chose."""

    app: str
    fail_closed: bool = False
    hide: str = ""


def write(directory: Path, survey: Survey, models: Sequence[ModelDesign], options: Options) -> None:
    """Write the app into `directory`, which must not exist yet; migration 0001 is written by `state`."""
    migrations = directory / "migrations"
    migrations.mkdir(parents=True)
    texts = {
        directory / "__init__.py": f'"""Tables of schema {survey.schema}, adopted by Custody."""\n',
        directory / "apps.py": render_apps(survey.schema, options),
        directory / "models.py": render_models(survey, models, options),
        directory / "README.md": render_readme(survey, models, options),
        migrations / "__init__.py": "",
        migrations / "0002_govern.py": render_migration(survey, models, options),
    }
    for path, content in texts.items():
        path.write_text(content, encoding="utf-8")


def render_apps(schema: str, options: Options) -> str:
    """Text of apps.py."""
    title = "".join(part.capitalize() for part in options.app.split("_"))
    label = options.app.replace("_", " ").capitalize()
    return _template("apps.txt").substitute(title=title, app=options.app, label=label, schema=schema)


def render_models(survey: Survey, models: Sequence[ModelDesign], options: Options) -> str:
    """Text of models.py."""
    body = "\n\n".join(_model(model, options) for model in models)
    imports = ["from django.db import models"]
    if "pg." in body:
        imports.insert(0, "from django.contrib.postgres import fields as pg")
    if "RawSQL(" in body:
        imports.append("from django.db.models.expressions import RawSQL")
    if "Now()" in body:
        imports.append("from django.db.models.functions import Now")
    own = ["from audit.adoption.records import AdoptedRecords", "from audit.entity import Governance, SoftDeleted"]
    if "adopted." in body:
        own.insert(0, "from audit.adoption import fields as adopted")
    return _template("models.txt").substitute(
        schema=survey.schema, imports="\n".join(imports), own="\n".join(own), body=body
    )


def _model(model: ModelDesign, options: Options) -> str:
    relation = model.relation
    lines = [f"class {model.name}(SoftDeleted):"]
    lines += [f'    """{_doc(relation)}"""', ""]
    if len(model.key) > 1:
        names = ", ".join(text(f.attname) for f in model.key_fields)
        lines += [f"    pk = models.CompositePrimaryKey({names})"]
    for designed in model.fields:
        lines += render_field(designed)
    lines += [f"    # {note}" for note in model.notes]
    lines += ["", f"    governance = {_governance(model, options)}", "    history = AdoptedRecords()", ""]
    lines += _meta(model)
    if model.title is not None:
        attribute = f"self.{model.title.name}"
        nullable = ("null", "True") in model.title.source.arguments
        shown = f"{attribute} or str(self.pk)" if nullable else attribute
        lines += ["", "    def __str__(self) -> str:", f"        return {shown}"]
    return "\n".join(lines) + "\n"


def _doc(relation: Relation) -> str:
    """The table's comment, or its name; safe inside a docstring."""
    said = relation.comment.strip() or f"Table {relation.schema}.{relation.name}."
    return " ".join(said.split()).replace("\\", "\\\\").replace('"', "'")


def render_field(designed: FieldDesign) -> list[str]:
    """Lines of one field in models.py."""
    note = f"  # {designed.note}" if designed.note else ""
    line = f"    {designed.name} = {designed.source}"
    if len(line) <= WIDTH:
        return [line + note]
    return [f"    {designed.name} = {designed.source.call}({note}", *_arguments(designed.source), "    )"]


def _arguments(source: Source) -> list[str]:
    lines = [f"        {source.positional},"] if source.positional else []
    return lines + [f"        {name}={value}," for name, value in source.arguments]


def _governance(model: ModelDesign, options: Options) -> str:
    fail_open = "" if options.fail_closed else ", fail_open=True"
    return f"Governance(label={text(model.label)}, tenant=False, status=False{fail_open})"


def _meta(model: ModelDesign) -> list[str]:
    relation = model.relation
    single = model.relation.name.replace("_", " ")
    lines = [
        "    class Meta(SoftDeleted.Meta):",
        "        managed = False",
        f"        db_table = {text(place(relation.qualified))}",
        f"        verbose_name = {text(single)}",
        f"        verbose_name_plural = {text(model.label)}",
    ]
    columns = {f.column: f for f in model.fields}
    constraints = []
    for key in relation.uniques:
        if len(key.columns) > 1:
            fields = ", ".join(text(columns[column].name) for column in key.columns)
            name = f"{relation.schema}_{key.name}"
            constraints.append(f"models.UniqueConstraint(fields=[{fields}], name={text(name)}),")
    if constraints:
        lines += ["        constraints = [", *(f"            {line}" for line in constraints), "        ]"]
    return lines


def render_migration(survey: Survey, models: Sequence[ModelDesign], options: Options) -> str:
    """Text of 0002_govern.py: one operation per table, in catalog order."""
    return _template("migration.txt").substitute(
        app=options.app,
        schema=survey.schema,
        operations="\n".join(_operation(model, options) for model in models),
    )


def render_refresh(previous: str, models: Sequence[ModelDesign], options: Options) -> str:
    """Text of a migration that records changed tables as they are now."""
    operations = "\n".join(_operation(model, options, call="RefreshTable") for model in models)
    return _template("refresh.txt").substitute(app=options.app, previous=previous, operations=operations)


def _operation(model: ModelDesign, options: Options, call: str = "GovernTable") -> str:
    lines = [
        f"        {call}(",
        f"            model={text(model.name)},",
        f"            table=({text(model.relation.schema)}, {text(model.relation.name)}),",
        f"            history={text(model.history_table)},",
        f"            key=[{', '.join(text(column) for column in model.key)}],",
        "            columns=[",
    ]
    for column in model.history_columns():
        name = (
            f"{text(column.column)}"
            if column.stored == column.column
            else f"{text(column.column)}, stored={text(column.stored)}"
        )
        lines.append(f"                Column({name}, type={text(column.type)}),")
    lines.append("            ],")
    if options.fail_closed:
        lines.append("            fail_open=False,")
    if options.hide:
        lines.append(f"            hide={text(options.hide)},")
    return "\n".join([*lines, "        ),"])


def render_readme(survey: Survey, models: Sequence[ModelDesign], options: Options) -> str:
    """Text of README.md: what is governed, what is not and why, and the next steps."""
    governed = "\n".join(
        f"| {_cell(m.relation.name)} | {m.name} | {_cell(', '.join(m.key))} | {m.relation.rows:,} |" for m in models
    )
    refused = "\n".join(f"- `{r.relation.name}`: {'; '.join(r.reasons)}." for r in survey.refused) or "Nothing."
    capture = "fails closed: a write whose history cannot be written is refused"
    if not options.fail_closed:
        capture = "fails open: a write passes even when its history cannot be written; `manage.py check --database default` tells"
    return _template("readme.txt").substitute(
        app=options.app, schema=survey.schema, governed=governed, refused=refused, capture=capture
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _template(name: str) -> Template:
    return Template((TEMPLATES / name).read_text())
