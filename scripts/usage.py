"""--help of scripts that look at their arguments themselves."""

import sys


def answer(text):
    """Prints what the script says of itself, if it is asked for that, and ends it."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(text.strip())
        sys.exit(0)
