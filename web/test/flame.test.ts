import assert from 'node:assert/strict';
import test from 'node:test';
import { graphDecode, graphNodes, graphTotal, type Graph } from '../src/flame/graph.ts';
import { flameMove } from '../src/flame/keys.ts';
import { sandwichCallees, sandwichCallers } from '../src/flame/sandwich.ts';
import { searchGraph, searchQuote, searchTerms } from '../src/flame/search.ts';
import { tableRows, tableSort } from '../src/flame/table.ts';
import { deep, encode, randomTree, RECURSIVE, SMALL, total, type Tree } from './sample.ts';

const small = graphDecode(encode(SMALL));
const recursive = graphDecode(encode(RECURSIVE));

const rowsOf = (g: Graph) => Object.fromEntries(tableRows(g).map((r) => [g.names[r.name], [r.self, r.total]]));

/** Slow and plain: every path, one by one. */
function bruteTotals(tree: Tree): Record<string, [number, number]> {
	const out: Record<string, [number, number]> = {};
	const walk = (t: Tree, above: Set<string>) => {
		const row = out[t.name] ??= [0, 0];
		row[0] += t.self;
		if (!above.has(t.name))
			row[1] += total(t);
		for (const c of t.children ?? [])
			walk(c, new Set(above).add(t.name));
	};
	for (const c of tree.children ?? [])
		walk(c, new Set());
	return out;
}

test('the table has self and total of each function', () => {
	assert.deepEqual(rowsOf(small), { idle: [10, 10], main: [5, 90], a: [30, 50], b: [25, 35], c: [30, 30] });
});

test('a recursive function counts each stack once in its total', () => {
	assert.deepEqual(rowsOf(recursive), { main: [1, 24], fib: [19, 22], leaf: [3, 3], print: [1, 6] });
});

test('the table agrees with plain counting on random trees', () => {
	for (let seed = 1; seed <= 40; seed++) {
		const tree = randomTree(seed, 150);
		assert.deepEqual(rowsOf(graphDecode(encode(tree))), bruteTotals(tree));
	}
});

test('the sum of self is the total', () => {
	const g = graphDecode(encode(randomTree(5, 900)));
	assert.equal(tableRows(g).reduce((n, r) => n + r.self, 0), graphTotal(g));
});

test('the table is sorted by any column, and equal values by name', () => {
	const names = (key: 'self' | 'total' | 'name', down: boolean) => tableSort(small, tableRows(small), key, down).map((r) => small.names[r.name]);
	assert.deepEqual(names('self', true), ['a', 'c', 'b', 'idle', 'main']);
	assert.deepEqual(names('total', true), ['main', 'a', 'b', 'c', 'idle']);
	assert.deepEqual(names('name', false), ['a', 'b', 'c', 'idle', 'main']);
});

test('the table of an empty graph is empty', () => {
	assert.deepEqual(tableRows(graphDecode({})), []);
});

test('stacks of 100,000 levels need no recursion', () => {
	const g = graphDecode(deep(100000));
	assert.equal(tableRows(g).length, 99999);
	assert.equal(searchGraph(g, 'f99999')!.value, 7);
	assert.equal(graphNodes(sandwichCallers(g, 50000)), 50000);
	assert.equal(graphNodes(sandwichCallees(g, 50000)), 50000);
});

test('a search sums up stacks with a match once', () => {
	const found = searchGraph(small, 'c')!;
	assert.equal(found.functions, 1);
	assert.equal(found.blocks, 2);
	assert.equal(found.value, 30);
	assert.equal(found.share, 0.3);
	assert.equal(searchGraph(small, 'MAIN, c')!.value, 90);
	assert.equal(searchGraph(recursive, 'fib')!.value, 22);
});

test('search terms are plain text, regular expressions, or exact names in quotes', () => {
	const g = graphDecode(encode({ name: 'total', self: 0, children: ['std::map<int, char>::at', 'operator()(int)', 'fooBar', 'foo'].map((name) => ({ name, self: 1 })) }));
	const hits = (text: string) => g.names.filter((_, i) => searchGraph(g, text)!.names[i] === 1);
	assert.deepEqual(hits('FOO'), ['fooBar', 'foo']);
	assert.deepEqual(hits('^foo$'), ['foo']);
	assert.deepEqual(hits('"foo"'), ['foo']);
	assert.deepEqual(hits('operator()'), ['operator()(int)']);
	assert.deepEqual(hits(searchQuote('std::map<int, char>::at')), ['std::map<int, char>::at']);
	assert.deepEqual(hits('(unclosed'), []);
	assert.deepEqual(hits('foobar,operator'), ['operator()(int)', 'fooBar']);
});

test('any name can be quoted and found again', () => {
	for (const name of ['a"b', 'a\\b', '\\"', 'a,b', '', ' ', 'x\ny']) {
		const g = graphDecode({ names: ['total', name], levels: [{ values: ['0', '1', '0', '0'] }, { values: ['0', '1', '1', '1'] }] });
		assert.equal(searchGraph(g, searchQuote(name))?.names[1], 1, JSON.stringify(name));
	}
});

test('nothing to search for is no search', () => {
	for (const text of ['', '  ', ',', ' , ,'])
		assert.equal(searchGraph(small, text), undefined);
	assert.deepEqual(searchTerms('a, b,"c,d"'), ['a', 'b', '"c,d"']);
});

test('both sides of a sandwich add up to the function\'s total', () => {
	for (let seed = 1; seed <= 20; seed++) {
		const g = graphDecode(encode(randomTree(seed, 200)));
		for (const row of tableRows(g)) {
			const [up, down] = [sandwichCallers(g, row.name), sandwichCallees(g, row.name)];
			assert.equal(graphTotal(up), row.total);
			assert.equal(graphTotal(down), row.total);
			for (const side of [up, down])
				assert.equal(tableRows(side).reduce((n, r) => n + r.self, 0) + side.self[0] * Number(!tableRows(side).some((r) => r.name === side.name[0])), row.total);
		}
	}
});

test('callers come by their names, callees with their sums', () => {
	const c = small.names.indexOf('c');
	const up = sandwichCallers(small, c);
	assert.deepEqual([...up.name].map((n, i) => [small.names[n], up.total[i]]), [['c', 30], ['a', 20], ['b', 10], ['main', 20], ['main', 10]]);
	const down = sandwichCallees(small, small.names.indexOf('main'));
	assert.deepEqual([...down.name].map((n, i) => [small.names[n], down.total[i]]), [['main', 90], ['a', 50], ['b', 35], ['c', 20], ['c', 10]]);
});

test('the keyboard goes to parent, widest child and neighbours, and stays inside the focus', () => {
	const name = (n: number) => small.names[small.name[n]];
	assert.equal(name(flameMove(small, 0, 'child', 0)), 'main');
	assert.equal(name(flameMove(small, 2, 'child', 0)), 'a');
	assert.equal(name(flameMove(small, 3, 'next', 0)), 'b');
	assert.equal(flameMove(small, 3, 'next', 3), 3);
	assert.equal(flameMove(small, 1, 'previous', 0), 1);
	assert.equal(name(flameMove(small, 3, 'parent', 3)), 'main');
	assert.equal(flameMove(small, 2, 'child', 4), 4);
	assert.equal(flameMove(small, 0, 'parent', 0), 0);
	assert.equal(flameMove(small, 5, 'child', 0), 5);
	assert.equal(flameMove(small, -1, 'next', 3), 3);
	assert.equal(flameMove(graphDecode({}), -1, 'child', 0), -1);
});
