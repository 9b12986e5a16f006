// The sandwich: everything that leads to one function, and everything below it.
//
// An occurrence inside another occurrence of the same function (recursion) is
// part of the outer one, so that both sides add up to the function's total.

import { graphCreate, graphLink, graphNodes, type Graph } from './graph.ts';

interface Trie {
	names: number[];
	parents: number[];
	totals: number[];
	selfs: number[];
	index: Map<number, number>;
}

function trieCreate(name: number): Trie {
	return { names: [name], parents: [-1], totals: [0], selfs: [0], index: new Map() };
}

function trieChild(t: Trie, parent: number, name: number, width: number): number {
	const key = parent * width + name;
	const at = t.index.get(key);
	if (at !== undefined)
		return at;
	const node = t.names.push(name) - 1;
	t.parents.push(parent);
	t.totals.push(0);
	t.selfs.push(0);
	t.index.set(key, node);
	return node;
}

/** Nodes with this name that have no ancestor with it. */
export function sandwichOccurrences(g: Graph, name: number): number[] {
	const inside = new Uint8Array(graphNodes(g));
	const found: number[] = [];
	for (let n = 0; n < inside.length; n++) {
		const above = g.parent[n] >= 0 && inside[g.parent[n]] === 1;
		inside[n] = above || g.name[n] === name ? 1 : 0;
		if (!above && g.name[n] === name)
			found.push(n);
	}
	return found;
}

/** Root is the function, its children are its callers, and so on up to the graph's root. */
export function sandwichCallers(g: Graph, name: number): Graph {
	const t = trieCreate(name);
	for (const node of sandwichOccurrences(g, name)) {
		t.totals[0] += g.total[node];
		let at = 0;
		for (let n = g.parent[node]; n > 0; n = g.parent[n]) {
			at = trieChild(t, at, g.name[n], g.names.length);
			t.totals[at] += g.total[node];
		}
		t.selfs[at] += g.total[node];
	}
	return trieGraph(t, g.names);
}

/** Root is the function with the sum of all its subtrees. */
export function sandwichCallees(g: Graph, name: number): Graph {
	const t = trieCreate(name);
	const image = new Int32Array(graphNodes(g)).fill(-1);
	for (const node of sandwichOccurrences(g, name))
		image[node] = 0;
	for (let n = 0; n < image.length; n++) {
		if (image[n] < 0 && g.parent[n] >= 0 && image[g.parent[n]] >= 0)
			image[n] = trieChild(t, image[g.parent[n]], g.name[n], g.names.length);
		if (image[n] < 0)
			continue;
		t.totals[image[n]] += g.total[n];
		t.selfs[image[n]] += g.self[n];
	}
	return trieGraph(t, g.names);
}

/** Lays a trie out as a graph: children by name, a parent's own value at its left. */
function trieGraph(t: Trie, names: string[]): Graph {
	const children: number[][] = t.names.map(() => []);
	for (let i = 1; i < t.names.length; i++)
		children[t.parents[i]].push(i);
	const levels: number[][] = [[0]];
	for (let level = levels[0]; level.length > 0; levels.push(level))
		level = level.flatMap((n) => children[n].sort((a, b) => order(names, t, a, b)));
	levels.pop();
	const g = graphCreate(names, t.names.length, levels.length);
	const x = new Float64Array(t.names.length);
	let node = 0;
	levels.forEach((level, l) => {
		g.level[l] = node;
		for (const n of level)
			place(g, t, node++, n, x, children[n]);
	});
	g.level[levels.length] = node;
	graphLink(g);
	return g;
}

function place(g: Graph, t: Trie, node: number, n: number, x: Float64Array, children: number[]) {
	g.x[node] = x[n];
	g.total[node] = t.totals[n];
	g.self[node] = t.selfs[n];
	g.name[node] = t.names[n];
	let at = x[n] + t.selfs[n];
	for (const c of children) {
		x[c] = at;
		at += t.totals[c];
	}
}

function order(names: string[], t: Trie, a: number, b: number): number {
	const left = names[t.names[a]];
	const right = names[t.names[b]];
	return left < right ? -1 : left > right ? 1 : a - b;
}
