"""Texts as vectors: what is said to the child that makes them, the child, and its parent's side."""
