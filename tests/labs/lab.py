"""What a lab is: functions of the kernel that a student writes, and the rules by which they are judged.

A lab names functions by file and name and says what is left of their bodies; the sources know nothing of it.
Where a function begins and ends is seen from clang-format's layout: its name at the left margin, a brace alone
at the left margin before and after its body.
"""

import importlib
import re
from dataclasses import dataclass, field

NAMES = ("tables", "demand", "cow", "areas", "cache", "writeback", "swap", "tlb")
NOTE = "/* lab: to be written. The contract: above, where it is declared, and in docs/labs/{}.md. */"
# What a function that is not written does not use yet.
UNUSED = "".join(f'#pragma GCC diagnostic ignored "-Wunused-{what}"\n' for what in ("function", "parameter", "variable")) + \
    '#pragma GCC diagnostic ignored "-Wunused-const-variable"\n'


@dataclass
class Left:
    """What is left of a function."""
    path: str
    name: str
    body: str  # without its indentation


@dataclass
class Rule:
    """A rule of the contract, in words, and what breaks when it is broken: "test_x NAME" (tests/host), "fuzz ARGUMENTS", or
    "guest NAME" (tests/guest; more words are options of QEMU)."""
    points: int
    proof: str
    words: str

    @property
    def kind(self):
        return self.proof.split()[0]


@dataclass
class Boot:
    """How far the kernel comes with the reduced functions: what the serial line says then, once a shell has been told
    something, if one comes."""
    pattern: str
    types: str = ""
    append: str = ""  # options of the kernel
    options: tuple = ()  # of QEMU


@dataclass
class Lab:
    name: str
    title: str
    functions: list
    rules: list  # without the first none of the others gives points: it asks for what they all build on
    boots: Boot
    also: list = field(default_factory=list)  # further files that a solution may change

    def files(self):
        return sorted({f.path for f in self.functions})

    def points(self):
        return sum(r.points for r in self.rules)


def load(name):
    return importlib.import_module(f"labs.{name}").LAB


# ---- Reduced functions


def find_function(text, name):
    """(line of the brace that opens its body, line of the one that closes it), counted from 0."""
    lines = text.split("\n")
    found = []
    for i, line in enumerate(lines):
        if not re.match(rf"[A-Za-z_][^;=]*\b{name}\(", line) or line.startswith("#"):
            continue
        at = i
        while lines[at] and lines[at] != "{" and not lines[at].endswith(";"):
            at += 1
        if lines[at] == "{":
            found.append((at, lines.index("}", at)))
    if len(found) != 1:
        raise ValueError(f"{name} is defined {len(found)} times")
    return found[0]


def reduce_function(text, left, lab_name):
    begin, end = find_function(text, left.name)
    lines = text.split("\n")
    body = [NOTE.format(lab_name), *left.body.strip("\n").split("\n")]
    lines[begin + 1:end] = ["    " + line if line else line for line in body]
    return "\n".join(lines)


def reduced_texts(lab, read):
    """{path: its text with the lab's functions reduced}; read: from a path to a text."""
    texts = {}
    for left in lab.functions:
        try:
            texts[left.path] = reduce_function(texts.get(left.path) or read(left.path), left, lab.name)
        except ValueError as e:
            raise ValueError(f"lab {lab.name}: {left.path}: {e}") from e
    for path, text in texts.items():
        texts[path] = re.sub(r"^#include", UNUSED + "#include", text, count=1, flags=re.M)
    return texts
