"""What a git repository tells, and what may be done with it, without any actor. It needs the extra `review`."""
