"""Speed, measured side by side with the alternative in one run, as a ratio. `make bench` runs all."""
