"""What can be measured in a source file, without running it: pure functions, no actors."""
