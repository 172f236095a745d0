"""The world: files, the cache on disk, HTTP, the embedded classifier."""
