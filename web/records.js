// The records that memmap -s sends (docs/seeing.md), put together to a picture of memory.

export const OWNERS = {
    ".": "free", K: "kernel", T: "page table", A: "anonymous", C: "copy-on-write", F: "file",
    D: "file, written", S: "in swap too", W: "being read or written", "-": "not memory",
};
export const WRITABLE = 1, ACCESSED = 2, DIRTY = 4, SHARED = 8, FILE = 16, ZERO = 32;

const FAULT_FIELDS = ["time", "pid", "parent", "access", "address", "area", "start", "prot", "row",
    "case", "frame", "around", "cycles", "flags", "from", "waited", "cpu"];

export function parseFault(text) {
    const [line, words] = text.split("|");
    const fields = line.split(" "), fault = { line, words };
    FAULT_FIELDS.forEach((name, i) => { fault[name] = fields[i]; });
    for (const name of ["pid", "parent", "around", "cycles", "waited"])
        fault[name] = parseInt(fault[name], 10);
    for (const name of ["address", "start", "frame"])
        fault[name] = parseInt(fault[name], 16);
    return fault;
}

export class Picture {
    constructor() {
        this.rest = "";
        this.onfault = () => {};
        this.onpicture = () => {};
        this.begin(0, 0);
    }

    begin(frames, watcher) {
        this.frames = new Array(frames).fill("-");
        this.changed = new Map();    // frame -> when, milliseconds
        this.watcher = watcher;
        this.processes = new Map();  // pid -> {parent, name}
        this.tables = new Map();     // pid -> Map of page -> {frame, bits}
        this.areas = new Map();      // pid -> lines of maps
        this.directories = new Map();
        this.faults = 0;
        this.lastFault = null;
        this.hand = 0;
        this.swap = [0, 0];
        this.pictures = 0;
        this.held = false;
    }

    feed(text) {
        const lines = (this.rest + text).split("\n");
        this.rest = lines.pop();
        for (const line of lines)
            if (this.frames.length || line[0] === "M")
                this.take(line[0], line.slice(2));
    }

    take(kind, text) {
        const w = text.split(" ");
        switch (kind) {
        case "M": this.begin(+w[0], +w[2]); break;
        case "f": this.takeFrames(parseInt(w[0], 16), w[1]); break;
        case "h": this.hand = parseInt(w[0], 16); break;
        case "s": this.swap = [+w[0], +w[1]]; break;
        case "p": this.processes.set(+w[0], { parent: +w[1], name: w.slice(2).join(" ") }); break;
        case "x": this.processes.delete(+w[0]); break;
        case "g": for (const of of [this.tables, this.areas, this.directories]) of.delete(+w[0]); break;
        case "t": this.takeEntry(+w[0], parseInt(w[1], 16), parseInt(w[2], 16), parseInt(w[3], 16)); break;
        case "u": this.tables.get(+w[0])?.delete(parseInt(w[1], 16)); break;
        case "a": this.takeLine(this.areas, +w[0], w.slice(1)); break;
        case "d": this.takeLine(this.directories, +w[0], w.slice(1)); break;
        case "e": this.takeFault(parseFault(text)); break;
        case ".":
            this.pictures++;
            this.held = w[1] === "held";
            this.onpicture(this);
            break;
        }
    }

    takeFrames(at, runs) {
        const now = this.pictures ? performance.now() : -Infinity;
        for (const [, letter, count] of runs.matchAll(/([^\d])(\d*)/g))
            for (let n = +count || 1; n > 0; n--, at++)
                if (this.frames[at] !== letter) {
                    this.frames[at] = letter;
                    this.changed.set(at, now);
                }
    }

    takeEntry(pid, page, frame, bits) {
        if (!this.tables.has(pid))
            this.tables.set(pid, new Map());
        this.tables.get(pid).set(page, { frame, bits, at: performance.now() });
    }

    takeLine(of, pid, words) {
        if (words.length === 0)
            of.set(pid, []);
        else
            of.get(pid)?.push(words.join(" "));
    }

    takeFault(fault) {
        this.faults++;
        this.lastFault = fault;
        if (fault.frame)
            this.changed.set(fault.frame, performance.now());
        this.onfault(fault);
    }
}
