// A flame graph in typed arrays, and its decoding from the server's levels.
//
// Nodes are numbered level by level, left to right, so that a level is a range
// of node numbers sorted by x, a node's children are a range in the next level,
// and a bar is found by binary search. Node 0 is the root.

export interface Graph {
	names: string[];
	x: Float64Array;
	total: Float64Array;
	self: Float64Array;
	name: Uint32Array;
	/** Parent node; -1 for the root. */
	parent: Int32Array;
	/** Children of node i are first[i] … first[i + 1] - 1. */
	first: Uint32Array;
	/** Nodes of level l are level[l] … level[l + 1] - 1. */
	level: Uint32Array;
}

/** What the query API sends: int64 as decimal strings (protojson), zero fields left out. */
export interface FlameGraphJson {
	names?: string[];
	levels?: { values?: (string | number)[] }[];
	total?: string | number;
}

const QUAD = 4;

export function graphLevels(g: Graph): number {
	return g.level.length - 1;
}

export function graphNodes(g: Graph): number {
	return g.x.length;
}

export function graphTotal(g: Graph): number {
	return g.total.length > 0 ? g.total[0] : 0;
}

export function graphCreate(names: string[], nodes: number, levels: number): Graph {
	return {
		names,
		x: new Float64Array(nodes),
		total: new Float64Array(nodes),
		self: new Float64Array(nodes),
		name: new Uint32Array(nodes),
		parent: new Int32Array(nodes).fill(-1),
		first: new Uint32Array(nodes + 1),
		level: new Uint32Array(levels + 1),
	};
}

/** The level that a node is in. */
export function graphLevelOf(g: Graph, node: number): number {
	let lo = 0;
	let hi = graphLevels(g) - 1;
	while (lo < hi) {
		const mid = (lo + hi + 1) >> 1;
		if (g.level[mid] <= node)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

/** First node of the level whose right edge is beyond x; the level's end if there is none. */
export function graphFirstRightOf(g: Graph, level: number, x: number): number {
	let lo = g.level[level];
	let hi = g.level[level + 1];
	while (lo < hi) {
		const mid = (lo + hi) >> 1;
		if (g.x[mid] + g.total[mid] > x)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/** The node that covers x in a level, or -1. */
export function graphNodeAt(g: Graph, level: number, x: number): number {
	if (level < 0 || level >= graphLevels(g))
		return -1;
	const node = graphFirstRightOf(g, level, x);
	return node < g.level[level + 1] && g.x[node] <= x ? node : -1;
}

function finite(value: string | number | undefined): number {
	const n = Number(value ?? 0);
	return Number.isFinite(n) ? n : 0;
}

function countNodes(levels: { values?: unknown[] }[]): number {
	return levels.reduce((sum, l) => sum + Math.floor((l.values?.length ?? 0) / QUAD), 0);
}

/**
 * Levels are flat lists of quads (x offset from the end of the previous bar,
 * total, self, name index). A bar whose name index points nowhere is shown with
 * a name that says so: a broken answer is visible, and never breaks the page.
 */
export function graphDecode(json: FlameGraphJson | undefined): Graph {
	const levels = (json?.levels ?? []).filter((l) => (l.values?.length ?? 0) >= QUAD);
	const names = (json?.names ?? []).slice();
	const g = graphCreate(names, countNodes(levels), levels.length);
	let node = 0;
	levels.forEach((level, l) => {
		g.level[l] = node;
		node = decodeLevel(g, node, level.values ?? []);
	});
	g.level[levels.length] = node;
	graphLink(g);
	return g;
}

function decodeLevel(g: Graph, node: number, values: (string | number)[]): number {
	let end = 0;
	for (let i = 0; i + QUAD <= values.length; i += QUAD, node++) {
		g.x[node] = end + finite(values[i]);
		g.total[node] = finite(values[i + 1]);
		g.self[node] = finite(values[i + 2]);
		g.name[node] = nameIndex(g.names, finite(values[i + 3]));
		end = g.x[node] + g.total[node];
	}
	return node;
}

function nameIndex(names: string[], index: number): number {
	if (Number.isInteger(index) && index >= 0 && index < names.length)
		return index;
	const missing = '(name missing in the answer)';
	const at = names.indexOf(missing);
	return at >= 0 ? at : names.push(missing) - 1;
}

/** Fills parent and first from the bars' positions. */
export function graphLink(g: Graph): void {
	const nodes = graphNodes(g);
	for (let l = 0; l < graphLevels(g); l++) {
		let child = g.level[l + 1];
		const end = l + 2 < g.level.length ? g.level[l + 2] : nodes;
		for (let p = g.level[l]; p < g.level[l + 1]; p++) {
			g.first[p] = child;
			const last = p + 1 === g.level[l + 1];
			const right = g.x[p] + g.total[p];
			for (; child < end && (last || g.x[child] < right); child++)
				g.parent[child] = p;
		}
	}
	g.first[nodes] = nodes;
}

/** The node and its ancestors, root first. */
export function graphPath(g: Graph, node: number): number[] {
	const path: number[] = [];
	for (let n = node; n >= 0; n = g.parent[n])
		path.push(n);
	return path.reverse();
}

function hashText(text: string, seed: number): number {
	let h = seed;
	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
	return h >>> 0;
}

/**
 * A key per node made of the names from the root down, so that a block is found
 * again in another answer, where its number is another one. 52 bits, in a double.
 */
export function graphKeys(g: Graph): Float64Array {
	const low = g.names.map((n) => hashText(n, 0x811c9dc5));
	const high = g.names.map((n) => hashText(n, 0x9747b28c));
	const lows = new Uint32Array(graphNodes(g));
	const highs = new Uint32Array(graphNodes(g));
	const keys = new Float64Array(graphNodes(g));
	for (let n = 0; n < keys.length; n++) {
		const p = g.parent[n];
		lows[n] = mix((p < 0 ? 1 : lows[p]) ^ low[g.name[n]]);
		highs[n] = mix(((p < 0 ? 2 : highs[p]) + high[g.name[n]]) >>> 0);
		keys[n] = (highs[n] & 0xfffff) * 0x100000000 + lows[n];
	}
	return keys;
}

function mix(h: number): number {
	h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
	h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
	return (h ^ (h >>> 16)) >>> 0;
}

export function graphKeyText(g: Graph, node: number): string {
	return graphKeys(g)[node].toString(36);
}

/** The node with this key, or -1. */
export function graphFindKey(g: Graph, text: string): number {
	return text ? graphKeys(g).indexOf(parseInt(text, 36)) : -1;
}
