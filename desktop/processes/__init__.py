"""The foundation of the programme: which role a process plays, how it is locked, how it is spoken to.

Only the standard library is imported here, because a process locks itself before it imports anything else.
"""
