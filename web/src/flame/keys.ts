// Moving from block to block with the keyboard.

import { graphLevelOf, graphNodes, type Graph } from './graph.ts';

export type Move = 'parent' | 'child' | 'next' | 'previous' | 'first';

function widestChild(g: Graph, node: number): number {
	let best = -1;
	for (let c = g.first[node]; c < g.first[node + 1]; c++)
		if (best < 0 || g.total[c] > g.total[best])
			best = c;
	return best;
}

/**
 * The block to go to, or the same one when there is none. Sideways moves stay
 * inside the focused block's range, where the view is.
 */
export function flameMove(g: Graph, node: number, move: Move, focus: number): number {
	if (graphNodes(g) === 0)
		return -1;
	if (node < 0 || move === 'first')
		return focus;
	if (move === 'parent')
		return g.parent[node] >= 0 ? g.parent[node] : node;
	if (move === 'child') {
		const inFocus = node < focus && g.total[node] >= g.total[focus] ? childTowards(g, node, focus) : -1;
		const child = inFocus >= 0 ? inFocus : widestChild(g, node);
		return child >= 0 ? child : node;
	}
	return sideways(g, node, move === 'next' ? 1 : -1, focus);
}

/** From above the focused block, down means towards it: its siblings are out of view. */
function childTowards(g: Graph, node: number, focus: number): number {
	for (let n = focus; n > node; n = g.parent[n])
		if (g.parent[n] === node)
			return n;
	return -1;
}

function sideways(g: Graph, node: number, step: number, focus: number): number {
	const level = graphLevelOf(g, node);
	const next = node + step;
	if (next < g.level[level] || next >= g.level[level + 1])
		return node;
	const inside = g.x[next] < g.x[focus] + g.total[focus] && g.x[next] + g.total[next] > g.x[focus];
	return inside ? next : node;
}
