"""The labs: with its functions reduced each tree builds, boots as far as its lab says, and has no points; the whole
kernel has all of them; typical wrong solutions are named; what the sheets say works.

FAULTLINE_LABS=whole (make labs-test) adds the rules that boot a debug kernel.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

from machine import BUILD, TOP, Machine

sys.path[:0] = [TOP + "/tests", TOP + "/tests/host"]
from labs import grader, lab as labs  # noqa: E402
from labs.teacher import teacher  # noqa: E402
from objects import Objects  # noqa: E402

WHOLE = os.environ.get("FAULTLINE_LABS") == "whole"
every_lab = pytest.mark.parametrize("lab", [labs.load(name) for name in labs.NAMES], ids=labs.NAMES)
SHEETS = sorted(glob.glob(TOP + "/docs/labs/*.md"))


def read(path):
    with open(f"{TOP}/{path}", encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def objects():
    kept = Objects(BUILD + "/labs/kept", TOP)
    yield kept
    kept.prune()


def points(verdicts):
    return sum(v.points() for v in verdicts)


def script(*args, tree=TOP):
    """What scripts/lab says."""
    done = subprocess.run(["scripts/lab", *args], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


tried = {}  # of the whole kernel: several labs have the same rule


def holds(rule, objects):
    """What takes minutes in an emulator is left to the host tests, which have it all."""
    if rule.kind == "test_failures" and objects.emulated():
        return True
    if rule.proof not in tried:
        tried[rule.proof] = grader.try_on_host(objects, rule).broken
    return not tried[rule.proof]


@every_lab
def test_whole_kernel_has_all_points(lab, objects):
    assert [r.proof for r in lab.rules if r.kind != "guest" and not holds(r, objects)] == [], tried


if WHOLE:
    @every_lab
    def test_whole_kernel_has_all_points_where_a_kernel_is_booted(lab):
        said = script("grade", lab.name, "--dir", ".")
        assert last_line(said) == f"{lab.points()} of {lab.points()} points", said


@every_lab
def test_reduced_tree_has_no_points(lab, objects):
    reduced = objects.with_texts(labs.reduced_texts(lab, read))
    assert points(grader.grade(lab, reduced)) == 0


@every_lab
def test_wrong_solutions_are_named(lab, objects):
    wrong = teacher.load(lab.name).WRONG
    assert len(wrong) >= 3
    missed = []
    for w in wrong:
        rule = next((r for r in lab.rules if w.noticed in (r.proof, r.proof.split()[1])), None)
        assert rule, f"{w.noticed} is no rule of {lab.name}"
        solution = objects.with_texts(teacher.replaced(w, read))
        if not grader.try_on_host(solution, rule).broken:
            missed.append(f"{w.name}: {rule.words}")
    assert missed == []


@every_lab
def test_wrong_solutions_are_in_what_is_to_be_written(lab):
    """Or a student could not make that mistake."""
    for w in teacher.load(lab.name).WRONG:
        path, text, _ = w.place()
        whole = read(path)
        at = whole[:whole.index(text)].count("\n"), whole[:whole.index(text) + len(text)].rstrip("\n").count("\n")
        spans = [labs.find_function(whole, f.name) for f in lab.functions if f.path == path]
        assert any(begin <= at[0] and at[1] <= end for begin, end in spans), f"{w.name} is not in a function of {lab.name}"


# ---- Trees


OF_THE_KERNEL = ("arch", "boot", "drivers", "fs", "kernel", "libc", "mm", "vdso", "font.c", "font.o", "kernel.flags")


def built_of(tree, build="build"):
    """What was built of the whole kernel, so that only what differs is compiled."""
    for name in OF_THE_KERNEL:
        source, to = f"{BUILD}{build.removeprefix('build')}/{name}", f"{tree}/{build}/{name}"
        os.makedirs(os.path.dirname(to), exist_ok=True)
        (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, to)


def make(tree, *what):
    done = subprocess.run(["make", "-s", "-j", str(os.cpu_count()), *what], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@every_lab
def test_reduced_tree_builds_and_boots(lab, tmp_path):
    tree = str(tmp_path / "tree")
    script("write", lab.name, "--seed", "somebody", "--dir", tree)
    assert not os.path.exists(tree + "/tests/labs/teacher")
    assert all(f.name in read_in(tree, "LAB.md") for f in lab.functions)
    built_of(tree)
    make(tree, "build/faultline.elf")
    with Machine.direct(f"{BUILD}/initrd.cpio", kernel=tree + "/build/faultline.elf", append=f"console=ttyS0 panic=-1 {lab.boots.append}",
                        more=lab.boots.options) as m:
        if lab.boots.types:
            m.expect(r"# (\x1b\[6n)?$")
            m.type(lab.boots.types)
        m.expect(lab.boots.pattern)


if WHOLE:
    @every_lab
    def test_reduced_tree_builds_with_debug(lab, tmp_path):
        tree = str(tmp_path / "tree")
        script("write", lab.name, "--seed", "somebody", "--dir", tree)
        built_of(tree, "build/debug")
        make(tree, "B=build/debug", "DEBUG=1", "build/debug/faultline.elf")


def read_in(tree, path):
    with open(f"{tree}/{path}", encoding="utf-8") as f:
        return f.read()


# ---- A student, and a teacher


def solve(tree, lab):
    """Does what a good student does."""
    for path in lab.files():
        shutil.copy2(f"{TOP}/{path}", f"{tree}/{path}")


def last_line(said):
    return said.rstrip("\n").split("\n")[-1]


def test_a_student_gets_points_for_what_is_right_and_a_teacher_sees_the_same(tmp_path):
    lab, tree = labs.load("cow"), str(tmp_path / "tree")
    all_of = sum(r.points for r in lab.rules if r.kind != "guest")
    asked = teacher.questions("cow", "anna")
    script("write", "cow", "--seed", "anna", "--dir", tree)
    assert all(text in read_in(tree, "LAB.md") for text, _ in asked)
    assert last_line(script("grade", "cow", "--quick", tree=tree)) == f"0 of {all_of + len(asked)} points"
    solve(tree, lab)
    with open(tree + "/answers.txt", "w") as f:
        f.write("".join(f"{n} = {answer + (n == 2)}\n" for n, (_, answer) in enumerate(asked, 1)))
    right = f"{all_of + len(asked) - 1} of {all_of + len(asked)} points"
    said = script("grade", "cow", "--quick", tree=tree)
    assert last_line(said) == right and "Question 2: " in said and said.count("is not right") == 1
    assert last_line(script("grade", "cow", "--quick", "--dir", tree)) == right
    assert "is not right" in script("grade", "cow", "--quick", "--dir", tree, "--seed", "berta")


def test_a_student_who_changes_the_tests_gets_nothing_for_it(tmp_path):
    tree = str(tmp_path / "tree")
    script("write", "cow", "--seed", "anna", "--dir", tree)
    with open(tree + "/tests/host/check.c", "w") as f:
        f.write('#include "tests/host/check.h"\nstruct test *tests, **tests_end = &tests;\nint test_failures;\n'
                "int run_tests(void (*before)(void), void (*after)(void))\n{\n    return 0;\n}\n")
    assert last_line(script("grade", "cow", "--quick", "--dir", tree)).startswith("0 of ")


def test_what_does_not_build_is_said(tmp_path):
    tree = str(tmp_path / "tree")
    make(TOP, "lab", "NAME=cow", "SEED=anna", f"DIR={tree}")
    with open(tree + "/mm/amap.c", "a") as f:
        f.write("int unfinished(\n")
    said = make(tree, "grade", "NAME=cow", "QUICK=1")
    assert "it does not build" in said and "mm/amap.c" in said and last_line(said).startswith("0 of ")


def test_a_tree_is_not_written_over(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.c").write_text("")
    done = subprocess.run(["scripts/lab", "write", "cow", "--dir", str(tmp_path / "work")], cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "already" in done.stderr


@every_lab
def test_questions_differ_and_have_answers(lab):
    seeds = [str(n) for n in range(40)]
    for n, ask in enumerate(teacher.load(lab.name).QUESTIONS):
        asked = [teacher.questions(lab.name, seed)[n] for seed in seeds]
        assert all(isinstance(answer, int) and answer >= 0 for _, answer in asked), ask.__name__
        assert len({text for text, _ in asked}) > 3 and len({answer for _, answer in asked}) > 2, ask.__name__
        assert teacher.questions(lab.name, "1")[n] == asked[1]


# ---- The sheets


@every_lab
def test_the_sheet_names_what_is_to_be_written(lab):
    sheet = read(f"docs/labs/{lab.name}.md")
    assert lab.title.split(",")[0].lower() in sheet.split("\n")[0].lower()
    assert [f.name for f in lab.functions if f"| `{f.name}` | `{f.path}` |" not in sheet] == []
    assert f"make grade NAME={lab.name}" in sheet
    assert f"| [{lab.name}.md]({lab.name}.md) |" in read("docs/labs/README.md")


def test_functions_that_sheets_name_are_there():
    sources = "\n".join(read(os.path.relpath(p, TOP)) for room in ("mm", "arch", "kernel", "fs", "user", "libc", "drivers")
                        for p in glob.glob(f"{TOP}/{room}/**/*.[ch]", recursive=True))
    for sheet in SHEETS:
        named = set(re.findall(r"`([a-z_0-9]+)\(\)`", read(os.path.relpath(sheet, TOP))))
        assert [n for n in named if not re.search(rf"\b{n}\(", sources)] == [], sheet


def commands(sheet):
    return [line[6:] for line in read(sheet).split("\n") if line.startswith("    # ")]


@pytest.mark.parametrize("name", labs.NAMES)
def test_commands_of_the_sheet_work(name, iso):
    for command in commands(f"docs/labs/{name}.md"):
        iso.sh(command)
