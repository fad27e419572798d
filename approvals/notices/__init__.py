"""Telling people and programs what happened: an outbox written with the act itself, an inbox, and deliveries.

Nothing in a message is secret: ids, counts, labels of tables, titles that a requester wrote, and a link.
"""
