"""A check of the tests: put small faults into the code and see whether a test fails."""
