"""A fresh proof for a token (or for the session of a browser), for the acts that ask for one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.errors import MethodNotTaken, WrongProof
from access.models import Proof
from access.openness import declared_open
from console.api.base import ApiView
from console.api.describing import operation
from console.api.errors import GivenTwice, LockedOut
from console.api.fields import Body, Text, read
from console.login import proving


class StepUpRequest(Body):
    password = Text(required=False, default="", max_length=4096, trim_whitespace=False)
    code = Text(required=False, default="", max_length=20, help_text="What the code app shows now.")


class ProofShown(serializers.Serializer):
    id = serializers.IntegerField()
    method = serializers.ChoiceField(choices=Proof.Method.choices)
    proved_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Acts that ask for a proof are refused from then on.")


@declared_open("proves who one is; wrong ones are counted.")
class StepUp(ApiView):
    @operation(
        "stepUp",
        "Prove afresh who you are: a password or a code; good for this token only",
        takes=StepUpRequest,
        gives=ProofShown,
        status=201,
        errors=(WrongProof, MethodNotTaken, GivenTwice, LockedOut),
        tag="account",
    )
    def post(self, request: Request) -> Response:
        sent = read(StepUpRequest, request.data)
        if bool(sent["password"]) == bool(sent["code"]):
            raise GivenTwice(field="password")
        raw: Any = request._request
        proof = proving.prove(raw, request.user, self.actor, sent, meant="api")
        expires = proof.proved_at + timedelta(seconds=settings.CUSTODY_STEP_UP_SECONDS)
        shown = {"id": proof.pk, "method": proof.method, "proved_at": proof.proved_at, "expires_at": expires}
        return Response(ProofShown(shown).data, status=201)
