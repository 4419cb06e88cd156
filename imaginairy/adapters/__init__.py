"""What changes models from beside them: LoRA and its kin, and learned words."""
