"""``python -m simulated_notion``: the program itself."""

import subprocess
import sys

from simulated_notion.program import program


def main() -> int:
    """Run the program with the same arguments, and end as it ends."""
    try:
        return subprocess.call([program(), *sys.argv[1:]])
    except KeyboardInterrupt:
        return 0  # Ctrl-C reached the program too, which ends with 0.


if __name__ == "__main__":
    sys.exit(main())
