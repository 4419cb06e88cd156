"""Adapters of one's own: LoRAs, their kin and words, learnt from a few pictures."""
