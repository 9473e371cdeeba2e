"""The page about remote models: which providers there are, what each gets and does with it, its key and its models."""
