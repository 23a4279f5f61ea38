"""What several tests share; each noun has a file and tests of its own."""
