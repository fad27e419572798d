"""Adoption: tables of other programs come under governance, with their own shape and their own keys.

`catalog` reads, `survey` says what can be governed, `writer` writes an ordinary app, `operations` are what its
migrations do, `baseline` writes the history of the rows that were there before.
"""
