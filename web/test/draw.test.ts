import assert from 'node:assert/strict';
import test from 'node:test';
import { DARK, LIGHT, nameIsKernel, nameIsUnnamed, packageOf, slotsByPackage, slotsByValue, type Palette } from '../src/flame/color.ts';
import { flameDraw, levelAtY, ROW_PX, shorten, type Context, type Scene } from '../src/flame/draw.ts';
import { graphDecode, type Graph } from '../src/flame/graph.ts';
import { sandwichCallers } from '../src/flame/sandwich.ts';
import { deep, encode, SMALL } from './sample.ts';

/** WCAG 2.2, "relative luminance" and "contrast ratio". */
function luminance(hex: string): number {
	const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
		.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
	const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
	return (hi + 0.05) / (lo + 0.05);
}

interface Recorded {
	ctx: Context;
	rects: [number, number, number, number, string][];
	texts: string[];
}

function recorder(): Recorded {
	const out = { rects: [] as Recorded['rects'], texts: [] as string[] };
	const ctx = {
		fillStyle: '', strokeStyle: '', lineWidth: 1, font: '', textBaseline: '',
		clearRect() {}, strokeRect() {},
		fillRect(x: number, y: number, w: number, h: number) { out.rects.push([x, y, w, h, this.fillStyle]); },
		fillText(text: string) { out.texts.push(text); },
		measureText(text: string) { return { width: text.length * 12 }; },
	};
	return { ctx: ctx as unknown as Context, ...out };
}

function scene(graph: Graph, patch: Partial<Scene> = {}): Scene {
	return {
		graph, slots: slotsByPackage(graph), palette: DARK, x0: 0, x1: graph.total[0], width: 1000, height: 400, scrollTop: 0,
		charWidth: 7, hits: undefined, focusLevel: 0, selected: -1, hovered: -1, flip: false, alignEnd: false,
		label: (n) => graph.names[graph.name[n]], value: (n) => `${graph.total[n]}`, ...patch,
	};
}

const small = graphDecode(encode(SMALL));

test('text is readable on every block of both themes, also when muted', () => {
	for (const p of [DARK, LIGHT] as Palette[]) {
		for (const fill of p.fill)
			assert.ok(contrast(p.text, fill) >= 5.5, `${p.text} on ${fill}: ${contrast(p.text, fill)}`);
		assert.ok(contrast(p.mutedText, p.muted) >= 4.5, `${p.mutedText} on ${p.muted}: ${contrast(p.mutedText, p.muted)}`);
	}
});

test('bars are drawn where they belong, with names that fit', () => {
	const r = recorder();
	assert.equal(flameDraw(r.ctx, scene(small)), 7);
	const lefts = r.rects.map(([x, y]) => `${x},${y / ROW_PX}`).sort();
	assert.deepEqual(lefts, ['0,0', '0,1', '100,1', '150,2', '450,3', '650,2', '900,3']);
	assert.ok(r.texts.includes('total (100)'));
	assert.ok(r.texts.includes('main (90)'));
});

test('a focused block fills the width, and what is beside it is not drawn', () => {
	const r = recorder();
	flameDraw(r.ctx, scene(small, { x0: 15, x1: 65, focusLevel: 2 }));
	assert.deepEqual(r.rects.map(([x, y, w]) => [x, y / ROW_PX, Math.round(w) + 1]).sort(), [[0, 0, 1000], [0, 1, 1000], [0, 2, 1000], [600, 3, 400]]);
	assert.equal(r.rects.filter((x) => x[4] === DARK.muted).length, 2);
});

test('what a search does not match is muted', () => {
	const r = recorder();
	const hits = Uint8Array.from(small.names, (n) => (n === 'c' ? 1 : 0));
	flameDraw(r.ctx, scene(small, { hits }));
	assert.equal(r.rects.filter((x) => x[4] === DARK.muted).length, 5);
});

test('callers are drawn upside down', () => {
	const r = recorder();
	flameDraw(r.ctx, scene(small, { flip: true }));
	assert.equal(r.rects.find(([, , w]) => w > 990)![1], 400 - ROW_PX, 'the root is on the floor');
	assert.equal(levelAtY(scene(small, { flip: true }), 395), 0);
	assert.equal(levelAtY(scene(small, { flip: true, height: 40 }), 5), 3);
	assert.equal(levelAtY(scene(small, { flip: true, height: 40, scrollTop: 40 }), 39), 0);
	assert.equal(levelAtY(scene(small), 5), 0);
});

test('thousands of bars below a pixel become few strips', () => {
	const children = Array.from({ length: 50000 }, (_, i) => ({ name: `f${i}`, self: 1 }));
	const g = graphDecode(fast(children.length));
	const r = recorder();
	flameDraw(r.ctx, scene(g));
	assert.ok(r.rects.length < 2100, String(r.rects.length));
	const hits = Uint8Array.from(g.names, (n) => (n === 'f777' ? 1 : 0));
	const s = recorder();
	flameDraw(s.ctx, scene(g, { hits }));
	assert.ok(s.rects.some((x) => x[4] === DARK.tinyHit), 'a match stays visible');
});

/** total with that many leaves of 1. */
function fast(leaves: number) {
	const names = ['total', ...Array.from({ length: leaves }, (_, i) => `f${i}`)];
	return { names, levels: [{ values: ['0', String(leaves), '0', '0'] }, { values: names.slice(1).flatMap((_, i) => ['0', '1', '1', String(i + 1)]) }] };
}

test('only the levels in view are drawn, however deep the stacks are', () => {
	const g = graphDecode(deep(5000));
	const r = recorder();
	assert.equal(flameDraw(r.ctx, scene(g, { scrollTop: 4000 * ROW_PX })), 400 / ROW_PX);
	assert.ok(r.texts[0].startsWith('f4000'));
});

test('names that do not fit lose their end or their start', () => {
	assert.equal(shorten('abcdefgh', 8, false), 'abcdefgh');
	assert.equal(shorten('abcdefgh', 5, false), 'abcd…');
	assert.equal(shorten('abcdefgh', 5, true), '…efgh');
	assert.equal(shorten('abcdefgh', 2, false), '');
});

test('an empty graph draws nothing', () => {
	assert.equal(flameDraw(recorder().ctx, scene(graphDecode({}), { x1: 0 })), 0);
});

test('kernel and missing symbols are known by their names', () => {
	for (const name of ['entry_SYSCALL_64_after_hwframe', 'asm_sysvec_apic_timer_interrupt', 'asm_exc_page_fault', 'ret_from_fork', '__x64_sys_read', '[kernel.kallsyms]+0x12', 'el0t_64_sync', 'vmlinux+0x1'])
		assert.ok(nameIsKernel(name), name);
	for (const name of ['main', 'entrypoint', 'asmjs_call', 'element', 'kthreadpool_run', 'do_work'])
		assert.ok(!nameIsKernel(name), name);
	for (const name of ['libfoo.so+0x1234', '0xdeadbeef', 'a.out!0x40', '[unknown]', 'unknown'])
		assert.ok(nameIsUnnamed(name), name);
	assert.ok(!nameIsUnnamed('f0x12'));
});

test('what the kernel calls is kernel, also seen from its callers', () => {
	const g = graphDecode(encode({ name: 'total', self: 0, children: [{ name: 'main', self: 1, children: [
		{ name: 'do_syscall_64', self: 1, children: [{ name: 'vfs_read', self: 8 }] }] }] }));
	const kernel = slotsByPackage(g)[3];
	assert.ok(kernel >= 2 && kernel < 7);
	const up = sandwichCallers(g, g.names.indexOf('vfs_read'));
	const slots = slotsByPackage(up, g);
	assert.equal(slots[0], kernel);
	assert.ok(slots[2] >= 7, 'main is no kernel function');
});

test('functions of one package share a colour', () => {
	const cases: Record<string, string> = {
		'github.com/acme/shop/cart.(*Service).AddItem': 'github.com/acme/shop/cart', 'runtime.mallocgc': 'runtime',
		'tokio::runtime::task::harness::poll': 'tokio::runtime', '<alloc::vec::Vec<T> as Drop>::drop': 'alloc::vec',
		'com.acme.orders.service.OrderService.place': 'com.acme.orders.service', 'libc.so.6+0x1234': 'libc.so.6',
		'std::sort<int*>(int*, int*)': 'std', main: 'main', '': '',
	};
	for (const [name, expected] of Object.entries(cases))
		assert.equal(packageOf(name), expected, name);
});

test('by value, more is another colour', () => {
	const slots = slotsByValue(small);
	assert.ok(slots[0] > slots[3] && slots[3] > slots[1]);
});
