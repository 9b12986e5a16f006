// The timeline: one layer per service, stacked. Dragging selects a range.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { formatClock, formatRate, type Unit } from './format.ts';
import { stackLayers, type Layer } from './series.ts';

export interface TimelineProps {
	times: number[];
	step: number;
	layers: Layer[];
	colors: string[];
	unit: Unit;
	cpu: boolean;
	theme: 'dark' | 'light';
	onRange(fromMs: number, toMs: number): void;
	onReset(): void;
}

const HEIGHT = 132;
const MIN_DRAG_PX = 4;

const THEMES = {
	dark: { axis: '#9aa4b5', grid: '#262b34' },
	light: { axis: '#566072', grid: '#e4e8ee' },
};

/** Value per bucket to value per second; CPU and other times become seconds per second. */
function perSecond(values: (number | null)[], step: number, unit: Unit): (number | null)[] {
	const scale = (unit === 'ns' ? 1e9 : 1) * step;
	return values.map((v, i) => {
		// A step is drawn back to the point before it, which therefore must not be a gap.
		const shown = v ?? values[i + 1] ?? null;
		return shown === null ? null : shown / scale;
	});
}

function plotData(p: TimelineProps): uPlot.AlignedData {
	const stacks = stackLayers(p.layers).map((v) => perSecond(v, p.step, p.unit));
	return [p.times, ...stacks] as uPlot.AlignedData;
}

function axisValue(v: number, unit: Unit): string {
	return unit === 'ns' ? String(+v.toFixed(3)) : formatRate(v, unit, false).replace('/s', '');
}

function options(p: TimelineProps, width: number, latest: { current: TimelineProps }): uPlot.Options {
	const theme = THEMES[p.theme];
	const axis: uPlot.Axis = {
		stroke: theme.axis, font: '11px system-ui, sans-serif', grid: { stroke: theme.grid, width: 1 },
		ticks: { show: false },
	};
	return {
		width, height: HEIGHT, legend: { show: false }, padding: [8, 10, 0, 0],
		cursor: {
			drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PX }, points: { show: false }, y: false,
			bind: { dblclick: () => () => { latest.current.onReset(); return null; } },
		},
		scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
		axes: [
			{ ...axis, size: 24, values: (_u, splits) => clockTicks(splits), space: 90 },
			{ ...axis, size: 46, space: 22, values: (_u, splits) => splits.map((v) => axisValue(v, p.unit)) },
		],
		series: [{}, ...p.layers.map((_, i): uPlot.Series => {
			const color = () => latest.current.colors[i] ?? 'transparent';
			return { fill: color, stroke: color, width: 0, points: { show: false }, paths: uPlot.paths.stepped!({ align: -1 }) };
		})],
		hooks: { setSelect: [(u) => selected(u, latest.current)] },
	};
}

function clockTicks(splits: number[]): string[] {
	const seconds = splits.some((s) => s % 60 !== 0);
	return splits.map((s) => formatClock(s * 1000).slice(0, seconds ? 8 : 5));
}

function selected(u: uPlot, p: TimelineProps): void {
	if (u.select.width < MIN_DRAG_PX)
		return;
	const from = u.posToVal(u.select.left, 'x') * 1000;
	const to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
	u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
	if (to - from >= 1000)
		p.onRange(Math.round(from), Math.round(to));
}

export function Timeline(p: TimelineProps) {
	const box = useRef<HTMLDivElement>(null);
	const tip = useRef<HTMLDivElement>(null);
	const plot = useRef<uPlot>(undefined);
	const latest = useRef(p);
	latest.current = p;
	const dragging = useRef(false);
	// A new plot only when its shape changes; new numbers go into the one there is.
	const shape = [p.theme, p.unit, p.layers.length].join(' ');
	useEffect(() => {
		const el = box.current!;
		const u = new uPlot(options(p, el.clientWidth, latest), plotData(p), el);
		plot.current = u;
		u.over.addEventListener('pointermove', (e) => showTip(u, tip.current!, latest.current, e.offsetX));
		u.over.addEventListener('pointerleave', () => { tip.current!.hidden = true; });
		const observer = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: HEIGHT }));
		observer.observe(el);
		// What is being selected must not move under the pointer; new data waits for its release.
		u.over.addEventListener('pointerdown', () => { dragging.current = true; });
		const released = () => {
			if (dragging.current)
				setTimeout(() => u.setData(plotData(latest.current)));
			dragging.current = false;
		};
		addEventListener('pointerup', released);
		addEventListener('pointercancel', released);
		return () => {
			removeEventListener('pointerup', released);
			removeEventListener('pointercancel', released);
			observer.disconnect();
			u.destroy();
			dragging.current = false;
		};
	}, [shape]);
	useEffect(() => {
		if (!dragging.current)
			plot.current?.setData(plotData(p));
	}, [p.times, p.layers, p.colors]);
	return (
		<div class="plot" role="img" aria-label={describe(p)}>
			<div ref={box} />
			<div class="tip plot-tip" ref={tip} hidden aria-hidden="true" />
		</div>
	);
}

function describe(p: TimelineProps): string {
	if (p.times.length === 0)
		return 'Timeline without data';
	const top = p.layers.slice(0, 3).map((l) => l.name || 'all').join(', ');
	return `Timeline from ${formatClock(p.times[0] * 1000)} to ${formatClock(p.times[p.times.length - 1] * 1000)}: ${top}`;
}

/** Plain DOM, since it follows the pointer; text nodes only, as names are not ours. */
function showTip(u: uPlot, tip: HTMLDivElement, p: TimelineProps, at: number): void {
	const x = u.posToVal(at, 'x');
	const i = p.times.findIndex((t) => t >= x);
	const some = i >= 0 && p.layers.some((l) => l.values[i] !== null);
	tip.hidden = !some;
	if (!some)
		return;
	const when = document.createElement('div');
	when.className = 'tip-when';
	when.textContent = `${formatClock((p.times[i] - p.step) * 1000)} – ${formatClock(p.times[i] * 1000)}`;
	const lines = p.layers.map((l, n) => ({ l, color: p.colors[n], v: (l.values[i] ?? 0) / p.step }))
		.filter((r) => r.v > 0).sort((a, b) => b.v - a.v).slice(0, 9).map((r) => tipLine(r.l.name, r.color, formatRate(r.v, p.unit, p.cpu)));
	tip.replaceChildren(when, ...lines);
	const left = at + u.over.offsetLeft;
	const flip = left + tip.offsetWidth + 20 > u.root.clientWidth;
	tip.style.transform = `translate(${flip ? left - tip.offsetWidth - 12 : left + 12}px, 8px)`;
}

function tipLine(name: string, color: string, value: string): HTMLElement {
	const line = document.createElement('div');
	line.className = 'tip-line';
	const dot = document.createElement('i');
	dot.style.background = color;
	const label = document.createElement('span');
	label.textContent = name || 'all';
	const amount = document.createElement('b');
	amount.textContent = value;
	line.append(dot, label, amount);
	return line;
}
