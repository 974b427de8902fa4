"""The recipe of a run, and the loop that follows it."""
