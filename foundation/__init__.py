"""The ground: actor, context, errors, database backend. No models, nothing above it is imported."""
