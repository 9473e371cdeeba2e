"""The conversation on screen. Nothing is imported here: `typeset` runs as a process of its own, without Qt."""
