"""A plain model with a table and a relation's table, an entity without history, and one open on purpose."""

from __future__ import annotations

from django.db import models

from audit.entity import Governance, SoftDeleted


class Note(models.Model):
    text = models.TextField()
    about = models.ManyToManyField("self")

    class Meta:
        app_label = "forgotten"

    def __str__(self) -> str:
        return self.text


class Paper(SoftDeleted):
    text = models.TextField()

    governance = Governance(label="papers", tenant=False, status=False)

    class Meta(SoftDeleted.Meta):
        app_label = "forgotten"

    def __str__(self) -> str:
        return self.text


class Draft(models.Model):
    text = models.TextField()

    declared_open = "kept for an hour."

    class Meta:
        app_label = "forgotten"

    def __str__(self) -> str:
        return self.text


class Sketch(Draft):
    class Meta:
        app_label = "forgotten"
