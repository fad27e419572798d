"""Middleware: context of the work, refusals as pages, fragments after a lost login."""
