"""The scripts are checked, not run."""

collect_ignore = ["api.py", "wrong_api.py"]
