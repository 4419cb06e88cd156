"""What changes models from beside them: LoRA and its kin, in every spelling."""
