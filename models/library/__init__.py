"""The library: models that are already on this disk, found where they lie and never copied.

`places` walks folders and the stores of other programs, `describe` reads what a file says about itself, both in a
locked child (`scanner`); `scan` is the parent's side of it.
"""
