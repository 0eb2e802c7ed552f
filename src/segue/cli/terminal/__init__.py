"""What the command line shows: screens, lines, tables, the interactive prompt."""
