"""The durable record of tasks: what is accepted is not lost, whatever dies."""
