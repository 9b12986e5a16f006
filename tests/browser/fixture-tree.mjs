// Deterministic call trees for the fixture server, and the flame graph encoding
// of the query API: levels of quads (x offset from the previous bar's end,
// total, self, name index), a parent's self first, children sorted by name.

/** A small generator with a seed (mulberry32), so that every run sees the same data. */
export function random(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

export function seedOf(text) {
	return [...text].reduce((h, c) => Math.imul(h ^ c.codePointAt(0), 0x01000193) >>> 0, 0x811c9dc5);
}

function node(name) {
	return { name, self: 0, total: 0, children: new Map() };
}

export function treeCreate() {
	return node('total');
}

export function treeAdd(root, stack, value) {
	let at = root;
	at.total += value;
	for (const name of stack) {
		if (!at.children.has(name))
			at.children.set(name, node(name));
		at = at.children.get(name);
		at.total += value;
	}
	at.self += value;
}

/** Nodes below the k-th largest total become one "other" leaf per parent. */
function pruneLimit(root, most) {
	const totals = [];
	const stack = [root];
	while (stack.length > 0) {
		const n = stack.pop();
		totals.push(n.total);
		stack.push(...n.children.values());
	}
	if (totals.length <= most)
		return 0;
	return totals.sort((a, b) => b - a)[most - 1];
}

function shownChildren(n, least) {
	const kept = [...n.children.values()].filter((c) => c.total >= least)
		.sort((a, b) => (a.name < b.name ? -1 : 1));
	const rest = n.total - n.self - kept.reduce((sum, c) => sum + c.total, 0);
	if (rest > 0)
		kept.push({ name: 'other', self: rest, total: rest, children: new Map() });
	return kept;
}

export function treeEncode(root, maxNodes) {
	const least = pruneLimit(root, maxNodes);
	const names = ['total'];
	const index = new Map([['total', 0]]);
	const levels = [];
	let maxSelf = 0;
	for (let row = [{ n: root, x: 0 }]; row.length > 0;) {
		const values = [];
		const next = [];
		let end = 0;
		for (const { n, x } of row) {
			if (!index.has(n.name))
				index.set(n.name, names.push(n.name) - 1);
			values.push(x - end, n.total, n.self, index.get(n.name));
			end = x + n.total;
			maxSelf = Math.max(maxSelf, n.self);
			let at = x + n.self;
			for (const c of shownChildren(n, least)) {
				next.push({ n: c, x: at });
				at += c.total;
			}
		}
		levels.push({ values: values.map(String) });
		row = next;
	}
	return { names, levels, total: String(root.total), maxSelf: String(maxSelf) };
}
