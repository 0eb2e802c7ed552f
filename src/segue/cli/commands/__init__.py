"""The subcommands of `segue`, one file each."""
