"""The command line of the service: `python -m api`; Ctrl-C ends it without a traceback while it still imports."""

import signal
import sys


def main() -> None:
    """Run what api.serve does, and end with exit code 130 if Ctrl-C comes before it listens."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    from api.serve import main as run

    run()


if __name__ == "__main__":
    main()
