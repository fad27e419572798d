"""Adopted tables change under Custody; the check tells, and a refresh follows."""

from __future__ import annotations

from tests.audit.adoption.conftest import Adoption


def test_new_and_dropped_columns_are_reported_and_followed(adoption: Adoption) -> None:
    adoption.load("store")
    adoption.adopt("store", "--tables", "customer")
    assert "nothing to refresh" in adoption.manage("adopt", "--app", "store", "--refresh", check=False).stderr
    with adoption.owner() as owner:
        owner.execute("ALTER TABLE store.customer ADD phone varchar(20), DROP COLUMN visits")

    told = adoption.manage("check", "--database", "default", check=False).stderr
    assert "column phone is new and not recorded" in told
    assert "column visits is gone, so writes go unrecorded" in told

    said = adoption.manage("adopt", "--app", "store", "--refresh").stdout
    assert "take out the field of column visits" in said
    field = next(line for line in said.splitlines() if line.strip().startswith("phone ="))
    models = adoption.home / "apps" / "store" / "models.py"
    kept = [line for line in models.read_text().splitlines() if not line.strip().startswith("visits =")]
    place = next(number for number, line in enumerate(kept) if line.strip().startswith("name ="))
    models.write_text("\n".join([*kept[: place + 1], field, *kept[place + 1 :]]) + "\n")
    adoption.manage("migrate", "store")

    with adoption.owner() as owner:
        owner.execute("UPDATE store.customer SET phone = '+49 30' WHERE id = 1")
        newest = owner.execute(
            "SELECT history_type, phone FROM custody.store_h_customer WHERE id = 1 ORDER BY history_id DESC LIMIT 1"
        ).fetchone()
        unrecorded = owner.execute("SELECT count(*) FROM custody.capture_failure").fetchone()
    assert (newest, unrecorded) == (("~", "+49 30"), (0,))
    assert "store." not in adoption.manage("check", "--database", "default", check=False).stderr
    assert "No changes" in adoption.manage("makemigrations", "--check", "--dry-run", "store").stdout
    adoption.manage("migrate", "store", "zero", CUSTODY_UNADOPT="store")
