"Memory that miniai.speed keeps: counted in a process of its own."
import subprocess, sys

import pytest

@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts page faults as Linux does")
def test_kept_memory_is_not_fetched_anew():
    "In a process of its own: the setting is for all of one."
    code = """import resource, torch
from miniai.speed import keep_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20): torch.ones(10, 1_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
usual, kept = faults(), keep_memory()
faults()
print(usual, kept, faults())"""
    usual, kept, after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                        check=True).stdout.split()
    if kept == "False": pytest.skip("another C library")
    assert int(after) * 20 < int(usual)
