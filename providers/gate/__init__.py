"""The one way out of this machine: the broker, its gate, and the ledger of what left and what was refused."""
