// The page against a real server with real data, started by the scenario runner:
//   CRESSET_URL            where it listens
//   CRESSET_BUSY_SERVICE   a service that is burning CPU right now
//   CRESSET_BUSY_FUNCTION  the function that it burns it in
//   CRESSET_ARTIFACTS      a folder for screenshots (optional)

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { axeClean, browserStart, dragTimeline, drawn, flame, picture, query, ready, said, service, until, withPage } from './harness.mjs';

const { CRESSET_URL: URL_TEXT, CRESSET_BUSY_SERVICE: BUSY, CRESSET_BUSY_FUNCTION: FUNCTION } = process.env;
const FIRST_DATA_MS = 30000;
let browser;

before(async () => {
	assert.ok(URL_TEXT && BUSY && FUNCTION, 'CRESSET_URL, CRESSET_BUSY_SERVICE and CRESSET_BUSY_FUNCTION are needed');
	browser = await browserStart();
});
after(() => browser?.close());

function onPage(search, run) {
	return withPage(browser, new URL(search || '.', URL_TEXT).href, run, { timeout: FIRST_DATA_MS });
}

const busy = `?service=${encodeURIComponent(BUSY ?? '')}`;

/** The share that the page names for the function, as a number. */
async function foundShare(page) {
	await page.getByLabel('Search functions').fill(`"${FUNCTION}"`);
	const text = await page.locator('.found').textContent();
	assert.match(text, / · 1 function$/, `${FUNCTION}: ${text}`);
	return parseFloat(text) / 100;
}

/** With the keyboard, along the widest blocks, until the function is reached. */
async function walkTo(page, name) {
	await flame(page).focus();
	await page.keyboard.press('Home');
	for (let level = 1; level < 200; level++) {
		const text = await said(page, new RegExp(`level ${level}$`));
		if (text.startsWith(`${name},`))
			return;
		await page.keyboard.press('ArrowDown');
	}
	assert.fail(`${name} is not on the widest path`);
}

test('the host is shown by itself, with the busy service among the services', () => onPage('', async (page) => {
	await service(page, BUSY).waitFor({ timeout: FIRST_DATA_MS });
	await drawn(flame(page), 1000);
	assert.ok(await page.getByRole('table').getByRole('row').count() > 5);
	await picture(page, 'host-dark');
}));

test('the service is picked and its function found by search', () => onPage('', async (page) => {
	await service(page, BUSY).click();
	await until(page, 'service', (s) => s === BUSY);
	await ready(page);
	assert.ok(await foundShare(page) > 0.05);
	await picture(page, 'service-search-dark');
}));

test('the busy function is reached by keyboard and zoomed into', () => onPage(busy, async (page) => {
	await walkTo(page, FUNCTION);
	await page.keyboard.press('Enter');
	await until(page, 'focus', (f) => f !== null);
	assert.equal(await page.locator('.crumb.here').textContent(), FUNCTION);
	await picture(page, 'service-focus-dark');
	await page.keyboard.press('Escape');
	await until(page, 'focus', (f) => f === null);
}));

test('a range is dragged on the timeline, and its data shown', () => onPage(`${busy}&from=now-5m&until=now`, async (page) => {
	await dragTimeline(page, 0.5, 0.99);
	const from = Number(await until(page, 'from', (f) => /^\d+$/.test(f)));
	assert.ok(Number(query(page).get('until')) > from);
	await ready(page, 'ready', FIRST_DATA_MS);
	await picture(page, 'service-range-dark');
	await page.locator('.u-over').dblclick();
	await until(page, 'from', (f) => f === 'now-5m');
}));

test('the theme is switched, and axe finds no WCAG A or AA violation in either', () => onPage(busy, async (page) => {
	await page.getByRole('button', { name: 'Live' }).click();
	await axeClean(page, 'dark');
	await page.getByRole('button', { name: 'Switch to light theme' }).click();
	await page.locator('html[data-theme="light"]').waitFor();
	await axeClean(page, 'light');
	await picture(page, 'service-light');
}));

test('a reload shows the same state', () => onPage(busy, async (page) => {
	await foundShare(page);
	await walkTo(page, FUNCTION);
	await page.keyboard.press('Enter');
	await until(page, 'focus', (f) => f !== null);
	await page.getByRole('button', { name: 'Flame Graph' }).click();
	await until(page, 'view', (v) => v === 'flame');
	const before = page.url();
	await page.reload();
	await ready(page, 'ready', FIRST_DATA_MS);
	assert.equal(page.url(), before);
	assert.equal(await page.locator('.crumb.here').textContent(), FUNCTION);
	assert.equal(await page.getByLabel('Search functions').inputValue(), `"${FUNCTION}"`);
	assert.equal(await page.getByRole('button', { name: 'Flame Graph', pressed: true }).count(), 1);
}));

test('the sandwich of the busy function has callers and itself', () => onPage(`${busy}&sandwich=${encodeURIComponent(FUNCTION ?? '')}`, async (page) => {
	await drawn(flame(page, 'Callers'), 100);
	await drawn(flame(page, 'Callees'), 100);
	await picture(page, 'service-sandwich-dark');
}));

test('labels of the real data are offered as filters', () => onPage(busy, async (page) => {
	await page.getByTitle('Filter by label').click();
	const options = page.getByRole('combobox', { name: 'Label', exact: true }).getByRole('option');
	await options.first().waitFor({ state: 'attached' });
	assert.ok(await options.count() > 0);
}));

test('the page comes with the strict policy and nothing from elsewhere', async () => {
	const r = await fetch(URL_TEXT);
	const policy = r.headers.get('content-security-policy') ?? '';
	for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"])
		assert.ok(policy.includes(part), `${part} in: ${policy}`);
});
