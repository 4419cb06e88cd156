"""What steers the model that draws: edges, colours, and another picture."""
