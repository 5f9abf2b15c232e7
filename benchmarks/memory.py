"""Peak memory of one call: what it needed on top of what was there before."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Runs a call and measures by how much memory grew at its peak.

    On a GPU this is the memory of tensors there. On a CPU it is the process's resident memory:
    Linux lets a process reset its own high-water mark; elsewhere only growth past the highest mark
    so far shows, so that a call that needs less than one before it reads 0.

    Args:
        run: The call.
        device: Where the model is.

    Returns:
        Bytes at the peak, less those in use before.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    _give_back_freed_memory()
    if not _reset_high_water_mark():
        highest = _highest_ever()
        run()
        return _highest_ever() - highest
    before = _status_bytes("VmRSS")
    run()
    return max(0, _status_bytes("VmHWM") - before)


def _give_back_freed_memory() -> None:
    """Memory that the allocator kept for later would hide what the next call takes."""
    gc.collect()
    # Only glibc has this call; without it figures come out smaller, never larger.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _reset_high_water_mark() -> bool:
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _highest_ever() -> int:
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
