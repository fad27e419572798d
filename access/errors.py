"""Refusals of the policy."""

from __future__ import annotations

from foundation.errors import Denied


class NotAllowed(Denied):
    """Your role does not allow this: %(action)s. Roles that may: %(roles)s."""

    code = "not_allowed"


class NoAccount(Denied):
    """This login belongs to no person and no tenant yet. An administrator links it."""

    code = "no_account"


class StepUpNeeded(Denied):
    """This asks for a fresh proof that it is you, not older than %(minutes)s minutes: your password, a code of your app or a passkey."""

    code = "step_up_needed"


class WrongProof(Denied):
    """That does not prove that it is you. Nothing was done."""

    code = "wrong_proof"


class MethodNotTaken(Denied):
    """A proof by %(method)s is not taken here. Taken are: %(methods)s."""

    code = "method_not_taken"
