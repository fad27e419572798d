"""Entities with keys the shop does not have: text, uuid, several columns; no tenant. Installed by tests only."""
