"""Refusals of the policy."""

from __future__ import annotations

from foundation.errors import Denied


class NotAllowed(Denied):
    """Your role does not allow this: %(action)s. Roles that may: %(roles)s."""

    code = "not_allowed"


class NoAccount(Denied):
    """This login belongs to no person and no tenant yet. An administrator links it."""

    code = "no_account"
