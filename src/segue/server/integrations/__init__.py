"""Other ways in: a Label Studio's model, and tools for agents."""
