"""Stand-ins for packages, put on the path of other processes only."""

collect_ignore_glob = ["*"]
