"""All interleavings of a small set-up, one of each class of equivalent ones."""
