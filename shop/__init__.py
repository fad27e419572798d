"""The example a newcomer sees and copies."""
