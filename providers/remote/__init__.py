"""Remote models: the services there are, how each is spoken to, what its answers mean. Nothing here sends."""
