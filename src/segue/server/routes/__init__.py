"""Addresses, one file per group. Handlers check, hand over, and write the answer; nothing else."""
