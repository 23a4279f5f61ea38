"""Finds code of workers that reaches past the simulation for clock, chance, threads or waits."""
