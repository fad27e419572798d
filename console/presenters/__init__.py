"""Words and sums for templates. Pure where possible: values in, frozen dataclasses out."""
