"""The networks themselves: plain `torch.nn.Module` classes that know tensors only."""
