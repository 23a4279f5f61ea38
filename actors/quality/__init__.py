"""The quality of a code tree without actors: linters, tests and security, with one format for what they find."""
