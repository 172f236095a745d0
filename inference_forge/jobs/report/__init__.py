"""`forge report`: a page about a run."""

from inference_forge.jobs.report.finding import events_of_run, is_file_name
from inference_forge.jobs.report.making import Report, ReportJob, make_report
from inference_forge.jobs.report.writing import write_charts, write_page

__all__ = [
    "Report",
    "ReportJob",
    "events_of_run",
    "is_file_name",
    "make_report",
    "write_charts",
    "write_page",
]
