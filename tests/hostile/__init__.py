"""Files and addresses that are made to do harm, through every door that they can reach.

`python -m tests.hostile` runs them all, each in a process that is watched, and prints
what was done and what went wrong; `python -m tests.hostile.kills` kills commands while
they write.
"""
