"""Files in and out (数据导入导出): tables, vector files and OSM extracts to tables of the contract, and back."""

from geo.io.options import ImportOptions
from geo.io.pipeline import import_files
from geo.io.report import Report
from geo.io.source import MAX_BYTES

__all__ = ["MAX_BYTES", "ImportOptions", "Report", "import_files"]
