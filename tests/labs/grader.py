"""Points for a tree: each rule of a lab is tried, and what is broken is said in words."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from objects import DoesNotBuild

LIMIT, LIMIT_EMULATED, GUEST_LIMIT = 30, 180, 120  # seconds
LINES = 3  # of what a test says
NOT_TRIED = "not tried before the first rule holds"


@dataclass
class Verdict:
    rule: object
    broken: str  # "": it holds

    def points(self):
        return 0 if self.broken else self.rule.points


def gist(said):
    """The lines that say what was not so."""
    lines = [line for line in said.split("\n") if line and not re.match(r"(ok  |\d+ passed)", line)]
    telling = [line for line in lines if re.search(r"not so|is .*, not |mm_check|operation|assert|panic|does not", line)]
    return "\n".join((telling or lines or ["it crashed"])[:LINES])


def try_on_host(objects, rule):
    program, *args = rule.proof.split()
    try:
        limit = LIMIT_EMULATED if objects.emulated() else LIMIT
        if program == "fuzz":
            said = objects.run(program, *args, limit=limit)
        else:
            said = objects.run(program, only=args[0], limit=limit)
    except DoesNotBuild as e:
        return Verdict(rule, "it does not build:\n" + "\n".join(str(e).split("\n")[:12]))
    return Verdict(rule, "" if said is None else gist(said))


def try_guests(tree, rules):
    """All of them on one debug kernel of the tree, which audits its memory after each."""
    build, names = tree + "/build/debug", [r.proof.split()[1] for r in rules]
    options = sorted({tuple(r.proof.split()[2:]) for r in rules})
    made = subprocess.run(["make", "-s", "-j", str(os.cpu_count() or 1), "B=build/debug", "DEBUG=1", "build/debug/faultline.elf",
                           "build/debug/guest/init", *(f"build/debug/guest/{n}" for n in names)],
                          cwd=tree, capture_output=True, text=True, check=False)
    if made.returncode:
        return [Verdict(r, "the kernel does not build:\n" + "\n".join(made.stderr.split("\n")[:12])) for r in rules]
    sys.path.insert(0, tree + "/tests/guest")
    import run
    verdicts = []
    for machine in options:
        mine = [r for r in rules if tuple(r.proof.split()[2:]) == machine]
        outcome = dict(run.compare(build, [r.proof.split()[1] for r in mine], machine=machine, timeout=GUEST_LIMIT)[0])
        end = outcome.get("machine")
        for r in mine:
            diff = outcome[r.proof.split()[1]]
            verdicts.append(Verdict(r, "" if diff is None else gist_of_guest(diff, end)))
    return verdicts


def gist_of_guest(diff, end):
    if "(did not run)" in diff and end:
        said = [line for line in end.split("\n") if line.strip()]
        panic = [line for line in said if "panic" in line.lower() or "mm_check" in line]
        return "the machine did not come to it: " + (panic or said)[-1]
    return "\n".join(line for line in diff.split("\n") if line[:1] in "+-" and line[:3] not in ("+++", "---"))[:600]


def grade(lab, objects, tree=None):
    """Verdicts, in the order of the rules; tree: where its kernel is built for the guest tests, None: without them.
    The first rule asks for what the others build on: without it they are not tried."""
    first, *others = [r for r in lab.rules if tree or r.kind != "guest"]
    base = try_on_host(objects, first)
    if base.broken:
        return [base] + [Verdict(r, NOT_TRIED) for r in others]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda r: try_on_host(objects, r), (r for r in others if r.kind != "guest")))
    guests = [r for r in others if r.kind == "guest"]
    return [base, *verdicts, *(try_guests(tree, guests) if guests else [])]
