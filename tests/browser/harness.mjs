// What all browser tests share: one browser a file, one fresh context a test,
// everything that may differ from run to run fixed, and the rules that hold on
// every page: no console error, no request that leaves this machine.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const BROWSER = process.env.CRESSET_CHROMIUM ?? '/usr/bin/chromium';
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

export async function browserStart() {
	assert.ok(existsSync(BROWSER), `no browser at ${BROWSER}; set CRESSET_CHROMIUM`);
	return chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

function isLocal(url) {
	const { protocol, hostname } = new URL(url);
	return protocol === 'data:' || protocol === 'blob:' || LOOPBACK.has(hostname);
}

/** A page that notes every problem in page.problems. allow: console errors that the test provokes. */
async function pageOpen(browser, url, { scheme = 'dark', width = 1440, height = 900, allow = /^$/ } = {}) {
	const context = await browser.newContext({
		viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce', deviceScaleFactor: 1,
		locale: 'en-GB', timezoneId: 'UTC', permissions: ['clipboard-read', 'clipboard-write'],
	});
	const page = await context.newPage();
	page.problems = [];
	const note = (text) => { if (!allow.test(text)) page.problems.push(text); };
	await context.route((u) => !isLocal(u.href), (route) => {
		page.problems.push(`request to ${route.request().url()}`);
		return route.abort();
	});
	page.on('console', (m) => { if (m.type() === 'error') note(m.text()); });
	page.on('pageerror', (e) => note(`exception: ${e.message}`));
	page.on('dialog', (d) => {
		page.problems.push(`dialog: ${d.message()}`);
		return d.dismiss();
	});
	await page.goto(url);
	return page;
}


/** Opens the page, waits for its phase, runs the steps, and wants no problem to be left over. */
export async function withPage(browser, url, run, { phase = 'ready', timeout, ...options } = {}) {
	const page = await pageOpen(browser, url, options);
	try {
		await ready(page, phase, timeout);
		await run(page);
	} finally {
		await page.context().close();
	}
	assert.deepEqual(page.problems, []);
}

export async function ready(page, phase = 'ready', timeout = 15000) {
	await page.locator(`.page[data-phase="${phase}"]`).waitFor({ timeout });
}

export function service(page, name) {
	return page.getByRole('navigation', { name: 'Services' }).getByRole('button')
		.filter({ has: page.getByText(name, { exact: true }) });
}

export function flame(page, name = 'Flame graph') {
	return page.getByRole('application', { name, exact: true });
}

/** Waits until the text is in the live region that the keyboard writes to. */
export async function said(page, pattern) {
	await page.waitForFunction((source) => new RegExp(source).test(document.getElementById('said').textContent), pattern.source);
	return page.locator('#said').textContent();
}

export function query(page) {
	return new URL(page.url()).searchParams;
}

/** Looks at it again with each frame until it is right. */
async function looked(page, look, right, said) {
	const end = Date.now() + 15000;
	for (;;) {
		const is = await look();
		if (right(is))
			return;
		assert.ok(Date.now() < end, said(is));
		await page.evaluate(() => new Promise(requestAnimationFrame));
	}
}

/** Waits until so many elements are there. */
export function counted(locator, count) {
	return looked(locator.page(), () => locator.count(), (is) => is === count, (is) => `${is} of ${count} elements are there`);
}

export async function until(page, name, test) {
	await page.waitForURL((url) => test(url.searchParams.get(name)));
	return query(page).get(name);
}

/** Drags over the plot from one share of its width to another. */
export async function dragTimeline(page, from, to) {
	const box = await page.locator('.u-over').boundingBox();
	const y = box.y + box.height / 2;
	await page.mouse.move(box.x + box.width * from, y);
	await page.mouse.down();
	await page.mouse.move(box.x + box.width * (from + to) / 2, y, { steps: 3 });
	await page.mouse.move(box.x + box.width * to, y, { steps: 3 });
	await page.mouse.up();
}

/** How many pixels of a canvas are drawn on, in steps of 7. */
async function inkOf(locator) {
	return locator.locator('canvas').evaluate((c) => {
		const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
		let ink = 0;
		for (let i = 3; i < data.length; i += 28)
			ink += data[i] > 0 ? 1 : 0;
		return ink;
	});
}

/** Waits until more than that much of a canvas is drawn on; drawing comes a frame or more after its element. */
export function drawn(locator, ink) {
	return looked(locator.page(), () => inkOf(locator), (is) => is > ink, (is) => `${is} of more than ${ink} pixels are drawn`);
}

export async function axeClean(page, what) {
	const { violations } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
	const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`);
	assert.deepEqual(found, [], what);
}

export async function picture(page, name) {
	const dir = process.env.CRESSET_ARTIFACTS;
	if (!dir)
		return;
	mkdirSync(dir, { recursive: true });
	await page.screenshot({ path: join(dir, `${name}.png`), animations: 'disabled', caret: 'hide' });
}
