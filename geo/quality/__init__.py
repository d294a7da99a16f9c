"""Quality of a city's data (数据体检)."""

from geo.quality.datum import areas_verdict, verdict
from geo.quality.evidence import Reference
from geo.quality.result import Verdict

__all__ = ["Reference", "Verdict", "areas_verdict", "verdict"]
