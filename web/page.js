// The page: a machine, its terminal, the picture of its memory, and the experiments.
import { drawFrames, drawSpaces, frameGrid, COLOURS, entryColour, entryWords } from "./draw.js";
import { EXPERIMENTS } from "./experiments.js";
import { OWNERS, Picture } from "./records.js";

const $ = (id) => document.getElementById(id);
const MEMORY = 32 << 20, PROMPT = /:[~/]\S*# (\x1b\[\w*)*$/;
const picture = new Picture(), waiting = [];
let machine, terminal, said = "", ready = false, running = false, story = null, asked = null;

// ---- Loading: what is large is compressed, so that any web server will do.

async function unpacked(name) {
    const answer = await fetch(`${name}.gz`);
    if (!answer.ok)
        throw new Error(`${name}: ${answer.status}`);
    const stream = answer.body.pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
}

async function module(name) {
    const url = URL.createObjectURL(new Blob([await unpacked(name)], { type: "text/javascript" }));
    return import(url);
}

async function start() {
    const [{ Terminal }, { V86 }, wasm, bios, vga, kernel, ramdisk] = await Promise.all([
        module("xterm.mjs"), module("libv86.mjs"), unpacked("v86.wasm"), unpacked("bios.bin"),
        unpacked("vgabios.bin"), unpacked("faultline.elf"), unpacked("initrd.cpio")]);
    openTerminal(Terminal);
    $("status").textContent = "Starting …";
    machine = new V86({
        wasm_fn: async (env) => (await WebAssembly.instantiate(wasm, env)).instance.exports,
        memory_size: MEMORY, vga_memory_size: 2 << 20, autostart: true, uart1: true,
        bios: { buffer: bios }, vga_bios: { buffer: vga }, multiboot: { buffer: kernel }, initrd: { buffer: ramdisk },
        cmdline: "console=ttyS0 quiet nofb mem=24M records=/dev/ttyS1",
        disable_keyboard: true, disable_mouse: true, disable_speaker: true,
    });
    listen();
}

function openTerminal(Terminal) {
    terminal = new Terminal({ cols: 80, rows: 24, fontSize: 13, convertEol: false, scrollback: 2000, screenReaderMode: true });
    terminal.open($("terminal"));
    terminal.onData((text) => machine && machine.serial0_send(text));
    // Shift+Tab and the keys with Alt belong to the page.
    terminal.attachCustomKeyEventHandler((e) => !(e.key === "Tab" && e.shiftKey) && !(e.altKey && "pn".includes(e.key)));
    fitTerminal();
    addEventListener("resize", fitTerminal);
}

// 80 columns, as large as fits.
function fitTerminal() {
    terminal.options.fontSize = Math.max(6, Math.min(15, Math.floor(($("terminal").clientWidth - 22) / 80 / 0.602 * 2) / 2));
}

function listen() {
    const decode = [new TextDecoder(), new TextDecoder()], heard = [[], []];
    const take = [hearConsole, (text) => picture.feed(text)];
    for (const n of [0, 1])
        machine.add_listener(`serial${n}-output-byte`, (byte) => {
            if (heard[n].push(byte) === 1)
                setTimeout(() => take[n](decode[n].decode(new Uint8Array(heard[n].splice(0)), { stream: true })), 0);
        });
    machine.add_listener("emulator-started", () => setRunning(true));
    machine.add_listener("emulator-stopped", () => setRunning(false));
}

function hearConsole(text) {
    terminal.write(text);
    said = (said + text).slice(-20000);
    if (!PROMPT.test(said))
        return;
    if (!ready) {
        ready = true;
        $("status").textContent = "Running. Choose an experiment, or type.";
        for (const b of document.querySelectorAll("button"))
            b.disabled = false;
        followLink();
    } else if (story?.running) {
        story.running = false;
        pictures(2).then(endStory);
    }
}

const tell = (command) => machine.serial_send_bytes(1, new TextEncoder().encode(`${command}\n`));

// ---- The machine's controls

function setRunning(on) {
    running = on;
    $("pause").textContent = on ? "Pause" : "Go on";
    share();
}

function pause() {
    if (!ready)
        return;
    if (running)
        machine.stop();
    else
        machine.run();
}

// What is chosen holds for experiments; "only by Step" and Step for whatever runs. Whether faults wait then.
function applySpeed(experiment) {
    const speed = $("speed").value;
    const held = speed === "0" || (speed !== "go" && !!experiment && !experiment.many);
    if (held)
        tell(`rate ${speed}`);
    tell(held ? "hold" : "go");
    return held;
}

// The end of the n-th picture from now of which this is true.
async function pictures(n, is = () => true) {
    for (; n > 0; n -= is(picture) ? 1 : 0)
        await new Promise((done) => waiting.push(done));
}

function step() {
    if (!ready)
        return;
    if (!running)
        machine.run();
    if ($("speed").value !== "0") {
        $("speed").value = "0";
        applySpeed(story?.experiment);
    }
    tell("step");
    share();
}

// ---- Experiments

function listExperiments() {
    for (const x of EXPERIMENTS) {
        const item = document.createElement("li"), b = document.createElement("button");
        b.type = "button";
        b.disabled = true;
        b.id = `x-${x.name}`;
        b.innerHTML = `<b>${x.name}</b>`;
        b.append(x.sentence);
        b.addEventListener("click", () => experiment(x));
        item.append(b);
        $("experiments").append(item);
    }
}

async function experiment(x) {
    if (!ready || story?.typed)
        return;
    if (!running)
        machine.run();
    document.querySelectorAll("#experiments [aria-current]").forEach((b) => b.removeAttribute("aria-current"));
    $(`x-${x.name}`).setAttribute("aria-current", "true");
    const known = Math.max(...picture.processes.keys(), 0);
    story = { experiment: x, typed: true, faults: [], known, first: null, latest: null, before: null, after: null };
    $("status").textContent = `Experiment ${x.name} runs …`;
    share();
    const held = applySpeed(x);
    await pictures(2, (p) => p.held === held);
    said = "";
    story.running = true;
    machine.serial0_send(`vmlab ${x.name}\n`);
}

// Processes of the experiment: those that are younger than it; the first is vmlab itself, which only waits.
const ofStory = (pid) => story && story.typed && pid > story.known;

function snapshot() {
    const tables = new Map();
    for (const [pid, entries] of picture.tables)
        if (ofStory(pid) && pid !== story.first && entries.size)
            tables.set(pid, new Map([...entries].map(([page, e]) => [page, { ...e }])));
    return tables;
}

picture.onfault = (fault) => {
    const p = picture.processes.get(fault.pid);
    $("fault").textContent = `${fault.time} s, ${fault.pid} ${p?.name || ""}: ${fault.access} of ` +
        `${fault.address.toString(16).padStart(8, "0")}: ${fault.words}`;
    if (ofStory(fault.pid)) {
        story.first ??= fault.pid;
        story.faults.push(fault);
        if (!story.before && fault.pid !== story.first && story.experiment.key.test(fault.words))
            story.before = story.latest;   // the last picture without what the experiment is about
    }
};

picture.onpicture = () => {
    waiting.splice(0).forEach((done) => done());
    if (!story?.typed)
        return;
    const now = snapshot();
    if (now.size === 0)
        return;
    story.latest = now;
    for (const [pid, table] of now)   // one that ended keeps its last
        (story.after ??= new Map()).set(pid, table);
};

function endStory() {
    const { experiment: x, faults } = story, mine = faults.filter((f) => f.pid !== story.first);
    const [, wrong] = said.match(/\d+ experiments?, (\d+) with a wrong figure/) || [null, "?"];
    const point = mine.filter((f) => x.key.test(f.words)).slice(-2);
    story.typed = false;
    tell("go");
    $(`x-${x.name}`).dataset.result = wrong === "0" ? "right" : "wrong";
    $("status").textContent = `${x.name}: ${wrong === "0" ? "every figure was right" : `${wrong} figures were wrong`}.`;
    $("story").hidden = false;
    $("story-title").textContent = `${x.name}: ${x.sentence}`;
    $("story-fault").textContent = (point.length ? point : mine.slice(-1)).map((f) =>
        `${f.access} of ${f.address.toString(16).padStart(8, "0")} by ${f.pid}: ${f.words}`).join("\n") ||
        "Its faults came too fast to be told one by one: choose how many a second.";
    showTables();
    $("story-count").textContent = `All ${mine.length} page faults that it took`;
    $("story-faults").replaceChildren(...mine.map((f) => {
        const item = document.createElement("li");
        item.textContent = `${f.pid} ${f.access} ${f.address.toString(16).padStart(8, "0")}: ${f.words}`;
        return item;
    }));
    if (asked?.next)
        asked.next();
}

function showTables() {
    const after = story.after || new Map(), before = story.before || after;
    $("tables").replaceChildren(...[["before", before, null], ["after", after, before]].map(([when, tables, old]) => {
        const t = document.createElement("table");
        t.createCaption().textContent = `Page tables ${when}`;
        for (const [pid, entries] of tables)
            addRows(t, pid, entries, old?.get(pid) || null);
        if (!tables.size)
            t.insertRow().insertCell().textContent = "It was over before a picture of it came: try it slower.";
        return t;
    }));
}

// A row for each run of neighbours in a table; what an entry says is in its title.
function addRows(t, pid, entries, old) {
    let cell = null, last = null;
    for (const [page, e] of [...entries].sort((a, b) => a[0] - b[0])) {
        if (last === null || page !== last + 1) {
            const row = t.insertRow(), head = document.createElement("th");
            head.textContent = `${pid}  ${(page * 4096).toString(16).padStart(8, "0")}`;
            row.append(head);
            cell = row.insertCell();
        }
        const i = document.createElement("i"), was = old?.get(page);
        i.style.background = entryColour(e);
        i.title = entryWords(page, e);
        if (old && (!was || was.frame !== e.frame || (was.bits ^ e.bits) & 1))
            i.className = "new";
        cell.append(i);
        last = page;
    }
}

// ---- A link to the state of the page

function share() {
    const state = new URLSearchParams();
    if (story)
        state.set("x", story.experiment.name);
    if ($("speed").value !== "20")
        state.set("speed", $("speed").value);
    if ($("who").value !== "0")
        state.set("pid", $("who").value);
    if (ready && !running)
        state.set("paused", "1");
    history.replaceState(null, "", `#${state}`);
}

function readLink() {
    asked = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    if (asked.speed)
        $("speed").value = asked.speed;
    if (!$("speed").value)
        $("speed").value = "20";
}

function followLink() {
    const x = EXPERIMENTS.find((e) => e.name === asked.x);
    if (asked.pid)
        tell(`watch ${asked.pid}`);
    if (asked.paused)
        asked.next = () => { asked.next = null; machine.stop(); };
    if (x)
        experiment(x);
    else if (asked.paused)
        asked.next();
    else
        applySpeed(null);
}

async function copyLink() {
    share();
    try {
        await navigator.clipboard.writeText(location.href);
        $("status").textContent = "The link is in the clipboard: experiment, speed, process, pause.";
    } catch {
        $("status").textContent = location.href;
    }
}

// ---- Drawing

function chosenProcess() {
    return +$("who").value || picture.lastFault?.pid || 0;
}

function listProcesses() {
    const select = $("who"), had = select.value;
    const wanted = [...picture.processes].filter(([pid, p]) => pid !== picture.watcher && !/^(block|kswapd)/.test(p.name));
    const text = wanted.map(([pid, p]) => `${pid} ${p.name}`).join("|");
    if (select.dataset.text === text || document.activeElement === select)
        return;
    select.dataset.text = text;
    select.replaceChildren(new Option("the last to fault", "0"), ...wanted.map(([pid, p]) => new Option(`${pid} ${p.name}`, pid)));
    select.value = had;
    if (!select.value)
        select.value = "0";
}

function drawAll() {
    const chosen = chosenProcess();
    const others = [...picture.tables.keys()].filter((pid) => pid !== chosen && picture.processes.has(pid)).slice(-2);
    if (picture.frames.length) {
        const used = picture.frames.filter((l) => !".-".includes(l)).length;
        $("frames-title").textContent = `Memory: ${picture.frames.length} frames, ${used} used; ` +
            `swap ${picture.swap[0]} of ${picture.swap[1]} KiB`;
        drawFrames($("frames"), picture, chosen);
        drawSpaces($("spaces"), picture, [chosen, ...others].filter((pid) => picture.tables.has(pid)));
        listProcesses();
    }
    setTimeout(() => requestAnimationFrame(drawAll), 60);
}

function drawLegend() {
    for (const [letter, name] of Object.entries(OWNERS)) {
        const item = document.createElement("li"), square = document.createElement("span");
        square.style.background = COLOURS[letter];
        item.append(square, name);
        $("legend").append(item);
    }
}

// ---- Together

drawLegend();
listExperiments();
readLink();
$("pause").addEventListener("click", pause);
$("step").addEventListener("click", step);
$("share").addEventListener("click", copyLink);
$("speed").addEventListener("change", () => { if (ready) applySpeed(story?.typed ? story.experiment : null); share(); });
$("who").addEventListener("change", () => { if (+$("who").value) tell(`watch ${$("who").value}`); share(); });
addEventListener("keydown", (e) => {
    if (e.altKey && e.key === "p")
        pause();
    else if (e.altKey && e.key === "n")
        step();
    else
        return;
    e.preventDefault();
});
// What the colours on the canvas are, and should be: for make web-test.
function drawnFrames(frames) {
    const canvas = $("frames"), grid = frameGrid(canvas.clientWidth, picture.frames.length);
    const scale = canvas.width / canvas.clientWidth, c = canvas.getContext("2d");
    return frames.map((frame) => {
        const at = [frame % grid.columns, Math.floor(frame / grid.columns)].map((n) => Math.floor((n + 0.45) * grid.side * scale));
        const is = [...c.getImageData(...at, 1, 1).data].slice(0, 3).map((n) => n.toString(16).padStart(2, "0"));
        return { frame, is: `#${is.join("")}`, should: COLOURS[picture.frames[frame]] };
    });
}

window.faultline = { picture, chosenProcess, drawnFrames, forget: () => { said = ""; }, get story() { return story; }, get ready() { return ready; }, get said() { return said; } };
if ("serviceWorker" in navigator)
    navigator.serviceWorker.register("worker.js").catch(() => {});
requestAnimationFrame(drawAll);
start().catch((e) => { $("status").textContent = `It cannot start: ${e.message}`; });
