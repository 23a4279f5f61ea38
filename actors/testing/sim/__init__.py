"""The simulated machine: the conductor, and what stands for clock, chance, threads, sockets and processes."""
