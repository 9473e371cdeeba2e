"""The page about the ledger: what left this computer, what was refused, and the proof of it."""
