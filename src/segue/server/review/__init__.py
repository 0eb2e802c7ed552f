"""A review behind the web page: its pictures as files, and what the page sends as changes."""
