import assert from 'node:assert/strict';
import test from 'node:test';
import { displayName, formatDuration, formatRate, formatShare, formatValue, unitOf } from '../src/format.ts';
import { rangeFormat, rangeLabel, rangeParse, rangeStep, rangeWindow } from '../src/range.ts';
import { selectorFormat, selectorParse, selectorQuery, type Matcher } from '../src/selector.ts';
import { completeBuckets, stackLayers, timelineBuild, timelineCoveredSeconds, timelineLayers } from '../src/series.ts';
import { CPU_TYPE, typeInfo, typeList } from '../src/types.ts';
import { DEFAULT_STATE, urlFormat, urlParse, type State } from '../src/url.ts';

test('values are written with three digits and a unit', () => {
	const cases: [number, 'ns' | 'bytes' | 'count', string][] = [
		[0, 'ns', '0'], [999, 'ns', '999 ns'], [1500, 'ns', '1.50 µs'], [10.3e6, 'ns', '10.3 ms'], [4.2e9, 'ns', '4.20 s'],
		[999.9e6, 'ns', '1.00 s'], [90e9, 'ns', '1.50 min'], [7200e9, 'ns', '2.00 h'], [86400e9 * 3, 'ns', '3.00 d'],
		[1536, 'bytes', '1.50 KiB'], [12345, 'count', '12.3 k'], [7, 'count', '7.00'],
	];
	for (const [value, unit, text] of cases)
		assert.equal(formatValue(value, unit), text);
	assert.equal(unitOf('nanoseconds'), 'ns');
	assert.equal(unitOf('objects'), 'count');
});

test('CPU time per time is cores', () => {
	assert.equal(formatRate(1.5e9, 'ns', true), '1.50 cores');
	assert.equal(formatRate(1e9, 'ns', true), '1.00 core');
	assert.equal(formatRate(0.012e9, 'ns', true), '0.012 cores');
	assert.equal(formatRate(1e3, 'ns', true), '<0.001 cores');
	assert.equal(formatRate(2e9, 'ns', false), '2.00 s/s');
	assert.equal(formatRate(2048, 'bytes', false), '2.00 KiB/s');
});

test('shares never say zero of what is there, nor 100 of what is not all', () => {
	assert.equal(formatShare(0), '0 %');
	assert.equal(formatShare(0.000001), '<0.01 %');
	assert.equal(formatShare(0.1234), '12.3 %');
	assert.equal(formatShare(0.0123), '1.23 %');
	assert.equal(formatShare(1), '100 %');
	assert.equal(formatShare(0.9994), '99.9 %');
});

test('marks that hide or turn text are made visible', () => {
	assert.equal(displayName('a\u202eb\u0000c'), 'a\ufffdb\ufffdc');
	assert.equal(displayName(''), '(no name)');
	assert.equal(displayName('x'.repeat(700)).length, 601);
});

test('durations have two parts at most', () => {
	assert.equal(formatDuration(0), '0 s');
	assert.equal(formatDuration(65), '1 min 5 s');
	assert.equal(formatDuration(90061), '1 d 1 h');
});

test('ranges come and go through the URL', () => {
	for (const [from, until] of [['now-15m', 'now'], ['now-24h', 'now'], ['now-90m', 'now'], ['now-45s', 'now'], ['1700000000000', '1700000060000']])
		assert.deepEqual(rangeFormat(rangeParse(from, until)), [from, until]);
	assert.equal(rangeLabel(rangeParse('now-1h', null)), 'Last 1 hour');
	assert.equal(rangeLabel(rangeParse('now-90m', null)), 'Last 90m');
});

test('a range that makes no sense is the default one', () => {
	for (const [from, until] of [['x', 'y'], ['2', '1'], ['now-0m', 'now'], ['now-99999999d', 'now'], [null, null], ['-5', '10'], ['1e3', '2e3']] as [string, string][])
		assert.equal(rangeParse(from, until).last, 900);
});

test('a timeline has at most 240 points, and steps that divide time well', () => {
	for (const seconds of [1, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 7 * 86400]) {
		const step = rangeStep(seconds);
		assert.ok(seconds / step <= 240, `${seconds} s: ${step}`);
	}
	assert.equal(rangeStep(900), 5);
});

test('a window is whole steps, and has no less than was asked for', () => {
	assert.deepEqual(rangeWindow({ last: 300, from: 0, to: 0 }, 1e6), { start: 7e5, end: 1e6, step: 5 });
	assert.deepEqual(rangeWindow({ last: 300, from: 0, to: 0 }, 1000001), { start: 705e3, end: 1005e3, step: 5 });
	assert.deepEqual(rangeWindow({ last: 0, from: 1001, to: 600999 }, 0), { start: 0, end: 605e3, step: 5 });
});

test('selectors are written and read back', () => {
	const matchers: Matcher[] = [
		{ name: 'env', op: '=', value: 'prod' }, { name: 'k8s.pod/name', op: '=~', value: 'a.*|b' },
		{ name: 'x', op: '!=', value: 'quo"te\\back\nline' }, { name: 'y', op: '!~', value: '' },
	];
	assert.deepEqual(selectorParse(selectorFormat(matchers)), matchers);
	assert.equal(selectorFormat(matchers.slice(0, 2)), '{env="prod","k8s.pod/name"=~"a.*|b"}');
	assert.deepEqual(selectorParse(' { a = "b" , c!~"d", } '), [{ name: 'a', op: '=', value: 'b' }, { name: 'c', op: '!~', value: 'd' }]);
	assert.deepEqual(selectorParse('{}'), []);
	assert.deepEqual(selectorParse(''), []);
	assert.equal(selectorQuery([{ name: 'a', op: '=', value: 'b' }], 'sv"c'), '{service_name="sv\\"c",a="b"}');
	assert.equal(selectorQuery([], ''), '{}');
});

test('text that is no selector is answered with a sentence', () => {
	for (const text of ['{', 'a', 'a=b', 'a="b', '{a="b" c="d"}', '="x"', 'a=="b"'])
		assert.equal(typeof selectorParse(text), 'string', text);
});

const WINDOW = { start: 1000e3, end: 1060e3, step: 10 };
const series = (name: string, points: [number, number][]) => ({
	labels: [{ name: 'service_name', value: name }], points: points.map(([t, value]) => ({ value, timestamp: String(t * 1000) })),
});

test('points fall into the buckets that they end', () => {
	const t = timelineBuild([series('a', [[1010, 5], [1020, 7]]), series('b', [[1020, 20]])], 'service_name', WINDOW);
	assert.deepEqual(t.services.map((s) => [s.name, s.sum]), [['b', 20], ['a', 12]]);
	assert.equal(t.times[0], 1000);
	assert.equal(t.sum, 32);
	assert.equal(timelineCoveredSeconds(t), 20);
	assert.deepEqual(timelineLayers(t, 'a', 5)[0].values.slice(0, 4), [null, 5, 7, null]);
	assert.deepEqual(stackLayers(timelineLayers(t, '', 5))[0].slice(0, 4), [null, 5, 27, null]);
});

test('small services become one layer, but a single one keeps its name', () => {
	const t = timelineBuild(['a', 'b', 'c', 'd'].map((n, i) => series(n, [[1010, 10 - i]])), 'service_name', WINDOW);
	assert.deepEqual(timelineLayers(t, '', 2).map((l) => l.name), ['a', 'b', '2 more']);
	assert.deepEqual(timelineLayers(t, '', 3).map((l) => l.name), ['a', 'b', 'c', 'd']);
	assert.deepEqual(timelineLayers(t, 'gone', 3)[0].values.slice(0, 2), [null, 0]);
});

test('zero points, absent fields and no series are no services', () => {
	assert.equal(timelineBuild([], 'service_name', WINDOW).services.length, 0);
	assert.equal(timelineBuild([{}, { points: [{}] }], 'service_name', WINDOW).services.length, 0);
});

test('buckets that are still being filled are not shown, unless there is nothing else', () => {
	const full = timelineBuild([series('a', [[1010, 1], [1020, 1], [1030, 1], [1040, 1], [1050, 1]])], 'service_name', WINDOW);
	assert.equal(full.times[completeBuckets(full, 1060e3, 8) - 1], 1050);
	const young = timelineBuild([series('a', [[1050, 1], [1060, 1]])], 'service_name', WINDOW);
	assert.equal(completeBuckets(young, 1060e3, 8), young.times.length);
});

test('profile types have names for people, CPU first', () => {
	assert.equal(typeInfo(CPU_TYPE).name, 'CPU');
	assert.ok(typeInfo(CPU_TYPE).cpu);
	assert.equal(typeInfo('memory:inuse_space:bytes:space:bytes').name, 'Memory in use');
	assert.equal(typeInfo('off_cpu:off_cpu:nanoseconds::').cpu, false);
	assert.equal(typeInfo('x:y:count::').name, 'x: y');
	assert.equal(typeInfo('odd').name, 'odd');
	assert.deepEqual(typeList([{ ID: 'block:delay:nanoseconds::' }, { ID: CPU_TYPE }], CPU_TYPE).map((t) => t.name), ['CPU', 'Block delay']);
});

test('all state goes into the URL and comes back', () => {
	const state: State = {
		tenant: 'team-a', service: 'a&b=c "x"', type: 'block:delay:nanoseconds::', filters: [{ name: 'a', op: '=~', value: 'x,}"' }],
		range: { last: 0, from: 1700000000000, to: 1700000060000 }, live: false, view: 'flame', search: '"a", b+c', focus: 'k3y',
		sandwich: '<img>', color: 'value', alignEnd: true, sort: 'name', descending: false, maxNodes: 99,
	};
	assert.deepEqual(urlParse(urlFormat(state)), state);
	assert.equal(urlFormat(DEFAULT_STATE), '');
	assert.deepEqual(urlParse(''), DEFAULT_STATE);
});

test('what makes no sense in the URL is the default', () => {
	assert.deepEqual(urlParse('?tenant=a%0Ab&view=x&color=y&sort=-z&maxNodes=-1&filter=%7B&from=a&until=b'), DEFAULT_STATE);
});
