"""Dates and times in Django's own lists and forms, as the console's pages write them."""
