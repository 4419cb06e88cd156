"""How good the models are: prompts, what reads their pictures, figures, sheets."""
