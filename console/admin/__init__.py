"""The admin site and the model pages."""
