"""The composition root: settings in, a wired run out."""

from inference_forge.app.classify import run_classify
from inference_forge.app.confirmation import costly_outlook
from inference_forge.app.dry_run import Outlook, look_ahead
from inference_forge.app.history import (
    PastRun,
    PastRuns,
    RunState,
    forget_runs,
    one_run,
    past_runs,
)
from inference_forge.app.job import ClassifyJob, InputResult, Watcher, new_run_id
from inference_forge.app.notices import Notices
from inference_forge.app.opening_outlets import tell_of_broken_settings
from inference_forge.app.outlet_conflicts import check_apart
from inference_forge.app.places import Places, user_places
from inference_forge.app.secrets import LearnedSecrets, key_names, secrets_of

__all__ = [
    "ClassifyJob",
    "InputResult",
    "LearnedSecrets",
    "Notices",
    "Outlook",
    "PastRun",
    "PastRuns",
    "Places",
    "RunState",
    "Watcher",
    "check_apart",
    "costly_outlook",
    "forget_runs",
    "key_names",
    "look_ahead",
    "new_run_id",
    "one_run",
    "past_runs",
    "run_classify",
    "secrets_of",
    "tell_of_broken_settings",
    "user_places",
]
