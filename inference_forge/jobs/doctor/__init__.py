"""`forge doctor`: is everything there that a run needs, and what to do where it is not."""

from inference_forge.jobs.doctor.findings import Finding, Report, Status
from inference_forge.jobs.doctor.machine import Terminal
from inference_forge.jobs.doctor.run import DoctorJob, run_doctor

__all__ = ["DoctorJob", "Finding", "Report", "Status", "Terminal", "run_doctor"]
