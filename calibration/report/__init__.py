"""The report of a calibration: one page of HTML that needs nothing beside it."""

from rtbold.calibration.report.build import Made, Sources, report_content
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.page import report_html

__all__ = [
    "Made",
    "ReportContent",
    "Sources",
    "report_content",
    "report_html",
]
