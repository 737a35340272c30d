"""Networks that rewire themselves while they act: the plastic network, its worlds and their episodes."""
