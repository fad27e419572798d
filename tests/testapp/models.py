"""A tree of codes, labels that hang on them, and lines whose key is a code and a number."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from audit.adoption.records import AdoptedRecords
from audit.entity import Governance, SoftDeleted
from audit.records import TrackedRecords


class Code(SoftDeleted):
    """Key: text. A tree: what hangs below a code goes along."""

    code = models.CharField(primary_key=True, max_length=40)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    name = models.CharField(max_length=40)

    governance = Governance(label="codes", tenant=False, status=False)
    history = TrackedRecords()

    class Meta(SoftDeleted.Meta):
        app_label = "testapp"
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=Q(is_deleted=False), name="testapp_code_live_name")
        ]

    def __str__(self) -> str:
        return self.code


class Label(SoftDeleted):
    """Key: uuid. Hangs on a code twice: by cascade, and by a link that is cleared."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    code = models.ForeignKey(Code, models.CASCADE, related_name="labels")
    also = models.ForeignKey(Code, models.SET_NULL, null=True, related_name="+")
    text = models.CharField(max_length=40, default="")

    governance = Governance(label="labels", tenant=False, status=False, threshold=5)
    history = TrackedRecords()

    class Meta(SoftDeleted.Meta):
        app_label = "testapp"

    def __str__(self) -> str:
        return str(self.id)


class Line(SoftDeleted):
    """Key: a code and a number."""

    pk = models.CompositePrimaryKey("code_id", "number")
    code = models.ForeignKey(Code, models.CASCADE, related_name="lines")
    number = models.IntegerField()
    text = models.CharField(max_length=40, default="")

    governance = Governance(label="lines", tenant=False, status=False)
    history = AdoptedRecords()

    class Meta(SoftDeleted.Meta):
        app_label = "testapp"

    def __str__(self) -> str:
        return f"{self.code_id}/{self.number}"
