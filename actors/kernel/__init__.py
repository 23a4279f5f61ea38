"""Actors, on pykka, which is imported nowhere else."""
