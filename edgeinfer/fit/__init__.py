"""Which model fits?  Pure functions from a machine and models to a ranked plan."""

from edgeinfer.fit.candidate import Candidate, Resources, Serving
from edgeinfer.fit.memory import KvType, MemoryEstimate, estimate_memory
from edgeinfer.fit.plan import FitEntry, FitPlan, Verdict, plan_fit
from edgeinfer.fit.throughput import ThroughputEstimate, estimate_throughput

__all__ = [
    "Candidate",
    "FitEntry",
    "FitPlan",
    "KvType",
    "MemoryEstimate",
    "Resources",
    "Serving",
    "ThroughputEstimate",
    "Verdict",
    "estimate_memory",
    "estimate_throughput",
    "plan_fit",
]
