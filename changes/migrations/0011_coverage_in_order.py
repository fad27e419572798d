"""A chunk that touches exactly its frozen rows, in their order, is told by two equal arrays."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


def coverage(name: str) -> str:
    """The function as that file has it."""
    text = (SQL / name).read_text()
    start = text.index("FUNCTION custody.coverage(")
    return "CREATE OR REPLACE " + text[start : text.index("$f$;", start) + len("$f$;")]


class Migration(migrations.Migration):
    dependencies = [("changes", "0010_purge")]

    operations = [migrations.RunSQL([coverage("coverage_v2.sql")], [coverage("coverage_v1.sql")])]
