// The top table: self and total of each function.

import { graphNodes, type Graph } from './graph.ts';

export interface Row {
	name: number;
	self: number;
	total: number;
}

export type SortKey = 'self' | 'total' | 'name';

/**
 * Functions with their sums. A recursive function's total counts each stack
 * once: a node adds to it only when no ancestor has the same name. The walk is
 * iterative, since stacks can be thousands of frames deep.
 */
export function tableRows(g: Graph): Row[] {
	const self = new Float64Array(g.names.length);
	const total = new Float64Array(g.names.length);
	const used = new Uint8Array(g.names.length);
	const open = new Uint32Array(g.names.length);
	const next = g.first.slice();
	for (let node = graphNodes(g) > 0 ? 0 : -1, enter = true; node >= 0;) {
		const name = g.name[node];
		if (enter) {
			used[name] = 1;
			self[name] += g.self[node];
			if (open[name]++ === 0)
				total[name] += g.total[node];
		}
		enter = next[node] < g.first[node + 1];
		if (enter) {
			node = next[node]++;
		} else {
			open[name]--;
			node = g.parent[node];
		}
	}
	return collect(g, used, self, total);
}

/** The root is the graph's own "total" bar and no function, so it has no row. */
function collect(g: Graph, used: Uint8Array, self: Float64Array, total: Float64Array): Row[] {
	const rows: Row[] = [];
	for (let name = 0; name < used.length; name++)
		if (used[name] && !(graphNodes(g) > 0 && name === g.name[0] && self[name] === g.self[0]
			&& total[name] === g.total[0]))
			rows.push({ name, self: self[name], total: total[name] });
	return rows;
}

/** Sorted copy; equal values are ordered by name, so that the order never flickers. */
export function tableSort(g: Graph, rows: Row[], key: SortKey, descending: boolean): Row[] {
	const sign = descending ? -1 : 1;
	const byName = (a: Row, b: Row) => compareText(g.names[a.name], g.names[b.name]);
	const order = key === 'name' ? (a: Row, b: Row) => sign * byName(a, b)
		: (a: Row, b: Row) => sign * (a[key] - b[key]) || byName(a, b);
	return rows.slice().sort(order);
}

function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
