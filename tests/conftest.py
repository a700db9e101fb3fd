"""What every test may ask for."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when torch and numpy are imported
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for the network

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("EXAMPLES", "20000")), print_blob=True
)
settings.register_profile("ci", derandomize=True)  # a merge is judged on the same examples
if os.environ.get("CI"):
    settings.load_profile("ci")
