"""What run.py does: look at the system, set up `.venv`, then open Alcove or run the project's own commands.

Standard library only: it works before anything is installed, on Linux, macOS and Windows.
"""
