// Graphs for the tests, written as trees and encoded as the server does.

import type { FlameGraphJson } from '../src/flame/graph.ts';

export interface Tree {
	name: string;
	self: number;
	children?: Tree[];
}

export function total(t: Tree): number {
	return t.self + (t.children ?? []).reduce((n, c) => n + total(c), 0);
}

/** Quads of x offset from the previous bar's end, total, self, name index; self first. */
export function encode(root: Tree): FlameGraphJson {
	const names: string[] = [];
	const index = (name: string) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1);
	const levels: { values: string[] }[] = [];
	let row = [{ t: root, x: 0 }];
	while (row.length > 0) {
		const values: number[] = [];
		const next: typeof row = [];
		let end = 0;
		for (const { t, x } of row) {
			values.push(x - end, total(t), t.self, index(t.name));
			end = x + total(t);
			let at = x + t.self;
			for (const c of t.children ?? []) {
				next.push({ t: c, x: at });
				at += total(c);
			}
		}
		levels.push({ values: values.map(String) });
		row = next;
	}
	return { names, levels, total: String(total(root)) };
}

/** total 100: main 90 (a 50 → c 20, self 30; b 35 → c 10, self 25; self 5), idle 10. */
export const SMALL: Tree = {
	name: 'total', self: 0, children: [
		{ name: 'idle', self: 10 },
		{ name: 'main', self: 5, children: [
			{ name: 'a', self: 30, children: [{ name: 'c', self: 20 }] },
			{ name: 'b', self: 25, children: [{ name: 'c', self: 10 }] },
		] },
	],
};

/** fib calls itself, and print calls fib again. */
export const RECURSIVE: Tree = {
	name: 'total', self: 0, children: [{ name: 'main', self: 1, children: [
		{ name: 'fib', self: 2, children: [{ name: 'fib', self: 4, children: [{ name: 'fib', self: 8 }] }, { name: 'leaf', self: 3 }] },
		{ name: 'print', self: 1, children: [{ name: 'fib', self: 5 }] },
	] }],
};

/** One stack of that many levels. */
export function deep(levels: number): FlameGraphJson {
	const names = Array.from({ length: levels }, (_, i) => `f${i}`);
	return { names, levels: names.map((_, i) => ({ values: ['0', '7', i === levels - 1 ? '7' : '0', String(i)] })) };
}

/** A pseudo-random tree with few names, so that recursion happens. */
export function randomTree(seed: number, nodes: number): Tree {
	let state = seed;
	const next = () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
	const root: Tree = { name: 'total', self: 0, children: [] };
	const all = [root];
	for (let i = 0; i < nodes; i++) {
		const parent = all[Math.floor(next() * all.length)];
		const child: Tree = { name: `n${Math.floor(next() * 9)}`, self: Math.floor(next() * 50) + 1, children: [] };
		if ((parent.children ?? []).some((c) => c.name === child.name))
			continue;
		parent.children!.push(child);
		parent.children!.sort((a, b) => (a.name < b.name ? -1 : 1));
		all.push(child);
	}
	return root;
}
