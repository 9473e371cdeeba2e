"""Conversations on disk: one SQLite file, one connection, one thread. `store.Store` is the door."""
