// The page against the fixture server: each feature, and the edges that real
// data rarely shows.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { fixtureStart } from './fixture-server.mjs';
import { axeClean, browserStart, counted, dragTimeline, drawn, flame, picture, query, ready, said, service, until, withPage } from './harness.mjs';

let browser;
let server;
before(async () => {
	browser = await browserStart();
	server = await fixtureStart();
});
after(async () => {
	await browser?.close();
	await server?.stop();
});

function onPage(search, run, options = {}) {
	return withPage(browser, (options.url ?? server.url) + search, run, options);
}

test('opens with the whole host: services, timeline, table and flame graph', () => onPage('', async (page) => {
	assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Cresset: CPU of all services');
	assert.match(await service(page, 'checkout').textContent(), /%/);
	assert.ok(await page.getByRole('table').getByRole('row').count() > 10);
	await drawn(flame(page), 1000);
	assert.equal(query(page).size, 0);
}));

test('opens with a name and a password in the address, and links do not carry them', () => {
	const url = server.url.replace('://', '://ana:secret@');
	return onPage('', async (page) => {
		await drawn(flame(page), 1000);
		await page.getByRole('button', { name: /copy link/i }).click();
		const link = await page.evaluate(() => navigator.clipboard.readText());
		assert.doesNotMatch(link, /secret/);
	}, { url });
});

test('a server with tenants: the page says how to choose one, and stays with it', async () => {
	const other = await fixtureStart({ tenant: 'team-a' });
	try {
		await onPage('', async (page) => {
			await page.getByRole('alert').filter({ hasText: '?tenant=NAME' }).waitFor();
		}, { url: other.url, phase: 'error', allow: /401 \(/ });
		await onPage('?tenant=team-a', async (page) => {
			await service(page, 'search').click();
			await until(page, 'service', (s) => s === 'search');
			await page.getByText('Cresset', { exact: true }).click();
			await until(page, 'service', (s) => s === null);
			await ready(page);
			assert.equal(query(page).get('tenant'), 'team-a');
		}, { url: other.url });
	} finally {
		await other.stop();
	}
});

test('a service is picked, and back and forward go between pages', () => onPage('', async (page) => {
	await service(page, 'search').click();
	await until(page, 'service', (s) => s === 'search');
	await ready(page);
	assert.equal(await page.title(), 'search · CPU · Cresset');
	await service(page, 'All services').click();
	await until(page, 'service', (s) => s === null);
	await page.goBack();
	await until(page, 'service', (s) => s === 'search');
	assert.equal(await service(page, 'search').getAttribute('aria-current'), 'true');
	await page.goForward();
	await until(page, 'service', (s) => s === null);
}));

test('services are found by text and sorted by name', () => onPage('', async (page) => {
	const names = () => page.locator('.service-name').allTextContents();
	assert.equal((await names())[0], 'All services');
	await page.getByRole('button', { name: 'A–Z' }).click();
	assert.deepEqual((await names()).slice(1), (await names()).slice(1).sort());
	await page.getByLabel('Find service').fill('post');
	assert.deepEqual(await names(), ['All services', 'postgres']);
}));

test('a search says how much matches, and narrows the table', () => onPage('?service=recursive', async (page) => {
	await page.keyboard.press('/');
	await page.keyboard.type('fib');
	await page.locator('.found', { hasText: /^80\.0 % · .* · 1 function$/ }).waitFor();
	await counted(page.locator('.symbol'), 1);
	await page.keyboard.press('Escape');
	await until(page, 'search', (s) => s === null);
	await page.getByLabel('Search functions').fill('nothing has this name');
	await page.locator('.found', { hasText: /^No match$/ }).waitFor();
}));

test('a click zooms in, the path shows where, Reset goes back', () => onPage('?service=recursive', async (page) => {
	const box = await flame(page).boundingBox();
	await page.mouse.click(box.x + 30, box.y + 50);
	await until(page, 'focus', (f) => f !== null);
	assert.equal(await page.locator('.crumb.here').textContent(), 'fib');
	await page.getByRole('button', { name: 'Reset', exact: true }).click();
	await until(page, 'focus', (f) => f === null);
}));

test('the keyboard goes through the graph and tells where it is', () => onPage('?service=recursive', async (page) => {
	await flame(page).focus();
	await page.keyboard.press('ArrowDown');
	await said(page, /^total, .*100 % of total, level 1$/);
	await page.keyboard.press('ArrowDown');
	await said(page, /^main, /);
	await page.keyboard.press('ArrowDown');
	await said(page, /^fib, .*80\.0 % of total, level 3$/);
	await page.keyboard.press('ArrowRight');
	await said(page, /^print, .*20\.0 %/);
	await page.keyboard.press('Enter');
	await until(page, 'focus', (f) => f !== null);
	await page.keyboard.press('Escape');
	await until(page, 'focus', (f) => f === null);
	await page.keyboard.press('ArrowUp');
	await said(page, /^main, /);
}));

test('the menu focuses, copies, highlights and opens the sandwich view', () => onPage('?service=recursive', async (page) => {
	const box = await flame(page).boundingBox();
	const menu = async (item) => {
		await page.mouse.click(box.x + 30, box.y + 50, { button: 'right' });
		await page.getByRole('menuitem', { name: item }).click();
	};
	await menu('Copy function name');
	await page.getByText('Function name copied').waitFor();
	assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'fib');
	await menu('Highlight this function');
	await until(page, 'search', (s) => s === '"fib"');
	await page.getByRole('button', { name: 'fib', exact: true, pressed: true }).waitFor();
	await menu('Focus block');
	await until(page, 'focus', (f) => f !== null);
	await page.getByRole('button', { name: 'Reset', exact: true }).click();
	await menu('Sandwich view');
	await until(page, 'sandwich', (s) => s === 'fib');
	await drawn(flame(page, 'Callers'), 100);
	await drawn(flame(page, 'Callees'), 100);
	await flame(page, 'Callers').focus();
	await page.keyboard.press('ArrowUp');
	await page.keyboard.press('ArrowUp');
	await said(page, /^main, .*80\.0 % of total/);
	await page.getByRole('button', { name: 'Leave sandwich view' }).click();
	await flame(page).waitFor();
}));

test('the menu works with the keyboard alone', () => onPage('?service=recursive', async (page) => {
	await flame(page).focus();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Shift+F10');
	await page.getByRole('menu').waitFor();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Enter');
	await until(page, 'sandwich', (s) => s === 'main');
}));

test('closing the menu leaves the keyboard where it was', () => onPage('?service=recursive', async (page) => {
	await flame(page).focus();
	for (let i = 0; i < 3; i++)
		await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Shift+F10');
	await page.getByRole('menu').waitFor();
	await page.keyboard.press('Escape');
	await page.getByRole('menu').waitFor({ state: 'detached' });
	await page.keyboard.press('ArrowRight');
	await said(page, /^print, /);
}));

test('dragging on the timeline selects a range, a double click goes back', () => onPage('?from=now-30m&until=now', async (page) => {
	await dragTimeline(page, 0.25, 0.75);
	const from = Number(await until(page, 'from', (f) => /^\d+$/.test(f)));
	const seconds = (Number(query(page).get('until')) - from) / 1000;
	assert.ok(Math.abs(seconds - 900) < 60, `half of 30 min, was ${seconds} s`);
	await ready(page);
	assert.ok(await page.getByRole('button', { name: 'Live' }).isDisabled());
	await page.locator('.u-over').dblclick();
	await until(page, 'from', (f) => f === 'now-30m');
	await ready(page);
	await dragTimeline(page, 0.1, 0.2);
	await until(page, 'from', (f) => /^\d+$/.test(f));
	await page.getByRole('button', { name: 'Reset range' }).click();
	await until(page, 'from', (f) => f === 'now-30m');
}));

test('ranges come from the list or from two dates', () => onPage('', async (page) => {
	await page.getByTitle('Time range').click();
	await page.getByRole('button', { name: 'Last 6 hours' }).click();
	await until(page, 'from', (f) => f === 'now-6h');
	await page.getByTitle('Time range').click();
	await page.getByLabel('From', { exact: true }).fill('2026-11-20T10:00:05');
	await page.getByLabel('To', { exact: true }).fill('2026-11-20T09:00:05');
	await page.getByText('has to be before').waitFor();
	await page.getByLabel('To', { exact: true }).fill('2026-11-20T10:30:20');
	await page.getByRole('button', { name: 'Apply' }).first().click();
	assert.equal(await until(page, 'until', (u) => u !== null && u !== 'now'), String(Date.UTC(2026, 10, 20, 10, 30, 20)));
}));

test('labels filter by chips and by selector text', () => onPage('', async (page) => {
	await page.getByTitle('Filter by label').click();
	await page.getByRole('combobox', { name: 'Label', exact: true }).selectOption('k8s.namespace.name');
	await page.getByLabel('Value', { exact: true }).fill('data');
	await page.getByRole('button', { name: 'Add', exact: true }).click();
	assert.equal(await until(page, 'filter', (f) => f !== null), '{"k8s.namespace.name"="data"}');
	await ready(page);
	assert.deepEqual((await page.locator('.service-name').allTextContents()), ['All services', 'postgres']);
	await page.getByTitle('Filter by label').click();
	await page.getByLabel('Selector', { exact: true }).fill('{env="prod"');
	await page.getByText('not a label selector').waitFor();
	await page.getByLabel('Selector', { exact: true }).fill('{env=~"stag.*"}');
	await page.getByRole('button', { name: 'Apply' }).click();
	await until(page, 'filter', (f) => f === '{env=~"stag.*"}');
	await page.getByRole('button', { name: /^Remove filter/ }).click();
	await until(page, 'filter', (f) => f === null);
}));

test('another profile type, views and options are in the URL', () => onPage('', async (page) => {
	await page.getByLabel('Profile type').selectOption({ label: 'Off-CPU time' });
	await until(page, 'type', (t) => t === 'off_cpu:off_cpu:nanoseconds::');
	await page.getByRole('button', { name: 'Flame Graph' }).click();
	await until(page, 'view', (v) => v === 'flame');
	await counted(page.getByRole('table'), 0);
	await page.getByRole('button', { name: 'Top Table' }).click();
	await until(page, 'view', (v) => v === 'table');
	await counted(flame(page), 0);
	await page.getByRole('button', { name: 'Total' }).click();
	await until(page, 'sort', (s) => s === '-total');
	await page.getByRole('button', { name: 'By value' }).click();
	await until(page, 'color', (c) => c === 'value');
}));

test('a link shows the same page again', () => onPage('?service=recursive&view=flame&color=value', async (page) => {
	const box = await flame(page).boundingBox();
	await page.mouse.click(box.x + 30, box.y + 50);
	await until(page, 'focus', (f) => f !== null);
	await page.getByLabel('Search functions').fill('fib');
	const path = await page.locator('.crumbs').textContent();
	const found = await page.locator('.found').textContent();
	await page.getByRole('button', { name: 'Copy link' }).click();
	await page.getByText('Link copied').waitFor();
	const link = await page.evaluate(() => navigator.clipboard.readText());
	assert.match(link, /from=\d+&until=\d+/);
	await page.goto(link);
	await ready(page);
	assert.match(await page.locator('.crumbs').textContent(), /fib/);
	assert.equal((await page.locator('.found').textContent()).split(' · ')[0], found.split(' · ')[0]);
	await counted(page.locator('.crumb'), path.match(/main/g).length + 2);
	await counted(page.getByRole('button', { name: 'By value', pressed: true }), 1);
}));

test('the theme follows the system until it is switched, and is kept', () => onPage('', async (page) => {
	const theme = () => page.locator('html').getAttribute('data-theme');
	assert.equal(await theme(), 'light');
	await page.emulateMedia({ colorScheme: 'dark' });
	await page.locator('html[data-theme="dark"]').waitFor();
	await page.getByRole('button', { name: 'Switch to light theme' }).click();
	await page.locator('html[data-theme="light"]').waitFor();
	await page.reload();
	await ready(page);
	assert.equal(await theme(), 'light');
}, { scheme: 'light' }));

test('data that arrives is shown without doing anything', async () => {
	const empty = await fixtureStart({ empty: true });
	try {
		await onPage('', async (page) => {
			await page.getByText('first samples within 10 s').waitFor();
			await picture(page, 'fixture-waiting');
			empty.state.empty = false;
			await ready(page, 'ready', 4000);
			await drawn(flame(page), 1000);
		}, { url: empty.url, phase: 'waiting' });
	} finally {
		await empty.stop();
	}
});

test('live asks again every five seconds, and a pause stops it', () => onPage('', async (page) => {
	const calls = () => server.state.calls.filter((c) => c === 'SelectMergeStacktraces').length;
	const first = calls();
	await page.waitForResponse(/SelectMergeStacktraces/, { timeout: 7000 });
	assert.equal(calls(), first + 1);
	await page.getByRole('button', { name: 'Live' }).click();
	await until(page, 'live', (l) => l === 'off');
	const paused = calls();
	await page.waitForTimeout(6000);
	assert.equal(calls(), paused);
	await Promise.all([page.waitForResponse(/SelectMergeStacktraces/), page.getByRole('button', { name: 'Refresh', exact: true }).click()]);
	assert.equal(calls(), paused + 1);
}));

test('an error shows what the server said, and goes away', async () => {
	const failing = await fixtureStart({ fail: { code: 'internal', message: 'store: block 000123: bad checksum at <4096>' } });
	try {
		await onPage('', async (page) => {
			assert.match(await page.getByRole('alert').textContent(), /500 \(internal\).*bad checksum at <4096>/);
			await picture(page, 'fixture-error');
			failing.state.fail = null;
			await page.getByRole('button', { name: 'Try again' }).click();
			await ready(page);
			await counted(page.getByRole('alert'), 0);
			await failing.stop();
			await page.getByRole('button', { name: 'Refresh', exact: true }).click();
			await page.getByText('No answer from the server').waitFor();
			await drawn(flame(page), 1000);
		}, { url: failing.url, phase: 'error', allow: /500 \(|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE/ });
	} finally {
		await failing.stop();
	}
});

test('a service without samples says so and offers a way out', () => onPage('?service=nobody', async (page) => {
	await page.getByText('none for “nobody”').waitFor();
	await page.getByRole('main').getByRole('button', { name: 'All services' }).click();
	await ready(page);
}, { phase: 'empty' }));

test('hostile names are only text', () => onPage(`?service=${encodeURIComponent('hostile <img src=x onerror=alert(4)>')}&sandwich=__proto__`, async (page) => {
	await page.getByText('<img src=x onerror=alert(1)>').waitFor();
	assert.equal(await page.locator('img, script:not([src])').count(), 0);
	assert.equal(await page.evaluate(() => document.body.innerText.includes('\u202e')), false);
	for (const name of ['constructor', '(no name)', '"><script>alert(2)</script>'])
		await page.getByRole('button', { name, exact: true }).first().click();
	await page.getByRole('button', { name: 'Leave sandwich view' }).click();
	const box = await flame(page).boundingBox();
	for (let x = 10; x < box.width; x += 40)
		await page.mouse.move(box.x + x, box.y + 50);
	await picture(page, 'fixture-hostile');
}));

test('a stack of 3,500 levels is drawn to its end', () => onPage('?service=deep-3500&view=flame', async (page) => {
	await drawn(flame(page), 1000);
	await flame(page).evaluate((el) => { el.scrollTop = el.scrollHeight; });
	await page.waitForFunction(() => document.querySelector('.flame-box').scrollTop > 60000);
	await page.waitForTimeout(100);
	await drawn(flame(page), 1000);
	const box = await flame(page).boundingBox();
	await page.mouse.click(box.x + box.width * 0.8, box.y + box.height - 12);
	await until(page, 'focus', (f) => f !== null);
	assert.match(await page.locator('.crumbs').textContent(), /349\d more/);
}));

test('100,000 nodes are drawn, searched and zoomed', () => onPage('?service=huge-100k&maxNodes=131072', async (page) => {
	const drawn = await page.evaluate(() => performance.getEntriesByName('cresset-drawn').map((e) => e.detail));
	assert.equal(drawn[0], 100000);
	await page.getByLabel('Search functions').fill('method9');
	assert.match(await page.locator('.found').textContent(), /functions$/);
	const box = await flame(page).boundingBox();
	await page.mouse.click(box.x + box.width / 4, box.y + 30);
	await until(page, 'focus', (f) => f !== null);
	await picture(page, 'fixture-100k');
}));

test('a narrow window has everything, without scrolling sideways', () => onPage('', async (page) => {
	assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
	await page.getByRole('button', { name: 'Services', exact: true }).click();
	await service(page, 'postgres').click();
	await until(page, 'service', (s) => s === 'postgres');
	await picture(page, 'fixture-narrow');
}, { width: 400, height: 800 }));

for (const scheme of ['dark', 'light'])
	test(`axe finds no WCAG A or AA violation, ${scheme}`, () => onPage('?service=checkout', async (page) => {
		await axeClean(page, 'both');
		await picture(page, `fixture-${scheme}`);
		await page.getByTitle('Time range').click();
		await axeClean(page, 'time range');
		await page.keyboard.press('Escape');
		await page.getByTitle('Filter by label').click();
		await page.getByLabel('Selector', { exact: true }).fill('{');
		await axeClean(page, 'filter with an error');
		await page.keyboard.press('Escape');
		await flame(page).focus();
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('Shift+F10');
		await axeClean(page, 'menu');
		await page.getByRole('menuitem', { name: 'Sandwich view' }).click();
		await page.getByLabel('Search functions').fill('runtime');
		await axeClean(page, 'sandwich and search');
		await picture(page, `fixture-sandwich-${scheme}`);
	}, { scheme }));

for (const scheme of ['dark', 'light'])
	test(`axe finds nothing while waiting, without data and on an error, ${scheme}`, async () => {
		const other = await fixtureStart({ empty: true });
		try {
			await onPage('', async (page) => {
				await axeClean(page, 'waiting');
				other.state.fail = { code: 'unavailable', message: 'starting' };
				await page.getByRole('alert').waitFor();
				await axeClean(page, 'error');
			}, { url: other.url, phase: 'waiting', scheme, allow: /503 \(/ });
			await onPage('?service=nobody&filter=%7Ba%3D%22b%22%7D', (page) => axeClean(page, 'empty'), { phase: 'empty', scheme });
		} finally {
			await other.stop();
		}
	});
