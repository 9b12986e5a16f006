// Draws the visible part of a flame graph on a canvas of the size of the view.
//
// Only levels inside the view and, by binary search, only bars inside the shown
// range of x are visited. Bars narrower than TINY_PX are merged into strips, so
// the number of rectangles is bounded by the pixels, not by the nodes. Bars are
// filled colour by colour, as changing the fill style is what costs.

import { graphFirstRightOf, graphLevelOf, graphLevels, type Graph } from './graph.ts';
import type { Palette } from './color.ts';

export const ROW_PX = 20;
const BAR_PX = ROW_PX - 1;
const TINY_PX = 0.9;
const LABEL_MIN_PX = 26;
const PAD_PX = 5;
export const FONT = '12px ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace';

export interface Scene {
	graph: Graph;
	/** Palette slot per node. */
	slots: Uint8Array;
	palette: Palette;
	/** Shown range of x. */
	x0: number;
	x1: number;
	/** CSS pixels. */
	width: number;
	height: number;
	scrollTop: number;
	charWidth: number;
	/** Matching names, or undefined when nothing is searched for. */
	hits: Uint8Array | undefined;
	/** Level of the focused block; blocks above it are muted. */
	focusLevel: number;
	selected: number;
	hovered: number;
	/** Callers: the root is at the bottom. */
	flip: boolean;
	/** Show the end of names that do not fit. */
	alignEnd: boolean;
	label(node: number): string;
	value(node: number): string;
}

export type Context = Pick<CanvasRenderingContext2D, 'fillRect' | 'fillText' | 'strokeRect' | 'clearRect'
	| 'fillStyle' | 'strokeStyle' | 'lineWidth' | 'font' | 'textBaseline' | 'measureText'>;

interface Bars {
	/** left, top, width per bar. */
	rects: number[][];
	muted: number[];
	tiny: number[];
	tinyHit: number[];
	labels: number[];
}

/** Where row 0 begins: upside down, a graph that is lower than the view stands on its floor. */
function firstRowTop(s: Scene): number {
	const spare = s.flip ? Math.max(0, s.height - graphLevels(s.graph) * ROW_PX) : 0;
	return spare - s.scrollTop;
}

export function rowTop(s: Scene, level: number): number {
	const row = s.flip ? graphLevels(s.graph) - 1 - level : level;
	return row * ROW_PX + firstRowTop(s);
}

export function levelAtY(s: Scene, y: number): number {
	const row = Math.floor((y - firstRowTop(s)) / ROW_PX);
	return s.flip ? graphLevels(s.graph) - 1 - row : row;
}

export function pixelOf(s: Scene, x: number): number {
	return (x - s.x0) / (s.x1 - s.x0) * s.width;
}

/** Returns how many rectangles were drawn. */
export function flameDraw(ctx: Context, s: Scene): number {
	ctx.clearRect(0, 0, s.width, s.height);
	if (graphLevels(s.graph) === 0 || !(s.x1 > s.x0))
		return 0;
	const bars: Bars = { rects: s.palette.fill.map(() => []), muted: [], tiny: [], tinyHit: [], labels: [] };
	const rowA = Math.max(0, Math.floor(-firstRowTop(s) / ROW_PX));
	const rowB = Math.min(graphLevels(s.graph), Math.ceil((s.height - firstRowTop(s)) / ROW_PX));
	for (let row = rowA; row < rowB; row++)
		collectLevel(s, s.flip ? graphLevels(s.graph) - 1 - row : row, bars);
	const drawn = fillAll(ctx, s, bars);
	drawLabels(ctx, s, bars.labels);
	outline(ctx, s, s.hovered, s.palette.hover, 1);
	outline(ctx, s, s.selected, s.palette.selected, 2);
	return drawn;
}

/** Sorts the visible bars of one level into lists of rectangles. */
function collectLevel(s: Scene, level: number, bars: Bars): void {
	const { x, total, name } = s.graph;
	const top = rowTop(s, level);
	const scale = s.width / (s.x1 - s.x0);
	const end = s.graph.level[level + 1];
	let runA = -1;
	let runB = -1;
	let runHit = false;
	const flush = () => {
		if (runA >= 0)
			(runHit ? bars.tinyHit : bars.tiny).push(runA, top, Math.max(runB - runA, 0.5));
		runA = -1;
		runHit = false;
	};
	for (let n = graphFirstRightOf(s.graph, level, s.x0); n < end && x[n] < s.x1; n++) {
		const left = Math.max(0, (x[n] - s.x0) * scale);
		const right = Math.min(s.width, (x[n] + total[n] - s.x0) * scale);
		const hit = s.hits !== undefined && s.hits[name[n]] === 1;
		if (right - left < TINY_PX) {
			if (runA >= 0 && left - runB > TINY_PX)
				flush();
			if (runA < 0)
				runA = left;
			runB = right;
			runHit ||= hit;
			continue;
		}
		flush();
		const muted = level < s.focusLevel || (s.hits !== undefined && !hit);
		(muted ? bars.muted : bars.rects[s.slots[n]]).push(left, top, right - left);
		if (right - left >= LABEL_MIN_PX)
			bars.labels.push(n, left, top, right - left, muted ? 1 : 0);
	}
	flush();
}

function fillAll(ctx: Context, s: Scene, bars: Bars): number {
	let drawn = fillList(ctx, bars.tiny, s.palette.tiny, 0) + fillList(ctx, bars.tinyHit, s.palette.tinyHit, 0)
		+ fillList(ctx, bars.muted, s.palette.muted, 1);
	bars.rects.forEach((list, slot) => {
		drawn += fillList(ctx, list, s.palette.fill[slot], 1);
	});
	return drawn;
}

/** The gap at the right is what separates neighbours; narrow bars get less of it. */
function fillList(ctx: Context, list: number[], fill: string, gap: number): number {
	if (list.length > 0)
		ctx.fillStyle = fill;
	for (let i = 0; i < list.length; i += 3) {
		const width = list[i + 2];
		ctx.fillRect(list[i], list[i + 1], width > 3 ? width - gap : width - gap * 0.25, BAR_PX);
	}
	return list.length / 3;
}

function drawLabels(ctx: Context, s: Scene, labels: number[]): void {
	ctx.font = FONT;
	ctx.textBaseline = 'middle';
	for (const muted of [0, 1]) {
		ctx.fillStyle = muted ? s.palette.mutedText : s.palette.text;
		for (let i = 0; i < labels.length; i += 5)
			if (labels[i + 4] === muted)
				drawLabel(ctx, s, labels[i], labels[i + 1], labels[i + 2], labels[i + 3]);
	}
}

function drawLabel(ctx: Context, s: Scene, node: number, left: number, top: number, width: number): void {
	const room = width - 2 * PAD_PX;
	const fits = Math.floor(room / s.charWidth);
	const text = s.label(node);
	const withValue = fits >= text.length + 6 ? `${text} (${s.value(node)})` : text;
	const shown = withValue.length <= fits ? withValue : shorten(text, fits, s.alignEnd);
	if (shown)
		ctx.fillText(fitWide(ctx, shown, room), left + PAD_PX, top + BAR_PX / 2 + 0.5);
}

export function shorten(text: string, fits: number, keepEnd: boolean): string {
	if (text.length <= fits)
		return text;
	if (fits < 3)
		return '';
	return keepEnd ? `…${text.slice(text.length - fits + 1)}` : `${text.slice(0, fits - 1)}…`;
}

/** The count of characters says nothing of the width of what is not ASCII. */
function fitWide(ctx: Context, text: string, room: number): string {
	if (/^[\x20-\x7e…µ]*$/.test(text))
		return text;
	let out = text;
	while (out.length > 0 && ctx.measureText(out).width > room)
		out = `${out.slice(0, Math.floor((out.length - 1) * 0.8))}`;
	return out;
}

function outline(ctx: Context, s: Scene, node: number, color: string, width: number): void {
	if (node < 0 || node >= s.graph.x.length)
		return;
	const box = barBox(s, node);
	if (!box)
		return;
	ctx.strokeStyle = color;
	ctx.lineWidth = width;
	ctx.strokeRect(box.left + width / 2, box.top + width / 2,
		Math.max(1, box.width - 1 - width), BAR_PX - width);
}

export interface Box {
	left: number;
	top: number;
	width: number;
}

/** Where a node is in the view, or undefined when it is outside the shown range of x. */
export function barBox(s: Scene, node: number): Box | undefined {
	const left = Math.max(0, pixelOf(s, s.graph.x[node]));
	const right = Math.min(s.width, pixelOf(s, s.graph.x[node] + s.graph.total[node]));
	if (right <= 0 || left >= s.width)
		return undefined;
	return { left, top: rowTop(s, graphLevelOf(s.graph, node)), width: right - left };
}
