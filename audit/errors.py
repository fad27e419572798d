"""Errors of governed entities."""

from __future__ import annotations

from foundation.errors import Conflict, Denied, Invalid, NotFound


class UnknownEntity(NotFound):
    """There is no governed table named “%(entity)s”."""

    code = "unknown_entity"


class DeleteNeedsApproval(Denied):
    """Deleting %(rows)s rows of %(entity)s needs the approval of another person. Ask with “New change” in the console, POST /api/v1/changes/, or approvals.gate.request()."""

    code = "delete_needs_approval"


class NobodyActing(Denied):
    """A governed row can only be deleted by somebody. Wrap the call in foundation.context.acting(actor, reason=…)."""

    code = "nobody_acting"


class HardDeleteRefused(Denied):
    """Rows of %(entity)s are never removed by a delete. Use delete(), which archives them, or ask for a purge."""

    code = "hard_delete_refused"


class NoTenant(Invalid):
    """A row of %(entity)s belongs to a tenant, and none is given. Work inside foundation.context.acting(…, tenant_id=…)."""

    code = "no_tenant"


class ArchivePathOutside(Invalid):
    """“%(path)s” does not lie in the archive."""

    code = "archive_path_outside"


class ArchiveFull(Conflict):
    """The archive cannot be written: %(cause)s. Nothing was removed. Make room under %(place)s, then start the change again."""

    code = "archive_full"


class ArchiveDiffers(Conflict):
    """The archive of %(entity)s was read back and differs from the database at row %(row)s, column %(column)s. Nothing was removed."""

    code = "archive_differs"


class ArchiveMissing(NotFound):
    """There is no archive file %(archive_id)s."""

    code = "archive_missing"
