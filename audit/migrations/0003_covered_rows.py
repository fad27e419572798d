"""A running change opens the row limit for what it froze only; what every statement asks becomes cheaper."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


def before(file: str, function: str) -> str:
    """The function as an earlier file wrote it."""
    text = (SQL / file).read_text()
    start = text.index(f"CREATE FUNCTION custody.{function}(")
    end = text.index("END $f$;", start) + len("END $f$;")
    return text[start:end].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_events")]

    operations = [
        migrations.RunSQL(
            [(SQL / "events_v2.sql").read_text()],
            [
                before("events_v1.sql", "refuse_mass"),
                before("functions_v1.sql", "trusted_context"),
                "DROP FUNCTION custody.change_covers(bigint, integer, text, bigint)",
                "DROP FUNCTION custody.row_limit(text, bigint)",
                "DROP FUNCTION custody.refuse_strangers(text, bigint, integer, bigint[])",
                "DROP FUNCTION custody.change_holds(bigint, integer, text, bigint[])",
            ],
        )
    ]
