"""`forge providers`: who could answer, and who is ready to here and now."""

from inference_forge.jobs.providers.listing import Listed, ProvidersJob, list_providers

__all__ = ["Listed", "ProvidersJob", "list_providers"]
