"""What a run left behind: predictions, the decision, features; and runs compared."""
