"""Which share of small faults in the code the tests find: a random sample of the mutants that cargo-mutants lists.

Usage: mutants.py --seed N FOLDER=COUNT... [--bound SECONDS] [--out FILE.jsonl] [--scratch FOLDER]
                  [--only WORDS | --again] [--programs NAMES]

    scripts/mutants.py --seed 2 src/metric=40 src/decode=20 src/run=40

A mutant is one change: another operator, a body that returns a constant, an arm or a field taken away. Of each folder COUNT
are drawn; a larger COUNT under the same seed keeps those of a smaller one, so that a sample can grow. All are written into
one copy of the checkout (below --scratch, with a build folder of its own), each behind a switch, so that everything is
compiled once. Every test is run by itself, which shows the mutants that it reaches; a mutant is then held against the tests
that reach it until one fails: unit tests before programs in tests/, those of its own module before those of its folder, quick
ones before slow ones. No mutant gets more than --bound seconds; one that no test has caught by then is undecided and counts as
not caught. What the compiler refuses is not counted. Constants have no switch: such a mutant is compiled alone and meets the
unit tests of its folder.

FILE has one line for each time that a mutant was tried, and those it has are not tried again. After tests were written, --only
tries again those whose name contains WORDS, --again all that were not caught; --programs asks these programs alone (`unit` are
the unit tests). At the end stand the shares caught of each folder, first and last, with 95 % intervals (Wilson), and what lives.

Needs `cargo install cargo-mutants --locked` and `pip install tree-sitter tree-sitter-rust`. CARGO names another cargo.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

import tree_sitter
import tree_sitter_rust

# Programs in tests/ that run the code of a folder, and the rooms whose unit tests do.
AGAINST = {
    "src/metric": ["golden", "closed_form", "properties", "report", "cli"],
    "src/decode": ["properties", "lm", "cli"],
    "src/run": ["cli", "report", "faults"],
}
ROOMS = {
    "src/metric": ["metric", "cloud", "score", "report", "run"],
    "src/decode": ["decode", "text"],
    "src/run": ["run", "report", "cli"],
}
# A run that takes ten times as long as without a mutant, and at least this many seconds, goes round in circles.
PATIENCE = 30
MEMORY = 12 << 30
# What says that a test does not pass.
CAUGHT = ("caught", "timeout")
# A test that takes longer by itself is not asked: the bound would be spent on it.
REACH = 60
SWITCH = """
/// Whether a mutant is on. The first time that it is asked for, this is noted where LLMPR_REACHED says.
#[doc(hidden)]
#[must_use]
pub fn mutant(number: usize) -> bool {
    use std::{io::Write, sync::OnceLock, sync::atomic::{AtomicBool, Ordering}};
    static ON: OnceLock<(usize, Option<std::path::PathBuf>)> = OnceLock::new();
    static REACHED: [AtomicBool; 10_000] = [const { AtomicBool::new(false) }; 10_000];
    let wish = || {
        let on = std::env::var("LLMPR_MUTANT").ok().and_then(|number| number.parse().ok());
        (on.unwrap_or(usize::MAX), std::env::var_os("LLMPR_REACHED").map(Into::into))
    };
    let (on, notes) = ON.get_or_init(wish);
    if let Some(notes) = notes && !REACHED[number].swap(true, Ordering::Relaxed) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(notes);
        let _ = file.and_then(|mut file| file.write_all(format!("{number}\\n").as_bytes()));
    }
    *on == number
}
"""
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))


def listed(folder):
    """Every mutant of a folder, in an order that depends on the code alone."""
    command = ["cargo", "mutants", "--list", "--json", "-f", f"{folder}/**"]
    mutants = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return sorted(mutants, key=lambda mutant: mutant["name"])


def drawn(mutants, count, seed):
    """The first `count` of the shuffled mutants."""
    order = list(mutants)
    random.Random(seed).shuffle(order)
    return order[:count]


def around(node, kinds):
    """The next node of one of `kinds` upwards."""
    while node is not None and node.type not in kinds:
        node = node.parent
    return node


def edit(code, mutant, number, at, end):
    """Where to replace which bytes by what, so that the mutant is there where it is on; `None` where that cannot be written."""
    tree, on, new = PARSER.parse(code), f"crate::mutant({number})", mutant["replacement"]
    text = lambda node: code[node.start_byte : node.end_byte].decode()
    node = tree.root_node.descendant_for_byte_range(at, end)
    # What is computed before the program runs has no switches.
    of = around(node, ["const_item", "static_item", "function_item", "closure_expression"])
    if of is not None and (of.type.startswith(("const", "static")) or re.match(r"[^({]*\bconst\b[^({]*\bfn\b", text(of))):
        return None
    genre = mutant["genre"]
    if genre == "FnValue":
        return at, at, f"if {on} {{ return {new}; }} "
    if genre == "BinaryOperator":
        whole = around(node, ["binary_expression", "compound_assignment_expr", "let_chain", "block"])
        if whole is None or whole.type in ("let_chain", "block") or whole.child_by_field_name("operator").start_byte != at:
            return None
        left, right = (text(whole.child_by_field_name(side)) for side in ("left", "right"))
        return whole.start_byte, whole.end_byte, f"(if !{on} {{ {text(whole)} }} else {{ {left} {new} {right} }})"
    if genre == "UnaryOperator":
        whole = around(node, ["unary_expression"])
        if whole is None or whole.start_byte != at:
            return None
        return whole.start_byte, whole.end_byte, f"(if !{on} {{ {text(whole)} }} else {{ {text(whole)[1:]} }})"
    if genre == "MatchArm":
        pattern = around(node, ["match_arm"]).child_by_field_name("pattern")
        guard = pattern.child_by_field_name("condition")
        if guard is None:
            return pattern.end_byte, pattern.end_byte, f" if !{on}"
        return guard.start_byte, guard.end_byte, f"!{on} && {parenthesised(text(guard))}"
    if genre == "MatchArmGuard":
        guard = code[at:end].decode()
        return at, end, f"{on} || ({guard})" if new == "true" else f"!{on} && {parenthesised(guard)}"
    if genre == "StructField":
        struct = around(node, ["struct_expression"])
        bases = [base for base in struct.child_by_field_name("body").children if base.type == "base_field_initializer"]
        if not bases:
            return None
        name, _, value = code[at:end].decode().rstrip(",").partition(":")
        value = value.strip() or name.strip()
        return at, end, f"{name}: if !{on} {{ {value} }} else {{ ({text(bases[0])[2:]}).{name.strip()} }},"
    return None


def parenthesised(condition):
    """Conditions with a pattern in them have no parentheses."""
    return condition if re.search(r"\blet\b", condition) else f"({condition})"


def switched(code, mutants):
    """The code of a file with all its `(number, mutant)` behind switches; numbers of those that cannot be."""
    lines = code.decode().split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()) + 1)
    place = lambda at: starts[at["line"] - 1] + len(lines[at["line"] - 1][: at["column"] - 1].encode())
    # The last first: what stands before keeps its place but for what is wrapped around it.
    todo = [[place(m["span"]["start"]), place(m["span"]["end"]), number, m] for number, m in mutants]
    todo.sort(key=lambda item: item[:3])
    left_out = []
    while todo:
        at, end, number, mutant = todo.pop()
        found = edit(code, mutant, number, at, end)
        if found is None:
            left_out.append(number)
            continue
        start, stop, put = found
        kept = code[start:stop].decode()
        shift = len(put[: put.index(kept)].encode()) if kept and kept in put else len(put.encode())
        for item in todo:
            if item[0] < start or (item[0] == start and item[1] > max(stop, start + 1)):
                # It has all of this in it.
                item[1] += (len(put.encode()) - (stop - start)) * (item[1] >= stop)
            else:
                # What is inside stands in the first copy.
                item[0] += shift
                item[1] += shift
        code = code[:start] + put.encode() + code[stop:]
    return code, left_out


def cargo(tree, target, arguments):
    """What `cargo test --no-run` makes: the programs by name, and the errors."""
    command = [os.environ.get("CARGO", "cargo"), "test", "--no-run", "--message-format=json", *arguments]
    done = subprocess.run(
        command, cwd=tree, env=os.environ | {"CARGO_TARGET_DIR": str(target)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    messages = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    programs = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
    errors = [m["message"] for m in messages if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
    return programs, errors, done.returncode


def blamed(tree, errors):
    """Numbers of the mutants on the lines that errors point at, or else of the first one after."""
    numbers = set()
    for error in errors:
        for span in error["spans"]:
            if not span["is_primary"]:
                continue
            lines = (tree / span["file_name"]).read_text().split("\n")
            of = lambda lines: {int(number) for number in re.findall(r"crate::mutant\((\d+)\)", "\n".join(lines))}
            on = of(lines[span["line_start"] - 1 : span["line_end"]])
            after = (of([line]) for line in lines[span["line_end"] :])
            numbers |= on or next(filter(None, after), set())
    return numbers


def compiled(checkout, tree, target, mutants):
    """Writes mutants behind switches until the rest compiles: the unit tests' program, numbers that have no switch, and
    numbers that the compiler refuses."""
    files = sorted({mutant["file"] for _, mutant in mutants})
    known, out, refused = dict(mutants), set(), set()
    (tree / "src/lib.rs").write_text((checkout / "src/lib.rs").read_text() + SWITCH)
    while True:
        for file in files:
            of_file = [(number, m) for number, m in mutants if m["file"] == file and number not in out | refused]
            code, left_out = switched((checkout / file).read_bytes(), of_file)
            out |= set(left_out)
            if (tree / file).read_bytes() != code:
                (tree / file).write_bytes(code)
        programs, errors, failed = cargo(tree, target, ["--lib"])
        if not failed:
            return programs["llmpr"], out, refused
        wrong = blamed(tree, errors) - out - refused
        if not wrong:
            raise SystemExit("".join(error["rendered"] for error in errors))
        print("not behind a switch:", *(known[number]["name"] for number in sorted(wrong)), sep="\n  ", flush=True)
        for number in wrong:
            # A body that returns a constant is refused for the constant, with a switch or without.
            plain = known[number]["genre"] == "FnValue" and "impl " not in known[number]["function"]["return_type"]
            (refused if plain else out).add(number)


def alone(checkout, tree, target, mutant):
    """Writes one mutant as it is, without a switch; the unit tests' program, or `None` where the compiler refuses it."""
    text = (checkout / mutant["file"]).read_text()
    lines = text.split("\n")
    place = lambda at: sum(len(line) + 1 for line in lines[: at["line"] - 1]) + at["column"] - 1
    start, end = (place(mutant["span"][which]) for which in ("start", "end"))
    (tree / mutant["file"]).write_text(text[:start] + mutant["replacement"] + text[end:])
    programs, _, failed = cargo(tree, target, ["--lib"])
    return None if failed else programs["llmpr"]


class Program:
    """One program of tests: which of them reach which mutants, and how long each takes."""

    def __init__(self, tree, path):
        self.tree, self.path = tree, path
        self.seconds, self.reaching = {}, {}

    def run(self, tests, patience, **settings):
        """`passed`, `failed` or `timeout`."""
        run = subprocess.Popen(
            [self.path, "-q", *tests],
            cwd=self.tree,
            env=os.environ | settings,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        try:
            return "failed" if run.wait(patience) else "passed"
        except subprocess.TimeoutExpired:
            # What it has started goes, too.
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return "timeout"

    def reach(self, rooms):
        """Runs every test of `rooms`, all where there are none, in a process of its own: its seconds, and what it reaches."""
        said = subprocess.run([self.path, "--list"], cwd=self.tree, stdout=subprocess.PIPE, check=True).stdout.decode()
        names = [line.removesuffix(": test") for line in said.splitlines() if line.endswith(": test")]
        names = [name for name in names if name not in self.seconds and (not rooms or name.split("::")[0] in rooms)]

        def one(name):
            with tempfile.NamedTemporaryFile() as notes:
                since = time.monotonic()
                outcome = self.run(["--exact", name], REACH, LLMPR_REACHED=notes.name)
                return name, outcome, time.monotonic() - since, {int(number) for number in notes.read().split()}

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, outcome, seconds, numbers in pool.map(one, names):
                if outcome != "passed":
                    print("not asked, as it fails without a mutant:", name, flush=True)
                self.seconds[name] = seconds
                for number in numbers if outcome == "passed" else ():
                    self.reaching.setdefault(number, []).append(name)

    def verdict(self, number, module, bound):
        """The outcome of the tests that reach a mutant, and those that ended it; `undecided` where `bound` seconds did not do."""
        near = lambda test: len(os.path.commonprefix([module, test.split("::")]))
        tests = sorted(self.reaching.get(number, []), key=lambda test: (-near(test), self.seconds[test]))
        end = time.monotonic() + bound
        while tests:
            # As many at once as take some seconds together.
            taken, total = 1, self.seconds[tests[0]]
            while taken < len(tests) and total + self.seconds[tests[taken]] < 5:
                total += self.seconds[tests[taken]]
                taken += 1
            some, tests = tests[:taken], tests[taken:]
            left, patience = end - time.monotonic(), max(PATIENCE, 10 * total)
            outcome = self.run(["--exact", *some], min(left, patience), LLMPR_MUTANT=str(number)) if left > 0 else "timeout"
            if outcome == "timeout" and left < patience:
                return "undecided", some
            # What fails without the mutant, too, on a busy machine, say, tells nothing.
            if outcome != "passed" and self.run(["--exact", *some], patience) == "passed":
                return outcome, some
        return "passed", []


class Whole(Program):
    """One program of tests that has a mutant without a switch: all tests of some rooms are run."""

    def reach(self, rooms):
        self.rooms = rooms

    def verdict(self, number, module, bound):
        outcome = self.run([f"{room}::" for room in self.rooms], bound)
        return ("undecided" if outcome == "timeout" else outcome), self.rooms


def tried(tree, target, folder, mutants, names, programs, bound, record):
    """Holds mutants of one folder against the programs in turn, until one of their tests does not pass."""
    spent = dict.fromkeys(mutants, 0.0)
    for name in names:
        if not mutants:
            return
        if name not in programs:
            found, errors, failed = cargo(tree, target, ["--test", name])
            if failed:
                raise SystemExit("".join(error["rendered"] for error in errors))
            programs[name] = Program(tree, found[name])
        programs[name].reach(ROOMS[folder] if name == "unit" else [])
        lives = {}
        for number, mutant in mutants.items():
            since = time.monotonic()
            module = mutant["file"].removeprefix("src/").removesuffix(".rs").removesuffix("/mod").split("/")
            outcome, tests = programs[name].verdict(number, module, bound - spent[number])
            spent[number] += time.monotonic() - since
            if outcome == "passed":
                lives[number] = mutant
            else:
                record(number, {"outcome": "caught" if outcome == "failed" else outcome, "by": name, "tests": tests[:3]})
        mutants = lives
    for number in mutants:
        record(number, {"outcome": "missed", "reached": any(number in program.reaching for program in programs.values())})


def copy_of(checkout, scratch):
    """The files that git knows, as they are here, and what stands beside the checkout."""
    tree = scratch / "tree"
    shutil.rmtree(tree / "src", ignore_errors=True)
    known = subprocess.run(["git", "ls-files", "-z"], check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(os.path.isfile, known):
        if not (tree / name).exists() or (tree / name).read_bytes() != (checkout / name).read_bytes():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, tree / name)
    beside = (checkout / "../shared").resolve()
    if beside.is_dir() and not (scratch / "shared").exists():
        (scratch / "shared").symlink_to(beside)
    return tree


def wilson(caught, viable):
    """Bounds of the 95 % interval of a share."""
    if viable == 0:
        return 0.0, 1.0
    z, share = 1.959964, caught / viable
    middle = (share + z * z / (2 * viable)) / (1 + z * z / viable)
    half = z / (1 + z * z / viable) * math.sqrt(share * (1 - share) / viable + z * z / (4 * viable * viable))
    return max(0.0, middle - half), min(1.0, middle + half)


def summary(tries, sizes):
    """The table of shares of the first and the last time that each mutant was tried, and the mutants that live."""
    print("| folder | mutants | drawn | viable | caught first | share | 95 % interval | caught last | share | 95 % interval |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for folder, size in sizes.items():
        drawn = [times for times in tries if times[0]["folder"] == folder]
        viable = [times for times in drawn if times[0]["outcome"] != "unviable"]
        cells = [f"`{folder}`", size, len(drawn), len(viable)]
        for which in (0, -1):
            caught = sum(times[which]["outcome"] in CAUGHT for times in viable)
            low, high = (100 * bound for bound in wilson(caught, len(viable)))
            cells += [caught, f"{100 * caught / max(len(viable), 1):.0f} %", f"{low:.0f} to {high:.0f} %"]
        print("|", " | ".join(map(str, cells)), "|")
    for last in (times[-1] for times in tries):
        if last["outcome"] not in (*CAUGHT, "unviable"):
            print(f"{last['outcome']}:", last["name"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER=COUNT")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, default="target/mutants.jsonl")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "llmpr-mutants")
    parser.add_argument("--bound", type=float, default=180)
    parser.add_argument("--only")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--programs", type=lambda names: names.split(","))
    args = parser.parse_args()
    out, scratch = args.out.resolve(), args.scratch.resolve()
    checkout = pathlib.Path(__file__).resolve().parent.parent
    os.chdir(checkout)
    out.parent.mkdir(parents=True, exist_ok=True)

    samples, sizes = [], {}
    for folder, count in (given.split("=") for given in args.folders):
        every = listed(folder)
        sizes[folder] = len(every)
        samples += [(at, folder, mutant) for at, mutant in enumerate(drawn(every, int(count), args.seed))]
    # Folders in turn: what a run that ends early has done is a sample of each.
    samples = [(folder, mutant) for _, folder, mutant in sorted(samples, key=lambda item: item[0])]
    tries = {}
    for line in map(json.loads, out.read_text().splitlines() if out.exists() else []):
        tries.setdefault(line["name"], []).append(line)

    def record(number, found):
        folder, mutant = samples[number]
        line = {"folder": folder, "name": mutant["name"], **found}
        tries.setdefault(mutant["name"], []).append(line)
        with out.open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(found["outcome"], mutant["name"], found.get("by", ""), flush=True)

    def wanted(name):
        if args.only:
            return args.only in name
        return name not in tries or (args.again and tries[name][-1]["outcome"] not in (*CAUGHT, "unviable"))

    numbered = [(number, mutant) for number, (_, mutant) in enumerate(samples) if wanted(mutant["name"])]
    if numbered:
        tree, target = copy_of(checkout, scratch), scratch / "target"
        unit, left_out, refused = compiled(checkout, tree, target, numbered)
        for number in refused:
            record(number, {"outcome": "unviable"})
        programs = {"unit": Program(tree, unit)}
        for folder in sizes:
            names = args.programs or ["unit", *AGAINST.get(folder, [])]
            mutants = {n: m for n, m in numbered if samples[n][0] == folder and n not in left_out | refused}
            tried(tree, target, folder, mutants, names, programs, args.bound, record)
        # Each of the others by itself.
        for number, mutant in numbered:
            if number in left_out:
                copy_of(checkout, scratch)
                unit = alone(checkout, tree, target, mutant)
                if unit is None:
                    record(number, {"outcome": "unviable"})
                else:
                    programs = {"unit": Whole(tree, unit)}
                    tried(tree, target, samples[number][0], {number: mutant}, ["unit"], programs, args.bound, record)
    summary([tries[mutant["name"]] for _, mutant in samples if mutant["name"] in tries], sizes)


if __name__ == "__main__":
    main()
