"""The page about money: what remote models cost, budgets, and what answering here costs."""
