"""`python -m tests.provider.serve PORT REDIRECT NAME:ADDRESS[:verified] …`: lay out the provider's people, then serve."""

from __future__ import annotations

import os
import sys
from wsgiref.simple_server import make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET, PASSWORD = "custody", "provider-secret-of-custody", "password at the provider"


def main() -> None:
    port, redirect, *people = sys.argv[1:]
    os.environ["PROVIDER_KEY"] = _key()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.provider.settings"
    django.setup()
    _lay_out(redirect, people)
    from django.core.wsgi import get_wsgi_application

    with make_server("127.0.0.1", int(port), get_wsgi_application()) as server:
        server.serve_forever()


def _key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return made.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()


def _lay_out(redirect: str, people: list[str]) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    Application.objects.create(
        name="Custody",
        client_id=CLIENT,
        client_secret=SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=redirect,
        skip_authorization=True,
        algorithm="RS256",
    )
    for one in people:
        name, address, *verified = one.split(":")
        User.objects.create_user(name, address, PASSWORD, is_staff=bool(verified))


if __name__ == "__main__":
    main()
