"""HTTP for load: pooled connections, one client seam, every failure translated once."""
