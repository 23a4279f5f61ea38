"""The actors around the cores: they carry out what the cores decide."""
