"""The tests of `actors`, in folders named after the rooms."""
