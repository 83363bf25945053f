"""``python -m pylearn``: the command line."""

import sys

from pylearn.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
