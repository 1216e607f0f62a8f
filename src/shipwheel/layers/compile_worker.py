"""The program that compiles modules in the interpreter of the image; `bytecode.py` starts it and speaks its protocol."""

# Compiles Python source to bytecode, in the interpreter of the image; started by `bytecode.py`, which speaks its protocol.
# Request: two lengths (u32, u32), the path that the code will have, the source. Answer: a length (u32), the .pyc or nothing.
# Whatever this process imports or keeps alive can show in the bytes (marshal flags an object by its reference count), so it
# imports little, keeps nothing, and its text is part of every layer key.
import marshal
import struct
import sys
import warnings
from importlib.util import MAGIC_NUMBER, source_hash

warnings.simplefilter("ignore")
sys.setrecursionlimit(5000)
receive, send = sys.stdin.buffer, sys.stdout.buffer
while header := receive.read(8):
    path_length, source_length = struct.unpack("<II", header)
    path = receive.read(path_length).decode("utf-8", "surrogateescape")
    source = receive.read(source_length)
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        # PEP 552: hash-based, unchecked: no file time stands in it, and nothing is compared at import.
        answer = MAGIC_NUMBER + struct.pack("<I", 1) + source_hash(source) + marshal.dumps(code)
        del code
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        answer = b""
    send.write(struct.pack("<I", len(answer)) + answer)
    send.flush()
