"""`forge taxonomy`: making a taxonomy file, and checking one."""

from inference_forge.jobs.taxonomy.checking import Checked, check_taxonomy
from inference_forge.jobs.taxonomy.making import Made, MakeJob, make_taxonomy

__all__ = ["Checked", "Made", "MakeJob", "check_taxonomy", "make_taxonomy"]
