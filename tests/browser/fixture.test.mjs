// The fixture server has to answer as the documented API does, or the page's
// tests mean nothing.

import assert from 'node:assert/strict';
import test from 'node:test';
import { CSP, fixtureStart } from './fixture-server.mjs';

const END = 1_790_000_000_000;
const RANGE = { start: END - 900_000, end: END };
const TYPE = { profileTypeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' };

async function withServer(options, run) {
	const server = await fixtureStart(options);
	const call = async (method, body, headers = { 'content-type': 'application/json' }) => {
		const r = await fetch(`${server.url}querier.v1.QuerierService/${method}`, { method: 'POST', headers, body: JSON.stringify(body) });
		const text = await r.text();
		return { status: r.status, body: text ? JSON.parse(text) : null };
	};
	try {
		await run(server, call);
	} finally {
		await server.stop();
	}
}

function checkLevels({ names, levels, total }) {
	let parents = [[0, Number(total)]];
	for (const { values } of levels) {
		const bars = [];
		let end = 0;
		for (let i = 0; i < values.length; i += 4) {
			const [offset, sum, self, name] = values.slice(i, i + 4).map(Number);
			const x = end + offset;
			end = x + sum;
			bars.push([x + self, end]);
			assert.ok(offset >= 0 && self <= sum && name < names.length);
			assert.ok(parents.some(([a, b]) => x >= a && end <= b), 'a bar is inside its parent, beside the parent\'s own part');
		}
		parents = bars;
	}
}

test('int64 are strings, and a graph is levels of quads inside their parents', () => withServer({}, async (_s, call) => {
	const { status, body } = await call('SelectMergeStacktraces', { ...TYPE, labelSelector: '{}', ...RANGE });
	assert.equal(status, 200);
	assert.equal(typeof body.flamegraph.total, 'string');
	assert.equal(body.flamegraph.names[0], 'total');
	checkLevels(body.flamegraph);
}));

test('the same question has the same answer', () => withServer({}, async (_s, call) => {
	const ask = () => call('SelectMergeStacktraces', { ...TYPE, labelSelector: '{service_name="search"}', ...RANGE });
	assert.deepEqual(await ask(), await ask());
}));

test('series and graph of a service have the same sum', () => withServer({}, async (_s, call) => {
	const q = { ...TYPE, labelSelector: '{service_name="checkout"}', ...RANGE };
	const { body: series } = await call('SelectSeries', { ...q, start: q.start + 30000, step: 30, groupBy: ['service_name'] });
	const { body: graph } = await call('SelectMergeStacktraces', { ...q, maxNodes: 1 << 20 });
	const sum = series.series[0].points.reduce((n, p) => n + p.value, 0);
	assert.ok(Math.abs(sum - Number(graph.flamegraph.total)) < 1000);
}));

test('maxNodes limits the graph, and what is left out is in "other"', () => withServer({}, async (_s, call) => {
	const ask = async (maxNodes) => (await call('SelectMergeStacktraces', { ...TYPE, labelSelector: '{}', ...RANGE, maxNodes })).body.flamegraph;
	const few = await ask(50);
	assert.ok(few.names.includes('other'));
	assert.equal(few.total, (await ask(100000)).total);
	checkLevels(few);
}));

test('the edge services are 100,000 nodes, 3,500 levels and hostile names', () => withServer({}, async (_s, call) => {
	const ask = async (name) => (await call('SelectMergeStacktraces', { ...TYPE, labelSelector: `{service_name=${JSON.stringify(name)}}`, ...RANGE, maxNodes: 1 << 20 })).body.flamegraph;
	const count = (g) => g.levels.reduce((n, l) => n + l.values.length / 4, 0);
	assert.equal(count(await ask('huge-100k')), 100000);
	assert.equal((await ask('deep-3500')).levels.length, 3501);
	assert.ok((await ask('hostile <img src=x onerror=alert(4)>')).names.includes('<img src=x onerror=alert(1)>'));
}));

test('selectors match, and bad ones are refused', () => withServer({}, async (_s, call) => {
	const names = async (matchers) => (await call('LabelValues', { name: 'service_name', matchers: [matchers], ...RANGE })).body;
	assert.deepEqual((await names('{env="staging"}')).names, ['thumbnailer']);
	assert.deepEqual((await names('{"k8s.namespace.name"=~"da.*",env!="staging"}')).names, ['postgres']);
	assert.equal((await names('{env=')).code, 'invalid_argument');
}));

test('missing times, turned times, steps and methods are refused', () => withServer({}, async (_s, call) => {
	assert.equal((await call('SelectMergeStacktraces', TYPE)).status, 400);
	assert.equal((await call('SelectMergeStacktraces', { ...TYPE, start: 2, end: 1 })).body.code, 'invalid_argument');
	assert.equal((await call('SelectSeries', { ...TYPE, ...RANGE })).status, 400);
	assert.equal((await call('Nothing', {})).status, 501);
	assert.equal((await call('ProfileTypes', {}, { 'content-type': 'text/plain' })).status, 415);
}));

test('it can be empty, and it can fail', () => withServer({ empty: true }, async (s, call) => {
	assert.deepEqual((await call('ProfileTypes', {})).body, {});
	s.state.fail = { code: 'unavailable', message: 'compacting' };
	assert.deepEqual(await call('ProfileTypes', {}), { status: 503, body: { code: 'unavailable', message: 'compacting' } });
}));

test('the page is served as the real server does it', () => withServer({}, async (s) => {
	const r = await fetch(s.url);
	assert.equal(r.headers.get('content-security-policy'), CSP);
	assert.equal(r.headers.get('cache-control'), 'no-cache');
	const asset = /\.\/(assets\/[^"]+\.js)/.exec(await r.text())[1];
	assert.match((await fetch(s.url + asset)).headers.get('cache-control'), /immutable/);
	assert.equal((await fetch(`${s.url}assets/%2e%2e/%2e%2e/package.json`)).status, 404);
}));
