"""Errors of snapshots. The docstring is the sentence people read."""

from __future__ import annotations

from foundation.errors import Conflict, Invalid, NotFound, Unavailable


class SnapshotNotFound(NotFound):
    """There is no snapshot with this number, or it belongs to another tenant. It may have been removed when its time was over."""

    code = "snapshot_not_found"


class SnapshotExists(Conflict):
    """There is a snapshot named “%(name)s” already. Choose another name."""

    code = "snapshot_exists"


class BadSnapshotName(Invalid):
    """A snapshot needs a name of 1 to %(limit)s characters."""

    code = "bad_snapshot_name"


class NoEntities(Invalid):
    """Name at least one table, each of them once."""

    code = "no_entities"


class BadKeptUntil(Invalid):
    """A snapshot is kept for another day at least. Give a later time, or none to keep it for good."""

    code = "bad_kept_until"


class NotInSnapshot(Invalid):
    """The snapshot “%(name)s” does not hold %(entity)s. It holds: %(held)s."""

    code = "not_in_snapshot"


class UnknownDifference(Invalid):
    """“%(value)s” is nothing a comparison tells apart here. Use one of: %(known)s."""

    code = "unknown_difference"


class BeforeRecording(Invalid):
    """Nothing is known about %(moment)s: recording began at %(began)s. Choose a later moment."""

    code = "before_recording"


class NothingRecorded(Invalid):
    """No moment has been recorded yet. The scheduler records one twice a minute; take a snapshot instead."""

    code = "nothing_recorded"


class BaselineOpen(Conflict):
    """Not every row of %(entity)s that was there before adoption is in the record yet. Finish it with manage.py baseline %(app)s."""

    code = "baseline_open"


class OnStandby(Unavailable):
    """This database is a standby, which cannot say exactly what is visible. Ask the primary."""

    code = "on_standby"


class EraBusy(Unavailable):
    """These data came from another cluster, and writers are too busy to begin a new era. Try again, or run manage.py era."""

    code = "era_busy"
