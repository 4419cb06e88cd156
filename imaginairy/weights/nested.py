"""Pickles of tuples in each other, told before they are read.

What a dictionary is asked for is hashed, and a tuple by all that is in it, as often as
it is in there: of one that holds the one before it twice, and so on sixty times, that
never ends, and nothing interrupts it.
"""

import pickletools
from typing import IO, cast

MOST_PARTS = 10_000_000
"""How many parts a value may have, those of its parts included."""
MARK = pickletools.markobject
JOINED = {
    "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET", "REDUCE", "NEWOBJ", "NEWOBJ_EX",
    "BUILD", "OBJ", "INST", "BINPERSID",
}  # fmt: skip
"""Operations that make one value of several that can be hashed by them."""
KEPT = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
FETCHED = {"GET", "BINGET", "LONG_BINGET"}


def is_endless(pickled: bytes | IO[bytes]) -> bool:
    """Tell whether a pickle makes a value of more parts than could be hashed.

    It is taken apart and not loaded; of one that is broken that is told of otherwise.
    """
    stack: list[int | None] = []
    memory: dict[int, int | None] = {}
    try:
        for operation, given, _ in pickletools.genops(pickled):
            name, argument = operation.name, cast(int, given)
            if name in KEPT:
                place = len(memory) if name == "MEMOIZE" else argument
                memory[place] = stack[-1]
            elif name in FETCHED:
                stack.append(memory[argument])
            elif name == "DUP":
                stack.append(stack[-1])
            else:
                taken = _taken(stack, operation)
                parts = 1 + sum(taken) if name in JOINED else 1
                if parts > MOST_PARTS:
                    return True
                for left in operation.stack_after:
                    stack.append(None if left is MARK else parts)
    except (ValueError, LookupError, TypeError):
        return False
    return False


def _taken(stack: list[int | None], operation: pickletools.OpcodeInfo) -> list[int]:
    """Take off the stack what an operation does; return how many parts each has."""
    needed, taken = operation.stack_before, []
    count = len(needed)
    if MARK in needed:
        count = needed.index(MARK)
        while (parts := stack.pop()) is not None:
            taken.append(parts)
    for _ in range(count):
        taken.append(stack.pop() or 0)
    return taken
