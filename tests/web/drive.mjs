// Drives the page in a real browser: drive.mjs FOLDER PICTURES. A plain web server, Debian's chromium, playwright-core.
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, pictures] = process.argv.slice(2);
const { chromium } = createRequire(join(process.cwd(), folder, "../npm/"))("playwright-core");
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", txt: "text/plain" };
const results = [];
let passed = 0;

function serve() {
    const server = createServer((request, answer) => {
        const name = join(folder, new URL(request.url, "http://x").pathname.replace(/\/$/, "/index.html"));
        if (!existsSync(name)) {
            answer.writeHead(404).end();
            return;
        }
        answer.writeHead(200, { "Content-Type": TYPES[name.split(".").pop()] || "application/octet-stream" });
        answer.end(readFileSync(name));
    });
    return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

function check(what, right, seen = "") {
    if (right)
        passed++;
    else
        results.push(`${what}: ${JSON.stringify(seen)}`);
    console.log(`${right ? "ok  " : "FAIL"} ${what}${right ? "" : `: ${JSON.stringify(seen).slice(0, 600)}`}`);
}

const ready = (page) => page.waitForFunction(() => window.faultline?.ready, null, { timeout: 120000 });
const status = (page) => page.textContent("#status");

// Types a line in the terminal and waits for the next prompt; what it said.
async function sh(page, line) {
    await page.click("#terminal");
    await page.keyboard.type(`${line}; echo \\<over\\>\n`);
    await page.waitForFunction(() => /<over>\r\n(.|\r|\n)*# (\x1b\[\w*)*$/.test(window.faultline.said), null, { timeout: 60000 });
    const said = await page.evaluate(() => window.faultline.said);
    const text = said.slice(0, said.lastIndexOf("<over>")).replaceAll("\r", "");
    await page.evaluate(() => window.faultline.forget());
    return text.slice(text.indexOf("\n") + 1);
}

async function boots(page, address) {
    const start = Date.now();
    await page.goto(address);
    await ready(page);
    check(`boots (${Date.now() - start} ms)`, true);
    const out = await sh(page, "echo $((6 * 7)); uname -s");
    check("a shell answers", out.includes("42\nLinux") || /42\n\w+/.test(out), out);
}

async function isWhatProcSays(page) {
    const pid = +(await sh(page, "sleep 1000 & sleep 1; echo pid-$!-")).match(/pid-(\d+)-/)[1];
    await page.waitForFunction((p) => [...document.querySelector("#who").options].some((o) => o.value === `${p}`), pid);
    await page.selectOption("#who", `${pid}`);
    await page.waitForFunction((p) => window.faultline.picture.tables.get(p)?.size > 10, pid);
    await page.waitForTimeout(1500);
    const entries = (await sh(page, `cat /proc/${pid}/pagetable`)).trim().split("\n").map((l) => l.slice(0, 14));
    const areas = (await sh(page, `cat /proc/${pid}/maps`)).trim().split("\n");
    const tables = (await sh(page, `cat /proc/${pid}/pagedir`)).trim().split("\n");
    await page.waitForTimeout(2500);   // what flashes has faded
    const seen = await page.evaluate((p) => {
        const { picture } = window.faultline, hex = (n, w) => n.toString(16).padStart(w, "0");
        return {
            entries: [...picture.tables.get(p)].sort((a, b) => a[0] - b[0]).map(([page, e]) => `${hex(page * 4096, 8)} ${hex(e.frame, 5)}`),
            areas: picture.areas.get(p), tables: picture.directories.get(p),
            drawn: window.faultline.drawnFrames([...picture.tables.get(p).values()].map((e) => e.frame)),
        };
    }, pid);
    check(`the ${entries.length} entries of the picture are those of /proc/${pid}/pagetable`,
        entries.length > 10 && JSON.stringify(seen.entries) === JSON.stringify(entries), [seen.entries, entries]);
    check("so are the areas, of maps", JSON.stringify(seen.areas) === JSON.stringify(areas), [seen.areas, areas]);
    check("and the tables, of pagedir", JSON.stringify(seen.tables) === JSON.stringify(tables), [seen.tables, tables]);
    check("its frames are drawn in their owners' colours", seen.drawn.every((d) => d.is === d.should),
        seen.drawn.filter((d) => d.is !== d.should));
    const owners = await sh(page, "memmap -1 | grep ' K '");
    const counts = await page.evaluate(() => {
        const n = {};
        for (const l of window.faultline.picture.frames)
            n[l] = (n[l] || 0) + 1;
        return n;
    });
    for (const [, letter, kib] of owners.replaceAll("K  ", "K\n").matchAll(/([KTACFD.]) [^\d\n]+?(\d+) K$/gm))
        check(`frames of ${letter}`, Math.abs((counts[letter] || 0) - kib / 4) <= 60, [counts[letter], kib / 4]);
    await sh(page, `kill ${pid}`);
    await page.selectOption("#who", "0");
}

async function everyExperiment(page) {
    const names = await page.$$eval("#experiments button", (all) => all.map((b) => b.id.slice(2)));
    check("23 experiments in order", names.length === 23 && names[0] === "stack" && names[5] === "cow", names);
    await page.selectOption("#speed", "50");
    for (const name of names) {
        await page.click(`#x-${name}`);
        await page.waitForFunction((n) => document.querySelector(`#x-${n}`).dataset.result, name, { timeout: 120000 });
        const seen = await page.evaluate((n) => ({
            result: document.querySelector(`#x-${n}`).dataset.result,
            words: document.querySelector("#story-fault").textContent,
            key: window.faultline.story.experiment.key.test(document.querySelector("#story-fault").textContent),
            rows: document.querySelectorAll("#tables tr").length, fast: window.faultline.story.experiment.many,
        }), name);
        check(`${name}: ${seen.words.split("\n").pop()}`, seen.result === "right" && seen.rows >= 2 && (seen.key || seen.fast), seen);
        if (name === "cow")
            await page.screenshot({ path: `${pictures}/web-wide.png`, fullPage: true });
    }
}

async function pauseAndStep(page) {
    const pictures = () => page.evaluate(() => window.faultline.picture.pictures);
    const faults = () => page.evaluate(() => window.faultline.picture.faults);
    await page.keyboard.press("Alt+p");
    await page.waitForTimeout(500);
    let [a] = [await pictures()];
    await page.waitForTimeout(700);
    check("paused, nothing goes on", await pictures() === a, [a, await pictures()]);
    await page.keyboard.press("Alt+p");
    await page.waitForFunction((n) => window.faultline.picture.pictures > n, a);
    await page.selectOption("#speed", "0");
    await page.click("#x-cow");
    await page.waitForTimeout(2000);
    a = await faults();
    await page.waitForTimeout(1000);
    check("by steps only, faults wait", await faults() === a, [a, await faults()]);
    for (let n = 0; n < 3; n++) {
        const before = await faults();
        await page.click("#step");
        await page.waitForFunction((f) => window.faultline.picture.faults > f, before, { timeout: 20000 });
        await page.waitForTimeout(400);
    }
    check("each step shows the next one", await faults() > a && await faults() < a + 40, [a, await faults()]);
    await page.selectOption("#speed", "50");
    await page.waitForFunction(() => document.querySelector("#status").textContent.startsWith("cow: every"), null, { timeout: 60000 });
}

async function aLink(browser, page, address) {
    await page.selectOption("#speed", "50");
    const link = await page.evaluate(() => location.href);
    check("the address tells what is shown", link.includes("x=cow") && link.includes("speed=50"), link);
    const other = await browser.newPage();
    await other.goto(link);
    await ready(other);
    await other.waitForFunction(() => document.querySelector("#x-cow").dataset.result === "right", null, { timeout: 120000 });
    check("who follows the link sees the same", (await other.textContent("#story-title")).startsWith("cow:"), address);
    await other.close();
}

async function byKeyboard(page) {
    await page.click("#terminal");
    await page.keyboard.press("Shift+Tab");
    const left = await page.evaluate(() => !document.activeElement.closest("#terminal"));
    check("Shift+Tab leaves the terminal", left);
    await page.evaluate(() => document.activeElement.blur());
    for (let n = 0; n < 60; n++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement.closest("#terminal") !== null))
            await page.evaluate(() => document.querySelector("#x-stack").focus());   // a program may want Tab itself
        if (await page.evaluate(() => document.activeElement.id === "x-heap"))
            break;
    }
    await page.evaluate(() => { delete document.querySelector("#x-heap").dataset.result; });
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("#x-heap").dataset.result === "right", null, { timeout: 60000 });
    check("an experiment by keyboard alone", true);
}

async function narrow(page) {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForTimeout(800);
    const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
    check("fits a phone's width", width <= 390, width);
    await page.screenshot({ path: `${pictures}/web-narrow.png`, fullPage: true });
    await page.setViewportSize({ width: 1400, height: 1000 });
}

async function offline(page, server) {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.waitForFunction(() => navigator.serviceWorker.controller, null, { timeout: 20000 });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await page.reload();
    await ready(page);
    check("boots again with the server gone", (await status(page)).length > 0);
}

const server = await serve(), address = `http://127.0.0.1:${server.address().port}/`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    const foreign = [];
    page.on("pageerror", (e) => results.push(`error in the page: ${e}`));
    page.on("request", (r) => { if (!r.url().startsWith(address) && !/^(blob|data):/.test(r.url())) foreign.push(r.url()); });
    await boots(page, address);
    await isWhatProcSays(page);
    await everyExperiment(page);
    await pauseAndStep(page);
    await aLink(browser, page, address);
    await byKeyboard(page);
    await narrow(page);
    check("asks for nothing but its own files", foreign.length === 0, foreign);
    await offline(page, server);
} finally {
    await browser.close();
    server.close();
}
console.log(`${passed} passed, ${results.length} failed`);
for (const r of results)
    console.log(`  ${r.slice(0, 400)}`);
process.exit(results.length ? 1 : 0);
