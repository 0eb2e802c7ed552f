"""Conversations that outlive the process: the store, their pictures, the data folder."""
