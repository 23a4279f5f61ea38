"""One worker on a bench: its agent stepped in the calling thread, with the test as the system."""
