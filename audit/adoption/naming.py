"""Names of models and fields for tables and columns that were named without Django in mind."""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata
from collections.abc import Iterable

# What the generated module itself refers to; a field of that name would shadow it inside the class body.
MODULE_NAMES = frozenset({"models", "adopted", "pg", "Governance", "RawSQL", "Now", "SoftDeleted", "Meta", "property"})

# The model's own API, Django's and Custody's: a field of that name would break it silently.
MODEL_API = frozenset(
    {
        "adelete",
        "arefresh_from_db",
        "asave",
        "check",
        "clean",
        "clean_fields",
        "date_error_message",
        "delete",
        "deleted",
        "from_db",
        "full_clean",
        "get_constraints",
        "get_deferred_fields",
        "governance",
        "history",
        "id",
        "objects",
        "objects_and_deleted",
        "pk",
        "prepare_database_save",
        "refresh_from_db",
        "save",
        "save_base",
        "save_without_historical_record",
        "serializable_value",
        "unique_error_message",
        "validate_constraints",
        "validate_unique",
        "DoesNotExist",
        "MultipleObjectsReturned",
        "NotUpdated",
    }
)

# What historical rows carry beside the copied fields.
HISTORY_API = frozenset(
    {
        "event_id",
        "change_id",
        "xid",
        "history_id",
        "history_date",
        "history_type",
        "history_user",
        "history_user_id",
        "history_change_reason",
        "history_object",
        "instance",
        "instance_type",
        "next_record",
        "prev_record",
        "revert_url",
        "tracked_fields",
        "diff_against",
        "get_default_history_user",
        "history_relation",
    }
)

# Columns of a historical row that are not copies; a copied column of that name is stored with a prefix.
HISTORY_COLUMNS = frozenset(
    {
        "history_id",
        "history_date",
        "history_type",
        "history_user_id",
        "history_change_reason",
        "event_id",
        "change_id",
        "xid",
    }
)
SOFT_DELETE_COLUMNS = ("is_deleted", "deleted_at", "retention_policy")
TAKEN = MODULE_NAMES | MODEL_API | HISTORY_API | frozenset(SOFT_DELETE_COLUMNS)


def history_column(column: str) -> str:
    """Where history keeps a column."""
    return f"row_{column}" if column in HISTORY_COLUMNS else column


def history_table(schema: str, table: str) -> str:
    """Name of a history table in schema custody; long names end in a hash and stay unique."""
    name = f"{schema}_h_{table}"
    if len(name.encode()) <= 55:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[:46].decode(errors='ignore')}_{digest}"


def words(name: str) -> str:
    """A database name as words, for people."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.sub(r"[\W_]+", " ", spaced).strip().lower() or name


def plural(noun: str) -> str:
    """English plural of a label; other languages edit the generated file."""
    if not noun.isascii() or not noun[-1:].isalpha() or noun.endswith(("s", "ings", "data")):
        return noun
    if noun.endswith(("x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def model_name(table: str, taken: Iterable[str]) -> str:
    """A class name for a table, different from `taken` whatever the case."""
    parts = re.split(r"[\W_]+", unicodedata.normalize("NFKC", table))
    name = "".join(part[:1].upper() + part[1:] for part in parts) or "Table"
    if not name[0].isalpha():
        name = f"Table{name}"
    used = {other.lower() for other in taken}
    blocked = {other.lower() for other in (*MODULE_NAMES, "None", "True", "False")}
    candidate, number = name, 1
    while _clashes(candidate.lower(), used) or candidate.lower() in blocked:
        number += 1
        candidate = f"{name}{number}"
    return candidate


def _clashes(name: str, used: set[str]) -> bool:
    """A model also takes the name of its historical model."""
    return name in used or f"historical{name}" in used or (name.removeprefix("historical") in used)


def field_name(column: str, taken: set[str], *, is_key: bool = False) -> str:
    """A field name for a column; legal in Python and Django, and not shadowing anything."""
    name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", column)).lower()
    name = re.sub(r"__+", "_", name).strip("_")
    if not name:
        name = "field"
    if name[0].isdigit():
        name = f"number_{name}"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or _blocked(name, is_key):
        name = f"{name}_field"
    return free_name(name, taken)


def _blocked(name: str, is_key: bool) -> bool:
    if name == "id":
        return not is_key
    return name in TAKEN


def free_name(name: str, taken: set[str]) -> str:
    """The name, numbered if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}{number}"
    return candidate


def relation_name(column: str, taken: set[str]) -> str:
    """A name for a foreign key: `customer` for customer_id. Its attribute is free and shadows nothing as well."""
    stem = column[:-3] if column.lower().endswith("_id") and len(column) > 3 else column
    name = field_name(stem, taken)
    while f"{name}_id" in taken or f"{name}_id" in TAKEN:
        name = free_name(f"{name}_ref", taken | {name})
    return name
