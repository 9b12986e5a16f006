// Colours of blocks.
//
// Palettes are computed in OKLCH, so that all blocks of a theme are equally
// light: the graph stays calm, and one text colour is readable on all of them.
// Warm = kernel, grey = no symbol, the other hues = code by package.

import { graphNodes, graphTotal, type Graph } from './graph.ts';

export const SLOT_ROOT = 0;
export const SLOT_UNNAMED = 1;
const SLOT_KERNEL = 2;
const KERNEL_SHADES = 5;
const SLOT_CODE = SLOT_KERNEL + KERNEL_SHADES;
const CODE_HUES = 18;
const SLOT_HEAT = SLOT_CODE + CODE_HUES;
const HEAT_STEPS = 16;

export interface Palette {
	/** Fill per slot. */
	fill: string[];
	edge: string;
	text: string;
	/** Blocks that do not match a search, and the blocks above the focused one. */
	muted: string;
	mutedText: string;
	/** Blocks too narrow to be drawn alone, merged. */
	tiny: string;
	tinyHit: string;
	hover: string;
	selected: string;
}

/** OKLCH to #rrggbb (Ottosson's OKLab matrices, sRGB transfer function). */
export function oklch(l: number, c: number, hue: number): string {
	const a = c * Math.cos(hue * Math.PI / 180);
	const b = c * Math.sin(hue * Math.PI / 180);
	const lms = [
		(l + 0.3963377774 * a + 0.2158037573 * b) ** 3,
		(l - 0.1055613458 * a - 0.0638541728 * b) ** 3,
		(l - 0.0894841775 * a - 1.2914855480 * b) ** 3,
	];
	const rgb = [
		4.0767416621 * lms[0] - 3.3077115913 * lms[1] + 0.2309699292 * lms[2],
		-1.2684380046 * lms[0] + 2.6097574011 * lms[1] - 0.3413193965 * lms[2],
		-0.0041960863 * lms[0] - 0.7034186147 * lms[1] + 1.7076147010 * lms[2],
	];
	return `#${rgb.map(channel).join('')}`;
}

function channel(linear: number): string {
	const v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
	return Math.round(Math.min(1, Math.max(0, v)) * 255).toString(16).padStart(2, '0');
}

function fills(l: number, c: number, root: string, unnamed: string): string[] {
	const out = [root, unnamed];
	for (let i = 0; i < KERNEL_SHADES; i++)
		out.push(oklch(l - 0.02 + i * 0.01, c + 0.015, 32 + i * 9));
	for (let i = 0; i < CODE_HUES; i++)
		out.push(oklch(l + (i % 3 - 1) * 0.025, c - (i % 2) * 0.018, 100 + i * 13.5));
	for (let i = 0; i < HEAT_STEPS; i++)
		out.push(oklch(l + 0.1 - i * 0.012, c * (0.25 + i / HEAT_STEPS), 100 - i * 4.6));
	return out;
}

export const DARK: Palette = {
	fill: fills(0.745, 0.092, '#8d97a8', '#8a92a0'),
	edge: '#14171d', text: '#0f1216', muted: '#2c313b', mutedText: '#a9b2c0',
	tiny: '#454c59', tinyHit: '#e8a65c', hover: '#ffffff', selected: '#ffb35c',
};

export const LIGHT: Palette = {
	fill: fills(0.84, 0.078, '#c3cad5', '#cfd4dc'),
	edge: '#ffffff', text: '#14181f', muted: '#e9ecf1', mutedText: '#566072',
	tiny: '#a9b1bf', tinyHit: '#c2610f', hover: '#14181f', selected: '#a84300',
};

// Where Linux is entered: system calls, interrupts, exceptions, kernel threads (x86-64 and arm64).
const KERNEL_STARTS = [
	'[kernel', '[k]', 'entry_SYS', 'entry_INT80', 'do_syscall_', 'x64_sys_call', '__x64_sys_', '__arm64_sys_', '__ia32_sys_',
	'asm_sysvec', 'asm_exc', 'asm_common', 'asm_spurious', 'asm_int', 'ret_from_fork', 'el0_', 'el0t_', 'el1_',
	'el1h_', 'el1t_', 'secondary_startup', 'common_startup', 'start_kernel', 'cpu_startup_entry', 'vmlinux',
	'common_interrupt',
];
const KERNEL_FIRST = new Set(KERNEL_STARTS.map((s) => s.charCodeAt(0)));
const ADDRESS = /(?:\+|!|^)0x[0-9a-f]+$/i;
const UNKNOWN = /^\[?unknown\]?$/i;

// These run once for each of maybe 100,000 names, so cheap tests go before regular expressions.

export function nameIsKernel(name: string): boolean {
	if (name === 'kthread' || name.includes('[kernel') || name.endsWith('_[k]'))
		return true;
	return KERNEL_FIRST.has(name.charCodeAt(0)) && KERNEL_STARTS.some((s) => name.startsWith(s));
}

export function nameIsUnnamed(name: string): boolean {
	return (name.includes('0x') && ADDRESS.test(name)) || (name.length <= 9 && UNKNOWN.test(name));
}

/** Up to the first bracket that opens arguments or type parameters; leading ones are skipped. */
function withoutBrackets(name: string): string {
	let start = 0;
	while (name[start] === '<')
		start++;
	for (let i = start; i < name.length; i++) {
		const c = name[i];
		if (c === '(' || c === '<' || c === '[' || c === '{')
			return name.slice(start, i);
	}
	return start > 0 ? name.slice(start) : name;
}

/** What a name belongs to: a Go or Java package, a C++ or Rust namespace, a file, else itself. */
export function packageOf(name: string): string {
	if (nameIsUnnamed(name))
		return name.replace(/[+!]?0x[0-9a-f]+$/i, '');
	const plain = withoutBrackets(name);
	const slash = plain.lastIndexOf('/');
	if (slash >= 0) {
		const end = plain.slice(slash + 1).search(/[.:]/);
		return end < 0 ? plain : plain.slice(0, slash + 1 + end);
	}
	const colons = plain.split('::');
	if (colons.length > 1)
		return colons.slice(0, Math.min(2, colons.length - 1)).join('::');
	const dots = plain.split('.');
	return dots.length > 1 ? dots.slice(0, Math.max(1, dots.length - 2)).join('.') : plain;
}

function hash(text: string): number {
	let h = 0x811c9dc5;
	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
	h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
	return (h ^ (h >>> 13)) >>> 0;
}

function slotOfName(name: string): number {
	if (nameIsUnnamed(name))
		return SLOT_UNNAMED;
	if (nameIsKernel(name))
		return SLOT_KERNEL + hash(name) % KERNEL_SHADES;
	return SLOT_CODE + hash(packageOf(name)) % CODE_HUES;
}

function isKernelSlot(slot: number): boolean {
	return slot >= SLOT_KERNEL && slot < SLOT_CODE;
}

/**
 * What is called by the kernel is kernel, so names known as its entry points are
 * enough. In a graph made from another one (callers), that order is lost: there
 * a name has the colour that it has in base.
 */
export function slotsByPackage(g: Graph, base: Graph = g): Uint8Array {
	if (g === base)
		return slotsDownwards(g);
	const ofName = new Uint8Array(g.names.length);
	slotsDownwards(base).forEach((slot, n) => { ofName[base.name[n]] = slot; });
	return Uint8Array.from(g.name, (name) => ofName[name]);
}

function slotsDownwards(g: Graph): Uint8Array {
	const ofName = Uint8Array.from(g.names, slotOfName);
	const slots = new Uint8Array(graphNodes(g));
	for (let n = 1; n < slots.length; n++) {
		const own = ofName[g.name[n]];
		const inherits = isKernelSlot(slots[g.parent[n]]) && own !== SLOT_UNNAMED && !isKernelSlot(own);
		slots[n] = inherits ? SLOT_KERNEL + hash(g.names[g.name[n]]) % KERNEL_SHADES : own;
	}
	return slots;
}

/** By share of the graph's total, on a square-root scale: half of the steps are below a quarter. */
export function slotsByValue(g: Graph): Uint8Array {
	const all = graphTotal(g) || 1;
	return Uint8Array.from(g.total, (t) =>
		SLOT_HEAT + Math.min(HEAT_STEPS - 1, Math.floor(Math.sqrt(t / all) * HEAT_STEPS)));
}

/** For the legend. */
export function legendFill(p: Palette): { kernel: string; unnamed: string; code: string[] } {
	return { kernel: p.fill[SLOT_KERNEL + 1], unnamed: p.fill[SLOT_UNNAMED],
		code: [1, 7, 12].map((i) => p.fill[SLOT_CODE + i]) };
}
