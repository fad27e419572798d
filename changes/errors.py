"""Errors of the engine. The docstring is the sentence people read."""

from __future__ import annotations

from foundation.errors import Conflict, Denied, Invalid, NotFound


class UnknownField(Invalid):
    """%(entity)s has no field “%(value)s”. Fields: %(known)s."""

    code = "unknown_field"


class UnknownLookup(Invalid):
    """“%(value)s” is no comparison. Use one of: %(known)s."""

    code = "unknown_lookup"


class BadValue(Invalid):
    """“%(value)s” does not fit the field %(name)s. %(hint)s"""

    code = "bad_value"


class BadSelection(Invalid):
    """The selection cannot be read. Give either “where” and “any” with conditions (and “without” with keys to leave out), or “keys” with a list of keys."""

    code = "bad_selection"


class EmptySelection(Invalid):
    """Nothing matches: the selection holds no row that this could be done to."""

    code = "empty_selection"


class NothingDue(Invalid):
    """None of the %(rows)s selected rows can be removed: %(due)s are due, the next one on %(next)s. Policies without an end: %(unknown)s. The others are pointed to by rows that stay."""

    code = "nothing_due"


class WholeTable(Invalid):
    """Without a condition this would take the whole table. Add a condition, or list the keys."""

    code = "whole_table"


class TooManyKeys(Invalid):
    """%(given)s keys are too many at once. Up to %(limit)s can be listed; use conditions beyond that."""

    code = "too_many_keys"


class ReasonMissing(Invalid):
    """Say why, in at least %(least)s characters: the reason is kept in the history."""

    code = "reason_missing"


class UnknownOperation(Invalid):
    """“%(value)s” is no operation. Use one of: %(known)s."""

    code = "unknown_operation"


class UnknownConflict(Invalid):
    """“%(value)s” is no class of conflict. Use: %(known)s."""

    code = "unknown_conflict"


class BadRule(Invalid):
    """“%(value)s” is no rule for %(name)s. Use one of: %(known)s."""

    code = "bad_rule"


class BadOption(Invalid):
    """The option “%(value)s” cannot be used here. Known: %(known)s."""

    code = "bad_option"


class NothingChosen(Invalid):
    """No field of %(entity)s is chosen, so nothing would come back. Choose at least one, or leave the choice out."""

    code = "nothing_chosen"


class NotWritable(Invalid):
    """%(name)s cannot be set. %(hint)s"""

    code = "cannot_be_set"


class SayIncluding(Invalid):
    """%(name)s is only written when the request says so. %(hint)s To go on, name it under “including” as well."""

    code = "say_including"


class NothingToSet(Invalid):
    """Say which fields become what, as {"field": value}. Fields: %(known)s."""

    code = "nothing_to_set"


class UniqueForSeveral(Invalid):
    """%(names)s is unique, so %(rows)s rows cannot all get the same value. Choose one row, or leave the field out."""

    code = "unique_for_several"


class EmptyFile(Invalid):
    """The file has no header and no lines. Give a CSV file whose first line names the columns."""

    code = "empty_file"


class NotUtf8(Invalid):
    """Line %(line)s of the file is not UTF-8. Save it as “CSV UTF-8” and send it again."""

    code = "not_utf8"


class BrokenCsv(Invalid):
    """Line %(line)s of the file cannot be read as CSV: %(problem)s. Look for a quotation mark that is not closed."""

    code = "broken_csv"


class FileTooLarge(Invalid):
    """The file is larger than %(limit)s bytes. Divide it."""

    code = "file_too_large"


class TooManyLines(Invalid):
    """The file has more than %(limit)s lines. Divide it."""

    code = "too_many_lines"


class BadColumns(Invalid):
    """The column “%(value)s” cannot be imported. %(hint)s Columns: %(known)s."""

    code = "bad_columns"


class BadMatch(Invalid):
    """“%(value)s” cannot find rows with the columns of this file. Use: %(known)s."""

    code = "bad_match"


class ImportNotFound(Invalid):
    """There is no uploaded file %(value)s that waits to be imported. Send the file first."""

    code = "import_not_found"


class WrongLines(Conflict):
    """%(lines)s lines of the file are wrong, the first is line %(first)s, so nothing is imported. Mend the file, or choose to leave the wrong lines out."""

    code = "wrong_lines"


class EventNotFound(Invalid):
    """There is no such event, or none of them changed a row: %(value)s."""

    code = "event_not_found"


class TooManyEvents(Invalid):
    """%(given)s events are too many at once. Up to %(limit)s can be named; name one of a transaction and take the whole of it."""

    code = "too_many_events"


class ChangeNotFound(NotFound):
    """There is no change %(change_id)s."""

    code = "change_not_found"


class ProtectedRows(Conflict):
    """%(rows)s rows of %(entity)s hold on to the selection and stop this. Take them along with cascade_also=["%(relation)s"], or leave out the rows they belong to."""

    code = "protected_rows"


class RequestKeyReused(Conflict):
    """This request key was already used for another change (%(change_id)s). Take a new key for a new request."""

    code = "request_key_reused"


class WrongState(Conflict):
    """Change %(change_id)s is %(state)s; this can only be done while it is %(needed)s."""

    code = "wrong_state"


class NewDependants(Conflict):
    """%(rows)s rows of %(entity)s have been added under the frozen rows since they were frozen. Ask again, so that they are part of what is approved."""

    code = "new_dependants"


class SchemaMoved(Conflict):
    """The table %(entity)s has changed its columns since this was frozen. Ask again."""

    code = "schema_moved"


class ConflictsFound(Conflict):
    """%(rows)s rows are in conflict (%(reason)s, the first is %(first)s) and the rule for them is to stop. Choose another rule, or leave these rows out."""

    code = "conflicts_found"


class UndoOfWhat(Invalid):
    """Say what is to be undone: the number of a change, or the events of statements that no change made."""

    code = "undo_of_what"


class NothingDiffers(Conflict):
    """Nothing differs from that state any more: what it held is there."""

    code = "nothing_differs"


class NothingToUndo(Conflict):
    """Change %(change_id)s has done nothing that could be undone."""

    code = "nothing_to_undo"


class UndoExists(Conflict):
    """Change %(change_id)s is already being undone by change %(undo_id)s."""

    code = "undo_exists"


class NotVerified(Conflict):
    """The numbers of change %(change_id)s differ, and going on does not mend that. Look at its history, then undo it."""

    code = "not_verified"


class NotTheRequester(Denied):
    """Only the person who asked for change %(change_id)s may do this."""

    code = "not_the_requester"


class CaptureMismatch(Conflict):
    """The database recorded %(captured)s rows where %(applied)s were changed; the step was taken back."""

    code = "capture_mismatch"


class BadWindow(Invalid):
    """“%(value)s” does not fit the window. For example: %(hint)s"""

    code = "bad_window"


class BadCanary(Invalid):
    """“%(value)s” does not fit the trial. Use %(hint)s."""

    code = "bad_canary"


class BadPace(Invalid):
    """“%(value)s” is no pace. Use a whole number from %(least)s to %(most)s, or nothing for the usual one."""

    code = "bad_pace"


class OutsideWindow(Conflict):
    """Change %(change_id)s may only run in its window, which opens %(opens)s. Start it then, or call it off and ask again."""

    code = "outside_window"


class ColumnsMissing(Conflict):
    """%(entity)s no longer has what this change writes: %(missing)s. Bring the columns back as they were, or stop this change and undo what is done."""

    code = "columns_missing"


class TooMuchDrift(Conflict):
    """%(rows)s of the %(total)s frozen rows have changed since they were frozen: more than the %(limit)s that may. Call it off and ask again."""

    code = "too_much_drift"


class NothingToRetry(Conflict):
    """Change %(change_id)s has left no row alone that could be tried again."""

    code = "nothing_to_retry"


class RetryExists(Conflict):
    """The rows of change %(change_id)s are already being tried again by change %(retry_id)s."""

    code = "retry_exists"


class UnknownReason(Invalid):
    """“%(value)s” is no reason why a row was left alone. Use: %(known)s."""

    code = "unknown_reason"


class PreflightBlocks(Conflict):
    """Stopped by these checks: %(checks)s. %(ways)s Nothing was changed."""

    code = "preflight_blocks"


class UnknownCheck(Invalid):
    """“%(value)s” is no check that can leave rows out. Use: %(known)s."""

    code = "unknown_check"


class NothingToLeaveOut(Conflict):
    """No row has to be left out any more. Make the checks again."""

    code = "nothing_to_leave_out"


class NothingWouldStay(Conflict):
    """Without these rows nothing would be left of the selection."""

    code = "nothing_would_stay"


class NoSelection(Conflict):
    """Change %(change_id)s names no rows by a selection, so none can be left out of it. Ask for it anew."""

    code = "no_selection"
