"""A provider of OpenID Connect for the tests: django-oauth-toolkit, in a process and with a database of its own."""
