"""The version, in the one place where packaging and `segue --version` read it."""

__version__ = "0.2.0"
