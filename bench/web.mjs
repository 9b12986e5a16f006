// Figures of the page, against the fixture server of the browser tests:
//   web.gzip      bytes that a first visit fetches, gzip -9
//   web.paint     navigation to first contentful paint, nothing cached
//   web.draw100k  navigation to 100,000 nodes drawn, nothing cached
// Each time is the median of RUNS fresh browser contexts, after one to warm up; the
// server answers from memory, so that its own work is no part of it. Nothing is
// judged here.
//
// Needs: cd tests/browser && npm ci

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const RUNS = 5;
const DIST = join(fileURLToPath(new URL('.', import.meta.url)), '../web/dist');
const HUGE = '?service=huge-100k&maxNodes=131072&live=off';

function print(name, value, unit) {
	process.stdout.write(`bench web.${name} ${value} ${unit}\n`);
}

function gzipKb() {
	const files = ['index.html', ...readdirSync(join(DIST, 'assets')).map((f) => join('assets', f))];
	return files.reduce((n, f) => n + gzipSync(readFileSync(join(DIST, f)), { level: 9 }).length, 0) / 1000;
}

function median(values) {
	return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Opens the page in a context of its own, and returns what measure finds in it. */
async function once(browser, url, measure) {
	const context = await browser.newContext({ viewport: { width: 1600, height: 900 }, reducedMotion: 'reduce' });
	try {
		const page = await context.newPage();
		await page.goto(url);
		return await page.waitForFunction(measure).then((handle) => handle.jsonValue());
	} finally {
		await context.close();
	}
}

async function medianOf(browser, url, measure) {
	const values = [];
	for (let run = 0; run < RUNS; run++)
		values.push(await once(browser, url, measure));
	return Math.round(median(values));
}

const paint = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
const drawn = () => performance.getEntriesByName('cresset-drawn').find((e) => e.detail === 100000)?.startTime;

print('gzip', gzipKb().toFixed(1), 'kB');
// Loaded here, since without npm ci in tests/browser there is no browser, but still a size.
const { fixtureStart } = await import('../tests/browser/fixture-server.mjs');
const { browserStart } = await import('../tests/browser/harness.mjs');
const server = await fixtureStart({ keep: new Map() });
const browser = await browserStart();
try {
	await once(browser, server.url + HUGE, drawn);
	await once(browser, server.url, paint);
	print('paint', await medianOf(browser, server.url, paint), 'ms');
	print('draw100k', await medianOf(browser, server.url + HUGE, drawn), 'ms');
} finally {
	await browser.close();
	await server.stop();
}
