"""Refusals that only a client of the API can run into."""

from __future__ import annotations

from changes.errors import UnknownOperation
from foundation.errors import Conflict, CustodyError, Denied, Invalid, NotFound


class OwnAddress(UnknownOperation):
    """“%(value)s” is asked for at an address of its own: %(way)s."""

    code = "own_address"


class MalformedJson(Invalid):
    """The body is not JSON: %(problem)s."""

    code = "malformed_json"


class TooDeep(Invalid):
    """The JSON is nested deeper than %(limit)s levels."""

    code = "too_deep"


class UnstorableText(Invalid):
    """A text holds a NUL character or half of a surrogate pair, which no database stores."""

    code = "unstorable_text"


class BodyTooLarge(CustodyError):
    """The body is larger than %(limit)s bytes."""

    code = "body_too_large"
    status = 413


class InvalidFields(Invalid):
    """The input cannot be used. “errors” names each field and what is wrong with it."""

    code = "invalid_fields"


class UnknownParameter(Invalid):
    """“%(value)s” is no parameter of this address. Parameters: %(known)s."""

    code = "unknown_parameter"


class BadParameter(Invalid):
    """“%(value)s” does not fit the parameter %(field)s. %(hint)s"""

    code = "bad_parameter"


class BadCursor(Invalid):
    """This cursor was not given out by this address. Start again without one."""

    code = "bad_cursor"


class RowNotFound(NotFound):
    """There is no such row of %(entity)s."""

    code = "row_not_found"


class NotWritable(Invalid):
    """%(field)s cannot be written here: %(why)s"""

    code = "not_writable"


class ConstraintViolated(Conflict):
    """Another row stands in the way (%(constraint)s). Nothing was changed."""

    code = "constraint_violated"


class RefusedByDatabase(Denied):
    """The database refused this: %(message)s"""

    code = "refused_by_database"


class WrongCredentials(Denied):
    """The user name and the password do not belong together, or the login is not active."""

    code = "wrong_credentials"
    status = 401


class LockedOut(Denied):
    """Too many wrong passwords. Wait %(minutes)s minutes and try again."""

    code = "locked_out"
    status = 429


class GivenTwice(Invalid):
    """Send either `password` or `code`."""

    code = "password_or_code"


class CodeNeeded(Denied):
    """This login is protected by a second factor. Send `code` too: what the code app shows, or a recovery code."""

    code = "code_needed"
    status = 401
