"""What a run writes: its files, its card, and the copy on the Hub."""
