"""Facts about the machine that a measurement ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine_facts() -> dict[str, str]:
    """What a reader needs to know to compare figures: processor, cores, threads, load, memory."""
    facts = {
        "processor": _processor(),
        "cores": str(_usable_cores()),
        "torch threads": str(torch.get_num_threads()),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
        "memory": _memory(),
        "system": f"{platform.system()} on {platform.machine()}",
    }
    if torch.cuda.is_available():
        facts["GPU"] = torch.cuda.get_device_name()
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{n_bytes / 1024**3:.1f} GiB"
