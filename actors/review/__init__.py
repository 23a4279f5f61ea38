"""The command `actors review`: what it looks for, what it makes of it, and how it shows it."""
