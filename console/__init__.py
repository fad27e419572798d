"""What people and clients touch: pages, REST API, settings, and the embedded servers."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
