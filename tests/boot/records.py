"""The records that memmap -s sends (docs/seeing.md), put together to a picture: as web/records.js does it."""

LETTERS = ".KTACFDSW-"
BITS = {"w": 1, "a": 2, "d": 4}


class Picture:
    def __init__(self):
        self.rest = ""
        self.begin()

    def begin(self):
        self.frames = []        # a letter each
        self.processes = {}     # pid -> (parent, name)
        self.tables = {}        # pid -> {page: (frame, bits)}
        self.texts = {"a": {}, "d": {}}  # areas, directories: pid -> lines
        self.faults = []        # (line, words)
        self.hand = self.swap = None
        self.pictures, self.held = 0, False

    def feed(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if not self.frames and line[:2] != "M ":
                continue  # it began before we listened
            getattr(self, "take_" + {".": "end"}.get(line[0], line[0]))(line[2:])

    def take_M(self, text):
        frames, page, watcher = map(int, text.split())
        assert page == 4096
        self.begin()
        self.frames, self.watcher = ["-"] * frames, watcher

    def take_f(self, text):
        start, runs = text.split(" ", 1)
        at, i = int(start, 16), 0
        while i < len(runs):
            letter, digits = runs[i], ""
            assert letter in LETTERS, text
            i += 1
            while i < len(runs) and runs[i].isdigit():
                digits += runs[i]
                i += 1
            n = int(digits or 1)
            self.frames[at:at + n] = letter * n
            at += n

    def take_h(self, text):
        self.hand = int(text, 16)

    def take_s(self, text):
        self.swap = tuple(map(int, text.split()))

    def take_p(self, text):
        pid, parent, name = text.split(" ", 2)
        self.processes[int(pid)] = (int(parent), name)

    def take_x(self, text):
        self.processes.pop(int(text), None)

    def take_g(self, text):
        for of in (self.tables, *self.texts.values()):
            of.pop(int(text), None)

    def take_t(self, text):
        pid, page, frame, bits = text.split()
        self.tables.setdefault(int(pid), {})[int(page, 16)] = (int(frame, 16), int(bits, 16))

    def take_u(self, text):
        pid, page = text.split()
        del self.tables[int(pid)][int(page, 16)]

    def _text(self, kind, text):
        pid, _, line = text.partition(" ")
        if line:
            self.texts[kind][int(pid)].append(line)
        else:
            self.texts[kind][int(pid)] = []

    def take_a(self, text):
        self._text("a", text)

    def take_d(self, text):
        self._text("d", text)

    def take_e(self, text):
        self.faults.append(tuple(text.split("|", 1)))

    def take_end(self, text):
        self.pictures += 1
        self.held = text.endswith("held")
