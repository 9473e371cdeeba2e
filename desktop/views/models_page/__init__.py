"""The models page: what is on this computer, what the hub has, and what is on its way."""
