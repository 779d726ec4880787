// Draws a Picture: all frames as squares, and the address spaces as trees.
import { ACCESSED, DIRTY, FILE, SHARED, WRITABLE, ZERO } from "./records.js";

// As memmap has them: one meaning for a colour everywhere.
export const COLOURS = {
    ".": "#20242b", K: "#c0392b", T: "#b04ec4", A: "#2e9e5b", C: "#e0b02c", F: "#3d7edb",
    D: "#2bb9c4", S: "#d9d9d9", W: "#ff7a5c", "-": "#0d0f12",
};
const FLASH_MS = 1500, PAPER = "#14171c", INK = "#dfe3ea", FAINT = "#8a93a3";

export function entryColour(e) {
    if (e.bits & ZERO)
        return "#8a8f98";
    if (e.bits & FILE)
        return e.bits & DIRTY ? COLOURS.D : COLOURS.F;
    return e.bits & WRITABLE ? COLOURS.A : COLOURS.C;
}

export function entryWords(page, e) {
    const what = e.bits & ZERO ? "the frame of zeros" : e.bits & FILE ? "a file's" : "anonymous";
    return `${(page * 4096).toString(16).padStart(8, "0")} → frame ${e.frame.toString(16)}, ${what}, ` +
        `${e.bits & WRITABLE ? "writable" : "read-only"}${e.bits & ACCESSED ? ", used" : ""}` +
        `${e.bits & DIRTY ? ", written" : ""}${e.bits & SHARED ? ", shared" : ""}`;
}

function fit(canvas, height) {
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = `${height}px`;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
    }
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    return c;
}

// How the frames lie on the canvas: columns, and the side of a cell.
export function frameGrid(width, frames) {
    const columns = width < 420 ? 64 : 96;
    return { columns, side: width / columns, rows: Math.ceil(frames / columns) };
}

const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function glow(c, x, y, side, age) {
    if (age >= FLASH_MS || still())
        return;
    c.globalAlpha = 0.9 * (1 - age / FLASH_MS);
    c.fillStyle = "#fff";
    c.fillRect(x, y, side, side);
    c.globalAlpha = 1;
}

export function drawFrames(canvas, picture, chosen) {
    const grid = frameGrid(canvas.clientWidth, picture.frames.length), now = performance.now();
    const c = fit(canvas, Math.max(grid.rows * grid.side, 40)), gap = grid.side > 5 ? 1 : 0.4;
    const ringed = new Set([...(picture.tables.get(chosen)?.values() || [])].map((e) => e.frame));
    c.fillStyle = PAPER;
    c.fillRect(0, 0, canvas.clientWidth, grid.rows * grid.side);
    picture.frames.forEach((letter, frame) => {
        const x = frame % grid.columns * grid.side, y = Math.floor(frame / grid.columns) * grid.side;
        const side = grid.side - gap;
        c.fillStyle = COLOURS[letter];
        c.fillRect(x, y, side, side);
        if (picture.changed.has(frame))
            glow(c, x, y, side, now - picture.changed.get(frame));
        if (ringed.has(frame)) {
            c.strokeStyle = "#fff";
            c.lineWidth = 1;
            c.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
        }
    });
    for (const [frame, at] of picture.changed)
        if (now - at > FLASH_MS)
            picture.changed.delete(frame);
    drawHand(c, picture, grid);
}

function drawHand(c, picture, grid) {
    if (!picture.hand)
        return;
    const x = picture.hand % grid.columns * grid.side, y = Math.floor(picture.hand / grid.columns) * grid.side;
    c.fillStyle = "#fff";
    c.beginPath();
    c.moveTo(x - 4, y - 6);
    c.lineTo(x + grid.side + 4, y - 6);
    c.lineTo(x + grid.side / 2, y + 2);
    c.fill();
}

// ---- Address spaces

const areaName = (words) => words.slice(5).join(" ").replace(/^.*\//, "") || "anonymous";

// [{title, entries: [[page, entry]]}] of a process: directory entries, and below them areas.
export function treeOf(picture, pid) {
    const entries = [...(picture.tables.get(pid) || [])].sort((a, b) => a[0] - b[0]);
    const rows = [];
    for (const line of picture.directories.get(pid) || []) {
        const [index, address, table, , pages] = line.split(" "), from = parseInt(address, 16) / 4096;
        rows.push({ level: 0, title: `${index}: ${address} → table ${table}, ${pages} pages`, entries: [] });
        for (const area of picture.areas.get(pid) || []) {
            const words = area.split(/\s+/), [start, end] = words[0].split("-").map((h) => parseInt(h, 16) / 4096);
            const mine = entries.filter(([page]) => page >= start && page < end && page >= from && page < from + 1024);
            if (mine.length)
                rows.push({ level: 1, title: `${words[0].slice(0, 8)} ${words[1]} ${areaName(words)}`, entries: mine });
        }
    }
    return rows;
}

const CELL = 9, LINE = 15;

function drawStrip(c, entries, x0, y, width, now) {
    let x = x0, last = null;
    for (const [page, e] of entries) {
        if (last !== null && page !== last + 1)
            x += 4;
        if (x + CELL > width) {
            x = x0;
            y += CELL + 2;
        }
        c.fillStyle = entryColour(e);
        c.fillRect(x, y, CELL - 1, CELL - 1);
        if (e.bits & SHARED) {
            c.fillStyle = "#0009";
            c.fillRect(x + 3, y + 3, 2, 2);
        }
        glow(c, x, y, CELL - 1, now - (e.at ?? -Infinity));
        x += CELL;
        last = page;
    }
    return y;
}

function stripHeight(entries, x0, width) {
    let x = x0, lines = 1, last = null;
    for (const [page] of entries) {
        x += last !== null && page !== last + 1 ? 4 : 0;
        if (x + CELL > width) {
            x = x0;
            lines++;
        }
        x += CELL;
        last = page;
    }
    return lines * (CELL + 2);
}

export function drawSpaces(canvas, picture, pids) {
    const width = canvas.clientWidth, narrow = width < 420, x0 = narrow ? 12 : 250, now = performance.now();
    const spaces = pids.map((pid) => ({ pid, rows: treeOf(picture, pid) }));
    const below = narrow ? LINE : 0;
    const rowHeight = (r) => r.level === 0 ? LINE : below + Math.max(stripHeight(r.entries, x0, width), narrow ? 0 : LINE);
    const height = spaces.reduce((h, s) => h + LINE + 10 + s.rows.reduce((n, r) => n + rowHeight(r), 0), 8);
    const c = fit(canvas, Math.max(height, 60));
    c.fillStyle = PAPER;
    c.fillRect(0, 0, width, Math.max(height, 60));
    let y = 4;
    for (const { pid, rows } of spaces) {
        const name = picture.processes.get(pid)?.name || "?", pages = picture.tables.get(pid)?.size || 0;
        c.fillStyle = INK;
        c.font = "bold 12px system-ui, sans-serif";
        c.fillText(`${pid} ${name}: ${pages} pages mapped`, 2, y + 11);
        y += LINE + 2;
        c.font = "11px ui-monospace, monospace";
        for (const row of rows) {
            c.fillStyle = row.level ? FAINT : INK;
            c.fillText(row.title, row.level ? 22 : 8, y + 10, row.level && !narrow ? x0 - 28 : width - 24);
            c.fillStyle = "#4a5260";
            c.fillRect(row.level ? 12 : 3, y - 2, 1, LINE);
            if (row.level)
                drawStrip(c, row.entries, x0, y + 2 + below, width, now);
            y += rowHeight(row);
        }
        y += 8;
    }
    if (!spaces.length) {
        c.fillStyle = FAINT;
        c.font = "12px system-ui, sans-serif";
        c.fillText("No process has taken a fault yet.", 8, 24);
    }
}
