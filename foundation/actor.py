"""Who acts: one value for people and machines, never None."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person behind an account, or a named service.

    `person_id` is the human being; several accounts may share it. Separation of duties compares
    persons, never accounts. A service has neither account nor person and therefore can never vote.
    """

    kind: Literal["user", "service"]
    name: str
    user_id: int | None = None
    person_id: int | None = None
    tenant_id: int | None = None
    roles: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def service(cls, name: str, *, tenant_id: int | None = None) -> Actor:
        """A machine actor such as the scheduler, with a rule of its own in the policy."""
        return cls(kind="service", name=name, tenant_id=tenant_id, roles=frozenset({"service"}))

    @property
    def tenant(self) -> int:
        """The actor's tenant, where work is impossible without one. Raises LookupError."""
        if self.tenant_id is None:
            raise LookupError(f"{self.name} has no tenant")
        return self.tenant_id

    def has(self, *roles: str) -> bool:
        """Whether the actor holds at least one of the roles."""
        return not self.roles.isdisjoint(roles)
