"""A simulated provider: behind httpx's seam, or as a server on loopback."""

from inference_forge.adapters.simulator.preset import simulated_preset
from inference_forge.adapters.simulator.transport import SimulatedTransport, simulated_transport

__all__ = ["SimulatedTransport", "simulated_preset", "simulated_transport"]
