"""What all explorers share: the owner loop, the clock, the transport and the figures."""
