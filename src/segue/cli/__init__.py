"""The command line: one file per command, no logic. Everything it does, the library does.

Nothing heavy is imported until a command runs, so that `segue --help` is instant.
"""
