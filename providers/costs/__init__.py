"""What remote models cost: price lists, what was spent, and budgets. Pure: nothing here sends or asks for anything."""
