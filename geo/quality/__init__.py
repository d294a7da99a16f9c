"""Quality of a city's data (数据体检): the datum verdict, the checks, and the whole examination."""

from geo.quality import cameras, hierarchy, rows, tiling  # noqa: F401  their checks register themselves
from geo.quality.checks import CODES, Tables, check, faults
from geo.quality.datum import areas_verdict, verdict
from geo.quality.evidence import Reference
from geo.quality.report import Report, examine, find_faults
from geo.quality.result import Verdict
from geo.quality.tiling import tiling_faults

__all__ = [
    "CODES",
    "Reference",
    "Report",
    "Tables",
    "Verdict",
    "areas_verdict",
    "check",
    "examine",
    "faults",
    "find_faults",
    "tiling_faults",
    "verdict",
]
