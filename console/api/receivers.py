"""Receivers of the tenant, their secrets, and what became of deliveries."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from approvals.notices import errors as refusals
from approvals.notices import receivers
from approvals.notices.models import Delivery, Receiver
from console.api import paging
from console.api.base import ApiView
from console.api.describing import operation, query
from console.api.errors import BadParameter
from console.api.fields import read
from console.api.notice_shown import DeliveryShown, ReceiverMade, ReceiverShown
from console.api.requests import ReceiverRequest

STATE = query("state", "Only deliveries in this state.", enum=Delivery.State.values)


class ReceiverList(ApiView):
    parameters = {"GET": paging.PARAMETERS}

    @operation("listReceivers", "Receivers, newest first", gives=ReceiverShown, paged=True, tag="receivers")
    def get(self, request: Request) -> Response:
        self.enforce("receiver.browse", "*")
        rows = Receiver.objects.order_by("-pk")
        return Response(_paged(request, rows, ReceiverShown))

    @operation(
        "addReceiver",
        "Add a webhook or a chat room; the answer alone holds its secret",
        takes=ReceiverRequest,
        gives=ReceiverMade,
        status=201,
        errors=(
            refusals.UnknownChannel,
            refusals.UnknownKind,
            refusals.ReceiverNameTaken,
            refusals.WebhookAddressUnusable,
            refusals.ChatAddressUnusable,
            refusals.AddressRefused,
        ),
        tag="receivers",
    )
    def post(self, request: Request) -> Response:
        self.enforce("receiver.manage", "new")
        made, secret = receivers.add(receivers.Wish(**read(ReceiverRequest, request.data)), actor=self.actor)
        return Response(_with_secret(made, secret), status=201)


class ReceiverOn(ApiView):
    @operation(
        "switchReceiverOn",
        "Tell a receiver again, from now on",
        gives=ReceiverShown,
        errors=(refusals.ReceiverNotFound, refusals.ReceiverUnchanged),
        tag="receivers",
    )
    def post(self, request: Request, receiver_id: int) -> Response:
        self.enforce("receiver.manage", f"R-{receiver_id}")
        return Response(ReceiverShown(receivers.switch(receiver_id, on=True, actor=self.actor)).data)


class ReceiverOff(ApiView):
    @operation(
        "switchReceiverOff",
        "Tell a receiver nothing more; what is on its way is dropped",
        gives=ReceiverShown,
        errors=(refusals.ReceiverNotFound, refusals.ReceiverUnchanged),
        tag="receivers",
    )
    def post(self, request: Request, receiver_id: int) -> Response:
        self.enforce("receiver.manage", f"R-{receiver_id}")
        return Response(ReceiverShown(receivers.switch(receiver_id, on=False, actor=self.actor)).data)


class ReceiverSecret(ApiView):
    @operation(
        "renewReceiverSecret",
        "A new secret, valid at once; the answer alone holds it",
        gives=ReceiverMade,
        errors=(refusals.ReceiverNotFound, refusals.NoSecret),
        tag="receivers",
    )
    def post(self, request: Request, receiver_id: int) -> Response:
        self.enforce("receiver.manage", f"R-{receiver_id}")
        return Response(_with_secret(*receivers.renew_secret(receiver_id, actor=self.actor)))


class ReceiverTest(ApiView):
    @operation(
        "testReceiver",
        "Send a test to this receiver",
        gives=DeliveryShown,
        status=201,
        errors=(refusals.ReceiverNotFound,),
        tag="receivers",
    )
    def post(self, request: Request, receiver_id: int) -> Response:
        self.enforce("receiver.manage", f"R-{receiver_id}")
        return Response(_delivery(receivers.try_out(receiver_id, actor=self.actor)), status=201)


class DeliveryList(ApiView):
    parameters = {"GET": paging.PARAMETERS | {"state"}}

    @operation(
        "listDeliveries",
        "Deliveries of all ways, newest first",
        gives=DeliveryShown,
        paged=True,
        parameters=(STATE,),
        tag="receivers",
    )
    def get(self, request: Request) -> Response:
        self.enforce("receiver.browse", "*")
        rows = Delivery.objects.select_related("message").order_by("-pk")
        state = request.query_params.get("state")
        if state is not None:
            if state not in Delivery.State.values:
                raise BadParameter(field="state", value=state[:40], hint=", ".join(Delivery.State.values))
            rows = rows.filter(state=state)
        return Response(_paged(request, rows, DeliveryShown))


class DeliveryAgain(ApiView):
    @operation(
        "sendAgain",
        "Begin anew with a delivery that was given up; its id stays",
        gives=DeliveryShown,
        errors=(refusals.DeliveryNotFound, refusals.DeliveryNotEnded),
        tag="receivers",
    )
    def post(self, request: Request, delivery_id: int) -> Response:
        self.enforce("receiver.manage", f"D-{delivery_id}")
        return Response(_delivery(receivers.send_again(delivery_id, actor=self.actor)))


def _paged(request: Request, rows: Any, shown: Any) -> dict[str, Any]:
    after = paging.numbers(request)
    if after is not None:
        rows = rows.filter(pk__lt=after[0])
    return paging.page(
        request,
        rows,
        key=lambda one: (one.pk,),
        show=lambda found: list(shown(found, many=True).data),
        limit=paging.size(request),
    )


def _with_secret(made: Receiver, secret: str) -> dict[str, Any]:
    return dict(ReceiverShown(made).data) | {"secret": secret}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return dict(DeliveryShown(Delivery.objects.select_related("message").get(pk=delivery.pk)).data)
