"""Models in memory: their owner, what draws, and what stands beside it, by role."""
