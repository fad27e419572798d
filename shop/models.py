"""A small shop under governance: one base class and one declaration per model, nothing else."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.entity import Entity, Governance, live_unique
from audit.records import TrackedRecords


class Customer(Entity):
    """Deleted only without orders; tags go along, logs lose the link."""

    name = models.CharField(_("name"), max_length=200)
    email = models.EmailField(_("e-mail"), max_length=254)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    plan = models.CharField(
        _("plan"),
        max_length=20,
        default="trial",
        choices=[("trial", _("trial")), ("basic", _("basic")), ("pro", _("pro"))],
    )
    born_on = models.DateField(_("born on"), null=True, blank=True)
    credit_limit = models.DecimalField(_("credit limit"), max_digits=30, decimal_places=10, null=True, blank=True)
    score = models.FloatField(_("score"), null=True, blank=True)
    preferences = models.JSONField(_("preferences"), default=dict, blank=True)
    labels = ArrayField(models.CharField(max_length=60), verbose_name=_("labels"), default=list, blank=True)
    notes = models.TextField(_("notes"), blank=True)
    referred_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="referrals", verbose_name=_("referred by")
    )

    governance = Governance(label=_("customers"), sensitive=("phone",), retention="gdpr_30d")
    history = TrackedRecords()

    class Meta(Entity.Meta):
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [live_unique("email", name="shop_customer_live_email")]

    def __str__(self) -> str:
        return self.name


class Order(Entity):
    """An order; its items go along."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders", verbose_name=_("customer"))
    number = models.CharField(_("number"), max_length=40)
    placed_at = models.DateTimeField(_("placed"))
    state = models.CharField(
        _("state"),
        max_length=20,
        default="open",
        choices=[("open", _("open")), ("paid", _("paid")), ("shipped", _("shipped")), ("cancelled", _("cancelled"))],
    )
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2, default=0)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    note = models.TextField(_("note"), blank=True)

    governance = Governance(label=_("orders"), threshold=10, retention="tax_10y")
    history = TrackedRecords()

    class Meta(Entity.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [live_unique("number", name="shop_order_live_number")]

    def __str__(self) -> str:
        return self.number


class OrderItem(Entity):
    """A line of an order."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", verbose_name=_("order"))
    product = models.CharField(_("product"), max_length=200)
    quantity = models.IntegerField(_("quantity"), default=1)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)

    governance = Governance(label=_("order items"))
    history = TrackedRecords()

    class Meta(Entity.Meta):
        verbose_name = _("order item")
        verbose_name_plural = _("order items")

    def __str__(self) -> str:
        return self.product


class UserTag(Entity):
    """A tag of a customer: the table of the accident, declared for mass deletes."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="tags", verbose_name=_("customer"))
    tag = models.CharField(_("tag"), max_length=80)
    weight = models.FloatField(_("weight"), default=1.0)
    source = models.CharField(_("source"), max_length=40, blank=True)

    governance = Governance(label=_("user tags"), mass_deletes=True, allow_large=True)
    history = TrackedRecords()

    class Meta(Entity.Meta):
        verbose_name = _("user tag")
        verbose_name_plural = _("user tags")

    def __str__(self) -> str:
        return self.tag


class BehaviourLog(Entity):
    """What a customer did; it outlives the customer."""

    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, blank=True, related_name="logs", verbose_name=_("customer")
    )
    happened_at = models.DateTimeField(_("happened"))
    action = models.CharField(_("action"), max_length=60)
    payload = models.JSONField(_("payload"), default=dict, blank=True)

    governance = Governance(
        label=_("behaviour logs"), threshold=10_000, mass_deletes=True, allow_large=True, retention="logs_90d"
    )
    history = TrackedRecords()

    class Meta(Entity.Meta):
        verbose_name = _("behaviour log")
        verbose_name_plural = _("behaviour logs")

    def __str__(self) -> str:
        return self.action
