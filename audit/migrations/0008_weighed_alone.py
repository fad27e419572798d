"""A statement that is alone in its transaction is weighed without a look at other buckets."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


def weigh_write(name: str) -> str:
    """The function as that file has it."""
    text = (SQL / name).read_text()
    start = text.index("FUNCTION custody.weigh_write(")
    return "CREATE OR REPLACE " + text[start : text.index("$f$;", start) + len("$f$;")]


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_own_writes_are_open")]

    operations = [migrations.RunSQL([weigh_write("guard_v2.sql")], [weigh_write("guard_v1.sql")])]
