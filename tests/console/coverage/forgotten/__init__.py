"""An app of a project that has not heard of governance yet: everything in it is a gap."""
