"""Errors of governed entities."""

from __future__ import annotations

from foundation.errors import Denied, Invalid, NotFound


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
