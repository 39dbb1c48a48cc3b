"""Worker processes that do not outlive the one that started them."""

import os
import threading
import time


def end_with(parent: int) -> None:
    """Let this process end when process ``parent`` is gone; for the start of a worker.

    A pool's workers wait on a pipe that they hold open themselves, so they would wait for ever after the
    death of a parent that was killed.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()
