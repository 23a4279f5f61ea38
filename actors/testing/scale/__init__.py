"""What a task costs as agents and tasks grow, beyond what one machine could run."""
