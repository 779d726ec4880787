"""The `fl` commands, by subject: kernel.py reads the machine, the others show what it says."""
