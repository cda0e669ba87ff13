"""What every test shares: no request log, and one thread a network, as threads that wait for each other are slow."""

import os

os.environ.setdefault("NAME_CLASSIFIER_REQUEST_LOG", "off")  # tests of it switch it on, in folders of their own
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; commands that tests run inherit it
