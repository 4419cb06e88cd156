"""Many pictures by many processes, on this machine and on others."""
