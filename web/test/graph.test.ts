import assert from 'node:assert/strict';
import test from 'node:test';
import { graphDecode, graphFindKey, graphKeys, graphKeyText, graphLevelOf, graphLevels, graphNodeAt, graphNodes, graphPath, graphTotal } from '../src/flame/graph.ts';
import { deep, encode, randomTree, SMALL, total, type Tree } from './sample.ts';

const named = (json: Parameters<typeof graphDecode>[0]) => {
	const g = graphDecode(json);
	return { g, at: (name: string) => g.names.indexOf(name) };
};

test('an answer is decoded to bars with their place, parent and children', () => {
	const { g } = named(encode(SMALL));
	assert.equal(graphNodes(g), 7);
	assert.equal(graphLevels(g), 4);
	assert.equal(graphTotal(g), 100);
	const rows = [...g.x].map((x, i) => [g.names[g.name[i]], x, g.total[i], g.self[i], g.parent[i]]);
	assert.deepEqual(rows, [
		['total', 0, 100, 0, -1], ['idle', 0, 10, 10, 0], ['main', 10, 90, 5, 0],
		['a', 15, 50, 30, 2], ['b', 65, 35, 25, 2], ['c', 45, 20, 20, 3], ['c', 90, 10, 10, 4],
	]);
	assert.deepEqual([...g.first], [1, 3, 3, 5, 6, 7, 7, 7]);
});

test('a random tree comes back node by node', () => {
	for (let seed = 1; seed <= 30; seed++) {
		const tree = randomTree(seed, 200);
		const g = graphDecode(encode(tree));
		const walk = (t: Tree, n: number): void => {
			assert.equal(g.names[g.name[n]], t.name);
			assert.equal(g.total[n], total(t));
			assert.equal(g.self[n], t.self);
			assert.equal(g.first[n + 1] - g.first[n], t.children!.length);
			t.children!.forEach((c, i) => walk(c, g.first[n] + i));
		};
		walk(tree, 0);
	}
});

test('numbers may come as numbers, and absent fields are zero', () => {
	const g = graphDecode({ names: ['total'], levels: [{ values: [0, 5, 5, 0] }] });
	assert.equal(graphTotal(g), 5);
});

test('no graph, no levels and an empty level are an empty graph', () => {
	for (const json of [undefined, {}, { names: ['total'], levels: [] }, { levels: [{}] }]) {
		const g = graphDecode(json);
		assert.equal(graphNodes(g), 0);
		assert.equal(graphTotal(g), 0);
		assert.equal(graphNodeAt(g, 0, 0), -1);
	}
});

test('a name index that points nowhere gets a name that says so', () => {
	const g = graphDecode({ names: ['total'], levels: [{ values: ['0', '9', '0', '0'] }, { values: ['0', '9', '9', '44'] }] });
	assert.equal(g.names[g.name[1]], '(name missing in the answer)');
});

test('text that is no number and half a quad do no harm', () => {
	const g = graphDecode({ names: ['total', 'a'], levels: [{ values: ['x', 'NaN', '1e999', '0', '5', '6'] }] });
	assert.equal(graphNodes(g), 1);
	assert.equal(graphTotal(g), 0);
});

test('the bar at a place is found, and none in a gap', () => {
	const { g } = named(encode(SMALL));
	assert.equal(graphNodeAt(g, 1, 9), 1);
	assert.equal(graphNodeAt(g, 1, 10), 2);
	assert.equal(graphNodeAt(g, 2, 12), -1);
	assert.equal(graphNodeAt(g, 3, 46), 5);
	assert.equal(graphNodeAt(g, 9, 0), -1);
	assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((n) => graphLevelOf(g, n)), [0, 1, 1, 2, 2, 3, 3]);
});

test('a block is found again by its key in another answer', () => {
	const before = graphDecode(encode(SMALL));
	const grown: Tree = { name: 'total', self: 0, children: [{ name: 'aaa', self: 3 }, ...SMALL.children!] };
	const after = graphDecode(encode(grown));
	for (let n = 0; n < graphNodes(before); n++) {
		const found = graphFindKey(after, graphKeyText(before, n));
		assert.deepEqual(graphPath(after, found).map((i) => after.names[after.name[i]]),
			graphPath(before, n).map((i) => before.names[before.name[i]]));
	}
	assert.equal(graphFindKey(after, ''), -1);
	assert.equal(graphFindKey(after, 'no-such-key'), -1);
});

test('keys of different stacks differ', () => {
	const g = graphDecode(encode(randomTree(7, 5000)));
	assert.equal(new Set(graphKeys(g)).size, graphNodes(g));
});

test('a stack of 100,000 levels is decoded', () => {
	const g = graphDecode(deep(100000));
	assert.equal(graphLevels(g), 100000);
	assert.equal(graphPath(g, 99999).length, 100000);
});
