"""Replies that hold boxes as JSON, however damaged, read while they stream."""
