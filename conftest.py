"""What every test shares: one thread a network, as threads that wait for each other are slow on a busy machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; commands that tests run inherit it
