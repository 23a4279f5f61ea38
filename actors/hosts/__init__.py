"""Where agents run: processes and threads, and what passes between them and the program."""
