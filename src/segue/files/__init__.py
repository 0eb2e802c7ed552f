"""Reading and writing files so that nothing is lost: text, atomic writing, Unicode."""
