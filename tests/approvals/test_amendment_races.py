"""Two agreements at once, and the guard of roles taken away."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection, transaction

from approvals.errors import AmendmentNotOpen
from approvals.models import RuleVersion
from foundation.actor import Actor
from foundation.context import acting
from tests.approvals.test_amendments import ALL_NEED_TWO, agree, execute, propose, roles_of


def test_of_two_agreements_at_once_one_counts(
    real_db: Any, administrator: Actor, approver: Actor, second_approver: Actor
) -> None:
    proposed = propose(administrator, "rules", ALL_NEED_TWO)
    barrier, found = threading.Barrier(2), []

    def one(actor: Actor) -> None:
        try:
            barrier.wait()
            found.append(agree(proposed, actor).state)
        except AmendmentNotOpen:
            found.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(actor,)) for actor in (approver, second_approver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["agreed", "late"]
    with acting(administrator):
        assert [version.number for version in RuleVersion.objects.all()] == [1]


def test_without_the_guard_the_application_writes_roles(real_db: Any, operator: Actor) -> None:
    """Sabotage: the test of the guard sees that it is gone."""
    with real_db.owner() as owner:
        owner.execute("UPDATE approvals_house SET provisioning = false")
        owner.execute("DROP TRIGGER custody_by_amendment ON auth_user_groups")
    with acting(operator), transaction.atomic():
        execute(
            f"INSERT INTO auth_user_groups (user_id, group_id) SELECT {operator.user_id}, id FROM auth_group "
            "WHERE name = 'approver'"
        )
    assert "approver" in roles_of(operator)
