"""One message as one e-mail, plain and as simple HTML, through Django's backend. No images, nothing from elsewhere."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import get_language

from approvals.notices import links
from approvals.notices.failures import Failed
from approvals.notices.models import Delivery
from approvals.notices.words import say


def send(address: str, delivery: Delivery) -> None:
    """Hand it to the mail server, or raise Failed. Sent twice it carries the same Message-ID."""
    said = say(delivery.message)
    shown = {
        "subject": said.subject,
        "text": said.text,
        "link": links.link_of(delivery.message),
        "settings": f"{settings.CUSTODY_URL}/admin/notices/settings/",
        "language": get_language(),
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(said.subject.split())[:200],
        body=render_to_string("notices/mail.txt", shown),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[address],
        headers={
            "Message-ID": f"<{delivery.uuid}@custody>",
            "Custody-Id": str(delivery.uuid),
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("notices/mail.html", shown), "text/html")
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        raise Failed("address_unknown", final=all(code >= 500 for code, _ in error.recipients.values())) from error
    except smtplib.SMTPResponseException as error:
        raise Failed(f"smtp_{error.smtp_code}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Failed("no_answer") from error
