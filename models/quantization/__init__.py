"""Making a smaller version of a model: the types there are, the child that makes it, and its parent's side."""
