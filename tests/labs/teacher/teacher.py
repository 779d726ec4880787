"""What the teacher has and the students' trees have not: questions with their answers, wrong solutions."""

import hashlib
import importlib
import random
from dataclasses import dataclass


@dataclass
class Planted:
    """A wrong solution: in a file a text that occurs once becomes another, and the test that names it."""
    name: str
    path: str
    text: str
    replacement: str
    noticed: str

    def place(self):
        return self.path, self.text, self.replacement


@dataclass
class Mutant:
    """The same, from the list of tests/host/mutants.py."""
    name: str
    mutant: str
    noticed: str

    def place(self):
        from mutants import MUTANTS, source_of
        _, filename, text, replacement = next(m for m in MUTANTS if m[0] == self.mutant)
        return source_of(filename), text, replacement


def load(lab_name):
    return importlib.import_module(f"labs.teacher.{lab_name}")


def replaced(wrong, read):
    """{path: text} of a wrong solution."""
    path, text, replacement = wrong.place()
    whole = read(path)
    if whole.count(text) != 1:
        raise ValueError(f"{wrong.name}: its text occurs {whole.count(text)} times in {path}")
    return {path: whole.replace(text, replacement)}


def questions(lab_name, seed):
    """[(text, answer)] for a student."""
    return [ask(random.Random(f"{lab_name}/{seed}/{n}")) for n, ask in enumerate(load(lab_name).QUESTIONS, 1)]


def sealed(lab_name, seed, number, answer):
    """An answer as it lies in a student's tree: to be compared, not to be read."""
    return hashlib.sha256(f"{lab_name}/{seed}/{number}/{answer}".encode()).hexdigest()
