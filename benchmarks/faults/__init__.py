"""Each fault with each library, in real processes: what the program is told, and after what time it works again."""
