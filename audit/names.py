"""Names of database objects: quoting, and Django's db_table taken apart."""

from __future__ import annotations

QualifiedName = tuple[str, str]


def quote(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted string constant for generated DDL."""
    return "'" + text.replace("'", "''") + "'"


def split_table(db_table: str) -> QualifiedName:
    """(schema, table) of a db_table; `"S"."t"` names its schema, a bare name lies in public."""
    if db_table.startswith('"') and '"."' in db_table:
        schema, table = db_table.strip('"').split('"."', 1)
        return schema.replace('""', '"'), table.replace('""', '"')
    return "public", db_table


def place(name: QualifiedName) -> str:
    """Quoted and schema-qualified."""
    return f"{quote(name[0])}.{quote(name[1])}"
