"""manage.py adopt: put the tables of a schema that is already there under governance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from audit import registry
from audit.adoption import catalog, design, export, installation, refresh, state, writer
from audit.adoption.survey import Survey, survey, unknown
from audit.names import QualifiedName, split_table
from foundation.errors import CustodyError


class Command(BaseCommand):
    help = (
        "Writes an ordinary app for the tables of an existing schema: models, relations, and migrations that add "
        "soft deletion and history while other programs keep working. Run as the owner of the tables."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="schema to read")
        parser.add_argument("--app", required=True, help="name of the app to write")
        parser.add_argument("--tables", default="", help="only these tables, separated by commas")
        parser.add_argument(
            "--into", help="directory for the app (default: CUSTODY_HOME/apps, which the console reads)"
        )
        parser.add_argument(
            "--hide",
            choices=("rls", "rls-force"),
            default="",
            help="hide soft-deleted rows from the other program by row level security; rls-force: from the owner too",
        )
        parser.add_argument("--fail-closed", action="store_true", help="refuse writes whose history cannot be written")
        parser.add_argument("--dry-run", action="store_true", help="show what would be written, change nothing")
        parser.add_argument("--apply", action="store_true", help="go on with migrate and baseline")
        parser.add_argument("--export", action="store_true", help="write the app's history to files, then stop")
        parser.add_argument(
            "--refresh", action="store_true", help="follow tables that have changed since they were adopted"
        )
        parser.add_argument("--write-state", metavar="DIR", help="internal: write migration 0001 into the app at DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["write_state"]:
                state.write(options["app"], Path(options["write_state"]))
            elif options["export"]:
                self._say(export.export(connection, options["app"]))
            elif options["refresh"]:
                self._say(refresh.refresh(connection, options["app"]))
            else:
                self._adopt(options)
        except CustodyError as error:
            raise CommandError(str(error)) from error

    def _adopt(self, options: dict[str, Any]) -> None:
        schema = options["schema"]
        if not schema:
            raise CommandError("Name the schema to adopt: --schema S.")
        place = installation.place_for(options["app"], options["into"])
        found = self._survey(schema, tuple(t for t in options["tables"].split(",") if t))
        models = design.design(found.governed, known=_known_tables())
        self._report(found, models)
        if not models:
            raise CommandError("Nothing here can be governed.")
        chosen = writer.Options(app=options["app"], fail_closed=options["fail_closed"], hide=options["hide"])
        if options["dry_run"]:
            self.stdout.write("\n" + writer.render_models(found, models, chosen))
            return
        self._write(place, found, models, chosen)
        if options["apply"]:
            for step in ("migrate", "baseline"):
                self.stdout.write(f"{step} {place.app}")
                self.stdout.flush()
                installation.run(place, step, place.app)
        self._next_steps(place, applied=options["apply"])

    def _survey(self, schema: str, tables: tuple[str, ...]) -> Survey:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, pg_has_role(current_user, 'custody_owner', 'USAGE')")
            login, is_owner = cursor.fetchone()
            if not is_owner:
                raise CommandError(f"Adoption runs as custody_owner (DATABASE_OWNER_URL), not as {login}.")
            if not catalog.schema_exists(cursor, schema):
                raise CommandError(f"There is no schema {schema} in this database.")
            owner, is_mine = catalog.schema_owner(cursor, schema)
            if not is_mine:
                raise CommandError(f'Schema {schema} belongs to {owner}; run GRANT "{owner}" TO {login} first.')
            relations = catalog.read(cursor, schema)
        missing = unknown(relations, tables)
        if missing:
            raise CommandError(f"Schema {schema} has no table {', '.join(missing)}.")
        ours = _own_tables()
        return survey([r for r in relations if r.qualified not in ours], schema=schema, login=login, tables=tables)

    def _write(
        self, place: installation.Place, found: Survey, models: list[design.ModelDesign], chosen: writer.Options
    ) -> None:
        try:
            writer.write(place.directory, found, models, chosen)
            installation.run(place, "adopt", "--app", place.app, "--write-state", str(place.directory), quiet=True)
        except BaseException:
            installation.discard(place)
            raise
        if place.is_default:
            installation.register(place)

    def _report(self, found: Survey, models: list[design.ModelDesign]) -> None:
        size = sum(model.relation.size for model in models)
        self.stdout.write(f"Schema {found.schema}: {len(models)} tables can be governed ({size / 1e6:,.1f} MB;")
        self.stdout.write(f"their first history will need about {1.6 * size / 1e6:,.1f} MB).")
        for model in models:
            kind = " (partitioned)" if model.relation.kind is catalog.Kind.PARTITIONED else ""
            self.stdout.write(f"  {model.relation.name} → {model.name}, about {model.relation.rows:,} rows{kind}")
        if found.refused:
            self.stdout.write("Left as they are:")
        for refusal in found.refused:
            self.stdout.write(f"  {refusal.relation.name}: {'; '.join(refusal.reasons)}")

    def _next_steps(self, place: installation.Place, *, applied: bool) -> None:
        self.stdout.write(f"Written: {place.directory}")
        if not place.is_default:
            self.stdout.write(f"Put {place.parent} on PYTHONPATH and {place.app} into CUSTODY_APPS.")
        if not applied:
            self.stdout.write(f"Next: manage.py migrate {place.app}, then manage.py baseline {place.app}.")
        self.stdout.write("Restart the console to see the tables there.")

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)


def _known_tables() -> dict[QualifiedName, str]:
    """Tables governed by other apps, so that foreign keys can point there."""
    return {split_table(model._meta.db_table): model._meta.label for model in registry.entities()}


def _own_tables() -> set[QualifiedName]:
    """Custody's own tables, should they share the schema."""
    managed = (m for m in apps.get_models(include_auto_created=True) if m._meta.managed)
    return {split_table(model._meta.db_table) for model in managed} | {("public", "django_migrations")}
