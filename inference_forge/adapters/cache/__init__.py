"""The answer cache on disk, which is also the journal of a run."""

from inference_forge.adapters.cache.leases import FileLeases
from inference_forge.adapters.cache.looking import LookingCache, look_into_cache
from inference_forge.adapters.cache.maintenance import CacheStats, clear, prune, stats
from inference_forge.adapters.cache.reparsing import Reparsed, reparse
from inference_forge.adapters.cache.store import DiskResultCache, open_cache
from inference_forge.adapters.cache.temporary import TemporaryCache, open_temporary_cache

__all__ = [
    "CacheStats",
    "DiskResultCache",
    "FileLeases",
    "LookingCache",
    "Reparsed",
    "TemporaryCache",
    "clear",
    "look_into_cache",
    "open_cache",
    "open_temporary_cache",
    "prune",
    "reparse",
    "stats",
]
