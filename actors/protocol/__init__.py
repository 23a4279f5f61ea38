"""What travels: messages, events and states."""
