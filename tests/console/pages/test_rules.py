"""The pages of rules and amendments: rules in words, a form that keeps what was typed, two people's steps."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

RULES, EDIT, AMENDMENTS = "/admin/rules/", "/admin/rules/edit/", "/admin/amendments/"
WHY = "agreed in the weekly meeting"


def line(number: int, name: str, **other: str) -> dict[str, str]:
    fields = {"name": name} | {key: value for key, value in other.items() if not key.startswith("g")}
    found = {f"r-{number}-{key}": value for key, value in fields.items()}
    return found | {f"g-{number}-{key[1:].replace('_', '-')}": v for key, v in other.items() if key.startswith("g")}


def test_the_shipped_rules_stand_there_in_words(as_, auditor):
    seen = as_(auditor).get(RULES).content.decode()
    assert "the shipped rules" in seen
    assert "nobody need agree" in seen
    assert "more than 10,000 rows in all" in seen
    assert "Change the rules" not in seen


def test_rules_are_written_tried_and_proposed_and_hold_when_agreed(as_, administrator, approver):
    writer, agreer = as_(administrator), as_(approver)
    assert "Small changes" in writer.get(EDIT).content.decode()
    typed = line(0, "Everything", g0_group="approver", g0_need="2") | {"act": "try"}
    tried = writer.post(EDIT, typed)
    assert tried.status_code == 200
    assert "changes were looked at" in tried.content.decode()
    assert writer.post(EDIT, typed | {"act": "propose", "reason": WHY}).status_code == 302
    row = agreer.get(AMENDMENTS).context["rows"][0]
    assert row["may_decide"]
    assert ">Agree<" not in writer.get(AMENDMENTS).content.decode()
    agreer.post(f"{AMENDMENTS}{row['amendment'].pk}/agree/")
    seen = agreer.get(RULES).content.decode()
    assert "version 1" in seen
    assert "2 of approver" in seen


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (line(0, "x", rows_over="many"), "rules.0.rows_over"),
        (line(0, "", g0_group="approver"), "rules.0.name"),
        (line(0, "a", g0_group="approver", rows_over="7") | line(1, "b", total_over="9"), "ask for different things"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(as_, administrator, typed, said):
    page = as_(administrator).post(EDIT, typed | {"act": "propose", "reason": "my long reason"})
    assert page.status_code == 422 or page.status_code == 400
    text = page.content.decode()
    assert said in text
    assert "my long reason" in text


def test_lines_are_added_and_removed(as_, administrator):
    client = as_(administrator)
    more = client.post(EDIT, line(0, "first") | {"act": "add"})
    assert len(more.context["lines"]) == 2
    fewer = client.post(EDIT, line(0, "first") | line(1, "second") | {"act": "remove-0"})
    assert [one["rule"]["name"] for one in fewer.context["lines"]] == ["second"]


def test_a_role_is_asked_for_refused_and_withdrawn(as_, administrator, approver, operator):
    asker, agreer = as_(administrator), as_(approver)
    from tests.personas import user_of

    form = {"kind": "role", "login": user_of(operator).username, "group": "engineer", "holds": "yes", "reason": WHY}
    assert asker.post(f"{AMENDMENTS}propose/", form).status_code == 302
    row = agreer.get(AMENDMENTS).context["rows"][0]["amendment"]
    short = agreer.post(f"{AMENDMENTS}{row.pk}/refuse/", {"answer": "no"}, follow=True)
    assert "at least 10" in short.content.decode()
    agreer.post(f"{AMENDMENTS}{row.pk}/refuse/", {"answer": "we have enough engineers"})
    assert "we have enough engineers" in asker.get(AMENDMENTS).content.decode()
    asker.post(f"{AMENDMENTS}propose/", form)
    row = agreer.get(AMENDMENTS).context["rows"][0]["amendment"]
    asker.post(f"{AMENDMENTS}{row.pk}/withdraw/")
    assert not user_of(operator).groups.filter(name="engineer").exists()


def test_a_login_that_is_not_there_is_said_beside_the_form(as_, administrator):
    page = as_(administrator).post(f"{AMENDMENTS}propose/", {"kind": "role", "login": "nobody", "reason": WHY})
    assert page.status_code in (400, 422)
    assert WHY in page.content.decode()


def test_who_may_not_is_refused(as_, operator, auditor):
    assert as_(operator).get(AMENDMENTS).status_code == 403
    assert as_(auditor).get(EDIT).status_code == 403
    assert as_(auditor).post(f"{AMENDMENTS}propose/", {"kind": "group", "name": "x", "reason": WHY}).status_code == 403


def test_roles_are_read_only_where_two_people_change_them(as_, administrator, operator, owner):
    from tests.personas import user_of

    url = f"/admin/auth/user/{user_of(operator).pk}/change/"
    client = as_(administrator)
    assert 'name="groups"' in client.get(url).content.decode()
    owner.execute("UPDATE approvals_house SET provisioning = false")
    try:
        assert 'name="groups"' not in client.get(url).content.decode()
        assert client.get("/admin/auth/group/add/").status_code == 403
        assert client.get("/admin/access/account/add/").status_code == 403
    finally:
        owner.execute("UPDATE approvals_house SET provisioning = true")


def test_a_stage_names_its_group_on_the_ticket(as_, administrator, approver, operator, persona):
    from foundation.context import acting
    from tests.approvals.test_amendments import agree, propose
    from tests.journey import ask, keys_of
    from tests.personas import orders

    Group.objects.create(name="security")
    staged = [{"group": "security", "need": 1}, {"group": "approver", "need": 1}]
    agree(propose(administrator, "rules", {"rules": [{"name": "all", "stages": staged}]}), approver)
    with acting(operator):
        ticket = ask(operator, "shop.order", keys_of(orders(1))).ticket
        title = ticket.change.title
    seen = as_(approver).get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "This waits for security now." in seen
    assert "Somebody of security" in seen
    guard = persona("approver", "security", name="Sam Stone")
    assert "This waits for" not in as_(guard).get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert title not in as_(approver).get("/admin/tickets/?tab=waiting").content.decode()
