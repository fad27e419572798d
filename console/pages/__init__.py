"""The pages. A view reads, calls one verb, and hands a presenter's words to a template; it owns no rule."""
